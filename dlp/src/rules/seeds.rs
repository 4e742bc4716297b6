//! Seed phrases of wallets: 12 to 24 words of the English list of BIP-39 in a row, the last of which holds a checksum.
//!
//! Ordinary prose uses such words too, two or three in a row. A phrase is a row that has as many words as phrases have and
//! ends there, so the list itself is none. Nothing is looked at but one word in every few, which no phrase can slip through.
#[cfg(test)]
mod tests;

use crate::blocks::{BLOCK, Between, bits_at};
use crate::masks::Masks;
use bip39::{Language, Mnemonic};
use std::ops::Range;
use std::sync::LazyLock;

/// A phrase of twelve words of three letters has 47 bytes: wherever it begins, one of these steps leads into it, with
/// [`LOOK`] bytes of it behind, and two whole words.
const STEP: usize = 32;
const LETTERS: Range<usize> = 3..9;
const SEPARATOR: usize = 4;
const WORDS: Range<usize> = 12..25;

/// So many words go on before anything is held back, so that not every word of prose has to wait. They are of no use: what
/// is left has a hundred bits and more.
const GIVEN: usize = 2;
/// Bytes that they take, with what stands between.
const GIVEN_BYTES: usize = GIVEN * (LETTERS.end - 1 + SEPARATOR);

/// What a row of words is.
pub(super) enum Row {
    /// A phrase: its bytes, but for the first words.
    Phrase(Range<usize>),
    /// It may become one, of which this would be the first byte.
    Open(usize),
    Other,
}

/// The words by their first four letters, which no two of them share.
static LIST: LazyLock<List> = LazyLock::new(List::new);
const SLOTS: usize = 1 << 13;
const BEGINNINGS: usize = 1 << 16;

struct List {
    /// One bit for each beginning, by its hash: what most words of other texts are told by.
    bits: Box<[u64; BEGINNINGS / 64]>,
    slots: Box<[Slot; SLOTS]>,
}

#[derive(Clone, Copy)]
struct Slot {
    beginning: u32,
    word: &'static str,
}

impl List {
    fn new() -> List {
        let mut slots = Box::new([Slot { beginning: 0, word: "" }; SLOTS]);
        let mut bits = Box::new([0_u64; BEGINNINGS / 64]);
        for word in Language::English.word_list() {
            let beginning = beginning(word.as_bytes());
            let places = slot_of(beginning)..;
            let free = places.map(|at| at % SLOTS).find(|at| slots[*at].word.is_empty()).unwrap_or(0);
            slots[free] = Slot { beginning, word };
            let bit = bit_of(beginning);
            bits[bit / 64] |= 1 << (bit % 64);
        }
        List { bits, slots }
    }

    /// Whether a word of so many letters may be one of them.
    #[inline(always)]
    fn may_hold(&self, text: &[u8], start: usize, count: usize) -> bool {
        let Some(four) = text.get(start..).and_then(<[u8]>::first_chunk) else { return true };
        let bit = bit_of(u32::from_be_bytes(*four) >> (8 * 4_usize.saturating_sub(count).min(3)));
        self.bits[bit / 64 % (BEGINNINGS / 64)] >> (bit % 64) & 1 == 1
    }

    /// Whether the next word, as far as it is seen, may be one of them, or the end of the text may be.
    #[inline(always)]
    fn may_go_on(&self, text: &[u8], next: Option<(usize, usize)>) -> bool {
        next.is_none_or(|(start, count)| self.may_hold(text, start, count))
    }

    fn holds(&self, word: &[u8]) -> bool {
        let beginning = beginning(word);
        let slots =
            (slot_of(beginning)..).map(|at| &self.slots[at % SLOTS]).take_while(|slot| !slot.word.is_empty());
        slots.into_iter().any(|slot| slot.beginning == beginning && slot.word.as_bytes() == word)
    }
}

fn bit_of(beginning: u32) -> usize {
    (beginning.wrapping_mul(0x85EB_CA6B) >> 16) as usize
}

/// Bytes of a phrase that are looked at first: nothing but small letters and what stands between words.
const LOOK: usize = crate::blocks::PART;
/// Bytes of the shortest phrase: twelve words of three letters, and what stands between them.
const SHORTEST: usize = 47;

