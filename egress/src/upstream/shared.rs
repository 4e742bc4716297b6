//! One HTTP/2 connection and the streams that share it.
use super::connection::of_h2;
use crate::dial::{Failure, Stream};
use crate::http2::Pulse;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What one stream may have in flight before its reader takes it, and all of a connection together. Memory per
/// connection is bounded by the second.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const SEND_BUFFER: usize = 256 * 1024;
/// Before the peer has said how many it takes: what RFC 9113 section 6.5.2 has it take at least.
const FIRST_STREAMS: usize = 100;
/// Streams that we end for what the peer does, before the connection ends.
const FAULTS: usize = 1024;
/// A connection on which nothing comes although streams wait is asked for a sign of life.
const PING: Duration = Duration::from_secs(20);
/// Time for a connection to say that it ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection. It ends when nobody holds it and its streams have ended.
pub(super) struct Line {
    sender: SendRequest<Bytes>,
    open: Arc<AtomicUsize>,
    cut: CancellationToken,
}

fn builder(head_bytes: usize) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(FIRST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(FAULTS))
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX));
    builder
}

impl Line {
    /// Shakes hands, and drives the connection until it ends, is closed, or its peer is gone without a word.
    pub(super) async fn open(stream: Stream, head_bytes: usize) -> Result<Arc<Line>, Failure> {
        let (pulse, stream) = Pulse::of(stream);
        let shaken = builder(head_bytes).handshake::<_, Bytes>(stream).await;
        let (sender, mut connection) = shaken.map_err(|error| of_h2(&error))?;
        let (open, cut) = (Arc::<AtomicUsize>::default(), CancellationToken::new());
        let busy = open.clone();
        let waits = move || busy.load(Ordering::Acquire) > 0;
        let gone = pulse.stops(connection.ping_pong(), PING, PING / 2, waits);
        let closed = cut.clone().cancelled_owned();
        // Errors reach whoever sends or reads.
        tokio::spawn(async move {
            tokio::select! {
                _ended = connection => {}
                () = closed => {}
                () = gone => {}
            }
        });
        Ok(Arc::new(Line { sender, open, cut }))
    }
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }
    /// Streams that may be open at once.
    pub(super) fn streams(&self) -> usize {
        self.sender.current_max_send_streams()
    }
    /// Whether it takes extended CONNECT (RFC 8441 section 3), as far as its peer has said.
    pub(super) fn extended_connect(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }
    /// Whether it takes further streams: it has not ended, and its peer has not said that it will.
    pub(super) fn is_usable(&self) -> bool {
        let ready = self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(())))
    }
    /// Streams under way, either way.
    pub(super) fn open_streams(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
    /// Closes it with all that is in it, after a moment for its farewell.
    pub(super) fn close_soon(&self) {
        let cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            cut.cancel();
        });
    }
}

/// A stream's place on its connection, until its last holder is gone.
#[derive(Clone)]
pub(super) struct Stay(Arc<Place>);

struct Place(Arc<Line>);

impl Stay {
    pub(super) fn on(line: &Arc<Line>) -> Stay {
        line.open.fetch_add(1, Ordering::AcqRel);
        Stay(Arc::new(Place(line.clone())))
    }
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.0.0.sender()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}
