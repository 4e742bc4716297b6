//! What a decoded body holds that is in a coding again, and says so by its first bytes alone.
use crate::body::Stage;
use crate::coding::{Coding, Decode, Room};
use bytes::Bytes;
use policy::{Denial, DenialCode};

/// Reads one more coding, where there is one. What only looks like it goes on as it is.
pub(super) struct Peel {
    start: Vec<u8>,
    room: Room,
    mode: Mode,
}

enum Mode {
    Unsettled,
    Plain,
    Reading(Box<Decode>),
}

impl Peel {
    pub(super) fn new(room: &Room) -> Peel {
        Peel { start: Vec::new(), room: room.clone(), mode: Mode::Unsettled }
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

    /// No coding after all: these bytes, and all that follow, are what they are.
    fn give_up(&mut self, rest: Bytes, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&rest);
        self.mode = Mode::Plain;
    }
}

impl Stage for Peel {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        if let Mode::Unsettled = self.mode {
            self.settle(input);
        }
        match &mut self.mode {
            Mode::Unsettled => Ok(false),
            Mode::Plain => {
                out.extend_from_slice(&std::mem::take(input));
                Ok(false)
            }
            Mode::Reading(decoder) => {
                let whole = input.clone();
                match decoder.data(input, out) {
                    Err(denial) if denial.code == DenialCode::Unreadable => {
                        *input = Bytes::new();
                        self.give_up(whole, out);
                        Ok(false)
                    }
                    read => read,
                }
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        out.append(&mut self.start);
        Ok(())
    }
}
