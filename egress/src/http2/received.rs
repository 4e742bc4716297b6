//! What a peer sends on a stream, as a body.
use crate::body::BoxError;
use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The window opens as the bytes are taken: what nobody takes, the peer may not send.
pub(crate) struct Received {
    stream: RecvStream,
    may_decline: bool,
    /// Bytes that are still to come, where the head says how many.
    left: Option<u64>,
    drained: bool,
    /// Called when the first byte is waited for.
    wanted: Option<Box<dyn FnOnce() + Send>>,
}

impl Received {
    /// After a head with these headers.
    pub(crate) fn new(stream: RecvStream, headers: &HeaderMap) -> Received {
        let left = if stream.is_end_stream() && !headers.contains_key(header::CONTENT_LENGTH) {
            Some(0)
        } else {
            length(headers)
        };
        Received { stream, may_decline: false, left, drained: false, wanted: None }
    }

    /// The answer to a request that was not through: RFC 9113 section 8.1 has a server reset with `NO_ERROR` what it does
    /// not want to hear after a whole answer. That it was whole does not show; that it was not does, where its length was
    /// said. In all other cases a reset is a reset, for it does not reach what both sides have ended.
    pub(crate) fn whose_request_may_be_declined(mut self, uploads: bool) -> Received {
        self.may_decline = uploads;
        self
    }

    /// Calls this once somebody wants the body.
    pub(crate) fn when_wanted(mut self, call: impl FnOnce() + Send + 'static) -> Received {
        self.wanted = Some(Box::new(call));
        self
    }

    /// Whether nothing more can come.
    pub(crate) fn is_whole(&self) -> bool {
        self.left == Some(0) || self.stream.is_end_stream()
    }

    /// For a tunnel, in which there are no messages.
    pub(crate) fn into_stream(self) -> RecvStream {
        self.stream
    }

    fn broken(&self, error: h2::Error) -> Option<Result<Frame<Bytes>, BoxError>> {
        let whole = self.left.is_none_or(|left| left == 0);
        let declined = self.may_decline && whole && error.reason() == Some(Reason::NO_ERROR);
        (!declined).then(|| Err(error.into()))
    }

    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        // Fails when the stream has ended meanwhile, and with it its window.
        let _ended = self.stream.flow_control().release_capacity(data.len());
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        Frame::data(data)
    }
}

/// `h2` refuses what is no number, and numbers that differ.
fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(wanted) = self.wanted.take() {
            wanted();
        }
        while !self.drained {
            match ready!(self.stream.poll_data(cx)) {
                // Says nothing, and would take no room in a window further on, so that any number would fit.
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Some(Ok(self.take(data)))),
                Some(Err(error)) => return Poll::Ready(self.broken(error)),
                None => self.drained = true,
            }
        }
        Poll::Ready(match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => self.broken(error),
        })
    }
    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