/// Beginnings of rows, in which a word was seen, and another one behind it: as the places that are looked at are nearer to each
/// other than half a phrase is long, one of them sees two.
pub(super) fn find(text: &[u8], from: usize, masks: &Masks, mut found: impl FnMut(usize)) {
    let list = &*LIST;
    for place in (from..(text.len() + 1).saturating_sub(LOOK)).step_by(STEP) {
        if !may_be_phrase(masks, place) {
            continue;
        }
        let word = word_behind(text, place);
        // What is true of texts as often as not is asked at once: each branch would be guessed wrong.
        if word.is_some() & list.may_hold(text, word.start, word.count) & list.may_go_on(text, word.next)
            && list.holds(&text[word.start..word.start + word.count])
            && goes_on(text, word.start + word.count)
        {
            found(row_begin(text, word.start));
        }
    }
}

/// Whether there is nothing else in what is looked at here, nor in as many bytes around as a phrase has at least.
///
/// A row that the text ends with may be one, however short: that is told by [`begun`].
#[inline(always)]
fn may_be_phrase(masks: &Masks, place: usize) -> bool {
    let behind = masks.from(place, |block| block.words).trailing_ones() as usize;
    behind >= LOOK && behind + words_before(masks, place) >= SHORTEST
}

/// How many of the bytes right before this place go on a row, of those that are asked.
#[inline(always)]
fn words_before(masks: &Masks, place: usize) -> usize {
    // Nothing stands before the first byte: it is as if there were other bytes.
    let (at, missing) = (place.saturating_sub(BLOCK), BLOCK.saturating_sub(place));
    let before = masks.from(at, |block| block.words);
    let before = if missing < BLOCK { before << missing } else { 0 };
    before.leading_ones() as usize
}

/// Whether the next word is listed too, or is not whole, or not there yet.
fn goes_on(text: &[u8], end: usize) -> bool {
    let Some(next) = behind(text, end) else { return end == text.len() };
    let letters = letters_at(text, next);
    next + letters == text.len() || is_listed(&text[next..next + letters])
}

/// Where the row that the text ends with begins; a word that is not over counts when it may become one.
pub(super) fn begun(text: &[u8]) -> Option<usize> {
    let letters =
        text.iter().rev().take(LETTERS.end + 1).take_while(|byte| byte.is_ascii_lowercase()).count();
    let mut last = text.len() - letters;
    let escaped = text[..last].ends_with(b"\\") && text[last..].starts_with(b"n");
    last += usize::from(escaped);
    if last == text.len() {
        return behind_word(text);
    }
    let begins = text.len() - last < LETTERS.end && may_become(&text[last..]);
    (begins && (escaped || !follows_letter(text, last))).then(|| row_begin(text, last))
}

/// The row ends in a listed word and something between words, or the beginning of that.
fn behind_word(text: &[u8]) -> Option<usize> {
    let previous = match text.strip_suffix(b"\\") {
        Some(word) => {
            let letters =
                word.iter().rev().take(LETTERS.end).take_while(|byte| byte.is_ascii_lowercase()).count();
            word.len() - letters..word.len()
        }
        None => word_before(text, text.len())?,
    };
    is_listed(&text[previous.clone()]).then(|| row_begin(text, previous.start))
}

/// The row that begins here. What stands before `from` was given out: of a row that is still open, only its first words.
pub(super) fn row(text: &[u8], from: usize, begin: usize, last: bool) -> Row {
    if begin + GIVEN_BYTES < from || word_before(text, begin).is_some_and(|word| is_listed(&text[word])) {
        return Row::Other;
    }
    let (mut words, mut at, mut end, mut held) = (Vec::new(), begin, begin, text.len());
    loop {
        let letters = letters_at(text, at);
        if at + letters == text.len()
            && !last
            && letters < LETTERS.end
            && (letters == 0 || may_become(&text[at..]))
        {
            let held = if words.len() == GIVEN { at } else { held };
            return if words.len() < WORDS.end { Row::Open(held) } else { Row::Other };
        }
        if !LETTERS.contains(&letters) || !is_listed(&text[at..at + letters]) {
            break;
        }
        if words.len() == GIVEN {
            held = at;
        }
        words.push(&text[at..at + letters]);
        end = at + letters;
        if words.len() >= WORDS.end {
            return Row::Other;
        }
        let Some(next) = behind(text, end) else { break };
        at = next;
    }
    let open = !last && end == text.len();
    if open {
        Row::Open(held)
    } else if is_phrase(&words) {
        Row::Phrase(held..end)
    } else {
        Row::Other
    }
}

fn is_phrase(words: &[&[u8]]) -> bool {
    if !WORDS.contains(&words.len()) || !words.len().is_multiple_of(3) {
        return false;
    }
    let text: Option<Vec<&str>> = words.iter().map(|word| std::str::from_utf8(word).ok()).collect();
    text.is_some_and(|words| Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).is_ok())
}

