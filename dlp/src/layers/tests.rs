//! A search for one text, in every layer, by encoders of other hands.
use super::*;
use crate::view::Before;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const SOUGHT: &[u8] = b"tok_4Hq9ZsXw2Lm7cV3bRk";
const STAND_IN: &[u8] = b"[gone]";

/// As a rule would: whole texts, and what may begin one.
fn seek(text: Text<'_>, _: Layers, found: &mut Vec<Sight<()>>) -> Searched {
    let Text { bytes, last, .. } = text;
    for start in memchr::memmem::find_iter(bytes, SOUGHT) {
        found.push(Sight { start, end: start + SOUGHT.len(), what: (), replacement: STAND_IN.to_vec() });
    }
    let begun = |at: &usize| !last && SOUGHT.starts_with(&bytes[*at..]);
    let open = bytes.len().saturating_sub(SOUGHT.len() - 1)..bytes.len();
    let hold = open.into_iter().find(begun).unwrap_or(bytes.len());
    Searched { hold, survey: Some(Survey::of(bytes, Before::default(), last)) }
}

fn looked<T>(bytes: &[u8], last: bool, seek: &mut Seek<'_, T>) -> Seen<T> {
    look(bytes, Some(&Survey::of(bytes, Before::default(), last)), last, seek)
}

fn layers_of(bytes: &[u8]) -> Vec<String> {
    looked(bytes, true, &mut seek).finds.iter().map(|found| found.layers.to_string()).collect()
}

fn text(before: &str) -> String {
    format!("{before}{} and some more words at the end of this line", String::from_utf8_lossy(SOUGHT))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn base32(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let value = |group: &[u8]| (0..5).fold(0, |value, at| value << 1 | group.get(at).copied().unwrap_or(0));
    bits.chunks(5).map(|group| letters[usize::from(value(group))] as char).collect()
}

fn base85(text: &str, letters: &[u8]) -> String {
    let group = |chunk: &[u8]| {
        let mut number = (0..4).fold(0_u64, |n, at| n << 8 | u64::from(chunk.get(at).copied().unwrap_or(0)));
        let mut spelled = Vec::new();
        for _ in 0..5 {
            spelled.insert(0, letters[usize::try_from(number % 85).unwrap()] as char);
            number /= 85;
        }
        spelled.into_iter().take(chunk.len() + 1).collect::<String>()
    };
    text.as_bytes().chunks(4).map(group).collect()
}

fn adobe() -> Vec<u8> {
    (b'!'..=b'u').collect()
}

const RFC_1924: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const ZEROMQ: &[u8] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("={byte:02X}")).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Every code, of a text with so much before.
fn encoded(before: &str) -> Vec<(&'static str, Vec<u8>)> {
    let text = text(before);
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let long = |order: fn(u32) -> [u8; 4]| text.chars().map(u32::from).flat_map(order).collect::<Vec<u8>>();
    vec![
        ("base64", STANDARD.encode(&text).into()),
        ("base64", URL_SAFE_NO_PAD.encode(&text).into()),
        ("base64", format!("path/to/{}", STANDARD_NO_PAD.encode(&text)).into()),
        ("base32", base32(text.as_bytes()).into()),
        ("base32", base32(text.as_bytes()).to_lowercase().into()),
        ("base16", hex(&text).into()),
        ("base16", hex(&text).to_uppercase().into()),
        ("base85", base85(&text, &adobe()).into()),
        ("base85", format!("<~{}~>", base85(&text, &adobe())).into()),
        ("base85", base85(&text, &adobe()).replace('\\', "\\\\").replace('"', "\\\"").into()),
        ("base85", base85(&text, RFC_1924).into()),
        ("base85", base85(&text, ZEROMQ).into()),
        ("quoted-printable", quoted(&text).into()),
        ("quoted-printable", text.replace('H', "=\r\nH").into()),
        ("quoted-printable", format!("a=3D{text}").replace('H', "=48").into()),
        ("wide", wide(u16::to_le_bytes)),
        ("wide", wide(u16::to_be_bytes)),
        ("wide", long(u32::to_le_bytes)),
        ("wide", long(u32::to_be_bytes)),
        ("reversed", text.bytes().rev().collect()),
    ]
}

