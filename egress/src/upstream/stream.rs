//! One exchange on an HTTP/2 connection.
use super::Abort;
use super::connection::{SendFailure, of_h2};
use super::shared::Stay;
use crate::body::{Body, BoxError};
use crate::http2::{Outgoing, Received, pump};
use crate::interim::Ear;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{Extensions, Method, Request, Response, header, request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Sends a request; until the head of its answer. Whoever lets go before the answer has ended resets the stream.
pub(super) async fn send(stay: Stay, request: Request<Body>) -> Result<Response<Body>, SendFailure> {
    let mut sender = stay.sender();
    if let Err(error) = poll_fn(|cx| sender.poll_ready(cx)).await {
        return Err(SendFailure { why: of_h2(&error), unsent: Some(Box::new(request)), stale: true });
    }
    let (mut head, body) = request.into_parts();
    say_length(&mut head, &body);
    let (abort, ended) = (abort_of(&head.extensions), body.is_end_stream());
    let (answering, out) = begin(sender, Request::from_parts(head, ()), ended)?;
    let upload = (!ended).then(|| upload(body, out, abort, stay.clone()));
    Ok(answering.await?.map(|received| answer(received, stay, upload)))
}

fn abort_of(extensions: &Extensions) -> CancellationToken {
    extensions.get::<Abort>().map(|abort| abort.0.clone()).unwrap_or_default()
}

/// Where a length says something: RFC 9110 section 8.6.
fn say_length(head: &mut request::Parts, body: &Body) {
    let bodiless = [Method::GET, Method::HEAD, Method::DELETE, Method::CONNECT];
    if let Some(length) = body.size_hint().exact()
        && (length > 0 || !bodiless.contains(&head.method))
    {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
}

/// Opens a stream: what is to come back on it, and what may be sent.
pub(super) fn begin(
    mut sender: SendRequest<Bytes>,
    mut request: Request<()>,
    ended: bool,
) -> Result<(impl Future<Output = Result<Response<Received>, h2::Error>>, Outgoing), h2::Error> {
    let ear = request.extensions_mut().remove::<Ear>().unwrap_or_default();
    let (answering, stream) = sender.send_request(request, ended)?;
    Ok((hear(answering, ear, !ended), Outgoing::new(stream, ended)))
}

/// Up to the head of the answer. What comes before it is heard as it comes: unheard, `h2` would keep it.
async fn hear(
    mut answering: ResponseFuture,
    ear: Ear,
    uploads: bool,
) -> Result<Response<Received>, h2::Error> {
    let answer = poll_fn(|cx| {
        while let Poll::Ready(Some(hint)) = answering.poll_informational(cx) {
            ear.hear(&hint?);
        }
        Pin::new(&mut answering).poll(cx)
    });
    let (head, stream) = answer.await?.into_parts();
    let received = Received::new(stream, &head.headers).whose_request_may_be_declined(uploads);
    Ok(Response::from_parts(head, received))
}

/// Sends the body beside the answer, until it has ended, the exchange is aborted, or nobody holds the guard: then the
/// stream is reset at once, even where the next bytes wait for the peer's window.
fn upload(body: Body, out: Outgoing, abort: CancellationToken, stay: Stay) -> DropGuard {
    let end = CancellationToken::new();
    let guard = end.clone().drop_guard();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = end.cancelled() => {}
            () = abort.cancelled() => {}
            () = pump(body, out) => {}
        }
        drop(stay);
    });
    guard
}

/// The body of an answer.
pub(super) fn answer(received: Received, stay: Stay, upload: Option<DropGuard>) -> Body {
    let mut answer = Answer { received, _stay: stay, upload };
    answer.note_end();
    answer.boxed_unsync()
}

struct Answer {
    received: Received,
    _stay: Stay,
    /// Ends the upload with this body, unless it has ended well: an answer may come before its request is through.
    upload: Option<DropGuard>,
}

impl Answer {
    fn note_end(&mut self) {
        if self.received.is_whole() {
            self.ended();
        }
    }
    fn ended(&mut self) {
        self.upload.take().map(DropGuard::disarm);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.received).poll_frame(cx));
        match &frame {
            Some(Ok(part)) if !part.is_trailers() => self.note_end(),
            Some(Ok(_)) | None => self.ended(),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.received.size_hint()
    }
}
