//! Placeholders in bodies.
use credentials::{BodyKind, BodySwapper, Placeholder, PlaceholderFormat, Secret};
use proptest::prelude::*;

const STAND_IN: &str = "ghp_standin0123456789standin0123";

fn stand_in() -> Placeholder {
    Placeholder::parse(STAND_IN).unwrap()
}

fn swapper(kind: BodyKind, placeholder: &Placeholder, value: &str) -> BodySwapper {
    BodySwapper::new(kind, placeholder.clone(), Secret::new(value.as_bytes().to_vec()))
}

fn swapped<'a>(mut swapper: BodySwapper, chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, u64) {
    let mut out = Vec::new();
    let mut count: u64 = chunks.into_iter().map(|chunk| swapper.push(chunk, &mut out)).sum();
    count += swapper.finish(&mut out);
    (String::from_utf8(out).unwrap(), count)
}

fn body(kind: BodyKind, text: &str, value: &str) -> String {
    swapped(swapper(kind, &stand_in(), value), [text.as_bytes()]).0
}

/// As `\u` escapes.
fn unicode(text: &str) -> String {
    text.bytes().map(|byte| format!("\\u{byte:04X}")).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn json_values_are_escaped_as_json() {
    let value = "a\"b\\c/é";
    for spelled in [STAND_IN.to_owned(), unicode(STAND_IN), format!("\\u0067{}", &STAND_IN[1..])] {
        let text = body(BodyKind::Json, &format!("{{\"token\":\"x{spelled}y\",\"n\":1}}"), value);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["token"], format!("x{value}y"), "{spelled}");
    }
}

#[test]
fn an_escaped_slash_is_a_slash() {
    let placeholder = Placeholder::random(PlaceholderFormat::Opaque);
    let text = format!("{{\"u\":\"https:\\/\\/x\\/{}\"}}", placeholder.as_str());
    let (out, count) = swapped(swapper(BodyKind::Json, &placeholder, "v/w"), [text.as_bytes()]);
    assert_eq!((out.as_str(), count), ("{\"u\":\"https:\\/\\/x\\/v/w\"}", 1));
}

#[test]
fn an_escaped_backslash_is_no_escape() {
    for text in [format!("\"\\\\u0067{}\"", &STAND_IN[1..]), format!("\"\\{STAND_IN}\"")] {
        assert_eq!(body(BodyKind::Json, &text, "v"), text);
    }
    let newline = Placeholder::parse("npm_standin0123456789standin0123").unwrap();
    let text = "\"\\npm_standin0123456789standin0123\"";
    assert_eq!(swapped(swapper(BodyKind::Json, &newline, "v"), [text.as_bytes()]).0, text);
    let text = "\"\\\\npm_standin0123456789standin0123\"";
    assert_eq!(swapped(swapper(BodyKind::Json, &newline, "v"), text.as_bytes().chunks(1)).0, "\"\\\\v\"");
}

#[test]
fn form_values_are_percent_encoded() {
    for spelled in [STAND_IN.to_owned(), percent(STAND_IN), STAND_IN.replace('_', "%5F")] {
        let text = body(BodyKind::Form, &format!("a=1&token={spelled}&b=%2"), "p&q=r+s t%é");
        assert_eq!(text, "a=1&token=p%26q%3Dr%2Bs%20t%25%C3%A9&b=%2");
    }
}

#[test]
fn text_is_left_as_it_is() {
    assert_eq!(body(BodyKind::Text, &format!("<{STAND_IN}>"), "a&\"b"), "<a&\"b>");
    assert_eq!(body(BodyKind::Text, &format!("?k={}&", percent(STAND_IN)), "a&b"), "?k=a%26b&");
}

#[test]
fn multipart_texts_are_swapped() {
    let kind = BodyKind::of("multipart/form-data; boundary=\"--x;y\"").unwrap();
    let text =
        format!("--x\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{STAND_IN}\r\n--x--\r\n");
    assert_eq!(body(kind, &text, "real"), text.replace(STAND_IN, "real"));
}

#[test]
fn kinds_from_content_types() {
    for (content_type, kind) in [
        ("application/json", Some(BodyKind::Json)),
        ("Application/JSON; charset=UTF-8", Some(BodyKind::Json)),
        ("application/vnd.api+json", Some(BodyKind::Json)),
        ("application/x-ndjson", Some(BodyKind::Json)),
        ("application/x-www-form-urlencoded", Some(BodyKind::Form)),
        ("text/plain", Some(BodyKind::Text)),
        ("application/json; charset=utf-16", None),
        ("application/octet-stream", None),
        ("image/png", None),
        ("", None),
    ] {
        assert_eq!(BodyKind::of(content_type), kind, "{content_type}");
    }
    assert_eq!(BodyKind::of_message(b" {\"a\":1}"), BodyKind::Json);
    assert_eq!(BodyKind::of_message(b"AUTH x"), BodyKind::Text);
}

#[test]
fn nothing_waits_that_cannot_become_a_placeholder() {
    let mut swapper = swapper(BodyKind::Json, &stand_in(), "v");
    let mut out = Vec::new();
    swapper.push(b"{\"a\":\"ghp_stand", &mut out);
    assert_eq!(out, b"{\"a\":\"");
    swapper.push(b"still\"}\n", &mut out);
    assert_eq!(out, b"{\"a\":\"ghp_standstill\"}\n");
    swapper.push(b"ghp_", &mut out);
    swapper.finish(&mut out);
    assert!(out.ends_with(b"\nghp_"));
}

fn kind() -> impl Strategy<Value = BodyKind> {
    prop_oneof![Just(BodyKind::Json), Just(BodyKind::Form), Just(BodyKind::Text)]
}

/// Text in which the placeholder, parts of it and escapes come often.
fn dense() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(STAND_IN.to_owned()),
        Just(unicode(STAND_IN)),
        Just(percent(STAND_IN)),
        (1..STAND_IN.len()).prop_map(|end| STAND_IN[..end].to_owned()),
        (1..6_usize).prop_map(|end| "\\u0067"[..end].to_owned()),
        (1..3_usize).prop_map(|end| "%67"[..end].to_owned()),
        "[ -~]{0,12}",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn splitting_makes_no_difference(
        kind in kind(), text in dense(), value in "[!-~]{1,40}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let chunks = places.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]);
        let whole = swapped(swapper(kind, &stand_in(), &value), [text.as_bytes()]);
        prop_assert_eq!(swapped(swapper(kind, &stand_in(), &value), chunks), whole);
    }

    #[test]
    fn json_stays_json_and_means_the_value(before in any::<String>(), after in any::<String>(), value in "\\PC{1,40}") {
        // As the name of a member it would stand for the other one.
        prop_assume!(value != "k");
        let meant = serde_json::json!({ "k": format!("{before} {STAND_IN} {after}"), STAND_IN: [1, STAND_IN] });
        let text = body(BodyKind::Json, &meant.to_string(), &value);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read["k"], &serde_json::json!(format!("{before} {value} {after}")));
        prop_assert_eq!(&read[&value][1], &serde_json::json!(value));
    }
}
