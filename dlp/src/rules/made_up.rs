//! Values that stand for others: in documentation, templates and tests.

/// Words that real values, which are random, hold once in a great many years.
const WORDS: [&[u8]; 11] = [
    b"example",
    b"placeholder",
    b"changeme",
    b"change-me",
    b"change_me",
    b"your-",
    b"your_",
    b"redacted",
    b"dummy",
    b"xxxxx",
    b"insert",
];
/// So much of a value is looked at: what is put behind a real one does not make it a made-up one.
const LOOKED_AT: usize = 40;
/// So many times the same byte in a row.
const RUN: usize = 6;

/// Whether a value only shows where one belongs.
pub(crate) fn is_made_up(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOKED_AT)];
    holds_word(value) || holds_run(value) || counts_up(value)
}

fn holds_word(value: &[u8]) -> bool {
    let at = |word: &[u8]| value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    WORDS.iter().any(|word| at(word))
}

fn holds_run(value: &[u8]) -> bool {
    value.windows(RUN).any(|window| window.iter().all(|byte| *byte == window[0]))
}

/// `12345678`, `abcdefgh`.
fn counts_up(value: &[u8]) -> bool {
    value.windows(8).any(|window| window.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)))
}
