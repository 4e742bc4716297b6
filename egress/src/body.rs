//! Bodies as they stream: what every message body is here, and the stages that its bytes pass.
use crate::record::Ledger;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use policy::Denial;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

/// What a body may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Any body, either way.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Bytes that one step may give at most before it is asked again: what a decompression bomb gets.
pub(crate) const PIECE: usize = 64 * 1024;

/// A body that has no bytes.
pub(crate) fn empty() -> Body {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is there whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A transformation of a stream of bytes, without I/O.
pub(crate) trait Stage: Send {
    /// Takes from `input` (some or all) and appends to `out`. True: call again even when `input` is used up.
    /// # Errors
    /// When the body must not go on.
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>>;
    /// The stream ended.
    /// # Errors
    /// As [`Stage::data`].
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>>;
    /// Takes the last of the input, all of it, and ends the stream in one step. False: nothing was taken, it is given by
    /// [`Stage::data`] and [`Stage::end`] then. For stages that give no more than they get.
    /// # Errors
    /// As [`Stage::data`].
    fn last(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let _ = (input, out);
        Ok(false)
    }
    /// The trailers that follow.
    /// # Errors
    /// As [`Stage::data`].
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        let _ = trailers;
        Ok(())
    }
}

/// Steps that are made at once without anything to show for it: 4 MiB of work when stages lie inside one.
const STEPS: usize = 8;

/// What came of some steps.
pub(crate) enum Progress {
    Piece(Bytes),
    /// More must be fed.
    Hungry,
    /// There is more to do, and others want to do something too.
    Tired,
}

struct Step {
    stage: Box<dyn Stage>,
    pending: Bytes,
    again: bool,
    /// Nothing comes after what is pending.
    last: bool,
    /// What it gives was given before.
    passes: bool,
}

impl Step {
    fn new(stage: impl Stage + 'static, passes: bool) -> Step {
        Step { stage: Box::new(stage), pending: Bytes::new(), again: false, last: false, passes }
    }
}

/// Stages in a row. Memory: one [`PIECE`] or chunk for each, whatever the expansion.
#[derive(Default)]
pub(crate) struct Pipeline {
    steps: Vec<Step>,
    ended: usize,
    worked: u64,
}

impl Pipeline {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
    /// Appends a stage.
    pub(crate) fn then(&mut self, stage: impl Stage + 'static) {
        self.steps.push(Step::new(stage, false));
    }
    /// Appends a stage that mostly gives what it got: it counts for no work.
    pub(crate) fn then_passing(&mut self, stage: impl Stage + 'static) {
        self.steps.push(Step::new(stage, true));
    }
    /// Hands in a chunk; only when [`Pipeline::next`] gave `None`.
    pub(crate) fn feed(&mut self, chunk: Bytes) {
        self.steps[0].pending = chunk;
    }
    /// Hands in the last chunk: [`Pipeline::finish`] comes next.
    fn feed_last(&mut self, chunk: Bytes) {
        self.feed(chunk);
        self.steps[0].last = true;
    }
    /// The next piece, or `None` when more must be fed.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Box<Denial>> {
        loop {
            match self.step()? {
                Progress::Piece(piece) => return Ok(Some(piece)),
                Progress::Hungry => return Ok(None),
                Progress::Tired => {}
            }
        }
    }
    /// A few steps towards the next piece.
    pub(crate) fn step(&mut self) -> Result<Progress, Box<Denial>> {
        for _ in 0..STEPS {
            let waits = |step: &Step| step.again || !step.pending.is_empty();
            let Some(level) = self.steps.iter().rposition(waits) else { return Ok(Progress::Hungry) };
            let mut out = Vec::new();
            if self.end_at_once(level, &mut out)? {
                self.ended += 1;
                if let Some(next) = self.steps.get_mut(level + 1) {
                    next.last = true;
                }
            } else {
                let step = &mut self.steps[level];
                step.again = step.stage.data(&mut step.pending, &mut out)?;
            }
            if let Some(piece) = self.hand_on(level, out) {
                return Ok(Progress::Piece(piece));
            }
        }
        Ok(Progress::Tired)
    }
    /// Gives a stage the last of its input, when that is there whole and all stages before have ended.
    fn end_at_once(&mut self, level: usize, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let Some(step) = self.steps.get_mut(level).filter(|step| step.last && level == self.ended) else {
            return Ok(false);
        };
        // Only the first time: what is left of it later is no longer all.
        step.last = false;
        step.stage.last(&mut step.pending, out)
    }
    /// Bytes that all stages together have given.
    pub(crate) fn worked(&self) -> u64 {
        self.worked
    }
    /// The next piece after the last chunk was fed; `None` at the very end.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, Box<Denial>> {
        loop {
            if let Some(piece) = self.next()? {
                return Ok(Some(piece));
            }
            let Some(step) = self.steps.get_mut(self.ended) else { return Ok(None) };
            let mut out = Vec::new();
            step.stage.end(&mut out)?;
            self.ended += 1;
            if let Some(piece) = self.hand_on(self.ended - 1, out) {
                return Ok(Some(piece));
            }
        }
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.steps.iter_mut().try_for_each(|step| step.stage.trailers(trailers))
    }
    fn hand_on(&mut self, level: usize, out: Vec<u8>) -> Option<Bytes> {
        let out = Bytes::from(out);
        if !self.steps[level].passes {
            self.worked += out.len() as u64;
        }
        match self.steps.get_mut(level + 1) {
            _ if out.is_empty() => None,
            Some(next) => {
                next.pending = out;
                None
            }
            None => Some(out),
        }
    }
}

