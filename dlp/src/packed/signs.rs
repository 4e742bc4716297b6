//! The first bytes of compressed data, and of letters that spell it.
use super::Way;
use super::unfold::Kind;
use aho_corasick::{AhoCorasick, packed};
use std::ops::Range;
use std::sync::LazyLock;

/// How compressed data begins.
pub(super) struct Sign {
    bytes: &'static [u8],
    pub(super) way: Way,
}

/// zlib is no sign where bytes stand as they are: its two bytes stand everywhere.
const SIGNS: [Sign; 29] = [
    of(b"\x1f\x8b\x08", Way::Plain(Kind::Gzip)),
    of(b"\x28\xb5\x2f\xfd", Way::Plain(Kind::Zstd)),
    of(b"PK\x03\x04", Way::Plain(Kind::Zip)),
    // gzip in each of the three alignments, zstd, zip.
    of(b"H4sI", Way::Base64),
    of(b"fiwg", Way::Base64),
    of(b"+LCA", Way::Base64),
    of(b"-LCA", Way::Base64),
    of(b"KLUv", Way::Base64),
    of(b"UEsD", Way::Base64),
    // zlib in its four levels.
    of(b"eJw", Way::Base64Begin),
    of(b"eJx", Way::Base64Begin),
    of(b"eJy", Way::Base64Begin),
    of(b"eJz", Way::Base64Begin),
    of(b"eNo", Way::Base64Begin),
    of(b"eNp", Way::Base64Begin),
    of(b"eNq", Way::Base64Begin),
    of(b"eNr", Way::Base64Begin),
    of(b"eAE", Way::Base64Begin),
    of(b"eAF", Way::Base64Begin),
    of(b"eAG", Way::Base64Begin),
    of(b"eAH", Way::Base64Begin),
    of(b"eF4", Way::Base64Begin),
    of(b"eF5", Way::Base64Begin),
    of(b"eF6", Way::Base64Begin),
    of(b"eF7", Way::Base64Begin),
    of(b"1f8b08", Way::Hex),
    of(b"1F8B08", Way::Hex),
    of(b"28b52ffd", Way::Hex),
    of(b"28B52FFD", Way::Hex),
];
pub(super) const LONGEST_SIGN: usize = 8;

const fn of(bytes: &'static [u8], way: Way) -> Sign {
    Sign { bytes, way }
}

/// Whether anything begins in whole bytes: without it there is nothing to unfold.
pub(crate) fn begins_in(whole: &[u8]) -> bool {
    SEARCH.each(whole, |_, _| true)
}

pub(super) static SEARCH: LazyLock<Search> = LazyLock::new(Search::new);

/// All signs at once.
pub(super) enum Search {
    /// Many bytes at a time, where the processor can (it is asked when the program runs).
    Packed(packed::Searcher),
    Bytewise(AhoCorasick),
}

impl Search {
    fn new() -> Search {
        let signs = SIGNS.map(|sign| sign.bytes);
        packed::Searcher::new(signs).map_or_else(Search::bytewise, Search::Packed)
    }

    fn bytewise() -> Search {
        // The signs are ours and few: they compile.
        let automaton = AhoCorasick::new(SIGNS.map(|sign| sign.bytes));
        Search::Bytewise(automaton.unwrap_or_else(|error| unreachable!("{error}")))
    }

    /// Left to right, until one is enough; gives whether it was. No sign begins as another one ends, so both ways find the same.
    pub(super) fn each(&self, bytes: &[u8], mut enough: impl FnMut(&Sign, Range<usize>) -> bool) -> bool {
        let mut told = |found: aho_corasick::Match| enough(&SIGNS[found.pattern()], found.range());
        match self {
            Search::Packed(searcher) => searcher.find_iter(bytes).any(&mut told),
            Search::Bytewise(automaton) => automaton.find_iter(bytes).any(&mut told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(search: &Search, bytes: &[u8]) -> Vec<(&'static [u8], Range<usize>)> {
        let mut all = Vec::new();
        search.each(bytes, |sign, range| {
            all.push((sign.bytes, range));
            false
        });
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn signs_are_found_wherever_they_stand(
            parts in prop::collection::vec((0..SIGNS.len(), 1_usize..9, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let part = |(sign, length, noise): &(usize, usize, Vec<u8>)| {
                let sign = SIGNS[*sign].bytes;
                [noise, &sign[..sign.len().min(*length)]].concat()
            };
            let bytes: Vec<u8> = parts.iter().flat_map(part).collect();
            let places = (0..bytes.len()).flat_map(|at| SIGNS.iter().map(move |sign| (sign.bytes, at..at + sign.bytes.len())));
            let slowly: Vec<_> = places.filter(|(sign, range)| bytes[range.start..].starts_with(sign)).collect();
            prop_assert_eq!(found(&Search::new(), &bytes), slowly.clone());
            prop_assert_eq!(found(&Search::bytewise(), &bytes), slowly);
        }
    }
}
