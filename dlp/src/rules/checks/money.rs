//! Numbers of cards and accounts, and keys of wallets.
use super::{Evidence, holds_word};
use sha2::{Digest as _, Sha256};

/// Numbers that payment providers publish for tests, and that no simpler look tells from real ones.
const TEST_CARDS: [&[u8]; 10] = [
    b"378282246310005",
    b"371449635398431",
    b"378734493671000",
    b"30569309025904",
    b"38520000023237",
    b"6011000990139424",
    b"3530111333300000",
    b"3566002020360505",
    b"4012888888881881",
    b"5200828282828210",
];
/// What stands near the number of a card that is written without blanks: many other numbers have as many digits, and a
/// tenth of them the right sum.
const NEAR_CARDS: [&[u8]; 10] =
    [b"card", b"visa", b"master", b"amex", b"discover", b"credit", b"debit", b"payment", b"billing", b"pan"];

/// Luhn's sum, an issuer's range (by the pattern), and either written in groups or after a word that says what it is.
pub(crate) fn card(evidence: &Evidence<'_>) -> bool {
    let digits: Vec<u8> = evidence.value.iter().copied().filter(u8::is_ascii_digit).collect();
    let grouped = digits.len() < evidence.value.len();
    let told = NEAR_CARDS.iter().any(|word| holds_word(evidence.before, word));
    let distinct = (b'0'..=b'9').filter(|digit| digits.contains(digit)).count();
    let alone = grouped && !in_a_row(evidence.before);
    (alone || told) && distinct >= 4 && luhn(&digits) && !TEST_CARDS.contains(&digits.as_slice())
}

/// Another group of four digits stands before: then it is a row of numbers, as drawings and tables have them.
fn in_a_row(before: &[u8]) -> bool {
    let Some((between, before)) = before.split_last() else { return false };
    let group = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    matches!(between, b' ' | b'-') && group == 4
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let value = |(at, byte): (usize, &u8)| {
        let digit = u32::from(byte - b'0');
        if at % 2 == 1 { doubled(digit) } else { digit }
    };
    digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

/// ISO 13616: the country and its check digits put behind the rest, letters as numbers from ten on, leave one when divided
/// by 97. The length for each country is in the pattern.
pub(crate) fn iban(evidence: &Evidence<'_>) -> bool {
    let text: Vec<u8> = evidence.value.iter().copied().filter(|byte| *byte != b' ').collect();
    let Some((head, tail)) = text.split_at_checked(4) else { return false };
    let rest = tail.iter().chain(head).try_fold(0, |rest: u32, byte| {
        let number = char::from(*byte).to_digit(36)?;
        Some(if number > 9 { (rest * 100 + number) % 97 } else { (rest * 10 + number) % 97 })
    });
    rest == Some(1)
}

/// A key for a wallet: a version, 32 bytes, perhaps a mark, and the checksum.
pub(crate) fn wif(evidence: &Evidence<'_>) -> bool {
    let Some(bytes) = from_base58check(evidence.value) else { return false };
    matches!(bytes.as_slice(), [0x80 | 0xEF, rest @ ..] if rest.len() == 32 || (rest.len() == 33 && rest[32] == 1))
}

/// An extended key (BIP-32): 78 bytes, the last 33 of which are a nought and the key.
pub(crate) fn xprv(evidence: &Evidence<'_>) -> bool {
    from_base58check(evidence.value).is_some_and(|bytes| bytes.len() == 78 && bytes[45] == 0)
}

/// What stands before the four bytes of the checksum.
fn from_base58check(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = from_base58(text)?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    let twice = Sha256::digest(Sha256::digest(body));
    (twice[..4] == *sum).then(|| body.to_vec())
}

fn from_base58(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut number: Vec<u8> = Vec::new();
    for byte in text {
        let mut carry = DIGITS.iter().position(|digit| digit == byte)?;
        for place in &mut number {
            carry += usize::from(*place) * 58;
            *place = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        while carry > 0 {
            number.push(carry.to_le_bytes()[0]);
            carry >>= 8;
        }
    }
    number.extend(text.iter().take_while(|byte| **byte == b'1').map(|_| 0));
    number.reverse();
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_in_a_row_of_groups_is_no_card() {
        for (before, row) in [
            ("drawn 1822 ", true),
            ("1822 4004 ", true),
            ("in 12 ", false),
            ("card: ", false),
            ("", false),
            ("18224 ", false),
        ] {
            assert_eq!(in_a_row(before.as_bytes()), row, "{before}");
        }
    }
}
