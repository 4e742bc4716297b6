//! A stream under inspection: the same as a look at the whole, wherever it is cut.
use crate::rules;
use dlp::{FingerprintKey, Hit, Inspector, KnownValue, KnownValues, RuleSet, Sought, Verdict};
use proptest::prelude::*;

const KNOWN: &str = "hunter2-but-longer";
const FIRST: &str = "glpat-3Kd9sLq0Zx7Vb2Nw5Ty8";
const SECOND: &str =
    "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3";

pub(crate) fn sought() -> Sought {
    let value = KnownValue {
        rule: "known-secret".into(),
        name: "TOKEN".into(),
        replacement: "standin".into(),
        value: KNOWN.as_bytes(),
    };
    Sought::new(KnownValues::new(&[value]).0, RuleSet::built_in(), key())
}

pub(crate) fn key() -> FingerprintKey {
    FingerprintKey::new([3; 32])
}

/// What came out, what was told, and whether it ended early.
#[derive(Debug, PartialEq)]
struct Outcome {
    out: Vec<u8>,
    hits: Vec<Hit>,
    stopped: bool,
}

fn inspected<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, verdict: impl Fn(&Hit) -> Verdict) -> Outcome {
    let mut inspector = Inspector::new(sought());
    let (mut out, mut hits) = (Vec::new(), Vec::new());
    let mut judge = |hit: &Hit| {
        hits.push(hit.clone());
        verdict(hit)
    };
    let pushed = chunks.into_iter().all(|chunk| inspector.push(chunk, &mut out, &mut judge).is_ok());
    let stopped = !pushed || inspector.finish(&mut out, &mut judge).is_err();
    Outcome { out, hits, stopped }
}

/// The last chunk as the last one; without chunks nothing.
fn inspected_knowing_the_last(chunks: &[&[u8]], verdict: impl Fn(&Hit) -> Verdict) -> Outcome {
    let mut inspector = Inspector::new(sought());
    let (mut out, mut hits) = (Vec::new(), Vec::new());
    let mut judge = |hit: &Hit| {
        hits.push(hit.clone());
        verdict(hit)
    };
    let (before, last) = chunks.split_at(chunks.len().saturating_sub(1));
    let pushed = before.iter().all(|chunk| inspector.push(chunk, &mut out, &mut judge).is_ok());
    let stopped = !pushed || inspector.last(&last.concat(), &mut out, &mut judge).is_err();
    Outcome { out, hits, stopped }
}

fn cut<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

#[test]
fn known_values_and_rules_are_told_with_place_and_fingerprint() {
    let body = format!("a={FIRST}&b={KNOWN}&c={}", FIRST.replace('-', "%2D"));
    let hits = sought().find_all(body.as_bytes());
    let told: Vec<_> =
        hits.iter().map(|hit| (&*hit.rule, &*hit.name, hit.offset, hit.length, &*hit.layer)).collect();
    assert_eq!(
        told,
        [
            ("gitlab-personal-token", "GitLab personal, project or group access token", 2, 26, "plain"),
            ("known-secret", "TOKEN", 31, 18, "plain"),
            ("gitlab-personal-token", "GitLab personal, project or group access token", 52, 28, "escaped"),
        ]
    );
    assert_eq!(hits[0].fingerprint, hits[2].fingerprint, "the same value in another spelling");
    assert_ne!(hits[0].fingerprint, hits[1].fingerprint);
}

#[test]
fn a_stop_comes_before_the_value() {
    let body = format!("before {FIRST} after");
    for size in 1..body.len() {
        let outcome = inspected(body.as_bytes().chunks(size), |_| Verdict::Stop);
        assert_eq!(
            (outcome.stopped, String::from_utf8_lossy(&outcome.out).as_ref()),
            (true, "before "),
            "{size}"
        );
    }
}

#[test]
fn a_stand_in_says_what_stood_there() {
    let body = format!("[\"{FIRST}\",\"{KNOWN}\"]");
    let clean = sought().redact(body.as_bytes(), &mut |_| Verdict::Redact).unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&clean), "[\"[redacted:gitlab-personal-token]\",\"standin\"]");
    assert_eq!(sought().redact(body.as_bytes(), &mut |_| Verdict::Pass).unwrap(), None);
}

#[test]
fn only_what_may_begin_something_waits() {
    let mut inspector = Inspector::new(sought());
    let mut out = Vec::new();
    let mut pass = |_: &Hit| Verdict::Pass;
    inspector.push(b"some words, and glpat", &mut out, &mut pass).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "some words, and ");
    inspector.push(b"-3Kd9 short\n", &mut out, &mut pass).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), "some words, and glpat-3Kd9 short\n");
    assert_eq!(inspector.waiting(), 0);
}

