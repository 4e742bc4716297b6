//! Whether any of some words stands in a text, in any case of its letters.
use aho_corasick::packed::{Builder, Searcher};

/// Bytes that are made small at once: they stay in the processor's nearest memory.
const PART: usize = 1024;

/// Some words, in small letters, none of them longer than a line. Where the processor has nothing to look for many at once, any of
/// them may stand anywhere.
pub struct AnyWord {
    searcher: Option<Searcher>,
    longest: usize,
}

impl AnyWord {
    /// Of words in small letters of ASCII, and of letters alone.
    pub fn new(words: &[&str]) -> AnyWord {
        let searcher = Builder::new().extend(words).build();
        AnyWord { searcher, longest: words.iter().map(|word| word.len()).max().unwrap_or_default() }
    }

    /// False: none of them stands there, in any case of its letters. True: one does, or what looks like it.
    pub fn may_stand(&self, text: &[u8]) -> bool {
        let Some(searcher) = &self.searcher else { return true };
        let mut small = [0; PART];
        let mut begin = 0;
        loop {
            let part = &text[begin..text.len().min(begin + PART)];
            // Every byte with the bit of small letters: what was none is no letter of a word's either, or one more look.
            for (small, byte) in small.iter_mut().zip(part) {
                *small = byte | 0x20;
            }
            if searcher.find(&small[..part.len()]).is_some() {
                return true;
            }
            if begin + part.len() == text.len() {
                return false;
            }
            begin += PART + 1 - self.longest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]
        #[test]
        fn a_word_is_seen_wherever_it_stands(
            before in 0..3 * PART,
            after in 0..PART,
            word in "(?i)forget|without|you",
        ) {
            let words = AnyWord::new(&["forget", "without", "you"]);
            let text = format!("{}{word}{}", ".".repeat(before), ".".repeat(after));
            prop_assert!(words.may_stand(text.as_bytes()));
            let missing = text.replacen(&word, &word[1..], 1);
            prop_assert_eq!(words.may_stand(missing.as_bytes()), words.searcher.is_none());
        }
    }
}
