//! The command as its users meet it: real bottles on this machine, driven from outside.
//!
//! Each test that starts a bottle does so as every user that it can be: root and an ordinary one, or ourselves.

#[path = "bottle/ca.rs"]
mod ca;
#[path = "bottle/cli.rs"]
mod cli;
#[path = "bottle/demo.rs"]
mod demo;
#[path = "bottle/egress.rs"]
mod egress;
#[path = "bottle/export.rs"]
mod export;
#[path = "bottle/guarded.rs"]
mod guarded;
#[path = "bottle/life.rs"]
mod life;
#[path = "bottle/mcp.rs"]
mod mcp;
#[path = "bottle/operator.rs"]
mod operator;
#[path = "bottle/person.rs"]
mod person;
#[path = "bottle/real.rs"]
mod real;
#[path = "bottle/run.rs"]
mod run;
#[path = "bottle/search.rs"]
mod search;
#[path = "bottle/seen.rs"]
mod seen;
#[path = "bottle/stage.rs"]
mod stage;
#[path = "bottle/terminal.rs"]
mod terminal;
