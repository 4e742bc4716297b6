//! Every spelling of a value is found, and gives way to its stand-in.
use crate::spell::{self, REPLACEMENT, known};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dlp::{KnownValue, KnownValues};
use proptest::prelude::*;

const VALUE: &str = "ghp_Zq/8+Kd\"<a&1>~\\w";

#[test]
fn every_spelling_is_found() {
    let values = known(VALUE);
    for (name, text) in spell::all(VALUE) {
        let body = [b"key=\":".as_slice(), &text, b"\"}"].concat();
        assert!(values.find(&body).is_some(), "{name}: {}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn values_are_found_right_behind_punctuation() {
    let values = known(VALUE);
    let encoded = STANDARD.encode(VALUE);
    for before in [":", "\"", "=", "/", "%", "\\", "&", "%2", "\\u00", "a", "{\"k\":\""] {
        for text in [VALUE, encoded.as_str()] {
            assert!(values.find(format!("{before}{text}").as_bytes()).is_some(), "{before}{text}");
        }
    }
}

#[test]
fn values_are_found_in_every_part_of_a_head() {
    let values = known("ghp_abcDEF123456");
    for head in [
        "/repos/ghp_abcDEF123456/x",
        "/q?token=ghp%5FabcDEF123456",
        "agent/1.0 (ghp_abcDEF123456)",
        "ghp_abcdef123456.attacker.example",
        "attachment; filename=\"GHP_ABCDEF123456.txt\"",
    ] {
        assert_eq!(&*values.find(head.as_bytes()).unwrap().name, "TOKEN", "{head}");
    }
}

#[test]
fn a_scrubbed_value_keeps_its_notation() {
    let values = known("super-secret-0123");
    let clean = |text: &str| String::from_utf8(values.scrub(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(clean("a super-secret-0123 b"), format!("a {REPLACEMENT} b"));
    assert_eq!(clean("%73uper-secret-0123"), "ghp%5Fstandin");
    let hex: String = "super-secret-0123".bytes().map(|byte| format!("{byte:02x}")).collect();
    let stand_in: String = REPLACEMENT.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(clean(&hex), stand_in);
    for before in ["", "u", "u:"] {
        let scrubbed = clean(&STANDARD.encode(format!("{before}super-secret-0123 and more")));
        let decoded = String::from_utf8(STANDARD.decode(scrubbed).unwrap()).unwrap();
        assert!(decoded.contains(REPLACEMENT) && decoded.ends_with("nd more"), "{decoded}");
    }
}

#[test]
fn the_longer_of_two_values_counts() {
    let value = |name: &str, value| KnownValue {
        rule: "known-secret".into(),
        name: name.into(),
        replacement: "-".into(),
        value,
    };
    let (values, _) = KnownValues::new(&[value("short", b"abcdefgh"), value("long", b"abcdefghijkl")]);
    assert_eq!(&*values.find(b"..abcdefghijkl").unwrap().name, "long");
    assert_eq!(values.scrub(b"abcdefghijkl abcdefgh").unwrap(), b"- -");
}

#[test]
fn short_values_are_named_and_not_sought() {
    let value = |name: &str, value| KnownValue {
        rule: "known-secret".into(),
        name: name.into(),
        replacement: "-".into(),
        value,
    };
    let (values, short) = KnownValues::new(&[value("pin", b"1234567"), value("empty", b"")]);
    assert_eq!(short, ["pin".into(), "empty".into()]);
    assert!(values.is_empty());
    assert_eq!(values.find(b"1234567"), None);
}

#[test]
fn a_piece_of_a_long_value_is_enough() {
    let long: String =
        (0..3000).map(|n| char::from(b'a' + u8::try_from(n * n % 23).unwrap())).collect::<String>()
            + &(0..500).map(|n| format!("{n:x}/")).collect::<String>();
    let values = known(&long);
    assert!(values.find(&long.as_bytes()[..1100]).is_some());
    assert!(values.find(&long.as_bytes()[2048..]).is_some());
    let clean = values.scrub(long.as_bytes()).unwrap();
    assert!(clean.len() < 100, "every piece is replaced");
}

#[test]
fn values_that_look_escaped_themselves_are_found() {
    for value in [
        "p%41ssword-long",
        "C:\\users\\new\\x41\\data",
        "a&amp;b&lt;cdefghij",
        "line one\nline two\ttab",
        "%25%41%42cdefg",
    ] {
        let values = known(value);
        let json = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
        let percent: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for text in [value, &json, &percent, &STANDARD.encode(value)] {
            assert!(values.find(format!("\"{text}\"").as_bytes()).is_some(), "{value}: {text}");
        }
    }
}

/// Printable, with every byte that some notation escapes, but not looking escaped itself.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let looks_escaped = |value: &str| {
        let after =
            |mark: char, next: fn(char) -> bool| value.split(mark).skip(1).any(|rest| rest.starts_with(next));
        after('%', |c| c.is_ascii_hexdigit() || c == '%')
            || after('&', |c| c.is_ascii_alphanumeric() || c == '#')
            || after('\\', |c| c == 'u' || c == 'x')
    };
    proptest::string::string_regex("[g-zG-Z_-]{8}[!-~]{0,50}[g-zG-Z_-]")
        .unwrap()
        .prop_filter("looks escaped", move |value| !looks_escaped(value))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_spelling_of_any_value_is_found_and_scrubbed(value in value(), before in "[ -~]{0,9}") {
        let values = known(&value);
        for (name, text) in spell::all(&value) {
            let body = [before.as_bytes(), &b" "[..], &text, b" "].concat();
            prop_assert!(values.find(&body).is_some(), "{name} {}", String::from_utf8_lossy(&body));
            let clean = values.scrub(&body).unwrap();
            prop_assert_eq!(values.find(&clean), None, "{}", name);
        }
    }
}
