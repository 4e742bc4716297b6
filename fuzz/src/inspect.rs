//! Everything that is sought, in streams against a look at the whole; each code; pieces.
use dlp::{
    Collector, FingerprintKey, Fragments, Hit, Inspector, KnownValue, KnownValues, RuleSet, Sought, Verdict,
};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const VALUES: [&str; 3] =
    ["Zk9pX+2vQ~m:L5tRw8yB.e3H", "npm_kX82bQz61LmWvT4cRd97YsJeHu3GaF50NpKi", "a\\b\"c&d%41eeeeeeee<f>"];

pub(crate) const SECRET: &str = VALUES[1];

fn known() -> Vec<KnownValue<'static>> {
    let known = |value: &'static str| KnownValue {
        rule: "known-secret".into(),
        name: value.into(),
        replacement: "[gone]".into(),
        value: value.as_bytes(),
    };
    VALUES.map(known).into()
}

fn key() -> FingerprintKey {
    FingerprintKey::new([5; 32])
}

pub(crate) static SOUGHT: LazyLock<Sought> =
    LazyLock::new(|| Sought::new(KnownValues::new(&known()).0, RuleSet::built_in(), key()));
static FRAGMENTS: LazyLock<Fragments> = LazyLock::new(|| Fragments::new(&known(), &key()));

/// The first byte says where to cut. What passes comes out as it went in; what a look at the whole finds, the stream finds; and
/// what is stopped is not complete outside.
pub fn inspect(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let whole = rules(&SOUGHT.find_all(body));
    let (out, hits, _) = run(body, *cut, Verdict::Pass);
    assert_eq!(out, body);
    assert!(whole.is_subset(&rules(&hits)), "{whole:?} {hits:?}");
    let (out, hits, stopped) = run(body, *cut, Verdict::Stop);
    assert!(body.starts_with(&out));
    assert!(stopped || whole.is_empty(), "{whole:?}");
    assert_eq!(stopped, !hits.is_empty());
    let (_, hits, stopped) = run(body, *cut, Verdict::Redact);
    // In what is compressed nothing can be replaced.
    assert!(stopped && hits.iter().any(|hit| hit.packed) || whole.is_subset(&rules(&hits)));
}

fn rules(hits: &[Hit]) -> BTreeSet<(String, String)> {
    hits.iter().map(|hit| (hit.rule.to_string(), hit.fingerprint.to_string())).collect()
}

pub(crate) fn run(body: &[u8], cut: u8, verdict: Verdict) -> (Vec<u8>, Vec<Hit>, bool) {
    run_with(&SOUGHT, body, cut, verdict)
}

pub(crate) fn run_with(sought: &Sought, body: &[u8], cut: u8, verdict: Verdict) -> (Vec<u8>, Vec<Hit>, bool) {
    let mut inspector = Inspector::new(sought.clone());
    let (mut out, mut hits) = (Vec::new(), Vec::new());
    let mut judge = |hit: &Hit| {
        hits.push(hit.clone());
        verdict
    };
    let mut chunks = body.chunks(usize::from(cut).max(1));
    let passed = chunks.all(|chunk| inspector.push(chunk, &mut out, &mut judge).is_ok());
    let stopped = !passed || inspector.finish(&mut out, &mut judge).is_err();
    (out, hits, stopped)
}

/// The first byte says which code, the second where to cut. Whatever stands around, a value in a code is found.
pub fn codes(bytes: &[u8]) {
    let [which, cut, around @ ..] = bytes else { return };
    let code = encoded(*which, VALUES[1].as_bytes());
    let (before, behind) = around.split_at(around.len() / 2);
    let body = [before, b" \n".as_slice(), &code, b"\n ", behind].concat();
    assert!(!SOUGHT.find_all(&body).is_empty());
    let (out, _, stopped) = run(&body, *cut, Verdict::Stop);
    assert!(stopped && out.len() < body.len());
}

fn encoded(which: u8, value: &[u8]) -> Vec<u8> {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const BASE16: &[u8] = b"0123456789abcdef";
    let each = |spell: fn(&u8) -> String| value.iter().map(spell).collect::<String>().into_bytes();
    match which % 9 {
        0 => bits(value, BASE64, 6),
        1 => bits(value, BASE32, 5),
        2 => bits(value, BASE16, 4),
        3 => bits(&bits(value, BASE16, 4), BASE64, 6),
        4 => bits(&bits(value, BASE64, 6), BASE32, 5),
        5 => each(|byte| format!("%{byte:02X}")),
        6 => each(|byte| format!("={byte:02X}")),
        7 => value.iter().flat_map(|byte| [*byte, 0]).collect(),
        _ => value.iter().rev().copied().collect(),
    }
}

pub(crate) fn bits(value: &[u8], alphabet: &[u8], bits: usize) -> Vec<u8> {
    let bit = |at: usize| usize::from(value.get(at / 8).copied().unwrap_or(0) >> (7 - at % 8) & 1);
    let letter = |index: usize| (0..bits).fold(0, |number, at| number << 1 | bit(index * bits + at));
    (0..(value.len() * 8).div_ceil(bits)).map(|index| alphabet[letter(index)]).collect()
}

/// The first byte says where to cut. Pieces that are enough in one place are enough in chunks.
pub fn fragments(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let whole = Collector::new(FRAGMENTS.clone()).see(body);
    let collector = Collector::new(FRAGMENTS.clone());
    let mut flow = collector.flow();
    let mut chunks = body.chunks(usize::from(*cut).max(1));
    let streamed = chunks.find_map(|chunk| flow.push(chunk)).or_else(|| flow.finish());
    assert!(streamed.is_some() || whole.is_none());
}
