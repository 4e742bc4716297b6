//! The spellings, written once more by other means than the crate's own.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use dlp::{KnownValue, KnownValues};

pub(crate) const REPLACEMENT: &str = "ghp_standin";

pub(crate) fn known(value: &str) -> KnownValues {
    let value = KnownValue {
        rule: "known-secret".into(),
        name: "TOKEN".into(),
        replacement: REPLACEMENT.into(),
        value: value.as_bytes(),
    };
    let (values, short) = KnownValues::new(&[value]);
    assert!(short.is_empty());
    values
}

/// Every spelling of the documented list, with its name.
pub(crate) fn all(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut list = texts(value);
    list.extend(base64s(value));
    list.extend(wides(value));
    list
}

fn texts(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = value.as_bytes();
    let each = |spell: fn(&u8) -> String| bytes.iter().map(spell).collect::<String>();
    let list =
        |spell: fn(&u8) -> String, between: &str| bytes.iter().map(spell).collect::<Vec<_>>().join(between);
    let utf16 = |spell: fn(u16) -> String| value.encode_utf16().map(spell).collect::<String>();
    let texts = [
        ("plain", value.to_owned()),
        ("upper", value.to_uppercase()),
        ("lower", value.to_lowercase()),
        ("percent minimal", percent_minimal(value)),
        ("percent full", each(|byte| format!("%{byte:02X}"))),
        ("percent lower", each(|byte| format!("%{byte:02x}"))),
        ("percent twice", each(|byte| format!("%25{byte:02X}"))),
        ("percent every other", every_other(value)),
        ("json slashes", value.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/")),
        ("json upper", utf16(|unit| format!("\\u{unit:04X}"))),
        ("json lower", utf16(|unit| format!("\\u{unit:04x}"))),
        ("json in json", utf16(|unit| format!("\\\\u{unit:04x}"))),
        ("json in percent", utf16(|unit| format!("%5Cu{unit:04x}"))),
        ("javascript", each(|byte| format!("\\x{byte:02x}"))),
        ("html decimal", value.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
        ("html hex", value.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
        ("html named", html_named(value)),
        ("zero-width", value.chars().map(|c| format!("{c}\u{200b}")).collect()),
        ("look-alikes", value.chars().map(look_alike).collect()),
        ("full-width", value.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap()).collect()),
        ("tags", value.chars().map(|c| char::from_u32(u32::from(c) + 0xE0000).unwrap()).collect()),
        ("tags in json", utf16_of_tags(value)),
        ("invisible in json", value.chars().map(|c| format!("{c}\\u200d")).collect()),
        ("hex lower", each(|byte| format!("{byte:02x}"))),
        ("hex upper", each(|byte| format!("{byte:02X}"))),
        ("hex colons", list(|byte| format!("{byte:02x}"), ":")),
        ("hex blanks", list(|byte| format!("{byte:02X}"), " ")),
        ("decimal list", list(|byte| byte.to_string(), ",")),
        ("decimal json", list(|byte| byte.to_string(), ", ")),
        ("base32", base32(bytes)),
        ("base32 lower", base32(bytes).to_lowercase()),
        ("base32 shifted", base32(&[b"abc", bytes].concat())),
    ];
    let mut list: Vec<_> = texts.map(|(name, text)| (name, text.into_bytes())).into();
    list.push(("reversed", bytes.iter().rev().copied().collect()));
    list
}

fn look_alike(character: char) -> char {
    let pairs = "aаeеoоpрcсxхyуiіjјsѕAАBВEЕKΚMΜHНOОPРCСTТXХ-\u{2011}/\u{2215}";
    let letters: Vec<char> = pairs.chars().collect();
    letters.chunks(2).find(|pair| pair[0] == character).map_or(character, |pair| pair[1])
}

fn utf16_of_tags(value: &str) -> String {
    let tags: String = value.chars().map(|c| char::from_u32(u32::from(c) + 0xE0000).unwrap()).collect();
    tags.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn base64s(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let before = |prefix: &str| format!("{prefix}{value}");
    let around = |prefix: &str| format!("{prefix}{value}::more");
    let utf16: Vec<u8> = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [
        ("base64", STANDARD.encode(value)),
        ("base64 after one", STANDARD.encode(before("u"))),
        ("base64 after two", STANDARD.encode(before("u:"))),
        ("base64 inside", STANDARD.encode(around("user:"))),
        ("base64 unpadded", STANDARD_NO_PAD.encode(around("x"))),
        ("base64url", URL_SAFE.encode(value)),
        ("base64url after one", URL_SAFE_NO_PAD.encode(around("?"))),
        ("base64url after two", URL_SAFE_NO_PAD.encode(around("?~"))),
        ("base64 twice", STANDARD.encode(STANDARD.encode(value))),
        ("base64 twice inside", STANDARD.encode(format!("x{}", STANDARD.encode(around("ab"))))),
        ("base64 of base64url", STANDARD.encode(URL_SAFE.encode(around("a")))),
        ("base64 in percent", STANDARD.encode(value).bytes().map(|byte| format!("%{byte:02X}")).collect()),
        ("base64 in json", STANDARD.encode(around("?")).replace('/', "\\/")),
        (
            "base64 of hex",
            STANDARD.encode(value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()),
        ),
        ("base64 of utf-16", STANDARD.encode(utf16)),
        ("base64 upper-cased", STANDARD.encode(value).to_uppercase()),
        ("base64 of mail", wrapped(&STANDARD.encode(around("x")), "\r\n")),
        ("base64 of tools", wrapped(&STANDARD.encode(around("xy")), "\n")),
        ("base64 of code hosts", wrapped(&STANDARD.encode(around("xyz")), "\\n")),
        ("base64 wrapped in a form", wrapped(&URL_SAFE.encode(around("xyz")), "%0D%0A")),
        ("base64 wrapped in json in json", wrapped(&STANDARD.encode(value), "\\\\r\\\\n")),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into()
}

/// Real lines have 60 to 76 letters; short ones put a break into every value.
fn wrapped(text: &str, end: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(16).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(end)
}

fn wides(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("utf-16le", value.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("utf-16be", value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("utf-32le", value.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
        ("utf-32be", value.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ]
}

fn percent_minimal(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).into() } else { format!("%{b:02X}") })
        .collect()
}

fn every_other(value: &str) -> String {
    let spell =
        |(at, b): (usize, u8)| if at % 2 == 0 { (b as char).to_string() } else { format!("%{b:02x}") };
    value.bytes().enumerate().map(spell).collect()
}

fn html_named(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn base32(bytes: &[u8]) -> String {
    let mut bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    while !bits.len().is_multiple_of(5) {
        bits.push('0');
    }
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let groups = bits.as_bytes().chunks(5).map(|group| std::str::from_utf8(group).unwrap());
    groups.map(|group| letters[usize::from_str_radix(group, 2).unwrap()] as char).collect()
}
