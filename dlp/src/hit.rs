//! What was seen, told without its bytes, and what is to be done about it.
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a fingerprint: enough to tell values apart, too few to confirm a guess by (and keyed besides).
const FINGERPRINT: usize = 8;

/// Something that was sought was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Id of the rule; for a known value the rule it was given ([`crate::KnownValue::rule`]).
    pub rule: Arc<str>,
    /// Name of the known value; for rules the kind of thing that was seen (`GitHub personal access token`).
    pub name: Arc<str>,
    /// Place of the value's first byte in the stream.
    pub offset: u64,
    /// Bytes of the stream that the value takes, as it is spelled there.
    pub length: usize,
    /// Tells values apart across spellings, places and runs.
    pub fingerprint: Fingerprint,
    /// How it was read: `plain`, `escaped`, or the names of decodings, the outermost first (`base64 hex`).
    pub layer: Arc<str>,
    /// It stands in something compressed, so that nothing can be put in its place; `offset` is where that begins, and `length`
    /// that of the value as it is spelled inside.
    pub packed: bool,
}

/// What is done about a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is.
    Pass,
    /// It goes on with a stand-in in place of the value.
    Redact,
    /// The stream ends before the value is complete.
    Stop,
}

/// The key that makes fingerprints: whoever has it not cannot try values against them. Zeroed on drop.
#[derive(Clone)]
pub struct FingerprintKey(Arc<Zeroizing<[u8; 32]>>);

impl FingerprintKey {
    /// 32 random bytes, the same ones for as long as allowances by fingerprint are to hold.
    pub fn new(bytes: [u8; 32]) -> FingerprintKey {
        FingerprintKey(Arc::new(Zeroizing::new(bytes)))
    }

    /// Of a value, as its owner spells it.
    pub fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        let mut first = [0; FINGERPRINT];
        // HMAC takes keys of every length, this one above all.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) {
            mac.update(value);
            first.copy_from_slice(&mac.finalize().into_bytes()[..FINGERPRINT]);
        }
        Fingerprint(first)
    }
}

/// The beginning of a keyed hash (HMAC-SHA-256) of a value; shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fingerprint([u8; FINGERPRINT]);

impl Fingerprint {
    /// From 16 hexadecimal digits, as it is shown; `None` for anything else.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let hex = text.len() == 2 * FINGERPRINT && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| hex)?;
        Some(Fingerprint(number.to_be_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_key_and_value_and_reads_back() {
        let key = |byte| FingerprintKey::new([byte; 32]);
        let one = key(1).fingerprint(b"value");
        assert_eq!(one, key(1).fingerprint(b"value"));
        assert_ne!(one, key(2).fingerprint(b"value"));
        assert_ne!(one, key(1).fingerprint(b"valuf"));
        assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        for wrong in ["", "123", "zzzzzzzzzzzzzzzz", "+123456789abcdef", "00112233445566778"] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }

    /// RFC 4231, test case 2, has another length of key; this one was computed with Python's `hmac`.
    #[test]
    fn it_is_hmac_sha_256() {
        assert_eq!(FingerprintKey::new([7; 32]).fingerprint(b"abc").to_string(), "127da4ced6a839b8");
    }
}
