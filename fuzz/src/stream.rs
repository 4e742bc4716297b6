//! Streams that are searched and rewritten: where they are cut must not matter.
use credentials::{BodyKind, BodySwapper, Placeholder, Secret};
use dlp::{KnownValue, KnownValues, Scanner, Scrubber};
use std::sync::LazyLock;

const VALUES: [(&str, &[u8]); 3] =
    [("one", b"hunter2hunter2"), ("two", b"sk-\"quo\\ted\"/+?&-value"), ("three", b"aaaaaaaaaaaa")];

static KNOWN: LazyLock<KnownValues> = LazyLock::new(|| {
    let value = |(name, value): (&str, &'static [u8])| KnownValue {
        rule: "known-secret".into(),
        name: name.into(),
        replacement: "[gone]".into(),
        value,
    };
    KnownValues::new(&VALUES.map(value)).0
});

/// The first byte says where to cut. Nothing that is known comes out, however it is cut, and what is scanned comes out
/// as it went in.
pub fn scrub(bytes: &[u8]) {
    let Some((cut, body)) = bytes.split_first() else { return };
    let chunks = || body.chunks(usize::from(*cut).max(1));
    let whole = KNOWN.scrub(body).unwrap_or_else(|| body.to_vec());
    let mut clean = Vec::new();
    let mut scrubber = Scrubber::new(KNOWN.clone());
    for chunk in chunks() {
        scrubber.push(chunk, &mut clean);
    }
    scrubber.finish(&mut clean);
    assert_eq!(clean, whole);
    assert!(VALUES.iter().all(|(_, value)| !clean.windows(value.len()).any(|window| window == *value)));
    scan(chunks(), body);
}

fn scan<'a>(mut chunks: impl Iterator<Item = &'a [u8]>, body: &[u8]) {
    let mut passed = Vec::new();
    let mut scanner = Scanner::new(KNOWN.clone());
    let clean =
        chunks.all(|chunk| scanner.push(chunk, &mut passed).is_ok()) && scanner.finish(&mut passed).is_ok();
    assert_eq!(clean, KNOWN.find(body).is_none());
    assert!(if clean { passed == body } else { body.starts_with(&passed) });
}

const PLACEHOLDER: &str = "bottle_0123456789abcdefghijABCDEFGHIJ0123456789";

/// The first byte says what kind of body it is, the second where to cut, which must not matter; what has no placeholder
/// comes out as it went in. That none is left is not promised: behind a backslash in JSON, or a `%F` elsewhere, its first
/// letter belongs to an escape.
pub fn placeholder_swap(bytes: &[u8]) {
    let [kind, cut, body @ ..] = bytes else { return };
    let kind = [BodyKind::Json, BodyKind::Form, BodyKind::Text][usize::from(kind % 3)];
    let whole = swap(kind, body, body.len());
    assert_eq!(swap(kind, body, usize::from(*cut)), whole);
    let (out, count) = whole;
    assert!(count > 0 || out == body);
}

fn swap(kind: BodyKind, body: &[u8], cut: usize) -> (Vec<u8>, u64) {
    let placeholder = Placeholder::parse(PLACEHOLDER).expect("a placeholder");
    let mut swapper = BodySwapper::new(kind, placeholder, Secret::new(b"real\"+&=%\\value".to_vec()));
    let (mut out, mut count) = (Vec::new(), 0);
    for chunk in body.chunks(cut.max(1)) {
        count += swapper.push(chunk, &mut out);
    }
    count += swapper.finish(&mut out);
    (out, count)
}
