//! Secrets: where they come from, what stands for them, where they go.
#![allow(missing_docs, reason = "tests are documented by their names")]

#[path = "credentials/exact.rs"]
mod exact;
#[path = "credentials/inject.rs"]
mod inject;
#[path = "credentials/placeholder.rs"]
mod placeholder;
#[path = "credentials/sources.rs"]
mod sources;
#[path = "credentials/swap.rs"]
mod swap;
