//! What manifests mean and what is wrong with them.
#[path = "manifest/support.rs"]
mod support;

#[path = "manifest/containers.rs"]
mod containers;
#[path = "manifest/diffs.rs"]
mod diffs;
#[path = "manifest/edits.rs"]
mod edits;
#[path = "manifest/errors.rs"]
mod errors;
#[path = "manifest/hostile.rs"]
mod hostile;
#[path = "manifest/learns.rs"]
mod learns;
#[path = "manifest/lints.rs"]
mod lints;
#[path = "manifest/pages.rs"]
mod pages;
#[path = "manifest/plans.rs"]
mod plans;
#[path = "manifest/presets.rs"]
mod presets;
#[path = "manifest/searches.rs"]
mod searches;
