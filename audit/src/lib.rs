//! REMEMBERS. The event schema, the hash chain, the sinks.
//!
//! Not here: what is worth an event (the callers know), secrets (no field can hold one: texts are neutralised and
//! query strings are never recorded).
//!
//! The chain shows that lines were changed, inserted, reordered or taken from the middle. It cannot show that the last
//! line was changed or that whole lines were cut off the end, nor that all of it was written anew: nothing in the file is
//! secret. Whoever needs that keeps the last hash, which [`verify`] gives, somewhere else.
#![forbid(unsafe_code)]

pub mod event;
pub mod log;
pub mod verify;

mod chain;
mod file;
mod summary;
mod writer;

pub use event::{Decision, Event, Exchange, Finding, Lifecycle, Record};
pub use log::{AuditError, Auditor};
pub use summary::Summary;
pub use verify::{VerifyError, verify};

/// The JSON schema of one line, which is published as `docs/audit.schema.json`.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Record)
}