#[test]
fn every_code_is_read_in_every_alignment() {
    for before in ["", "a", "ab", "ab ", "a b c", "words, ", "{\"k\":\"", "caf\u{e9} "] {
        for (layer, body) in encoded(before) {
            for (left, right) in [("", ""), ("{\"data\":\"", "\"}"), ("x=", "&y=1"), ("some words ", " more")]
            {
                let body = [left.as_bytes(), &body, right.as_bytes()].concat();
                let seen = layers_of(&body);
                let shown = String::from_utf8_lossy(&body);
                assert!(seen.iter().any(|name| name == layer), "{layer} {before}: {seen:?} {shown}");
            }
        }
    }
}

#[test]
fn codes_stand_in_codes() {
    let text = text("u:");
    let thrice = STANDARD.encode(hex(&base32(text.as_bytes())));
    assert_eq!(layers_of(thrice.as_bytes()), ["base64 base16 base32"]);
    for (body, layers) in [
        (hex(&STANDARD.encode(&text)), "base16 base64"),
        (STANDARD.encode(utf16(&text)), "base64 wide"),
        (STANDARD.encode(quoted(&text)), "base64 quoted-printable"),
        (STANDARD.encode(STANDARD.encode(STANDARD.encode(&text))), "base64 base64 base64"),
        (STANDARD.encode(&text).chars().rev().collect(), "reversed base64"),
        (base85(&base32(text.as_bytes()), ZEROMQ), "base85 base32"),
    ] {
        assert!(layers_of(body.as_bytes()).iter().any(|name| name == layers), "{layers}");
    }
    let deeper = hex(&thrice);
    assert!(layers_of(deeper.as_bytes()).is_empty(), "four are one too many");
}

#[test]
fn escapes_and_wrapped_lines_are_read_before() {
    let code = STANDARD.encode(text("xyz:"));
    let percent: String = code.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unicode: String = code.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let lines = |end: &str| {
        let lines: Vec<String> =
            code.as_bytes().chunks(20).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        lines.join(end)
    };
    for body in [percent, unicode, lines("\n"), lines("\r\n"), lines("\\n"), lines("\\r\\n"), lines("%0A")] {
        assert_eq!(layers_of(body.as_bytes()), ["base64"], "{body}");
    }
}

/// What was read says where it came from, and what is put there instead decodes.
#[test]
fn a_stand_in_keeps_the_code_whole() {
    for before in ["", "a", "ab", "abc"] {
        for (layer, body) in encoded(before) {
            let body = [b"{\"d\":\"".as_slice(), &body, b"\"}"].concat();
            let seen = looked(&body, true, &mut seek);
            let found = seen.finds.iter().find(|found| found.layers.to_string() == layer).unwrap();
            let (range, bytes) = found.replacement();
            assert!(range.start <= found.start && found.end <= range.end);
            let clean = [&body[..range.start], bytes, &body[range.end..]].concat();
            assert!(layers_of(&clean).is_empty(), "{layer}: {}", String::from_utf8_lossy(&clean));
            let mut decoded = decoded(&clean);
            decoded.push(clean.clone());
            // In ascii85 a stand-in is often spelled with signs that would end a string: then it stands there plain.
            let reversed: Vec<u8> = STAND_IN.iter().rev().copied().collect();
            let rest = decoded.iter().any(|text| contains(text, b"more words")) || layer == "reversed";
            let stand_in = decoded.iter().any(|text| contains(text, STAND_IN) || contains(text, &reversed));
            assert!(rest && stand_in, "{layer}: {}", String::from_utf8_lossy(&clean));
        }
    }
}

