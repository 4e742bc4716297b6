//! Characters that look like ASCII ones, or like nothing, after the confusables of Unicode (UTS 39) as far as fonts do not tell
//! them apart at all.

use crate::blocks::{BLOCK, Between, CONTINUES, bits_of, kind};

/// The first byte that begins a character beyond ASCII.
pub(crate) const FIRST_LEAD: u8 = 0xC2;
/// From here on no byte goes on a character.
const BEGINS: u8 = 0xC0;

/// Each character beside the one that it looks like.
const PAIRS: [(&str, &str); 2] = [
    (
        "\u{430}\u{435}\u{43e}\u{440}\u{441}\u{443}\u{445}\u{43a}\u{455}\u{456}\u{458}\u{4bb}\u{501}\u{51b}\u{51d}\u{4cf}\u{410}\u{412}\u{415}\u{41a}\u{41c}\u{41d}\u{41e}\u{420}\u{421}\u{422}\u{423}\u{425}\u{405}\u{406}\u{408}\u{4ae}\u{50c}\u{4c0}",
        "aeopcyxksijhdqwlABEKMHOPCTYXSIJYGI",
    ),
    (
        "\u{3bf}\u{3bd}\u{3c1}\u{3b1}\u{3b9}\u{3ba}\u{3c5}\u{3c7}\u{3f2}\u{3f3}\u{391}\u{392}\u{395}\u{396}\u{397}\u{399}\u{39a}\u{39c}\u{39d}\u{39f}\u{3a1}\u{3a4}\u{3a5}\u{3a7}\u{37f}\u{3f9}",
        "ovpaikuxcjABEZHIKMNOPTYXJC",
    ),
];

/// What an ASCII character is taken for that it only looks like.
pub(crate) fn look_alike(character: char) -> Option<u8> {
    let code = u32::from(character);
    let shifted = |first: u32, ascii: u8| u8::try_from(code - first).ok().map(|distance| ascii + distance);
    match code {
        0..=0x7F => None,
        0xFF01..=0xFF5E => shifted(0xFF01, b'!'),
        0xE_0020..=0xE_007E => shifted(0xE_0020, b' '),
        0x1_D400..=0x1_D6A3 => letter((code - 0x1_D400) % 52),
        0x1_D7CE..=0x1_D7FF => u8::try_from((code - 0x1_D7CE) % 10).ok().map(|digit| b'0' + digit),
        0x24B6..=0x24E9 => letter(code - 0x24B6),
        0x2010..=0x2015 | 0x2212 => Some(b'-'),
        0x2024 => Some(b'.'),
        0x2044 | 0x2215 => Some(b'/'),
        _ => paired(character),
    }
}

/// Of the alphabet in both cases, the upper one first.
fn letter(number: u32) -> Option<u8> {
    let number = u8::try_from(number).ok()?;
    Some(if number < 26 { b'A' + number } else { b'a' + number - 26 })
}

fn paired(character: char) -> Option<u8> {
    match character {
        '\u{131}' => Some(b'i'),
        '\u{17f}' => Some(b's'),
        '\u{251}' => Some(b'a'),
        '\u{261}' => Some(b'g'),
        _ => {
            let mut bytes = [0; 4];
            match *character.encode_utf8(&mut bytes).as_bytes() {
                [lead, second] => of_two_bytes(lead, second),
                _ => None,
            }
        }
    }
}

/// What the Greek or Cyrillic letter of these two bytes is taken for.
pub(super) fn of_two_bytes(lead: u8, second: u8) -> Option<u8> {
    let row = usize::from(lead.checked_sub(FIRST_PAIRED)?);
    let ascii = PAIRED.get(row)?[usize::from(second & 0x3F)];
    (ascii != 0 && second & 0xC0 == 0x80).then_some(ascii)
}

/// What the run of invisible characters reads as bytes, for one that was spelled as an escape.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Whether a character that begins with this byte may look like another, or like nothing.
pub(super) fn is_lead(lead: u8) -> bool {
    SECONDS[usize::from(lead)] != 0
}

kind!(
    /// As [`is_lead`]. 0xC2 and 0xE2 differ in one bit, and so do 0xC4 and 0xC5.
    Leads: |bytes| {
        let most = bytes.between(FIRST_PAIRED, LAST_PAIRED) | bytes.with(0x20).is(0xE2);
        most | bytes.with(1).is(0xC5) | bytes.is_any([0xC9, 0xEF, 0xF0, 0xF3])
    }
);

/// The first bytes of characters that may look like others, or like nothing: those that a byte which goes on a character is behind.
/// Of the block's last byte the next one is not seen.
pub(crate) fn begin_in(block: &[u8; BLOCK]) -> u64 {
    let going_on = bits_of(block, Between::<CONTINUES, { BEGINS - 1 }>);
    bits_of(block, Leads) & (going_on >> 1 | 1 << (BLOCK - 1))
}

