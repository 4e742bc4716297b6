//! Real clients, unmodified, in real bottles, against a world of the tests' own on loopback.
//!
//! Every client is asked for two things: an allowed request that arrives with the real credential while the client never
//! sees it, and a refused one whose sentence it shows. `tests/setup` installs the clients; what is not there is listed
//! as skipped by name.

mod agents;
mod bottle;
mod browser;
mod generic;
mod languages;
mod packages;
mod streams;
mod tokens;
mod tools;
mod trust;
mod upstream_proxy;
mod world;
