//! What a decoded body holds that is in a coding again, and says so by its first bytes alone.
use super::tap::Tap;
use crate::body::Stage;
use crate::coding::{Coding, Decode, Room};
use bytes::Bytes;
use policy::{Denial, DenialCode};
use std::sync::Arc;

/// Reads one more coding, where there is one, and gives what that says; what is in none was looked at before and is not given on.
pub(super) struct Peel {
    start: Vec<u8>,
    room: Room,
    mode: Mode,
    /// The look at what this gives.
    next: Arc<Tap>,
}

enum Mode {
    Unsettled,
    Plain,
    Reading(Box<Decode>),
}

impl Peel {
    pub(super) fn new(room: &Room, next: &Arc<Tap>) -> Peel {
        Peel { start: Vec::new(), room: room.clone(), mode: Mode::Unsettled, next: Arc::clone(next) }
    }

    fn settle(&mut self, input: &mut Bytes) {
        self.start.extend_from_slice(&std::mem::take(input));
        if self.start.len() < Coding::SNIFFED {
            return;
        }
        *input = Bytes::from(std::mem::take(&mut self.start));
        self.mode = match Coding::sniff(input) {
            Some(coding) => Mode::Reading(Box::new(Decode::new(coding, &self.room))),
            None => Mode::Plain,
        };
    }
}

impl Stage for Peel {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        if let Mode::Unsettled = self.mode {
            self.settle(input);
        }
        let Mode::Reading(decoder) = &mut self.mode else {
            input.clear();
            return Ok(false);
        };
        match decoder.data(input, out) {
            Err(denial) if denial.code == DenialCode::Unreadable => {
                // No coding after all.
                input.clear();
                self.mode = Mode::Plain;
                self.next.let_go();
                Ok(false)
            }
            read => read,
        }
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        Ok(())
    }
}
