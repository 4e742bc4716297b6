//! Trailers of requests, in whatever version they came.
use crate::body::{Body, BoxError};
use crate::framing::is_forbidden_trailer;
use crate::record::Ledger;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use policy::{Denial, DenialCode};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body whose trailers hold nothing of what belongs in the head, or that breaks off there.
pub(crate) fn checked(inner: Body, ledger: &Ledger) -> Body {
    if inner.is_end_stream() { inner } else { Checked { inner, ledger: ledger.clone() }.boxed_unsync() }
}

struct Checked {
    inner: Body,
    ledger: Ledger,
}

impl Checked {
    fn check(&self, trailers: &HeaderMap) -> Result<(), BoxError> {
        if !trailers.keys().any(|name| is_forbidden_trailer(name.as_str().as_bytes())) {
            return Ok(());
        }
        let denial = Denial::new(DenialCode::MalformedRequest, "a trailer holds what belongs in the head");
        self.ledger.break_off(&denial);
        Err(Box::new(denial))
    }
}

impl HttpBody for Checked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::trailers_ref);
        match trailers.map_or(Ok(()), |trailers| self.check(trailers)) {
            Ok(()) => Poll::Ready(frame),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
