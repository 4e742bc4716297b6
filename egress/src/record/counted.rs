//! A body that writes down what passes.
use super::Ledger;
use crate::body::{Body, BoxError};
use crate::budget::Purse;
use crate::headers::size_of_fields;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Which way a body goes.
pub(super) enum Direction {
    /// Out, as long as the purse lasts.
    Up(Purse),
    Down,
}

pub(super) struct Counted {
    pub(super) inner: Body,
    pub(super) ledger: Ledger,
    pub(super) direction: Direction,
    pub(super) left: Option<u64>,
}

impl Counted {
    fn count(&mut self, part: &Frame<Bytes>) -> Result<(), BoxError> {
        let bytes = part.data_ref().map_or(0, |data| data.len() as u64);
        match &self.direction {
            Direction::Up(purse) => {
                let trailers = part.trailers_ref().map_or(0, size_of_fields);
                purse.bytes(bytes + trailers).inspect_err(|denial| self.ledger.break_off(denial))?;
                self.ledger.sent(bytes);
            }
            Direction::Down => self.ledger.received(bytes),
        }
        self.left = self.left.map(|left| left.saturating_sub(bytes));
        Ok(())
    }
    fn note_end(&self, ended: bool) {
        match self.direction {
            Direction::Down if ended || self.left == Some(0) => self.ledger.complete(),
            Direction::Up(_) if ended => self.ledger.uploaded(),
            _ => {}
        }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(part)) => {
                let trailers = part.is_trailers();
                if let Err(empty) = self.count(part) {
                    return Poll::Ready(Some(Err(empty)));
                }
                self.note_end(trailers || self.inner.is_end_stream());
            }
            Some(Err(_)) => {}
            None => self.note_end(true),
        }
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
