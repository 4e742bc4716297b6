//! What is sent on a stream, as fast as its peer takes it.
use crate::body::{Body, BoxError};
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The sending half of a stream. Dropped before its end it is reset at once, whatever still waited for the peer's
/// window: half a message never looks whole, and nothing of it keeps a place.
pub(crate) struct Outgoing {
    stream: SendStream<Bytes>,
    ended: bool,
}

impl Outgoing {
    /// `ended`: the head was the end.
    pub(crate) fn new(stream: SendStream<Bytes>, ended: bool) -> Outgoing {
        Outgoing { stream, ended }
    }

    /// Ends it properly.
    pub(crate) fn end(&mut self) -> Result<(), h2::Error> {
        if self.ended { Ok(()) } else { self.send(Bytes::new(), true) }
    }

    /// Hands on bytes for which there is room, or none.
    pub(crate) fn send(&mut self, bytes: Bytes, last: bool) -> Result<(), h2::Error> {
        self.stream.send_data(bytes, last)?;
        self.ended = last;
        Ok(())
    }

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), h2::Error> {
        self.stream.send_trailers(trailers)?;
        self.ended = true;
        Ok(())
    }

    fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
        self.ended = true;
    }

    /// Ready when the peer has reset the stream or its connection is gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(drop)
    }

    /// Asks for room; only with bytes at hand, for what is set aside here is taken from the connection's other streams.
    /// One byte is enough: what is handed on beyond it waits in `h2`, and as long as it does there is no room.
    pub(crate) fn want_room(&mut self) {
        self.stream.reserve_capacity(1);
    }

    /// Ready when the peer's window and the buffer before it have room.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Gone)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.ended {
            self.stream.send_reset(Reason::CANCEL);
        }
    }
}

/// The peer has reset the stream, or the connection has ended.
pub(crate) struct Gone;

/// Why a body was not sent to its end.
enum Stopped {
    Gone,
    Body(BoxError),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Stopped {
        Stopped::Gone
    }
}

/// After a send: the stream cannot be sent on.
impl From<h2::Error> for Stopped {
    fn from(error: h2::Error) -> Stopped {
        Stopped::Body(error.into())
    }
}

/// Sends a body to its end, or resets the stream. Memory: one chunk of the body, and what `h2` buffers.
pub(crate) async fn pump(body: Body, out: Outgoing) {
    let mut pump = Pump { body, out, waiting: None };
    if let Err(Stopped::Body(error)) = poll_fn(|cx| pump.poll(cx)).await {
        pump.out.reset(reason(&error));
    }
}

struct Pump {
    body: Body,
    out: Outgoing,
    /// What waits for room, and whether it is the last.
    waiting: Option<(Bytes, bool)>,
}

impl Pump {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        while !self.out.ended {
            if self.out.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Stopped::Gone));
            }
            if self.waiting.is_some() {
                ready!(self.out.poll_room(cx))?;
            }
            if let Some((data, last)) = self.waiting.take() {
                self.out.send(data, last)?;
                continue;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.take(frame)?,
                Some(Err(error)) => return Poll::Ready(Err(Stopped::Body(error))),
                None => self.out.end()?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<(), Stopped> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                self.waiting = Some((data, self.body.is_end_stream()));
                self.out.want_room();
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                self.out.send_trailers(trailers)?;
            }
        }
        Ok(())
    }
}

/// What the other leg's peer said, so that a client that knows codes reads the right one; and never that all is well.
fn reason(error: &BoxError) -> Reason {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if let Some(reason) = error.downcast_ref::<h2::Error>().and_then(h2::Error::reason) {
            return if reason == Reason::NO_ERROR { Reason::INTERNAL_ERROR } else { reason };
        }
        cause = error.source();
    }
    Reason::INTERNAL_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What else holds the stream does not matter: `h2` by itself resets it when nobody does any more.
    #[tokio::test]
    async fn half_a_message_is_reset_while_its_answer_is_waited_for() {
        let (near, far) = tokio::io::duplex(1 << 16);
        let peer = tokio::spawn(async move {
            let mut peer = h2::server::handshake(far).await.expect("a client");
            let (request, respond) = peer.accept().await.expect("a request").expect("it is one");
            tokio::spawn(async move { while peer.accept().await.is_some() {} });
            let mut body = request.into_body();
            while let Some(Ok(_)) = body.data().await {}
            let mut respond = respond;
            poll_fn(|cx| respond.poll_reset(cx)).await.expect("it is told why")
        });
        let (sender, connection) = h2::client::handshake(near).await.expect("a server");
        tokio::spawn(connection);
        let mut sender = sender.ready().await.expect("there is room");
        let request = http::Request::post("https://api.test/").body(()).expect("a request");
        let (_answering, stream) = sender.send_request(request, false).expect("it goes out");
        let mut out = Outgoing::new(stream, false);
        out.send(Bytes::from_static(b"half"), false).expect("it goes out");
        drop(out);
        let told = tokio::time::timeout(Duration::from_secs(5), peer).await.expect("it is not left waiting");
        assert_eq!(told.expect("it answers"), Reason::CANCEL);
    }
}
