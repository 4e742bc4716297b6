//! Known values in streams.
#![allow(missing_docs, reason = "tests are documented by their names")]

#[path = "dlp/benign.rs"]
mod benign;
#[path = "dlp/forms.rs"]
mod forms;
#[path = "dlp/inspect.rs"]
mod inspect;
#[path = "dlp/own.rs"]
mod own;
#[path = "dlp/pages.rs"]
mod pages;
#[path = "dlp/rules/all.rs"]
mod rules;
#[path = "dlp/spell.rs"]
mod spell;
#[path = "dlp/streams.rs"]
mod streams;