/// A value that was told of as it stands there is told of once, though a code that is noticed behind it has more of it; and what may
/// turn out to be such a code makes its beginning wait.
#[test]
fn a_code_that_is_noticed_late_changes_nothing() {
    let escaped = FIRST.replace('-', "\\u002d");
    for body in [
        // A soft line break right behind a value, behind nothing else, and behind two of them.
        format!("{FIRST}=\na"),
        format!("{FIRST}=\n{SECOND}"),
        format!("{SECOND}{escaped}{escaped}{}:a\naaA0 aA=\n", KNOWN.replace('-', "%2d")),
        // In eighty bytes before the break something begins that is the middle of a word.
        format!("{SECOND}{escaped}{escaped}{escaped}AA=\n"),
        // A second line break, which is none any more once the first one is dropped.
        format!("{FIRST}\n\nZENDESK_API_TOKEN="),
        // The second of two escapes says what the first one is: part of a value, and its end.
        "sha256~LINODE_TOKEN=5945937a2bcefbe7DROPBOX_APP_SECRET=b50swl6zk5ytzb1\n".to_owned(),
        "HONEYCOMB_API_KEY=z\\u0061mJ08NmgkOIJ49sNsrb9X\n=bfqt&srt=sco&sp=rwdlac&se=2027-01-01T00".to_owned(),
    ] {
        let whole = inspected([body.as_bytes()], |_| Verdict::Pass);
        assert_eq!(whole.hits, sought().find_all(body.as_bytes()), "{body}");
        assert_eq!(String::from_utf8_lossy(&whole.out), body);
        for size in [1, 2, 3, 7, 20] {
            assert_eq!(inspected(body.as_bytes().chunks(size), |_| Verdict::Pass), whole, "{size}: {body}");
        }
    }
}

/// An equals sign may begin an escape: what stands before it waits for one more byte, and no longer.
#[test]
fn what_stands_before_an_equals_sign_does_not_wait_for_long() {
    let mut inspector = Inspector::new(sought());
    let mut out = Vec::new();
    let mut pass = |_: &Hit| Verdict::Pass;
    inspector.push(b"let glpat-name =", &mut out, &mut pass).unwrap();
    inspector.push(b" ", &mut out, &mut pass).unwrap();
    assert_eq!(inspector.waiting(), 0, "{}", String::from_utf8_lossy(&out));
    // One alone is no code: what follows says so within a line.
    let read_so = FIRST.replace('N', "=4E");
    inspector.push(format!("{read_so} ").as_bytes(), &mut out, &mut pass).unwrap();
    assert!(inspector.waiting() >= read_so.len(), "{}", String::from_utf8_lossy(&out));
    inspector.push(&[b' '; 100], &mut out, &mut pass).unwrap();
    assert_eq!(inspector.waiting(), 0, "{}", String::from_utf8_lossy(&out));
}

/// Something in the way that values are written, and values, whole and in part.
fn part() -> impl Strategy<Value = String> {
    let positive = || (0..100_000_usize).prop_map(rules::some_positive);
    prop_oneof![
        4 => positive(),
        2 => (positive(), 0..100_usize).prop_map(|(text, cut)| text.chars().take(cut).collect()),
        1 => (positive(), 0..40_usize).prop_map(|(text, cut)| text.chars().skip(cut).collect()),
        1 => positive().prop_map(|text| text.replace(['-', '_', '='], "%2D")),
        1 => positive().prop_map(|text| text.replace('\n', "\\n").replace('"', "\\\"")),
        1 => positive().prop_map(|text| text.chars().map(|sign| if sign == 'a' { "\\u0061".into() } else { sign.to_string() }).collect()),
        2 => "[ -~\\n]{0,12}",
        1 => "(abandon |ability |zoo |token|card|key|sk-|eyJ|[0-9]{4}|[ \",\\n]){0,9}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn cuts_make_no_difference_to_any_rule(
        parts in prop::collection::vec(part(), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        verdicts in prop::collection::vec(0..5_u8, 1..4),
    ) {
        let body = parts.concat().into_bytes();
        let verdict = |hit: &Hit| match verdicts[usize::try_from(hit.offset).unwrap() % verdicts.len()] {
            0 | 1 => Verdict::Pass,
            2 | 3 => Verdict::Redact,
            _ => Verdict::Stop,
        };
        let whole = inspected([body.as_slice()], verdict);
        prop_assert_eq!(&inspected(cut(&body, &cuts), verdict), &whole);
        prop_assert_eq!(&inspected_knowing_the_last(&cut(&body, &cuts), verdict), &whole);
        if body.len() < 250 {
            prop_assert_eq!(&inspected(body.chunks(1), verdict), &whole);
        }
        if !whole.stopped {
            prop_assert_eq!(&whole.hits, &sought().find_all(&body));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn cuts_make_no_difference(
        parts in prop::collection::vec(
            prop_oneof![
                Just(FIRST.to_owned()), Just(SECOND.to_owned()), Just(KNOWN.to_owned()), Just(FIRST[..20].to_owned()),
                Just(FIRST.replace('-', "\\u002d")), Just(KNOWN.replace('-', "%2d")), Just("glpat-".to_owned()),
                Just(SECOND.replace('_', "&#95;")), "[ -~\\n]{0,12}", "(%|\\\\|\\\\u|&#|\\n|g){0,3}",
            ], 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        verdicts in prop::collection::vec(0..3_u8, 1..4),
    ) {
        let body = parts.concat().into_bytes();
        let verdict = |hit: &Hit| match verdicts[usize::try_from(hit.offset).unwrap() % verdicts.len()] {
            0 => Verdict::Pass,
            1 => Verdict::Redact,
            _ => Verdict::Stop,
        };
        let whole = inspected([body.as_slice()], verdict);
        prop_assert_eq!(&inspected(cut(&body, &cuts), verdict), &whole);
        prop_assert_eq!(&inspected_knowing_the_last(&cut(&body, &cuts), verdict), &whole);
        prop_assert_eq!(&inspected(body.chunks(1), verdict), &whole);
        if !whole.stopped {
            prop_assert_eq!(&whole.hits, &sought().find_all(&body));
        }
    }
}
