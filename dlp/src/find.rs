//! What the ways of seeking have in common: something found, in places of the source.
use crate::layers::Layers;
use std::collections::HashMap;
use std::ops::Range;
use zeroize::Zeroizing;

/// Bytes as somebody reads them.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    /// What stands before was looked at already, and is there to be looked back at.
    pub(crate) from: usize,
    /// Nothing follows.
    pub(crate) last: bool,
}

/// Something that was found.
pub(crate) struct Find {
    /// From here on the bytes must be looked at to find it (again). Not behind the value.
    pub(crate) start: usize,
    /// The bytes that must not go on.
    pub(crate) value: Range<usize>,
    pub(crate) what: What,
    /// How it was read.
    pub(crate) layer: How,
    /// In codes: what may stand there instead, and in place of which bytes (groups of letters are whole or not at all).
    pub(crate) stand_in: Option<(Range<usize>, Vec<u8>)>,
}

/// How bytes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// As they stand there.
    Plain,
    /// Percent, JSON and HTML escapes undone, invisible characters left out.
    Escaped,
    /// Through these codes.
    Decoded(Layers),
}

/// What was found, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A spelling of a known value, by its number.
    Known(u32),
    /// Something that a rule sees, by the rule's number.
    Rule(u32),
}

/// Something that was told of, and where it stands.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) thing: Thing,
    pub(crate) value: Range<usize>,
}

pub(crate) enum What {
    /// A spelling of a known value, by its number.
    Known(u32),
    /// A rule, by its number, and the value as it was read.
    Rule(u32, Zeroizing<Vec<u8>>),
}

impl Find {
    pub(crate) fn of_rule(rule: u32, start: usize, value: Range<usize>, read: Zeroizing<Vec<u8>>) -> Find {
        Find { start, value, what: What::Rule(rule, read), layer: How::Plain, stand_in: None }
    }

    pub(crate) fn thing(&self) -> Thing {
        match self.what {
            What::Known(target) => Thing::Known(target),
            What::Rule(number, _) => Thing::Rule(number),
        }
    }

    /// Left to right; where several begin at one place known values come first, then the longer, then the earlier rule.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let number = match &self.what {
            What::Known(_) => (0, 0),
            What::Rule(number, _) => (1, *number),
        };
        (self.value.start, number.0, std::cmp::Reverse(self.value.end), number.1, self.layer != How::Plain)
    }

    /// The bytes that a stand-in takes the place of.
    pub(crate) fn replaced(&self) -> Range<usize> {
        self.stand_in.as_ref().map_or_else(|| self.value.clone(), |(range, _)| range.clone())
    }

    /// The other one is part of this one: the same thing, read in two ways.
    pub(crate) fn holds(&self, other: &Find) -> bool {
        let same = match (&self.what, &other.what) {
            (What::Rule(one, _), What::Rule(two, _)) => one == two,
            _ => false,
        };
        same && self.value.start <= other.value.start && other.value.end <= self.value.end
    }
}

impl Find {
    /// Of a part of it that begins where it does. What is read without the escapes around it may go on into what stands behind a
    /// wrapped line: all of that must not go on, but the value as it stands there is the one to be known again.
    pub(crate) fn take_value(&mut self, part: Find) {
        let same_start = self.value.start == part.value.start;
        if same_start && (self.layer, part.layer) == (How::Escaped, How::Plain) {
            self.what = part.what;
        }
    }
}

/// How far each rule has seen values already: a match inside of a value of the same rule is none.
#[derive(Default)]
pub(crate) struct Seen {
    until: HashMap<u32, usize>,
}

impl Seen {
    pub(crate) fn covers(&self, rule: u32, place: usize) -> bool {
        self.until.get(&rule).is_some_and(|until| place < *until)
    }
    pub(crate) fn cover(&mut self, rule: u32, until: usize) {
        self.until.insert(rule, until);
    }
}
