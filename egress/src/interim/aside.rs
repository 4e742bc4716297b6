//! Interim answers in HTTP/1.1, where hyper says none.
use super::WAITING;
use http::Response;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is said to the agent beside hyper, which writes none of these: between two messages of one h1 connection, when
/// all that hyper had to say is written and the answer's head is not.
#[derive(Default)]
pub(crate) struct Aside(Mutex<State>);

#[derive(Default)]
struct State {
    /// Whether an exchange waits for its answer.
    open: bool,
    /// Whether hyper has nothing left to write of what came before the answer.
    quiet: bool,
    waiting: Vec<u8>,
    written: usize,
}

impl Aside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request was read, and its answer has not begun.
    pub(crate) fn open(&self) {
        let mut state = self.state();
        (state.open, state.quiet) = (true, false);
    }

    /// The answer is handed over: what waits may still go before it, nothing more is added.
    pub(crate) fn close(&self) {
        self.state().open = false;
    }

    /// To be written at the next moment that is right.
    pub(super) fn say(&self, hint: &Response<()>) {
        let head = bytes(hint);
        let mut state = self.state();
        let fits = state.waiting.len() + head.len() <= WAITING;
        if state.open && fits {
            state.waiting.extend(head);
        }
    }

    /// hyper asked for a flush, which it does when nothing of its own is left to write.
    pub(crate) fn flushing(&self) {
        let mut state = self.state();
        state.quiet = state.open;
        if !state.open && state.written == 0 {
            state.waiting.clear();
        }
    }

    /// hyper's own bytes were written.
    pub(crate) fn spoke(&self) {
        self.state().quiet = false;
    }

    /// Writes with `write` what may be written now: what was begun in any case.
    pub(crate) fn write<E>(
        &self,
        mut write: impl FnMut(&[u8]) -> std::task::Poll<Result<usize, E>>,
    ) -> std::task::Poll<Result<(), E>> {
        let mut state = self.state();
        while !state.waiting.is_empty() && (state.quiet || state.written > 0) {
            let count = std::task::ready!(write(&state.waiting[state.written..]))?;
            state.written += count;
            if count == 0 || state.written == state.waiting.len() {
                state.waiting.clear();
                state.written = 0;
            }
        }
        std::task::Poll::Ready(Ok(()))
    }
}

/// As HTTP/1.1 has it.
fn bytes(hint: &Response<()>) -> Vec<u8> {
    let (status, mut bytes) = (hint.status(), Vec::new());
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing into memory does not fail.
    let _never = write!(bytes, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
    for (name, value) in hint.headers() {
        bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::Teller;
    use super::*;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::task::Poll;

    fn hint(status: u16) -> Response<()> {
        Response::builder()
            .status(status)
            .header("link", "</a>")
            .header("content-length", "9")
            .body(())
            .expect("a head")
    }

    fn aside() -> (Arc<Aside>, Teller) {
        let aside = Arc::<Aside>::default();
        (aside.clone(), Teller::H1(aside))
    }

    /// What is written when every write takes at most `most` bytes and `times` of them succeed.
    fn written(aside: &Aside, most: usize, times: usize) -> String {
        let (mut all, mut left) = (Vec::new(), times);
        let _pending = aside.write(|bytes| {
            if left == 0 {
                return Poll::Pending;
            }
            left -= 1;
            let count = bytes.len().min(most);
            all.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok::<_, Infallible>(count))
        });
        String::from_utf8(all).expect("text")
    }

    const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

    #[test]
    fn nothing_is_said_inside_another_message() {
        let (aside, teller) = aside();
        aside.open();
        teller.say(hint(103));
        assert_eq!(written(&aside, 99, 9), "", "the answer before may not be written yet");
        aside.flushing();
        assert_eq!(written(&aside, 99, 9), HINT);
        aside.spoke();
        teller.say(hint(103));
        assert_eq!(written(&aside, 99, 9), "", "hyper may be in the middle of something");
    }

    #[test]
    fn what_was_begun_is_ended_and_what_comes_too_late_is_dropped() {
        let (aside, teller) = aside();
        aside.open();
        aside.flushing();
        teller.say(hint(103));
        let begun = written(&aside, 5, 2);
        aside.close();
        aside.spoke();
        assert_eq!(begun + &written(&aside, 99, 9), HINT);
        aside.open();
        teller.say(hint(103));
        aside.close();
        aside.flushing();
        teller.say(hint(103));
        aside.open();
        aside.flushing();
        assert_eq!(written(&aside, 99, 9), "");
    }

    #[test]
    fn the_agents_leg_says_100_by_itself_and_what_waits_is_bounded() {
        let (aside, teller) = aside();
        aside.open();
        aside.flushing();
        teller.say(hint(100));
        assert_eq!(written(&aside, 99, 9), "");
        for _ in 0..10_000 {
            teller.say(hint(103));
        }
        assert!(written(&aside, usize::MAX, usize::MAX).len() <= WAITING);
    }
}
