//! Rules are run where something may begin, and what they find is gathered.
use super::Rule;
use super::machine::{Machine, Run};
use crate::find::{Find, Seen, Text};
use std::ops::Range;
use zeroize::Zeroizing;

/// One look at some bytes.
pub(super) struct Sweep<'a, 'f> {
    pub(super) text: Text<'a>,
    pub(super) seen: Seen,
    pub(super) hold: usize,
    pub(super) found: &'f mut Vec<Find>,
}

impl Sweep<'_, '_> {
    /// Runs from each of the places in turn; the first one at which something may stand decides.
    pub(super) fn run(&mut self, rule: &Rule, number: u32, places: Range<usize>) {
        let Some(machine) = rule.machine() else { return };
        for start in places {
            if self.seen.covers(number, start) || !rule.may_begin(self.text.bytes, start) {
                continue;
            }
            match machine.run(self.text.bytes, start, rule.longest(), self.text.last) {
                Run::Never => {}
                Run::Open => {
                    self.hold = self.hold.min(start);
                    return;
                }
                Run::Match(end) => {
                    if !rule.may_be(self.text.bytes, start..end) {
                        continue;
                    }
                    if let Some(value) = rule.value(self.text.bytes, start..end) {
                        self.find(number, start, value);
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn find(&mut self, number: u32, start: usize, value: Range<usize>) {
        self.seen.cover(number, value.end);
        let read = Zeroizing::new(self.text.bytes[value.clone()].to_vec());
        self.found.push(Find::of_rule(number, start, value, read));
    }

    pub(super) fn hold_open(&mut self, rule: &Rule, start: usize) {
        let opens =
            |machine: &Machine| machine.run(self.text.bytes, start, rule.longest(), false) == Run::Open;
        if start < self.hold && rule.may_begin(self.text.bytes, start) && rule.machine().is_some_and(opens) {
            self.hold = start;
        }
    }
}