/// Back over listed words, not further than a phrase goes.
fn row_begin(text: &[u8], word: usize) -> usize {
    let mut begin = word;
    for _ in 0..WORDS.end {
        match word_before(text, begin) {
            Some(previous) if is_listed(&text[previous.clone()]) => begin = previous.start,
            _ => return begin,
        }
    }
    begin
}

/// Some letters in a row.
struct Letters {
    start: usize,
    count: usize,
    /// They begin before the next look.
    is_near: bool,
    /// Where the next ones begin, and how many, as far as both are seen.
    next: Option<(usize, usize)>,
}

impl Letters {
    /// As many as words have.
    fn is_some(&self) -> bool {
        self.is_near & LETTERS.contains(&self.count)
    }
}

/// The first whole word behind this place.
#[inline(always)]
fn word_behind(text: &[u8], at: usize) -> Letters {
    let letters = bits_at(text, at, Between::<b'a', b'z'>);
    let others = letters & letters.wrapping_add(1);
    let begin = others.trailing_zeros();
    let count = (letters >> (begin % 64)).trailing_ones();
    // `\n` inside of a string is no letter of a word.
    let before = (at + begin as usize).saturating_sub(1);
    let escaped = u32::from(text.get(before) == Some(&b'\\'));
    let start = at + (begin + escaped) as usize;
    let next = letters_behind(text, at, letters, begin + count);
    Letters { start, count: count.saturating_sub(escaped) as usize, is_near: (begin as usize) < STEP, next }
}

/// The first letters of this block from one of its bytes on, unless they go on behind it or are the last ones of the text.
#[inline(always)]
fn letters_behind(text: &[u8], at: usize, letters: u64, from: u32) -> Option<(usize, usize)> {
    let rest = letters & u64::MAX.checked_shl(from).unwrap_or(0);
    let begin = rest.trailing_zeros();
    let end = begin + rest.checked_shr(begin).unwrap_or(0).trailing_ones();
    let is_whole = end < u64::BITS && at + (end as usize) < text.len();
    let start = at + begin as usize;
    let escaped = usize::from(text.get(start.saturating_sub(1)) == Some(&b'\\'));
    is_whole.then(|| (start + escaped, (end - begin) as usize - escaped))
}

fn letters_at(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(LETTERS.end).take_while(|byte| byte.is_ascii_lowercase()).count()
}

/// The word before, with something between words in between.
fn word_before(text: &[u8], at: usize) -> Option<Range<usize>> {
    let head = &text[..at];
    let between = separator_behind(head);
    let end = at - between;
    // With the `n` of `\n` there is one letter more.
    let letters =
        text[..end].iter().rev().take(LETTERS.end + 1).take_while(|byte| byte.is_ascii_lowercase()).count();
    let escaped = text[..end - letters].ends_with(b"\\");
    let letters = letters - usize::from(escaped && letters > 0);
    (between > 0 && LETTERS.contains(&letters)).then(|| end - letters..end)
}

fn separator_behind(head: &[u8]) -> usize {
    if head.ends_with(b"\\n") {
        return 2;
    }
    head.iter().rev().take(SEPARATOR).take_while(|byte| separates(**byte)).count()
}

/// Where the next word begins, behind something between words; the end of the text when only that is left.
fn behind(text: &[u8], at: usize) -> Option<usize> {
    if text[at..].starts_with(b"\\n") {
        return Some(at + 2);
    }
    if text[at..] == *b"\\" {
        return Some(text.len());
    }
    let between = text[at..].iter().take(SEPARATOR).take_while(|byte| separates(**byte)).count();
    (between > 0).then_some(at + between)
}

fn separates(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b'\n' | b'\r' | b'\t' | b'"' | b'\'')
}

fn follows_letter(text: &[u8], at: usize) -> bool {
    at > 0 && text[at - 1].is_ascii_alphanumeric()
}

fn is_listed(word: &[u8]) -> bool {
    LIST.holds(word)
}

fn may_become(letters: &[u8]) -> bool {
    let list = Language::English.word_list();
    let at = list.partition_point(|word| word.as_bytes() < letters);
    list.get(at).is_some_and(|word| word.as_bytes().starts_with(letters))
}

fn beginning(word: &[u8]) -> u32 {
    word.iter().take(4).fold(0, |four, byte| four << 8 | u32::from(*byte))
}

fn slot_of(beginning: u32) -> usize {
    (beginning.wrapping_mul(0x9E37_79B1) >> 19) as usize
}
