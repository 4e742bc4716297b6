//! The rules that come with this crate, as data: by subject, each written from what its provider documents.
//!
//! Patterns see bytes, and begin at a word (or `lead` bytes before it at most), which is sought in any case of its letters.

/// Between a name and its value, in whatever language: `=`, `: `, `=>`, quotes, tags, the parts of a form.
macro_rules! between {
    () => {
        r"[\x22'\\]{0,3}\s{0,3}(?:=>|:=|[=:>,]|[\r\n]{2,4})\s{0,3}[\x22'`\\]{0,3}"
    };
}

/// A value behind a name of which this is a part, and which says that it is something secret.
macro_rules! near {
    ($name:literal, $value:literal) => {
        concat!(
            "(?i:",
            $name,
            ")[0-9A-Za-z_. -]{0,24}?",
            "(?i:key|token|secret|passw|pwd|auth|cred|pat)[0-9A-Za-z_.-]{0,16}",
            between!(),
            "(",
            $value,
            r")(?:[^0-9A-Za-z_+/=-]|\z)"
        )
    };
}

/// A value behind a name that begins like this.
macro_rules! named {
    ($name:literal, $value:literal) => {
        concat!(
            "(?i:",
            $name,
            ")[0-9A-Za-z_. -]{0,24}?",
            between!(),
            "(",
            $value,
            r")(?:[^0-9A-Za-z_+/=-]|\z)"
        )
    };
}

/// A value with nothing of base64 behind it but a slash, which stands behind it in a path, and, as a rule that is `alone`, none before
/// it: what it is known by is so short that long codes hold it by chance. The letter that a field of Protocol Buffers behind it
/// begins with, and a length, are none.
macro_rules! bounded {
    ($value:literal) => {
        concat!("(", $value, r")(?:[^0-9A-Za-z_+-]|[2BJRZbjrz][\x00-\x08\x0B\x0C\x0E-\x1F]|\z)")
    };
}

mod ai;
mod cloud;
mod code_hosts;
mod connections;
mod hosting;
mod keys;
mod messaging;
mod money;
mod observability;
mod payment;
mod platforms;
mod registries;
mod saas;

use super::checks::Check;
use super::rule::Finder;

/// One rule, as it is written down.
pub(crate) struct Kind {
    pub(crate) id: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) about: &'static str,
    pub(crate) finder: Finder,
    pub(crate) words: &'static [&'static str],
    pub(crate) pattern: &'static str,
    pub(crate) lead: usize,
    pub(crate) longest: usize,
    pub(crate) alone: bool,
    pub(crate) group: usize,
    pub(crate) entropy: f64,
    pub(crate) check: Option<Check>,
}

/// Bytes that a match may have where nothing else is said.
const LONGEST: usize = 512;

impl Kind {
    const fn new(id: &'static str, provider: &'static str, about: &'static str) -> Kind {
        Kind {
            id,
            provider,
            about,
            finder: Finder::Words,
            words: &[],
            pattern: "",
            lead: 0,
            longest: LONGEST,
            alone: false,
            group: 0,
            entropy: 0.0,
            check: None,
        }
    }
    /// Its words, and the pattern that begins with one of them.
    const fn seen(mut self, words: &'static [&'static str], pattern: &'static str) -> Kind {
        self.words = words;
        self.pattern = pattern;
        self
    }
    /// The pattern begins so many bytes before a word, at most: letters, digits and `+/-_.~:$`.
    const fn lead(mut self, lead: usize) -> Kind {
        self.lead = lead;
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
    /// Bits for each byte that the value has at least.
    const fn random(mut self, entropy: f64) -> Kind {
        self.entropy = entropy;
        self
    }
    const fn checked(mut self, check: Check) -> Kind {
        self.check = Some(check);
        self
    }
    /// Bytes that a match may have.
    const fn longest(mut self, longest: usize) -> Kind {
        self.longest = longest;
        self
    }
    const fn digits(mut self) -> Kind {
        self.finder = Finder::Digits;
        self
    }
    const fn seeds(mut self) -> Kind {
        self.finder = Finder::Seeds;
        self
    }
}

/// Every rule.
pub(crate) fn all() -> impl Iterator<Item = &'static Kind> {
    let subjects = [
        code_hosts::KINDS,
        ai::KINDS,
        cloud::KINDS,
        hosting::KINDS,
        registries::KINDS,
        payment::KINDS,
        messaging::KINDS,
        observability::KINDS,
        saas::KINDS,
        platforms::KINDS,
        connections::KINDS,
        keys::KINDS,
        money::KINDS,
    ];
    subjects.into_iter().flatten()
}
