//! Bytes that are no requests: raw TCP routes, which are looked at where that is said, and passed-through TLS.
use crate::body::Pipeline;
use crate::budget::Purse;
use crate::dial::{Dialer, Stream};
use crate::record::{Ledger, blank};
use crate::screen::Watch;
use audit::{Decision, Exchange};
use bytes::Bytes;
use policy::{Denial, DenialCode, PermittedTunnel};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// One direction's buffer.
const BUFFER: usize = 16 * 1024;

/// What a tunnel carries; the audit's `protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A `protocol: tcp` route.
    Tcp,
    /// A `tls: passthrough` route whose SNI was checked.
    Tls,
}

impl Carries {
    pub(crate) fn protocol(self) -> &'static str {
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

/// Who looks at a tunnel.
#[derive(Default)]
pub(crate) struct Eyes<'a> {
    /// At its bytes, on their way out.
    pub(crate) watched: Option<Watched>,
    /// At whether it is still allowed.
    pub(crate) ledger: Option<&'a Ledger>,
}

/// A tunnel whose bytes are read on their way out.
pub(crate) struct Watched {
    pipeline: Pipeline,
    ledger: Ledger,
}

impl Watched {
    pub(crate) fn new(watch: &Watch, ledger: Ledger) -> Watched {
        let mut pipeline = Pipeline::default();
        watch.raw(&mut pipeline);
        Watched { pipeline, ledger }
    }

    /// What of these bytes may go on now.
    fn read(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Box<Denial>> {
        if self.pipeline.is_empty() {
            return Ok(bytes.to_vec());
        }
        self.pipeline.feed(Bytes::copy_from_slice(bytes));
        let mut out = Vec::with_capacity(bytes.len());
        while let Some(piece) = self.pipeline.next()? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }

    /// What waited for more.
    fn end(&mut self) -> Result<Vec<u8>, Box<Denial>> {
        let mut out = Vec::new();
        while let Some(piece) = self.pipeline.finish()? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }
}

/// Connects and copies until both sides have ended, nothing moved for the idle time, or the engine ends. `client` gives
/// first what was already read from it. The event is for the caller to record; `id` is the exchange's.
pub async fn run<S>(
    tunnels: &Tunnels,
    permitted: PermittedTunnel,
    carries: Carries,
    id: String,
    client: S,
) -> Exchange
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    run_watched(tunnels, permitted, carries, id, client, Eyes::default()).await
}

/// The same, with an eye on what leaves.
pub(crate) async fn run_watched<S>(
    tunnels: &Tunnels,
    permitted: PermittedTunnel,
    carries: Carries,
    id: String,
    client: S,
    Eyes { mut watched, ledger }: Eyes<'_>,
) -> Exchange
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let began = Instant::now();
    let moved = Moved::new(ledger.cloned());
    let mut exchange = event(&permitted, carries, id);
    let dialled = tunnels.end.run_until_cancelled(tunnels.dialer.connect(&permitted)).await;
    match dialled.unwrap_or_else(|| Err(ending())) {
        Err(denial) => note(&mut exchange, Decision::Denied, &denial),
        Ok(dialled) => {
            exchange.upstream = Some(dialled.address.to_string());
            let purse = Purse::new(tunnels.dialer.books(), permitted.route());
            let up = Up { purse: &purse, watched: watched.as_mut() };
            let ended = carry(tunnels, client, dialled.stream, &moved, up).await;
            // What was taken back ends it, whatever was heard first.
            let revoked = ledger.and_then(Ledger::broken).map(Box::new);
            if let Some(denial) = revoked.or(ended) {
                note(&mut exchange, Decision::Aborted, &denial);
            }
        }
    }
    if let Some(watched) = watched {
        watched.ledger.note(|event| exchange.findings.append(&mut event.findings));
    }
    exchange.bytes_up = moved.up.load(Ordering::Relaxed);
    exchange.bytes_down = moved.down.load(Ordering::Relaxed);
    exchange.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    exchange
}

