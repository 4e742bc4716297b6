//! One HTTP/2 connection and the streams that share it.
use super::Abort;
use crate::body::{Body, BoxError};
use crate::dial::Stream;
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Time for an upload to notice that its exchange was aborted, and for a connection to say that it ends.
const ABORTING: Duration = Duration::from_secs(1);
/// How often a connection that is to close looks whether it may.
const RETIREMENT: Duration = Duration::from_millis(200);

/// Runs what a connection consists of, until it is closed.
#[derive(Clone)]
pub(super) struct Parts(pub(super) CancellationToken);

impl<F: Future + Send + 'static> Executor<F> for Parts {
    fn execute(&self, part: F) {
        let cut = self.0.clone();
        tokio::spawn(async move { cut.run_until_cancelled(part).await.is_some() });
    }
}

type H2Connection = http2::Connection<TokioIo<Stream>, Body, Parts>;

/// What the peer of an h2 connection allows, asked of the connection itself: settings come whenever the peer sends them.
/// And the streams on it.
pub(super) struct Settings {
    connection: Mutex<H2Connection>,
    open: AtomicUsize,
    stuck: AtomicUsize,
    cut: CancellationToken,
}

impl Settings {
    /// Drives the connection until it ends or `cut` closes it.
    pub(super) fn drive(connection: H2Connection, cut: CancellationToken) -> Arc<Settings> {
        let connection = Mutex::new(connection);
        let (open, stuck) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let settings = Arc::new(Settings { connection, open, stuck, cut: cut.clone() });
        let driven = settings.clone();
        let driving = poll_fn(move |cx| Pin::new(&mut *driven.connection()).poll(cx));
        tokio::spawn(cut.run_until_cancelled_owned(driving));
        settings
    }
    fn connection(&self) -> MutexGuard<'_, H2Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Streams that may be open at once.
    pub(super) fn streams(&self) -> usize {
        self.connection().current_max_send_streams()
    }
    /// Whether it takes extended CONNECT (RFC 8441 section 3).
    pub(super) fn extended_connect(&self) -> bool {
        self.connection().is_extended_connect_protocol_enabled()
    }
    /// Bodies under way, either way.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }
    /// Closes it with all that is in it.
    pub(super) fn close(&self) {
        self.cut.cancel();
    }
    /// The same, after a moment for its farewell.
    pub(super) fn close_soon(&self) {
        let cut = self.cut.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ABORTING).await;
            cut.cancel();
        });
    }
    /// Whether it takes no further streams.
    pub(super) fn is_retired(&self) -> bool {
        self.stuck.load(Ordering::Acquire) > 0
    }
    /// One of its uploads is stuck: no further streams, and the end when all others have had theirs. A single stream
    /// cannot be freed while its peer takes nothing.
    async fn retire(&self) {
        self.stuck.fetch_add(1, Ordering::AcqRel);
        while self.open() > self.stuck.load(Ordering::Acquire) {
            tokio::time::sleep(RETIREMENT).await;
        }
        self.close();
    }
}

/// A body's place on its connection.
pub(super) struct Stay(Arc<Settings>);

impl Stay {
    pub(super) fn on(settings: &Arc<Settings>) -> Stay {
        settings.open.fetch_add(1, Ordering::AcqRel);
        Stay(settings.clone())
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn abort_of(request: &Request<Body>) -> CancellationToken {
    request.extensions().get::<Abort>().map(|abort| abort.0.clone()).unwrap_or_default()
}

/// Retires the connection when the exchange is aborted and its upload does not end by that, as one does not whose next
/// bytes wait for the peer's window.
pub(super) fn uploading(request: Request<Body>, stay: &Stay) -> Request<Body> {
    let (abort, end, settings) = (abort_of(&request), CancellationToken::new(), stay.0.clone());
    let (stay, guard) = (Stay::on(&settings), end.clone().drop_guard());
    tokio::spawn(async move {
        let aborted = end.run_until_cancelled(abort.cancelled()).await.is_some();
        if aborted && tokio::time::timeout(ABORTING, end.cancelled()).await.is_err() {
            settings.retire().await;
        }
    });
    request.map(|body| Staying { body, _stay: stay, _end: Some(guard) }.boxed_unsync())
}

/// A body that holds its stream's place.
pub(super) struct Staying {
    body: Body,
    _stay: Stay,
    _end: Option<DropGuard>,
}

impl Staying {
    pub(super) fn body(body: Body, stay: Stay) -> Body {
        Staying { body, _stay: stay, _end: None }.boxed_unsync()
    }
}

impl http_body::Body for Staying {
    type Data = Bytes;
    type Error = BoxError;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
