//! TALKS. The command `bottle`: arguments, commands, the terminal. `main.rs` only parses, runs and exits.
//!
//! Not here: decisions (`policy`), bytes on the wire (`egress`), namespaces (`sandbox`), YAML (`manifest`).
#![forbid(unsafe_code)]
// They panic when the reader has gone: `say` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod attack;
pub mod canary;
pub mod cli;
pub mod commands;
pub mod control;
pub mod demo;
pub mod detect;
mod doorway;
pub mod engine;
pub mod events;
pub mod export;
pub mod failure;
pub mod filter;
pub mod find;
pub mod har;
pub mod holder;
pub mod keep;
pub mod kill_switch;
pub mod launcher_label;
pub mod learn;
pub mod leftovers;
pub mod load;
pub mod logs;
pub mod machine;
pub mod mcp;
pub mod operate;
pub mod owner;
pub mod places;
pub mod process;
pub mod registry;
pub mod report;
pub mod rules;
pub mod run;
pub mod say;
pub mod scan;
pub mod sidecar;
pub mod style;
pub mod ui;
pub mod watch;
pub mod whole;
