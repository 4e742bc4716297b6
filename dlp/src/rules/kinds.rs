//! The rules that come with this crate, as data: by subject, each written from what its provider documents.
mod code_hosts;

use crate::rules::checks::Check;

/// One rule, as it is written down.
pub(crate) struct Kind {
    pub(crate) id: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) about: &'static str,
    pub(crate) words: &'static [&'static str],
    pub(crate) pattern: &'static str,
    pub(crate) longest: usize,
    pub(crate) alone: bool,
    pub(crate) group: usize,
    pub(crate) entropy: f64,
    pub(crate) check: Option<Check>,
}

/// Bytes that a match may have where nothing else is said.
const LONGEST: usize = 512;

impl Kind {
    /// A rule whose pattern begins with one of the words, in any case; the pattern itself may be strict about case.
    const fn new(id: &'static str, provider: &'static str, about: &'static str) -> Kind {
        Kind {
            id,
            provider,
            about,
            words: &[],
            pattern: "",
            longest: LONGEST,
            alone: false,
            group: 0,
            entropy: 0.0,
            check: None,
        }
    }
    const fn seen(mut self, words: &'static [&'static str], pattern: &'static str) -> Kind {
        self.words = words;
        self.pattern = pattern;
        self
    }
    /// Nothing that words are made of stands before it.
    const fn alone(mut self) -> Kind {
        self.alone = true;
        self
    }
    /// The first group is the value, the rest its surroundings.
    const fn part(mut self) -> Kind {
        self.group = 1;
        self
    }
    /// Bits for each byte.
    const fn random(mut self, entropy: f64) -> Kind {
        self.entropy = entropy;
        self
    }
    const fn checked(mut self, check: Check) -> Kind {
        self.check = Some(check);
        self
    }
    const fn longest(mut self, longest: usize) -> Kind {
        self.longest = longest;
        self
    }
}

/// Every rule.
pub(crate) fn all() -> impl Iterator<Item = &'static Kind> {
    [code_hosts::KINDS].into_iter().flatten()
}
