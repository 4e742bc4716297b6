//! A body in a coding: its copy is decoded and scanned, the bytes themselves go on unchanged.
use super::messages::Messages;
use super::peel::Peel;
use super::tap::{Tapped, Taps};
use super::{Can, Scan, Watch};
use crate::body::{Pipeline, Progress, Stage, Waiting};
use crate::coding::{Coding, Decode, Envelope, Room};
use bytes::Bytes;
use dlp::Unfolding;
use policy::{Denial, DenialCode};
use std::collections::VecDeque;

/// Encoded bytes that may wait for their decoded form to be clean.
const WAITING: usize = 1024 * 1024;
/// Up to here everything is decoded, however small it was.
const DECODED: u64 = 64 * 1024 * 1024;
/// Past that, so many times its encoded size: what compresses better is made for it.
const RATIO: u64 = 256;

/// Decodes a copy of the stream and scans what each decoder gives; the bytes go on once their copy is clean. What is found in a
/// copy cannot be redacted, so it blocks.
pub(super) struct Shadow {
    watch: Watch,
    mode: Mode,
    taps: Taps,
    declared: bool,
    waiting: Waiting,
    /// What is being decoded.
    chunk: Option<Bytes>,
    /// Of a coding of the whole body the last byte waits.
    keeps_last: bool,
    /// The last byte so far. A receiver that counts has not got all before the end was checked.
    last: Bytes,
    encoded: u64,
    /// Of each chunk that waits: how far the looks had come with it.
    marks: VecDeque<Vec<u64>>,
    /// Chunks so far, and those of them that are clean.
    chunks: u64,
    clean: u64,
    room: Room,
}

enum Mode {
    /// Nothing was declared and the first bytes have not shown a coding yet.
    Unsettled(Vec<u8>),
    Reading(Pipeline),
    /// In no coding: the stage before has scanned it as it is.
    Plain,
}

impl Shadow {
    pub(super) fn new(watch: &Watch, codings: Vec<Coding>, messages: Option<Envelope>) -> Shadow {
        let room = watch.body.room().clone();
        let keeps_last = !codings.is_empty();
        let declared = !codings.is_empty() || messages.is_some();
        let mut taps = Taps::default();
        let reading = || Mode::Reading(pipeline_of(codings, messages, &room, watch, &mut taps));
        Shadow {
            mode: if declared { reading() } else { Mode::Unsettled(Vec::new()) },
            watch: watch.clone(),
            taps,
            declared,
            keeps_last,
            waiting: Waiting::default(),
            chunk: None,
            last: Bytes::new(),
            encoded: 0,
            marks: VecDeque::new(),
            chunks: 0,
            clean: 0,
            room,
        }
    }

    /// The bytes to go on with, once it is known how to read them.
    fn settle(&mut self, chunk: Bytes) -> Bytes {
        let Mode::Unsettled(start) = &mut self.mode else { return chunk };
        start.extend_from_slice(&chunk);
        if start.len() < Coding::SNIFFED {
            return Bytes::new();
        }
        let start = Bytes::from(std::mem::take(start));
        // What shows nothing is tried as deflate, which has no mark: anything else breaks off within a few bytes.
        let coding = Coding::sniff(&start).unwrap_or(Coding::Deflate);
        self.mode = Mode::Reading(pipeline_of(vec![coding], None, &self.room, &self.watch, &mut self.taps));
        start
    }

    /// What may wait with the others: all but the last byte.
    fn keep_last(&mut self, mut chunk: Bytes) -> Bytes {
        if !self.keeps_last || chunk.is_empty() {
            return chunk;
        }
        let last = chunk.split_off(chunk.len() - 1);
        let before = std::mem::replace(&mut self.last, last);
        if before.is_empty() { chunk } else { Bytes::from([before, chunk].concat()) }
    }

    fn begin(&mut self, chunk: Bytes) {
        let chunk = self.settle(chunk);
        self.encoded += chunk.len() as u64;
        if let Mode::Reading(decoders) = &mut self.mode {
            decoders.feed(chunk.clone());
        }
        self.chunk = Some(chunk);
    }

