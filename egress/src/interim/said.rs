//! Interim answers in HTTP/2.
use super::{WAITING, bare};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, Response, StatusCode};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The answering half of an h2 stream until its answer begins. It goes with its exchange: [`Unanswered`].
#[derive(Clone)]
pub(crate) struct Said(Arc<Mutex<Saying>>);

struct Saying {
    respond: Option<SendResponse<Bytes>>,
    /// Bytes that may still be said: what waits in `h2` does not show.
    room: usize,
}

/// Resets its stream if it is dropped before an answer began.
pub(crate) struct Unanswered(Said);

impl Unanswered {
    pub(crate) fn new(respond: SendResponse<Bytes>) -> Unanswered {
        Unanswered(Said(Arc::new(Mutex::new(Saying { respond: Some(respond), room: WAITING }))))
    }
    /// For what comes before the answer.
    pub(crate) fn said(&self) -> Said {
        self.0.clone()
    }
    /// Returns when the agent has given the stream up.
    pub(crate) async fn given_up(&self) {
        let reset = |cx: &mut std::task::Context<'_>| match &mut self.0.saying().respond {
            Some(respond) => respond.poll_reset(cx).map(drop),
            None => std::task::Poll::Pending,
        };
        poll_fn(reset).await;
    }
    /// Begins the answer.
    /// # Errors
    /// When its head cannot be said, and the stream is reset.
    pub(crate) fn answer(self, head: Response<()>, ended: bool) -> Result<SendStream<Bytes>, h2::Error> {
        let Some(mut respond) = self.0.saying().respond.take() else {
            return Err(Reason::INTERNAL_ERROR.into());
        };
        respond.send_response(head, ended).inspect_err(|_| respond.send_reset(Reason::INTERNAL_ERROR))
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(mut respond) = self.0.saying().respond.take() {
            respond.send_reset(Reason::CANCEL);
        }
    }
}

impl Said {
    fn saying(&self) -> MutexGuard<'_, Saying> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say(&self, hint: Response<()>) {
        let mut saying = self.saying();
        let size = hint.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        let (Some(room), Some(respond)) = (saying.room.checked_sub(size), &mut saying.respond) else {
            return;
        };
        // What HTTP/2 has no room for is left unsaid; an end of the stream shows in the answer.
        let _said = respond.send_informational(hint);
        saying.room = room;
    }

    /// Asks for the body that a request with `Expect: 100-continue` holds back.
    pub(crate) fn go_on(&self) {
        self.say(bare(StatusCode::CONTINUE, &HeaderMap::new()));
    }
}
