//! The engine from outside: wire dialogues on loopback with upstreams of the tests' own.
mod egress {
    mod ca;
    mod destination;
    mod dial;
    mod dns;
    mod framing;
    mod secrets;
    mod streams;
    mod upstream;
    mod websockets;
    mod world;
}
