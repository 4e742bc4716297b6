//! Tokens that carry a checksum or something to be read, and passwords.
use super::{Evidence, from_base64, holds, holds_word};
use crate::rules::made_up::{PASSWORDS, is_variable};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Six digits of base 62 behind GitHub's tokens.
const GITHUB_SUM: usize = 6;

/// The last six characters are the CRC-32 of those between prefix and them, to the base of 62 (GitHub's article on the
/// format of its tokens, 2021).
pub(crate) fn github(evidence: &Evidence<'_>) -> bool {
    let Some(body) = evidence.value.get(4..) else { return false };
    let Some((random, sum)) = body.split_last_chunk::<GITHUB_SUM>() else { return false };
    let mut rest = crc32fast::hash(random);
    let mut digits = [0; GITHUB_SUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits == *sum
}

/// Eight hexadecimal digits behind the token: its CRC-32, the lowest byte first.
pub(crate) fn grafana(evidence: &Evidence<'_>) -> bool {
    let Some((key, sum)) = evidence.value.split_last_chunk::<8>() else { return false };
    let Some(key) = key.strip_suffix(b"_") else { return false };
    let expected: String =
        crc32fast::hash(key).to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    expected.as_bytes() == sum
}

/// The first part is a user's number in base64.
pub(crate) fn discord(evidence: &Evidence<'_>) -> bool {
    let first = evidence.value.split(|byte| *byte == b'.').next().unwrap_or_default();
    from_base64(first).is_some_and(|id| (15..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// Base64 of `tok:` and what follows.
pub(crate) fn intercom(evidence: &Evidence<'_>) -> bool {
    from_base64(evidence.value).is_some_and(|text| text.starts_with(b"tok:"))
}

/// Base64 of an object with the account, the tunnel and its secret.
pub(crate) fn cloudflare_tunnel(evidence: &Evidence<'_>) -> bool {
    let Some(object) = from_base64(evidence.value) else { return false };
    [b"\"a\"", b"\"t\"", b"\"s\""].iter().all(|name| holds(&object, *name))
}

/// A user, a colon and a password in base64.
pub(crate) fn basic_auth(evidence: &Evidence<'_>) -> bool {
    let Some(pair) = from_base64(evidence.value) else { return false };
    let colon = pair.iter().position(|byte| *byte == b':');
    colon.is_some_and(|at| at > 0 && at + 4 < pair.len())
        && pair.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// A session's token is sent with every request that is signed with it, and stands in addresses that were signed so.
pub(crate) fn not_in_a_signed_request(evidence: &Evidence<'_>) -> bool {
    !holds_word(evidence.before, b"security-token")
}

/// Digits and letters of both cases; and behind a line of base64, where one that begins like a token is more likely the next
/// line, as many sorts of letters as few lines have that begin so: their zeros do not come alone.
pub(crate) fn square(evidence: &Evidence<'_>) -> bool {
    const RANDOM: f64 = 4.9;
    super::all_sorts(evidence)
        && (!is_behind_a_line_of_base64(evidence.before) || super::entropy(evidence.value) >= RANDOM)
}

/// Behind at least so many letters and a line break, which may stand between quotes, escaped or not.
fn is_behind_a_line_of_base64(before: &[u8]) -> bool {
    const LINE: usize = 32;
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    let between = |byte: &u8| byte.is_ascii_whitespace() || b"\"'\\,+".contains(byte);
    let mut rest = before;
    while let Some(shorter) = rest
        .strip_suffix(b"\\n")
        .or_else(|| rest.split_last().filter(|(last, _)| between(last)).map(|(_, shorter)| shorter))
    {
        rest = shorter;
    }
    rest.len() < before.len() && rest.iter().rev().take_while(|byte| is_letter(byte)).count() >= LINE
}

/// The token is mostly capitals in front, and its parts are not one word.
pub(crate) fn bearer_of_x(evidence: &Evidence<'_>) -> bool {
    evidence.value.iter().filter(|byte| byte.is_ascii_lowercase()).count() >= 10
}

/// A macaroon of the second binary format, as far as its signature: fields of a type, a length and bytes.
pub(crate) fn macaroon(evidence: &Evidence<'_>) -> bool {
    const SIGNATURE: u8 = 6;
    let body = evidence.value.splitn(2, |byte| *byte == b'-').nth(1).unwrap_or_default();
    let whole = &body[..body.len() - usize::from(body.len() % 4 == 1)];
    let Some(bytes) = from_base64(whole) else { return false };
    let Some((2, mut rest)) = bytes.split_first().map(|(version, rest)| (*version, rest)) else {
        return false;
    };
    while let Some((kind, after)) = rest.split_first() {
        if *kind == 0 {
            rest = after;
            continue;
        }
        let Some((length, after)) = varint(after) else { return false };
        let Some((field, after)) = after.split_at_checked(length) else { return false };
        if *kind == SIGNATURE {
            return field.len() == 32;
        }
        if *kind > SIGNATURE {
            return false;
        }
        rest = after;
    }
    false
}

/// Seven bits in each byte, the lowest first; two bytes at most here.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [low, rest @ ..] if *low < 0x80 => Some((usize::from(*low), rest)),
        [low, high, rest @ ..] if *high < 0x80 => {
            Some((usize::from(*low & 0x7F) | usize::from(*high) << 7, rest))
        }
        _ => None,
    }
}

/// A password that somebody chose and keeps: not one of those that documentation shows, and not the name of a variable.
pub(crate) fn password(evidence: &Evidence<'_>) -> bool {
    let value = evidence.value;
    let known = PASSWORDS.iter().any(|word| value.eq_ignore_ascii_case(word));
    let plain_word = value.iter().all(u8::is_ascii_alphabetic)
        && (all_of(value, u8::is_ascii_lowercase) || all_of(value, u8::is_ascii_uppercase));
    value.len() >= 6 && !known && !plain_word && !is_variable(value) && super::entropy(value) >= 2.5
}

fn all_of(value: &[u8], wanted: fn(&u8) -> bool) -> bool {
    value.iter().all(wanted)
}

/// As [`password`], to a host that is somewhere: not this machine's own, nor one of those kept for examples.
pub(crate) fn url_password(evidence: &Evidence<'_>) -> bool {
    const NOWHERE: [&[u8]; 9] = [
        b"localhost",
        b"127.0.0.1",
        b"[::1]",
        b"0.0.0.0",
        b"example.com",
        b"example.org",
        b"example.net",
        b"host.docker.internal",
        b"hostname",
    ];
    let host = evidence.whole.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let nowhere = NOWHERE.iter().any(|name| {
        let begins = host.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        begins || holds_word(host, b".example") || host.eq_ignore_ascii_case(b"host")
    });
    password(evidence) && !nowhere && !is_variable(host)
}
