//! Known values in streams.
#![allow(missing_docs, reason = "tests are documented by their names")]

#[path = "dlp/benign.rs"]
mod benign;
#[path = "dlp/containers.rs"]
mod containers;
#[path = "dlp/encoders.rs"]
mod encoders;
#[path = "dlp/forms.rs"]
mod forms;
#[path = "dlp/inspect.rs"]
mod inspect;
#[path = "dlp/ordinary.rs"]
mod ordinary;
#[path = "dlp/own.rs"]
mod own;
#[path = "dlp/packed.rs"]
mod packed;
#[path = "dlp/pages.rs"]
mod pages;
#[path = "dlp/reach.rs"]
mod reach;
#[path = "dlp/rules/all.rs"]
mod rules;
#[path = "dlp/spell.rs"]
mod spell;
#[path = "dlp/streams.rs"]
mod streams;
