use super::*;
use dlp::{FingerprintKey, KnownValue, KnownValues, RuleSet};

const SECRET: &str = "own-secret-4711-abcdefghijkl";

fn search() -> Search {
    let known = KnownValue {
        rule: "known-secret".into(),
        name: "DB".into(),
        replacement: "".into(),
        value: SECRET.as_bytes(),
    };
    let key = FingerprintKey::new([7; 32]);
    let pieces = Fragments::new(std::slice::from_ref(&known), &key);
    let sought = Sought::new(KnownValues::new(&[known]).0, RuleSet::none(), key);
    Search { sought, pieces, off: BTreeSet::new(), allowed: BTreeSet::new() }
}

/// Everything that is told.
#[derive(Default)]
struct Told(Vec<Found>);

impl Listener for Told {
    fn read(&mut self, _: u64) {}
    fn found(&mut self, found: Found) {
        self.0.push(found);
    }
}

fn stream(search: &Search, from: impl Read) -> Vec<Found> {
    let mut told = Told::default();
    search.stream("f", from, &mut told).expect("it can be read");
    told.0
}

fn of_record(search: &Search, file: &std::path::Path, answers: bool) -> Result<Vec<Found>, Failure> {
    let mut told = Told::default();
    har::scan(search, file, answers, &mut told).map(|()| told.0)
}

/// Reads a few bytes at a time, as pipes do.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn places_are_lines_and_columns_however_it_comes() {
    let text = format!("a\nbb {SECRET}\n{SECRET}");
    for size in [1, 3, 1000] {
        let found = stream(&search(), Drops(text.as_bytes(), size));
        let places: Vec<_> = found.iter().map(|one| one.place.clone()).collect();
        let place = |line, column, offset| Place::Bytes { line, column, offset };
        let third = 6 + SECRET.len() as u64;
        assert_eq!(places, [place(2, 4, 5), place(3, 1, third)], "{size} at a time");
        assert_eq!(found[0].length, SECRET.len() as u64);
    }
}

#[test]
fn what_the_manifest_lets_pass_is_told_apart_and_what_is_off_is_not_told() {
    let mut search = search();
    let found = stream(&search, SECRET.as_bytes()).remove(0);
    assert!(!found.allowed);
    let fingerprint = Fingerprint::parse(&found.fingerprint).expect("16 digits");
    search.allowed.insert(("known-secret".to_owned(), fingerprint));
    assert!(stream(&search, SECRET.as_bytes())[0].allowed);
    search.off.insert("known-secret".to_owned());
    assert!(stream(&search, SECRET.as_bytes()).is_empty());
}

#[test]
fn a_record_is_looked_at_part_by_part_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.har");
    let entry = |url: &str, header: &str, body: &str, answer: &str| {
        serde_json::json!({
            "request": { "method": "POST", "url": url, "headers": [{ "name": "X-A", "value": header }],
                "postData": { "text": body } },
            "response": { "headers": [], "content": { "text": answer } },
        })
    };
    let record = serde_json::json!({ "log": { "entries": [
        entry("https://a.test/x", "1", "nothing", SECRET),
        entry(&format!("https://a.test/?q={SECRET}"), SECRET, SECRET, ""),
        entry(&format!("https://{SECRET}.test/"), "1", "", ""),
    ] } });
    std::fs::write(&file, record.to_string()).expect("written");
    let found = of_record(&search(), &file, false).expect("a record");
    let parts: Vec<String> = found
        .iter()
        .map(|one| match &one.place {
            Place::Entry { entry, part } => format!("{entry} {part}"),
            Place::Bytes { .. } => "bytes".to_owned(),
        })
        .collect();
    assert_eq!(
        parts,
        [
            "2 POST a.test, URL",
            "2 POST a.test, request header x-a",
            "2 POST a.test, request body",
            "3 POST (a host), URL",
        ]
    );
    let plain = crate::style::Style::plain();
    let shown: String = found.iter().map(|one| report::line(one, plain)).collect();
    assert!(!shown.contains(SECRET) && shown.lines().count() == 4, "{shown}");
    assert_eq!(of_record(&search(), &file, true).expect("a record").len(), 5);
    std::fs::write(&file, "[]").expect("written");
    assert!(of_record(&search(), &file, true).expect_err("no record").what.contains("is no HAR"));
}

#[test]
fn pieces_are_put_together_in_a_file_and_over_the_requests_to_one_host() {
    let (start, end) = SECRET.split_at(14);
    let found = stream(&search(), format!("b = \"{end}\"\nx\na = \"{start}\"\n").as_bytes());
    assert_eq!((found.len(), found[0].rule.as_str()), (1, "split-secret"), "{found:?}");
    assert!(matches!(found[0].place, Place::Bytes { line: 3, .. }), "{found:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.har");
    let entry = |url: &str| serde_json::json!({ "request": { "method": "GET", "url": url, "headers": [] } });
    for (second, seen) in [("https://a.test", true), ("https://b.test", false)] {
        let entries = [entry(&format!("https://a.test/?p={end}")), entry(&format!("{second}/{start}"))];
        // Some recorders begin with a byte order mark.
        let text = format!("\u{feff}{}", serde_json::json!({ "log": { "entries": entries } }));
        std::fs::write(&file, text).expect("written");
        let found = of_record(&search(), &file, false).expect("a record");
        assert_eq!(found.iter().any(|one| one.rule == "split-secret"), seen, "{found:?}");
    }
}

#[test]
fn a_record_that_breaks_off_tells_what_it_held_and_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.har");
    let entry =
        serde_json::json!({ "request": { "method": "GET", "url": format!("https://a.test/{SECRET}") } });
    std::fs::write(&file, format!("{{ \"log\": {{ \"entries\": [{entry}, {{ \"a\": \"{SECRET}"))
        .expect("written");
    let mut told = Told::default();
    let failure = har::scan(&search(), &file, false, &mut told).expect_err("it breaks off");
    assert_eq!(told.0.len(), 1);
    assert!(failure.what.contains("not all of it") && !failure.what.contains(SECRET), "{}", failure.what);
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncWriteExt as _;
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

#[tokio::test]
async fn what_is_compressed_is_looked_at_as_its_receiver_would_read_it() {
    let around = "words around it\n".repeat(40);
    let text = format!("{around}the {SECRET}\n{around}");
    let packed = gzip(text.as_bytes()).await;
    let twice = gzip(&packed).await;
    let broken = [&packed[..], b" and more"].concat();
    for (bytes, layer) in [(&packed, "gzip"), (&twice, "gzip gzip"), (&broken, "gzip")] {
        for size in [1, 7, 4096] {
            let found = stream(&search(), Drops(bytes, size));
            let last = found.last().expect(layer);
            assert_eq!(last.layer.as_deref(), Some(layer), "{size} at a time: {found:?}");
            assert!(matches!(last.place, Place::Bytes { line: 41, column: 5, .. }), "{found:?}");
            // gzip stores what it cannot pack as it is: there the inner one is seen twice.
            assert!(found.len() == 1 || layer == "gzip gzip" && found.len() == 2, "{found:?}");
        }
    }
    assert!(stream(&search(), &gzip(around.as_bytes()).await[..]).is_empty());
    assert!(stream(&search(), &b"\x1f\x8b\x08 no gzip"[..]).is_empty());
}
