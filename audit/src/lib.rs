//! REMEMBERS. The event schema, the hash chain, the sinks.
//!
//! Not here: what is worth an event (the callers know), secrets (no field can hold one: texts are neutralised and
//! query strings are never recorded).
#![forbid(unsafe_code)]

pub mod event;
pub mod log;
pub mod verify;

pub use event::{Decision, Event, Exchange, Finding, Lifecycle, Record};
pub use log::{AuditError, Auditor, Summary};
pub use verify::{VerifyError, verify};
