//! Rules that begin before their words, where bytes end.
use super::machine::{Machine, Run};
use super::rule::{Rule, is_plain};
use std::sync::OnceLock;

/// Many patterns as one, of which only matters whether it may still match.
pub(super) struct Led {
    pattern: String,
    machine: OnceLock<Option<Machine>>,
    /// How much of the end of the bytes may belong to one.
    reach: usize,
    longest: usize,
}

impl Led {
    pub(super) fn of<'a>(rules: impl Iterator<Item = &'a Rule>) -> Option<Led> {
        let led: Vec<&Rule> = rules.filter(|rule| rule.lead() > 0 && rule.has_plain_lead()).collect();
        let patterns: Vec<String> = led.iter().map(|rule| format!("(?:{})", rule.pattern())).collect();
        Some(Led {
            pattern: patterns.join("|"),
            machine: OnceLock::new(),
            reach: led.iter().map(|rule| rule.lead() + rule.longest_word()).max()?,
            longest: led.iter().map(|rule| rule.longest()).max()?,
        })
    }

    /// Where the end of the bytes may be the beginning of one, or `hold` when that is before.
    pub(super) fn begun(&self, bytes: &[u8], from: usize, hold: usize) -> usize {
        let Some(machine) = self.machine.get_or_init(|| Machine::new(&self.pattern).ok()) else {
            return hold;
        };
        let reach = bytes.len().saturating_sub(self.reach).max(from);
        let plain = bytes[reach..].iter().rev().take_while(|byte| is_plain(**byte)).count();
        let opens = |start: &usize| machine.run(bytes, *start, self.longest, false) == Run::Open;
        (bytes.len() - plain..hold).find(opens).unwrap_or(hold)
    }
}
