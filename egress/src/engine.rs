//! One engine per bottle: its listeners and its end.
use crate::Config;
use std::net::{TcpListener, UdpSocket};

/// Sockets that the engine answers on. Those of a Linux bottle were opened inside its namespace.
#[derive(Default)]
pub struct Listeners {
    /// Captured connections (original destination by `SO_ORIGINAL_DST`) and explicit-proxy clients alike.
    pub tcp: Vec<TcpListener>,
    /// Names over UDP.
    pub dns_udp: Vec<UdpSocket>,
    /// Names over TCP.
    pub dns_tcp: Vec<TcpListener>,
    /// Whether unknown original destinations are trusted as captures (Linux) or the listener is an explicit proxy only
    /// (`bottle egress`).
    pub captured: bool,
}

/// A running engine; dropping it ends everything at once.
pub struct Engine {}

impl Engine {
    /// Starts on the current tokio runtime.
    /// # Errors
    /// When roots or sockets are unusable.
    pub fn start(config: Config, listeners: Listeners) -> Result<Engine, EngineError> {
        let _ = (config, listeners);
        todo!()
    }
    /// Ends: no new connections, running exchanges get the grace time, then all is cut.
    pub async fn shutdown(self) {
        todo!()
    }
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
#[error("egress: {0}")]
pub struct EngineError(pub String);