/// Copies both ways; what broke it off, if anything did.
async fn carry<S>(
    tunnels: &Tunnels,
    client: S,
    upstream: Stream,
    moved: &Moved,
    up: Up<'_>,
) -> Option<Box<Denial>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (client_reads, client_writes) = tokio::io::split(client);
    let (upstream_reads, upstream_writes) = tokio::io::split(upstream);
    // A side that takes nothing more may have said its last words, and they may still be under way. A refusal waits for
    // nothing.
    let both = async {
        let (up, down) = tokio::try_join!(
            copy(client_reads, upstream_writes, &moved.up, moved, Some(up)),
            copy(upstream_reads, client_writes, &moved.down, moved, None),
        )?;
        Ok::<_, Box<Denial>>(up.and(down))
    };
    tokio::select! {
        done = both => match done {
            Ok(ended) => ended.err().map(|error| broken(&error)),
            Err(denial) => Some(denial),
        },
        () = moved.silence(tunnels.idle) => Some(idle(tunnels.idle)),
        () = tunnels.end.cancelled() => Some(ending()),
        () = moved.revoked() => Some(ending()),
    }
}

/// One direction. Its end is passed on as such, and the other direction goes on (half-close).
/// # Errors
/// When no more may leave.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
    moved: &Moved,
    mut up: Option<Up<'_>>,
) -> Result<io::Result<()>, Box<Denial>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match from.read(&mut buffer).await {
            Ok(length) => length,
            Err(error) => return Ok(Err(error)),
        };
        let bytes = match &mut up {
            Some(up) => up.take(&buffer[..length])?,
            None => Cow::Borrowed(&buffer[..length]),
        };
        let written = async {
            to.write_all(&bytes).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return Ok(Err(error));
        }
        count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        moved.touch(up.is_some(), bytes.len() as u64);
        if length == 0 {
            return Ok(to.shutdown().await.or_else(already_gone));
        }
    }
}

/// What leaves pays, and is looked at where the route says so.
struct Up<'a> {
    purse: &'a Purse,
    watched: Option<&'a mut Watched>,
}

impl Up<'_> {
    /// The bytes to go on with; none are the end.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, Box<Denial>> {
        self.purse.bytes(bytes.len() as u64)?;
        match &mut self.watched {
            None => Ok(Cow::Borrowed(bytes)),
            Some(watched) if bytes.is_empty() => watched.end().map(Cow::Owned),
            Some(watched) => watched.read(bytes).map(Cow::Owned),
        }
    }
}

/// A peer that has ended both directions needs no end of ours; its bytes were all read.
fn already_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }
}

/// Bytes so far, and when the last of them moved.
struct Moved {
    up: AtomicU64,
    down: AtomicU64,
    began: Instant,
    last_ms: AtomicU64,
    /// Shows it to the operator, who may end it.
    ledger: Option<Ledger>,
}

impl Moved {
    fn new(ledger: Option<Ledger>) -> Moved {
        Moved {
            ledger,
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
        }
    }

    fn touch(&self, up: bool, bytes: u64) {
        match &self.ledger {
            Some(ledger) if up => ledger.sent(bytes),
            Some(ledger) => ledger.received(bytes),
            None => {}
        }
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Ordering::Relaxed);
    }

    /// When what allowed it was taken back.
    async fn revoked(&self) {
        match &self.ledger {
            Some(ledger) => ledger.stalled().cancelled().await,
            None => std::future::pending().await,
        }
    }

    fn idle_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }

    /// Until nothing has moved for this long. One timer, set anew when it runs out, not one per read.
    async fn silence(&self, limit: Duration) {
        while let Some(left) = limit.checked_sub(self.idle_for()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left).await;
        }
    }
}

fn event(permitted: &PermittedTunnel, carries: Carries, id: String) -> Exchange {
    Exchange {
        id,
        host: Some(permitted.host().to_string()),
        port: Some(permitted.port()),
        route: Some(permitted.route().name.clone()),
        ..blank(carries.protocol())
    }
}

fn note(exchange: &mut Exchange, decision: Decision, denial: &Denial) {
    exchange.decision = decision;
    exchange.code = Some(denial.code.as_str().to_owned());
    exchange.reason = Some(match &denial.detail {
        Some(detail) => format!("{} ({detail})", denial.sentence),
        None => denial.sentence.clone(),
    });
}

fn broken(error: &io::Error) -> Box<Denial> {
    Box::new(Denial::new(DenialCode::UpstreamUnreachable, format!("the tunnel broke off: {error}")))
}

fn idle(limit: Duration) -> Box<Denial> {
    let sentence = format!("nothing moved in the tunnel for {} s", limit.as_secs_f32());
    Box::new(Denial::new(DenialCode::LimitExceeded, sentence))
}

fn ending() -> Box<Denial> {
    Box::new(Denial::new(DenialCode::EgressFailure, "the egress of this bottle is ending"))
}
