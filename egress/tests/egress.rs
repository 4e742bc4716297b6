//! The engine from outside: wire dialogues on loopback with upstreams of the tests' own.
mod egress {
    mod ca;
    mod destination;
    mod dial;
    mod dns;
    mod early;
    mod framing;
    mod idle;
    mod interim;
    mod secrets;
    mod streams;
    mod upstream;
    mod upstream_proxy;
    mod websockets;
    mod wire;
    mod world;
}
