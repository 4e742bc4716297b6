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
    let known = KnownValues::new(&[known]).0;
    let sought = Sought::new(known, RuleSet::none(), FingerprintKey::new([7; 32]));
    Search { sought, off: BTreeSet::new(), allowed: BTreeSet::new() }
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
        let found = search().stream("f", Drops(text.as_bytes(), size), |_| {}).expect("it can be read");
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
    let found = search.stream("f", SECRET.as_bytes(), |_| {}).expect("read").remove(0);
    assert!(!found.allowed);
    let fingerprint = Fingerprint::parse(&found.fingerprint).expect("16 digits");
    search.allowed.insert(("known-secret".to_owned(), fingerprint));
    assert!(search.stream("f", SECRET.as_bytes(), |_| {}).expect("read")[0].allowed);
    search.off.insert("known-secret".to_owned());
    assert!(search.stream("f", SECRET.as_bytes(), |_| {}).expect("read").is_empty());
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
    let found = har::scan(&search(), &file, false).expect("a record");
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
    let shown = report::text(&found, &report::Totals::default(), crate::style::Style::plain());
    assert!(!shown.contains(SECRET) && shown.contains("4 findings"), "{shown}");
    assert_eq!(har::scan(&search(), &file, true).expect("a record").len(), 5);
    std::fs::write(&file, "[]").expect("written");
    assert!(har::scan(&search(), &file, true).expect_err("no record").what.contains("is no HAR"));
}
