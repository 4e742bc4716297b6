//! WebSockets: messages are scanned, swapped and scrubbed like bodies; where nothing is sought, bytes pass as they are.
pub mod frames;

use crate::body::Pipeline;
use crate::budget::Purse;
use crate::engine::Shared;
use crate::exchange::Inward;
use crate::record::Ledger;
use crate::screen::{Sought, Watch, Way};
use crate::upstream::Duplex;
use credentials::{BodyKind, BodySwapper, Placeholder, Secret};
use frames::{Kind, Messages, Relay};
use policy::{Denial, DenialCode};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

const READ_SIZE: usize = 16 * 1024;
/// A message that comes in fragments is put together as long as they follow each other so closely.
const FRAGMENT: Duration = Duration::from_millis(250);

/// An open WebSocket to the upstream, and what is sought in its messages.
pub(crate) struct Bridge {
    stream: Option<Box<dyn Duplex>>,
    outward: Outward,
    inward: Answers,
    purse: Purse,
    ledger: Ledger,
    idle: Duration,
    end: CancellationToken,
}

struct Answers {
    inward: Inward,
}

struct Outward {
    watch: Watch,
    swap: Option<(Placeholder, Secret)>,
}

impl Bridge {
    pub(crate) fn new(
        engine: &Shared,
        watch: Watch,
        swap: Option<(Placeholder, Secret)>,
        purse: Purse,
        ledger: &Ledger,
    ) -> Bridge {
        let inward = Inward::new(engine, Sought::new(&engine.terms, Way::Inward), watch.route(), ledger);
        Bridge {
            stream: None,
            outward: Outward { watch, swap },
            inward: Answers { inward },
            purse,
            ledger: ledger.clone(),
            idle: engine.limits.stream_idle_time,
            end: engine.cut.clone(),
        }
    }
    pub(crate) fn with(mut self, stream: Box<dyn Duplex>) -> Bridge {
        self.stream = Some(stream);
        self
    }
    /// Whether messages are read: then no extension may hide them.
    pub(crate) fn reads_frames(&self) -> bool {
        !self.outward.watch.is_idle() || !self.inward.inward.is_idle()
    }

    /// Carries messages both ways until either side ends.
    pub(crate) async fn run(self, client: impl AsyncRead + AsyncWrite + Send + Unpin) {
        let reads = self.reads_frames();
        let Bridge { stream: Some(server), outward, inward, purse, ledger, idle, end } = self else { return };
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_server, mut to_server) = tokio::io::split(server);
        let clock = Clock::default();
        let (mut up_relay, mut down_relay) =
            (Pass::new(reads, true, outward), Pass::new(reads, false, inward));
        let ended = {
            let up = carry(&mut from_client, &mut to_server, &mut up_relay, &clock, Some(&purse), |bytes| {
                ledger.sent(bytes);
            });
            let down = carry(&mut from_server, &mut to_client, &mut down_relay, &clock, None, |bytes| {
                ledger.received(bytes)
            });
            tokio::select! {
                ended = both(up, down) => ended,
                () = clock.idle(idle) => Err(Stopped::Idle),
                () = end.cancelled() => Err(Stopped::Quiet),
                () = ledger.stalled().cancelled() => Err(revoked(&ledger)),
            }
        };
        match ended {
            Ok(()) => ledger.complete(),
            Err(Stopped::Quiet) => {}
            Err(Stopped::Idle) => ledger.break_off(&quiet_for(idle)),
            Err(Stopped::Denied(denial)) => {
                ledger.break_off(&denial);
                let words = frames::policy_close(&denial);
                let farewell = to_client.write_all(&words);
                // The agent may be gone; the finding stands in the event either way.
                let _gone = tokio::time::timeout(Duration::from_secs(1), farewell).await;
            }
        }
        // Nor does the end wait for who reads nothing.
        let ends = async { tokio::join!(to_client.shutdown(), to_server.shutdown()) };
        let _gone = tokio::time::timeout(Duration::from_secs(1), ends).await;
    }
}

/// What allowed it was taken back; the ledger knows why.
fn revoked(ledger: &Ledger) -> Stopped {
    ledger.broken().map_or(Stopped::Quiet, |denial| Stopped::Denied(Box::new(denial)))
}

enum Stopped {
    Quiet,
    Idle,
    Denied(Box<Denial>),
}

impl From<io::Error> for Stopped {
    fn from(_: io::Error) -> Stopped {
        Stopped::Quiet
    }
}

type Carried = Result<(), Stopped>;

