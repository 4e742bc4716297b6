//! The engine as a service beside other people's containers: `examples/compose` and `examples/dev-container` as they
//! stand, in a Docker engine of the tests' own, whose network has no way to the world.
//!
//! Images are made here from programs of this machine; nothing is pulled. What the world is to the egress is a server in
//! the engine's network namespace.

#[expect(dead_code, reason = "shared with the tests of crate sandbox, which start more kinds of engines")]
#[path = "../../../sandbox/tests/docker/engine.rs"]
mod engine;

mod dev_container;
mod ground;
mod images;
mod origin;
mod service;
