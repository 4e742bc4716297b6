//! Codes by other hands than the crate's own.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// One way to spell bytes.
#[derive(Clone, Copy)]
pub(crate) struct Encoder {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&[u8]) -> Vec<u8>,
    pub(crate) takes: Takes,
}

/// What an encoder makes sense for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Any bytes.
    Bytes,
    /// Bytes that are ASCII: where others stand between all of them, no text is seen in a code.
    Ascii,
    /// Characters.
    Text,
    /// Letters of base64, which alone are read from their end.
    Letters,
}

impl Encoder {
    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        match self.takes {
            Takes::Bytes => true,
            Takes::Ascii => bytes.is_ascii(),
            Takes::Text => std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')),
            Takes::Letters => bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte)),
        }
    }
}

pub(crate) const ALL: [Encoder; 24] = [
    ascii("base64", |bytes| STANDARD.encode(bytes).into()),
    ascii("base64url", |bytes| URL_SAFE_NO_PAD.encode(bytes).into()),
    ascii("base64 after one", |bytes| STANDARD.encode([b":", bytes].concat()).into()),
    ascii("base64 after two", |bytes| STANDARD.encode([b"u:", bytes, b"::more"].concat()).into()),
    ascii("base64 wrapped", |bytes| wrapped(&STANDARD.encode(bytes))),
    ascii("base32", base32),
    ascii("base32 lower", |bytes| base32(bytes).to_ascii_lowercase()),
    ascii("hex", |bytes| each(bytes, |byte| format!("{byte:02x}"))),
    ascii("hex upper", |bytes| each(bytes, |byte| format!("{byte:02X}"))),
    ascii("ascii85", |bytes| base85(bytes, &(b'!'..=b'u').collect::<Vec<_>>())),
    ascii("base85 of git", |bytes| base85(bytes, RFC_1924)),
    ascii("base85 of zeromq", |bytes| base85(bytes, ZEROMQ)),
    bytes("percent", |bytes| each(bytes, |byte| format!("%{byte:02X}"))),
    bytes("percent twice", |bytes| each(bytes, |byte| format!("%25{byte:02x}"))),
    bytes("quoted-printable", quoted),
    text("json", |bytes| utf16(bytes, |unit| format!("\\u{unit:04x}").into_bytes())),
    text("html decimal", |bytes| characters(bytes, |c| format!("&#{};", u32::from(c)).into_bytes())),
    text("html hex", |bytes| characters(bytes, |c| format!("&#x{:X};", u32::from(c)).into_bytes())),
    text("utf-16", |bytes| utf16(bytes, |unit| unit.to_le_bytes().to_vec())),
    text("utf-16be", |bytes| utf16(bytes, |unit| unit.to_be_bytes().to_vec())),
    text("utf-32", |bytes| characters(bytes, |c| u32::from(c).to_le_bytes().to_vec())),
    text("zero-width", |bytes| characters(bytes, |c| format!("{c}\u{200b}").into_bytes())),
    text("full-width", |bytes| characters(bytes, |c| full_width(c).to_string().into_bytes())),
    Encoder {
        name: "reversed",
        encode: |bytes| bytes.iter().rev().copied().collect(),
        takes: Takes::Letters,
    },
];

const fn bytes(name: &'static str, encode: fn(&[u8]) -> Vec<u8>) -> Encoder {
    Encoder { name, encode, takes: Takes::Bytes }
}

const fn ascii(name: &'static str, encode: fn(&[u8]) -> Vec<u8>) -> Encoder {
    Encoder { name, encode, takes: Takes::Ascii }
}

const fn text(name: &'static str, encode: fn(&[u8]) -> Vec<u8>) -> Encoder {
    Encoder { name, encode, takes: Takes::Text }
}

fn each(bytes: &[u8], spell: impl Fn(&u8) -> String) -> Vec<u8> {
    bytes.iter().map(spell).collect::<String>().into_bytes()
}

fn characters(bytes: &[u8], spell: impl Fn(char) -> Vec<u8>) -> Vec<u8> {
    String::from_utf8_lossy(bytes).chars().flat_map(spell).collect()
}

fn utf16(bytes: &[u8], spell: impl Fn(u16) -> Vec<u8>) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(spell).collect()
}

fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap(),
        other => other,
    }
}

fn wrapped(code: &str) -> Vec<u8> {
    code.as_bytes().chunks(24).collect::<Vec<_>>().join(b"\r\n".as_slice())
}

/// RFC 2045, every byte escaped, lines of at most 76.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let escaped: Vec<String> = bytes.iter().map(|byte| format!("={byte:02X}")).collect();
    escaped.chunks(25).map(<[String]>::concat).collect::<Vec<_>>().join("=\r\n").into_bytes()
}

fn base32(bytes: &[u8]) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let value = |group: &[u8]| (0..5).fold(0, |value, at| value << 1 | group.get(at).copied().unwrap_or(0));
    let mut code: Vec<u8> = bits.chunks(5).map(|group| letters[usize::from(value(group))]).collect();
    while !code.len().is_multiple_of(8) {
        code.push(b'=');
    }
    code
}

const RFC_1924: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const ZEROMQ: &[u8] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

fn base85(bytes: &[u8], letters: &[u8]) -> Vec<u8> {
    let group = |chunk: &[u8]| {
        let mut number = (0..4).fold(0_u64, |n, at| n << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let mut spelled = Vec::new();
        for _ in 0..5 {
            spelled.insert(0, letters[usize::try_from(number % 85).unwrap()]);
            number /= 85;
        }
        spelled.truncate(chunk.len() + 1);
        spelled
    };
    bytes.chunks(4).flat_map(group).collect()
}