    /// A few steps of the decoders and of the looks at what they give, never more at once: others wait meanwhile. True: there may
    /// be more.
    fn read(&mut self) -> Result<bool, Box<Denial>> {
        let Mode::Reading(decoders) = &mut self.mode else { return Ok(false) };
        let progress = decoders.step();
        let worked = decoders.worked();
        match progress {
            Ok(Progress::Piece(_) | Progress::Tired) => {}
            Ok(Progress::Hungry) => return Ok(false),
            Err(denial) => self.failed(denial)?,
        }
        if worked > DECODED && worked / RATIO > self.encoded {
            self.give_up("decodes to more than 256 times its size")?;
        }
        Ok(true)
    }

    /// A finding is one at every depth; anything else is a decoder's own.
    fn failed(&mut self, denial: Box<Denial>) -> Result<(), Box<Denial>> {
        if denial.code == DenialCode::SecretInRequest { Err(denial) } else { self.undecodable(denial) }
    }

    /// What only looked like a coding is plain; what was declared and is none is unreadable, and so is what is too much
    /// for us and not for its receiver.
    fn undecodable(&mut self, denial: Box<Denial>) -> Result<(), Box<Denial>> {
        if self.declared || denial.code == DenialCode::LimitExceeded {
            self.watch.unreadable("damaged").map_err(|_| denial)?;
        }
        self.pass_plain();
        Ok(())
    }

    fn give_up(&mut self, why: &str) -> Result<(), Box<Denial>> {
        self.watch.unreadable_because(&format!("the body {why}, which cannot be inspected"))?;
        self.pass_plain();
        Ok(())
    }

    fn pass_plain(&mut self) {
        self.mode = Mode::Plain;
        self.clean = u64::MAX;
        self.marks.clear();
    }

    /// The chunk was decoded to its end.
    fn end_chunk(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let chunk = self.chunk.take().unwrap_or_default();
        if let Mode::Reading(_) = self.mode {
            let chunk = self.keep_last(chunk);
            self.chunks += 1;
            self.waiting.push(chunk, self.chunks);
            self.marks.push_back(self.taps.mark());
            while self.marks.pop_front_if(|mark| self.taps.are_past(mark)).is_some() {
                self.clean += 1;
            }
            self.waiting.release(self.clean, out);
        } else {
            self.waiting.release(u64::MAX, out);
            out.extend_from_slice(&std::mem::take(&mut self.last));
            out.extend_from_slice(&chunk);
        }
        if self.waiting.bytes() > WAITING {
            self.give_up("decodes to nothing")?;
        }
        Ok(())
    }
}

/// The outermost coding is the last one in the header. What each gives is looked at; what the last one gives is tried as a coding
/// once more, for what it does not say.
fn pipeline_of(
    codings: Vec<Coding>,
    messages: Option<Envelope>,
    room: &Room,
    watch: &Watch,
    taps: &mut Taps,
) -> Pipeline {
    let mut pipeline = Pipeline::default();
    let tapped = |tap, unfolding| Tapped::new(Scan::beside(watch, "body", Can::OnlyBlock, unfolding), tap);
    let mut next = codings.len() + usize::from(messages.is_some());
    // What a decoder gives to the next one is not unfolded by the look at it too; behind the last one `Peel` takes what begins
    // there.
    let mut unfolding = || {
        next -= 1;
        if next > 0 { Unfolding::Nothing } else { Unfolding::Inside }
    };
    for coding in codings.into_iter().rev() {
        pipeline.then(Decode::new(coding, room));
        pipeline.then_passing(tapped(taps.add(), unfolding()));
    }
    if let Some(envelope) = messages {
        pipeline.then(Messages::new(envelope, room));
        pipeline.then_passing(tapped(taps.add(), unfolding()));
    }
    let last = taps.add();
    pipeline.then(Peel::new(room, &last));
    pipeline.then_passing(tapped(last, Unfolding::Everything));
    pipeline
}

impl Stage for Shadow {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        if self.chunk.is_none() {
            self.begin(std::mem::take(input));
        }
        if self.read()? {
            return Ok(true);
        }
        self.end_chunk(out).map(|()| false)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        // Everything that was fed is decoded by now: decoders give nothing at their end but an error.
        while let Mode::Reading(decoders) = &mut self.mode {
            match decoders.finish() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(denial) => self.failed(denial)?,
            }
        }
        self.waiting.release(u64::MAX, out);
        out.extend_from_slice(&std::mem::take(&mut self.last));
        if let Mode::Unsettled(start) = &mut self.mode {
            out.append(start);
        }
        Ok(())
    }
}
