//! Streams that are searched and rewritten: where they are cut must not matter.
use dlp::{KnownValue, KnownValues, Scanner, Scrubber};
use std::sync::LazyLock;

const VALUES: [(&str, &[u8]); 3] =
    [("one", b"hunter2hunter2"), ("two", b"sk-\"quo\\ted\"/+?&-value"), ("three", b"aaaaaaaaaaaa")];

static KNOWN: LazyLock<KnownValues> = LazyLock::new(|| {
    let value = |(name, value): (&str, &'static [u8])| KnownValue {
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
