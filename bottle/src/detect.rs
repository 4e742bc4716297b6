//! What is installed here and how it is configured.
use manifest::Registries;
use std::path::Path;

/// The registries that the package tools of this machine are configured for.
pub fn registries(_workspace: &Path) -> Registries {
    Registries::default()
}