/// A body whose bytes pass a pipeline.
pub(crate) struct Staged {
    inner: Body,
    pipeline: Pipeline,
    same_length: bool,
    trailers: Option<HeaderMap>,
    drained: bool,
    finished: bool,
    ledger: Ledger,
}

impl Staged {
    /// `same_length`: the stages change no byte, or fail.
    pub(crate) fn body(inner: Body, pipeline: Pipeline, same_length: bool, ledger: Ledger) -> Body {
        // An empty body stays one: with unknown length a GET would get a framing that it did not have.
        if pipeline.is_empty() || inner.is_end_stream() {
            return inner;
        }
        Staged { inner, pipeline, same_length, trailers: None, drained: false, finished: false, ledger }
            .boxed_unsync()
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BoxError>> {
        while !self.finished {
            match self.pipeline.step().map_err(|denial| self.fail(denial))? {
                Progress::Piece(piece) => return Poll::Ready(Ok(Some(Frame::data(piece)))),
                Progress::Tired => {
                    // Woken after the others and after what came over the network, not at once.
                    if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Progress::Hungry if self.drained => return Poll::Ready(self.last()),
                Progress::Hungry => {}
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)).transpose()? {
                None => self.drained = true,
                Some(frame) => self.take(frame),
            }
        }
        Poll::Ready(Ok(None))
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(chunk) if self.inner.is_end_stream() => {
                self.drained = true;
                self.pipeline.feed_last(chunk);
            }
            Ok(chunk) => self.pipeline.feed(chunk),
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                self.drained = true;
            }
        }
    }

    fn last(&mut self) -> Result<Option<Frame<Bytes>>, BoxError> {
        if let Some(piece) = self.pipeline.finish().map_err(|denial| self.fail(denial))? {
            return Ok(Some(Frame::data(piece)));
        }
        self.finished = true;
        let Some(mut trailers) = self.trailers.take() else { return Ok(None) };
        self.pipeline.trailers(&mut trailers).map_err(|denial| self.fail(denial))?;
        Ok(Some(Frame::trailers(trailers)))
    }

    fn fail(&mut self, denial: Box<Denial>) -> BoxError {
        self.finished = true;
        self.drained = true;
        self.ledger.break_off(&denial);
        denial
    }
}

impl HttpBody for Staged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.advance(cx).map(Result::transpose)
    }
    fn is_end_stream(&self) -> bool {
        self.finished && self.trailers.is_none()
    }
    fn size_hint(&self) -> SizeHint {
        if self.same_length { self.inner.size_hint() } else { SizeHint::default() }
    }
}

/// Chunks that wait until what is in them was seen to be clean.
#[derive(Default)]
pub(crate) struct Waiting {
    chunks: VecDeque<(Bytes, u64)>,
    bytes: usize,
}

