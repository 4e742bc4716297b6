//! Container engines, for real: started by the tests on sockets and in folders of their own, and gone with the tests.

#[path = "docker/clean.rs"]
mod clean;
#[path = "docker/connect.rs"]
mod connect;
#[path = "docker/engine.rs"]
mod engine;
#[path = "docker/image.rs"]
mod image;
#[path = "docker/remote.rs"]
mod remote;
