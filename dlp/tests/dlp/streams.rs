//! Chunks: nothing passes because it was split, nothing waits that need not.
use crate::forms::value;
use crate::spell::{self, known};
use dlp::{KnownValues, Scanner, Scrubber};
use proptest::prelude::*;

fn scrubbed<'a>(values: &KnownValues, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, u64) {
    let mut scrubber = Scrubber::new(values.clone());
    let mut out = Vec::new();
    let mut count: u64 = chunks.into_iter().map(|chunk| scrubber.push(chunk, &mut out)).sum();
    count += scrubber.finish(&mut out);
    (out, count)
}

fn split<'a>(body: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect()
}

#[test]
fn every_spelling_byte_by_byte() {
    let value = "ghp_Zq/8+Kd\"<a&1>~\\w";
    let values = known(value);
    for (name, text) in spell::all(value) {
        let body = [b"k=\"".as_slice(), &text, b"\" "].concat();
        let (clean, count) = scrubbed(&values, body.chunks(1));
        assert_eq!(count, 1, "{name}");
        assert_eq!((clean, 1), scrubbed(&values, [body.as_slice()]), "{name}");
    }
}

#[test]
fn a_scanner_never_gives_out_a_whole_value() {
    let values = known("super-secret-0123");
    let mut scanner = Scanner::new(values);
    let mut out = Vec::new();
    scanner.push(b"before super-sec", &mut out).unwrap();
    assert_eq!(out, b"before ");
    let hit = scanner.push(b"ret-0123 after", &mut out).unwrap_err();
    assert_eq!((&*hit.name, hit.offset), ("TOKEN", 7));
    assert_eq!(out, b"before ");
    assert_eq!(scanner.push(b"harmless", &mut out).unwrap_err(), hit, "a stream that was hit stays hit");
    assert_eq!(scanner.finish(&mut out).unwrap_err(), hit);
}

#[test]
fn offsets_count_from_the_beginning_of_the_stream() {
    let mut scanner = Scanner::new(known("super-secret-0123"));
    let mut out = Vec::new();
    scanner.push(&[b'.'; 1000], &mut out).unwrap();
    scanner.push(b"%7", &mut out).unwrap();
    assert_eq!(scanner.push(b"3uper-secret-0123", &mut out).unwrap_err().offset, 1000);
}

#[test]
fn an_event_is_not_delayed() {
    let mut scrubber = Scrubber::new(known("sk-ant-api03-abcdefghijklmnop"));
    for event in
        ["data: {\"text\":\"caf\\u00e9 \\n\"}\n\n", "data: 50% of s\n\n", "event: ping\r\n\r\n", "{\"a\":1}"]
    {
        let mut out = Vec::new();
        scrubber.push(event.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), event);
    }
}

#[test]
fn only_the_beginning_of_a_match_waits() {
    let mut scrubber = Scrubber::new(known("super-secret-0123"));
    let mut out = Vec::new();
    scrubber.push(b"12345 supe", &mut out);
    assert_eq!(out, b"12345 ");
    scrubber.push(b"rb\n", &mut out);
    assert_eq!(out, b"12345 superb\n");
    scrubber.push(b"super-s", &mut out);
    scrubber.finish(&mut out);
    assert_eq!(out, b"12345 superb\nsuper-s");
}

#[test]
fn what_waits_has_an_end() {
    let values = known("super-secret-0123");
    for noise in ["\u{200b}", "%25", "\\", "&#0", "%E2%80%8B", "\n", "\\n", "\r\n", "%0A"] {
        let mut scrubber = Scrubber::new(values.clone());
        let mut out = Vec::new();
        scrubber.push(b"s", &mut out);
        let pushed = 1 + 4000 * noise.len();
        (0..4000).for_each(|_| {
            scrubber.push(noise.as_bytes(), &mut out);
        });
        assert!(pushed - out.len() < 4096, "{noise}: {} of {pushed} bytes wait", pushed - out.len());
    }
}

/// Threat 19: the stream was open before the rotation.
#[test]
fn a_value_that_comes_to_be_known_is_scrubbed_from_then_on() {
    let mut scrubber = Scrubber::new(known("super-secret-0123"));
    let mut out = Vec::new();
    assert_eq!(scrubber.push(b"fresh-secret-4567 super-sec", &mut out), 0);
    scrubber.renew(known("fresh-secret-4567"));
    assert_eq!(scrubber.push(b"ret fresh-sec", &mut out) + scrubber.push(b"ret-4567.", &mut out), 1);
    scrubber.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "fresh-secret-4567 super-secret ghp_standin.");
}

#[test]
fn nothing_sought_nothing_touched() {
    let (values, _) = KnownValues::new(&[]);
    let body: Vec<u8> = (0..=255).cycle().take(5000).collect();
    assert_eq!(scrubbed(&values, body.chunks(7)), (body.clone(), 0));
    let mut out = Vec::new();
    Scanner::new(values).push(b"%4", &mut out).unwrap();
    assert_eq!(out, b"%4");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn chunks_make_no_difference(
        value in value(), form in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let values = known(&value);
        let forms = spell::all(&value);
        let (name, text) = form.get(&forms);
        let body = [b"[\"a\":\" ".as_slice(), text, b" \", ", text, b"]\n"].concat();
        let (clean, count) = scrubbed(&values, split(&body, &cuts));
        prop_assert_eq!(count, 2, "{}", name);
        prop_assert_eq!(&clean, &values.scrub(&body).unwrap());
        let mut at_once = Vec::new();
        prop_assert_eq!(Scrubber::new(values.clone()).last(&body, &mut at_once), 2);
        prop_assert_eq!(&at_once, &clean);
        prop_assert_eq!(values.find(&clean), None);
        prop_assert!(scans_hit(&values, split(&body, &cuts)));
    }

    #[test]
    fn any_bytes_pass_in_any_chunks(
        value in value(), body in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'\\'), Just(b'&'), Just(0xE2), Just(b'\n'), Just(b'n')], 0..400),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let values = known(&value);
        prop_assert_eq!(scrubbed(&values, split(&body, &cuts)), (body.clone(), 0));
        prop_assert!(!scans_hit(&values, split(&body, &cuts)));
    }
}

fn scans_hit(values: &KnownValues, chunks: Vec<&[u8]>) -> bool {
    let mut scanner = Scanner::new(values.clone());
    let mut out = Vec::new();
    chunks.into_iter().any(|chunk| scanner.push(chunk, &mut out).is_err())
        || scanner.finish(&mut out).is_err()
}