/// When one direction has ended the other gets a moment for its own farewell.
async fn both(up: impl Future<Output = Carried>, down: impl Future<Output = Carried>) -> Carried {
    const FAREWELL: Duration = Duration::from_secs(5);
    tokio::pin!(up, down);
    tokio::select! {
        done = &mut up => {
            done?;
            tokio::time::timeout(FAREWELL, down).await.unwrap_or(Ok(()))
        }
        done = &mut down => {
            done?;
            tokio::time::timeout(FAREWELL, up).await.unwrap_or(Ok(()))
        }
    }
}

async fn carry<M: Messages>(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    pass: &mut Pass<M>,
    clock: &Clock,
    purse: Option<&Purse>,
    count: impl Fn(u64),
) -> Carried {
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let reading = from.read(&mut buffer);
        let read = if pass.waits() {
            let Ok(read) = tokio::time::timeout(FRAGMENT, reading).await else {
                write(to, &pass.pause(), &count).await?;
                continue;
            };
            read
        } else {
            reading.await
        };
        // An end without a farewell is an end too; many servers drop the connection after their close frame.
        let read = read.unwrap_or(0);
        clock.tick();
        if read == 0 {
            let _gone = to.shutdown().await;
            return Ok(());
        }
        purse.map_or(Ok(()), |purse| purse.bytes(read as u64)).map_err(Stopped::Denied)?;
        let bytes = pass.take(&buffer[..read]).map_err(Stopped::Denied)?;
        write(to, &bytes, &count).await?;
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], count: impl Fn(u64)) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.write_all(bytes).await?;
    to.flush().await?;
    count(bytes.len() as u64);
    Ok(())
}

/// Frames as bytes, or read.
enum Pass<M> {
    Bytes,
    Frames(Box<Relay<M>>),
}

impl<M: Messages> Pass<M> {
    /// Whether something waits for the end of its message.
    fn waits(&self) -> bool {
        matches!(self, Pass::Frames(relay) if relay.waits())
    }
    /// Nothing came for a while: what waits for the end of its message waits no longer.
    fn pause(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Pass::Frames(relay) = self {
            relay.pause(&mut out);
        }
        out
    }
    fn new(reads: bool, from_client: bool, messages: M) -> Pass<M> {
        if reads { Pass::Frames(Box::new(Relay::new(from_client, messages))) } else { Pass::Bytes }
    }
    fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<std::borrow::Cow<'a, [u8]>, Box<Denial>> {
        match self {
            Pass::Bytes => Ok(bytes.into()),
            Pass::Frames(relay) => {
                let mut out = Vec::with_capacity(bytes.len() + 16);
                relay.take(bytes, &mut out)?;
                Ok(out.into())
            }
        }
    }
}

impl Messages for Outward {
    fn pipeline(&self, kind: Kind, first: &[u8]) -> Pipeline {
        let mut pipeline = Pipeline::default();
        self.watch.stream(&mut pipeline, "websocket");
        if let (Kind::Text, Some((placeholder, secret))) = (kind, &self.swap) {
            let json = matches!(first.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'));
            let kind = if json { BodyKind::Json } else { BodyKind::Text };
            pipeline.then(Swapped(BodySwapper::new(kind, placeholder.clone(), secret.clone())));
        }
        pipeline
    }
    fn control(&self, payload: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.watch.message(payload, "websocket")
    }
}

impl Messages for Answers {
    fn pipeline(&self, _kind: Kind, _first: &[u8]) -> Pipeline {
        let mut pipeline = Pipeline::default();
        self.inward.stream(&mut pipeline, "websocket, inward");
        pipeline
    }
    fn control(&self, payload: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if let Some(clean) = self.inward.control(payload)? {
            *payload = clean;
            payload.truncate(frames::CONTROL);
        }
        Ok(())
    }
}

struct Swapped(BodySwapper);

impl crate::body::Stage for Swapped {
    fn data(&mut self, input: &mut bytes::Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let _swaps = self.0.push(&std::mem::take(input), out);
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let _swaps = self.0.finish(out);
        Ok(())
    }
}

/// When something last moved, in either direction.
struct Clock(std::sync::Mutex<tokio::time::Instant>);

impl Default for Clock {
    fn default() -> Clock {
        Clock(std::sync::Mutex::new(tokio::time::Instant::now()))
    }
}

impl Clock {
    fn last(&self) -> std::sync::MutexGuard<'_, tokio::time::Instant> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    fn tick(&self) {
        *self.last() = tokio::time::Instant::now();
    }
    async fn idle(&self, time: Duration) {
        loop {
            let until = *self.last() + time;
            if until <= tokio::time::Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

fn quiet_for(idle: Duration) -> Denial {
    let sentence = format!("nothing moved in the WebSocket for {} s", idle.as_secs_f32());
    Denial::new(DenialCode::LimitExceeded, sentence)
}

/// A message that cannot be a message.
fn malformed(what: &str) -> Box<Denial> {
    Box::new(Denial::new(DenialCode::MalformedRequest, format!("a WebSocket frame cannot be read: {what}")))
}