impl Waiting {
    /// A chunk that may go once `clean` bytes of the decoded stream are clean.
    pub(crate) fn push(&mut self, chunk: Bytes, clean: u64) {
        self.bytes += chunk.len();
        self.chunks.push_back((chunk, clean));
    }
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
    /// Gives out the chunks that may go.
    pub(crate) fn release(&mut self, clean: u64, out: &mut Vec<u8>) {
        while let Some((chunk, _)) = self.chunks.pop_front_if(|(_, needs)| *needs <= clean) {
            self.bytes -= chunk.len();
            out.extend_from_slice(&chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives each byte twice, at most two input bytes at a time; says so at the end.
    struct Twice;
    impl Stage for Twice {
        fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
            for byte in input.split_to(input.len().min(2)) {
                out.extend([byte, byte]);
            }
            Ok(false)
        }
        fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
            out.push(b'.');
            Ok(())
        }
    }

    #[test]
    fn stages_pass_everything_in_order() {
        let mut pipeline = Pipeline::default();
        pipeline.then(Twice);
        pipeline.then(Twice);
        let mut all = Vec::new();
        for chunk in ["abc", "d"] {
            pipeline.feed(Bytes::from(chunk));
            while let Some(piece) = pipeline.next().expect("no stage fails") {
                all.extend(piece);
            }
        }
        while let Some(piece) = pipeline.finish().expect("no stage fails") {
            all.extend(piece);
        }
        assert_eq!(all, b"aaaabbbbccccdddd...");
    }

    /// Ends at once, and says that it did.
    struct Whole;
    impl Stage for Whole {
        fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
            out.extend_from_slice(&std::mem::take(input));
            Ok(false)
        }
        fn last(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
            out.push(b'<');
            out.extend_from_slice(&std::mem::take(input));
            out.push(b'>');
            Ok(true)
        }
        fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
            out.push(b'!');
            Ok(())
        }
    }

    fn all_of(mut pipeline: Pipeline, chunks: &[&'static str]) -> String {
        let mut all = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            if at + 1 == chunks.len() {
                pipeline.feed_last(Bytes::from(*chunk));
            } else {
                pipeline.feed(Bytes::from(*chunk));
            }
            while let Some(piece) = pipeline.next().expect("no stage fails") {
                all.extend(piece);
            }
        }
        while let Some(piece) = pipeline.finish().expect("no stage fails") {
            all.extend(piece);
        }
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn the_last_chunk_ends_those_that_can_end_with_it_and_each_once() {
        let mut both = Pipeline::default();
        both.then(Whole);
        both.then(Whole);
        assert_eq!(all_of(both, &["ab", "c"]), "ab<<c>>");
        let mut after = Pipeline::default();
        after.then(Twice);
        after.then(Whole);
        assert_eq!(all_of(after, &["ab", "c"]), "aabbcc.!", "who ends later ends what comes after");
        let mut before = Pipeline::default();
        before.then(Whole);
        before.then(Twice);
        assert_eq!(all_of(before, &["ab", "c"]), "aabb<<cc>>.", "who cannot is ended as ever");
    }

    /// Works a hundred times on what it was given, and shows nothing.
    struct Slow(u32);
    impl Stage for Slow {
        fn data(&mut self, input: &mut Bytes, _: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
            input.clear();
            self.0 += 1;
            Ok(self.0 < 100)
        }
        fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
            out.extend_from_slice(format!("{} times", self.0).as_bytes());
            Ok(())
        }
    }

    #[tokio::test]
    async fn who_works_long_lets_others_go_on() {
        let mut pipeline = Pipeline::default();
        pipeline.then(Slow(0));
        let folder = tempfile::tempdir().expect("a folder");
        let auditor = audit::Auditor::open(&folder.path().join("audit.jsonl"), "test").expect("a file");
        let ledger = Ledger::open(&crate::record::Scribe::bare(auditor), "h1");
        let mut body = Staged::body(full("x"), pipeline, false, ledger);
        let mut pauses = 0;
        let all = std::future::poll_fn(|cx| {
            let polled = Pin::new(&mut body).poll_frame(cx);
            pauses += u32::from(polled.is_pending());
            polled
        });
        let frame = all.await.expect("there is one").expect("no stage fails");
        assert_eq!(frame.into_data().expect("data").as_ref(), b"100 times");
        assert!(pauses >= 10, "{pauses}");
    }

    #[test]
    fn waiting_chunks_go_when_clean() {
        let (mut waiting, mut out) = (Waiting::default(), Vec::new());
        waiting.push(Bytes::from("a"), 2);
        waiting.push(Bytes::from("b"), 4);
        waiting.release(3, &mut out);
        assert_eq!((out.as_slice(), waiting.bytes()), (&b"a"[..], 1));
    }
}
