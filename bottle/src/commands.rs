//! One file per command: its arguments and its work.

pub mod audit;
pub mod ca;
pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod egress;
pub mod engine;
pub mod explain;
pub mod image;
pub mod init;
pub mod learn;
pub mod logs;
pub mod man;
pub mod mcp;
pub mod policy;
pub mod prune;
pub mod ps;
pub mod report;
pub mod run;
pub mod scan;
pub mod stop;
