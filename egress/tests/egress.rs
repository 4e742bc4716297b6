//! The engine from outside: wire dialogues on loopback with upstreams of the tests' own.
mod egress {
    mod answers;
    mod asking;
    mod backpressure;
    mod bombs;
    mod budgets;
    mod ca;
    mod codings;
    mod destination;
    mod dial;
    mod dns;
    mod early;
    mod framing;
    mod hiding;
    mod idle;
    mod interim;
    mod legs;
    mod pages;
    mod revoked;
    mod rules;
    mod secrets;
    mod streams;
    mod told;
    mod upstream;
    mod upstream_proxy;
    mod websockets;
    mod wire;
    mod world;
}
