//! What is sought in a request and taken out of an answer: ten known values and all built-in rules, as a bottle has them.
use dlp::{
    Collector, FingerprintKey, Fragments, Inspector, KnownValue, KnownValues, RuleSet, Scrubber, Sought,
    Verdict,
};
use std::hint::black_box;

const KNOWN: u32 = 10;
const LARGE: usize = 64 * 1024;
/// What a read of a connection usually gives.
const CHUNK: usize = 16 * 1024;

/// The head of a request as an SDK sends it.
const HEAD: &str = "/v1/messages?beta=true \n host: api.example.com \n accept: application/json \n accept-encoding: gzip, deflate \n \
    content-type: application/json \n user-agent: Example/JS 0.60.0 \n x-sdk-lang: js \n x-sdk-os: Linux \n x-sdk-arch: x64 \n \
    x-sdk-runtime: node \n x-sdk-runtime-version: v22.11.0 \n x-sdk-retry-count: 0 \n x-sdk-timeout: 600 \n \
    authorization: Bearer placeholder-placeholder-placeholder \n content-length: 1024";

/// All of it at once, and as pieces of known values.
pub(crate) fn head(count: u32) {
    let sought = sought();
    let texts = texts();
    let collector = Collector::new(Fragments::new(&values(&texts), &FingerprintKey::new([1; 32])));
    for _ in 0..count {
        assert!(collector.see(black_box(HEAD.as_bytes())).is_none());
        assert!(sought.find_all(black_box(HEAD.as_bytes())).is_empty());
    }
}

pub(crate) fn small(count: u32) {
    inspect(&text(1024), count);
}

/// As a body whose end comes with it.
pub(crate) fn small_at_once(count: u32) {
    let (sought, body) = (sought(), text(1024));
    let mut out = Vec::with_capacity(2 * body.len());
    for _ in 0..count {
        out.clear();
        let mut inspector = Inspector::new(sought.clone());
        assert!(inspector.last(black_box(&body), &mut out, &mut |_| Verdict::Pass).is_ok());
        assert_eq!(out.len(), body.len());
    }
}

pub(crate) fn json(count: u32) {
    inspect(&text(LARGE), count);
}

pub(crate) fn base64(count: u32) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = random_bytes(LARGE);
    body.iter_mut().for_each(|byte| *byte = LETTERS[usize::from(*byte % 64)]);
    inspect(&body, count);
}

pub(crate) fn noise(count: u32) {
    inspect(&random_bytes(LARGE), count);
}

/// A stream of its own each time, as a body is.
fn inspect(body: &[u8], count: u32) {
    let sought = sought();
    let mut out = Vec::with_capacity(2 * LARGE);
    for _ in 0..count {
        out.clear();
        let mut inspector = Inspector::new(sought.clone());
        let mut pass = |_: &dlp::Hit| Verdict::Pass;
        for chunk in body.chunks(CHUNK) {
            assert!(inspector.push(black_box(chunk), &mut out, &mut pass).is_ok());
        }
        assert!(inspector.finish(&mut out, &mut pass).is_ok());
        assert_eq!(out.len(), body.len());
    }
}

pub(crate) fn scrub_small(count: u32) {
    scrub_body(&text(1024), count);
}

pub(crate) fn scrub(count: u32) {
    scrub_body(&text(LARGE), count);
}

/// With one value in it that is taken out.
fn scrub_body(body: &[u8], count: u32) {
    let texts = texts();
    let (known, _short) = KnownValues::new(&values(&texts));
    let mut body = body.to_vec();
    let secret = texts[3].as_bytes();
    let middle = body.len() / 2;
    body[middle..middle + secret.len()].copy_from_slice(secret);
    let mut out = Vec::with_capacity(2 * LARGE);
    for _ in 0..count {
        out.clear();
        let mut scrubber = Scrubber::new(known.clone());
        let taken: u64 = body.chunks(CHUNK).map(|chunk| scrubber.push(black_box(chunk), &mut out)).sum();
        assert_eq!(taken + scrubber.finish(&mut out), 1);
    }
}

fn sought() -> Sought {
    let texts = texts();
    let (known, _short) = KnownValues::new(&values(&texts));
    Sought::new(known, RuleSet::built_in(), FingerprintKey::new([1; 32]))
}

fn values<'a>(texts: &'a [String]) -> Vec<KnownValue<'a>> {
    let value = |text: &'a String| KnownValue {
        rule: "known-secret".into(),
        name: "EGRESS_TOKEN_0".into(),
        replacement: "bottle_placeholder".into(),
        value: text.as_bytes(),
    };
    texts.iter().map(value).collect()
}

/// Made up: the letters of a multiplication.
fn texts() -> Vec<String> {
    let word = |number: u32, part: u32| (number + 1).wrapping_mul(0x9E37_79B1).rotate_left(part * 5);
    (0..KNOWN).map(|number| (0..5).map(|part| format!("{:08x}", word(number, part))).collect()).collect()
}

/// Messages as agents send them to a model: words, code, line feeds spelled out, a few digits.
fn text(length: usize) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "the",
        "function",
        "returns",
        "an",
        "error",
        "when",
        "let",
        "value",
        "=",
        "config.read()?;\\n",
        "\\\"path\\\":",
        "src/main.rs",
        "of",
        "request",
        "42",
        "{",
        "}",
        "https://docs.example.com/guide",
        "is",
        "tested",
        "in",
        "(see",
        "below)",
        "and",
    ];
    let mut random = random();
    let mut text = "{\"model\":\"a-model\",\"messages\":[".to_owned();
    while text.len() < length {
        text.push_str("{\"role\":\"user\",\"content\":\"");
        for _ in 0..40 {
            text.push_str(WORDS[random() % WORDS.len()]);
            text.push(' ');
        }
        text.push_str("\"},");
    }
    text.into_bytes().into_iter().take(length).collect()
}

fn random_bytes(length: usize) -> Vec<u8> {
    let mut random = random();
    (0..length).map(|_| random().to_le_bytes()[1]).collect()
}

fn random() -> impl FnMut() -> usize {
    let mut state: u64 = 7;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    }
}
