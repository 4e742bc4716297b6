//! Bytes that are not inspected: raw TCP routes and passed-through TLS.
use crate::dial::Dialer;
use crate::record::blank;
use audit::{Decision, Exchange};
use policy::PermittedTunnel;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const READ_SIZE: usize = 32 * 1024;

/// What a tunnel carries; the audit's `protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A `protocol: tcp` route.
    Tcp,
    /// A `tls: passthrough` route whose SNI was checked.
    Tls,
}

impl Carries {
    fn protocol(self) -> &'static str {
        match self {
            Carries::Tcp => "tcp",
            Carries::Tls => "tls-passthrough",
        }
    }
}

/// What tunnels need of the engine.
#[derive(Clone)]
pub struct Tunnels {
    /// Dials.
    pub dialer: Arc<Dialer>,
    /// `Limits::stream_idle_time`.
    pub idle: Duration,
    /// Ends them all.
    pub end: CancellationToken,
}

/// Connects and copies until both sides have ended, nothing moved for the idle time, or the engine ends. `client` gives
/// first what was already read from it. The event is for the caller to record; `id` is the exchange's.
pub async fn run<S>(
    tunnels: &Tunnels,
    permitted: PermittedTunnel,
    carries: Carries,
    id: String,
    mut client: S,
) -> Exchange
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let started = Instant::now();
    let mut event = blank(carries.protocol());
    event.id = id;
    event.host = Some(permitted.host().to_string());
    event.port = Some(permitted.port());
    event.route = Some(permitted.route().name.clone());
    match tunnels.dialer.connect(&permitted).await {
        Err(denial) => {
            event.decision = Decision::Denied;
            event.code = Some(denial.code.as_str().to_owned());
            event.reason = Some(denial.to_string());
        }
        Ok(dialled) => {
            event.upstream = Some(dialled.address.to_string());
            let meter = Meter::default();
            let ended = copy(tunnels, &mut client, dialled.stream, &meter).await;
            (event.decision, event.reason) = verdict(ended);
            (event.bytes_up, event.bytes_down) = meter.counts();
        }
    }
    // The peer may be gone already; the event says what happened.
    let _gone = client.shutdown().await;
    event.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    event
}

enum Ended {
    Both,
    Broken(io::Error),
    Idle,
    Engine,
}

fn verdict(ended: Ended) -> (Decision, Option<String>) {
    match ended {
        Ended::Both => (Decision::Allowed, None),
        Ended::Broken(error) => (Decision::Aborted, Some(format!("the tunnel broke: {error}"))),
        Ended::Idle => (Decision::Aborted, Some("nothing moved for the idle time".to_owned())),
        Ended::Engine => (Decision::Aborted, Some("the bottle ended".to_owned())),
    }
}

async fn copy(
    tunnels: &Tunnels,
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    server: impl AsyncRead + AsyncWrite + Unpin,
    meter: &Meter,
) -> Ended {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let both = async {
        tokio::try_join!(
            pump(&mut from_client, &mut to_server, &meter.up, meter),
            pump(&mut from_server, &mut to_client, &meter.down, meter),
        )
    };
    tokio::select! {
        ended = both => ended.map_or_else(Ended::Broken, |_| Ended::Both),
        () = meter.idle(tunnels.idle) => Ended::Idle,
        () = tunnels.end.cancelled() => Ended::Engine,
    }
}

/// One direction; its end is handed on as a half-close.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    count: &AtomicU64,
    meter: &Meter,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let read = from.read(&mut buffer).await?;
        meter.tick();
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
}

/// What moved, and when it last did.
struct Meter {
    up: AtomicU64,
    down: AtomicU64,
    last: Mutex<Instant>,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { up: AtomicU64::new(0), down: AtomicU64::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Meter {
    fn counts(&self) -> (u64, u64) {
        (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed))
    }
    fn tick(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
    async fn idle(&self, time: Duration) {
        loop {
            let until = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + time;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}