/// Whether a character that begins with these two bytes may look like another, or like nothing.
#[inline]
pub(super) fn may_be(lead: u8, second: u8) -> bool {
    second & 0xC0 == 0x80 && SECONDS[usize::from(lead)] >> (second & 0x3F) & 1 == 1
}

/// For each lead byte the second ones, one bit for the last six bits of each.
static SECONDS: [u64; 256] = {
    let mut all = [0; 256];
    all[0xC2] = seconds(&[0xAD]);
    all[0xC4] = seconds(&[0xB1]);
    all[0xC5] = seconds(&[0xBF]);
    all[0xC9] = seconds(&[0x91, 0xA1]);
    all[0xE2] = seconds(&[0x80, 0x81, 0x88, 0x92, 0x93]);
    all[0xEF] = seconds(&[0xB8, 0xBB, 0xBC, 0xBD]);
    all[0xF0] = seconds(&[0x9D]);
    all[0xF3] = seconds(&[0xA0]);
    let mut row = 0;
    while row < PAIRED.len() {
        let mut second = 0;
        while second < 64 {
            all[FIRST_PAIRED as usize + row] |= ((PAIRED[row][second] != 0) as u64) << second;
            second += 1;
        }
        row += 1;
    }
    all
};

const fn seconds(bytes: &[u8]) -> u64 {
    let (mut all, mut at) = (0, 0);
    while at < bytes.len() {
        all |= 1 << (bytes[at] & 0x3F);
        at += 1;
    }
    all
}

/// Lead bytes of Greek and Cyrillic letters.
const FIRST_PAIRED: u8 = 0xCD;
const LAST_PAIRED: u8 = 0xD4;

/// For each lead byte and each second one, what the letter is taken for; zero for itself.
const PAIRED: [[u8; 64]; 8] = {
    let mut table = [[0; 64]; 8];
    let mut list = 0;
    while list < PAIRS.len() {
        let (like, ascii) = (PAIRS[list].0.as_bytes(), PAIRS[list].1.as_bytes());
        let mut at = 0;
        while at < ascii.len() {
            table[(like[2 * at] - FIRST_PAIRED) as usize][(like[2 * at + 1] & 0x3F) as usize] = ascii[at];
            at += 1;
        }
        list += 1;
    }
    table
};

/// Bytes of the character that begins so.
pub(super) fn length(lead: u8) -> usize {
    match lead {
        0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_as_long_as_each_other() {
        for (like, ascii) in PAIRS {
            assert_eq!(like.chars().count(), ascii.len());
            assert!(
                like.chars().all(|character| character.len_utf8() == 2),
                "the table takes two bytes for each"
            );
        }
    }

    #[test]
    fn what_has_a_pair_may_be_one() {
        for code in 0x80..0x11_0000 {
            let Some(character) = char::from_u32(code) else { continue };
            if look_alike(character).is_some() || is_invisible(character) {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes);
                assert!(is_lead(bytes[0]) && may_be(bytes[0], bytes[1]), "{code:x}");
                assert_eq!(length(bytes[0]), character.len_utf8());
            }
        }
    }

    /// And nothing else is looked at.
    #[test]
    fn what_may_be_one_is_the_beginning_of_one() {
        let mut begun = std::collections::HashSet::new();
        for character in '\u{80}'..=char::MAX {
            if look_alike(character).is_some() || is_invisible(character) {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes);
                begun.insert((bytes[0], bytes[1]));
            }
        }
        for (lead, second) in (0..=u8::MAX).flat_map(|lead| (0..=u8::MAX).map(move |second| (lead, second))) {
            assert_eq!(may_be(lead, second), begun.contains(&(lead, second)), "{lead:x} {second:x}");
        }
        for lead in 0..=u8::MAX {
            let begins = begun.iter().any(|(first, _)| *first == lead);
            assert_eq!(is_lead(lead), begins, "{lead:x}");
            assert_eq!(bits_of(&[lead; BLOCK], Leads) != 0, begins, "{lead:x}");
        }
    }

    #[test]
    fn look_alikes_of_every_alphabet() {
        for (like, ascii) in [
            ("\u{ff41}\u{ff3f}\u{ff19}", "a_9"),
            ("\u{1d5ba}\u{1d5d4}\u{1d7e5}", "aA3"),
            ("\u{e0067}\u{e0068}", "gh"),
            ("\u{24b6}\u{24e9}", "Az"),
            ("\u{0440}\u{0430}\u{2013}\u{0455}", "pa-s"),
            ("\u{039a}\u{03bf}\u{0131}", "Koi"),
        ] {
            let read: Vec<u8> = like.chars().filter_map(look_alike).collect();
            assert_eq!(String::from_utf8_lossy(&read), ascii);
        }
        assert!("\u{e9}\u{df}\u{4e2d}\u{44f}\u{1f600}".chars().all(|other| look_alike(other).is_none()));
    }
}