#[test]
fn a_stand_in_fits_codes_in_codes() {
    for before in ["", "u", "u:", "u:p"] {
        let body = STANDARD.encode(format!("x{}", STANDARD.encode(hex(&text(before)))));
        let seen = looked(body.as_bytes(), true, &mut seek);
        let (range, bytes) = seen.finds[0].replacement();
        let clean = [&body.as_bytes()[..range.start], bytes, &body.as_bytes()[range.end..]].concat();
        let once = STANDARD.decode(&clean).unwrap();
        let twice = STANDARD.decode(&once[1..]).unwrap();
        assert!(contains(&twice, hex("[gone]").as_bytes()) && contains(&twice, hex("more words").as_bytes()));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

fn decoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    looked::<()>(bytes, true, &mut |Text { bytes, last, .. }, _, _| {
        all.push(bytes.to_vec());
        Searched { hold: bytes.len(), survey: Some(Survey::of(bytes, Before::default(), last)) }
    });
    all
}

/// One stream, as whoever owns it keeps it: what went out last, and what waits.
fn streamed(body: &[u8], size: usize) -> (bool, usize) {
    let (mut kept, mut out, mut begin) = (Vec::new(), 0, 0);
    for (index, chunk) in body.chunks(size).enumerate() {
        kept.extend_from_slice(chunk);
        let last = (index + 1) * size >= body.len();
        let seen = looked(&kept, last, &mut seek);
        let (sure, not_yet): (Vec<_>, Vec<_>) =
            seen.finds.iter().filter(|found| begin + found.end > out).partition(|found| found.sure);
        if !sure.is_empty() {
            return (true, out);
        }
        let hold = not_yet.iter().map(|found| found.start).fold(seen.hold, usize::min);
        out = out.max(begin + hold);
        let drop = (out - begin).saturating_sub(CONTEXT);
        kept.drain(..drop);
        begin += drop;
    }
    (false, out)
}

#[test]
fn chunks_make_no_difference_and_the_value_is_never_whole_outside() {
    for before in ["", "a", "ab"] {
        let twice = STANDARD.encode(hex(&text(before)));
        let bodies = encoded(before).into_iter().chain([("base64 base16", twice.into_bytes())]);
        for (layer, body) in bodies {
            let body = [b"{\"some\": \"words\", \"data\":\"".as_slice(), &body, b"\"}"].concat();
            let seen = looked(&body, true, &mut seek);
            let found = seen.finds.iter().find(|found| found.layers.to_string() == layer).unwrap();
            for size in [1, 2, 3, 7, 20, 64] {
                let (hit, out) = streamed(&body, size);
                assert!(hit, "{layer} in chunks of {size}: {}", String::from_utf8_lossy(&body));
                assert!(
                    out < found.end,
                    "{layer} in chunks of {size}: {out} went out, the value ends at {}",
                    found.end
                );
            }
        }
    }
}

#[test]
fn what_may_begin_a_match_waits_and_nothing_else() {
    let code = STANDARD.encode(text("a few words before it, and then "));
    let all = looked(code.as_bytes(), false, &mut seek);
    assert_eq!(all.hold, code.len(), "the value is whole, and nothing is open behind it");
    let begun = looked(&code.as_bytes()[..52], false, &mut seek);
    let place = "a few words before it, and then ".len() * 8 / 6;
    assert_eq!(begun.hold, place, "from the letter with the first bits of the value");
    assert_eq!(looked(&code.as_bytes()[..40], false, &mut seek).hold, 40, "nothing began yet");
}

#[test]
fn random_letters_are_not_decoded() {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    let bytes: Vec<u8> = (0..300_000).map(|_| random()).collect();
    for body in [
        STANDARD.encode(&bytes),
        hex(&String::from_utf8_lossy(&[])) + &bytes.iter().map(|b| format!("{b:02x}")).collect::<String>(),
        base32(&bytes),
    ] {
        let mut read = 0;
        looked::<()>(body.as_bytes(), true, &mut |Text { bytes, last, .. }, _, _| {
            read += bytes.len();
            Searched { hold: bytes.len(), survey: Some(Survey::of(bytes, Before::default(), last)) }
        });
        assert!(read * 25 < body.len(), "{read} of {}", body.len());
    }
}
