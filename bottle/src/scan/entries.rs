//! The entries of a HAR record one by one: a record may be larger than this machine's memory, an entry is not.
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::io::Read;

/// Where they are.
const PATH: [&str; 2] = ["log", "entries"];

/// Hands out each entry as it is read. Gives whether there was a list of them.
///
/// # Errors
/// When it cannot be read, or is no JSON of that shape; entries before that place were handed out.
pub(super) fn each(from: impl Read, each: &mut dyn FnMut(Value)) -> serde_json::Result<bool> {
    let mut json = serde_json::Deserializer::from_reader(from);
    let found = Below { path: &PATH, each }.deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

/// A value on the way to the list, or the list.
struct Below<'a> {
    path: &'a [&'a str],
    each: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        if self.path.is_empty() { json.deserialize_seq(self) } else { json.deserialize_map(self) }
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of HTTP")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            match self.path.split_first() {
                Some((name, path)) if *name == key => {
                    found |= map.next_value_seed(Below { path, each: &mut *self.each })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while let Some(entry) = list.next_element()? {
            (self.each)(entry);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_handed_out_before_the_record_ends() {
        let seen = |text: &str| {
            let mut all = Vec::new();
            let read = each(text.as_bytes(), &mut |entry| all.push(entry.to_string()));
            (read.ok(), all)
        };
        let text = r#"{ "a": [{}], "log": { "version": "1.2", "entries": [{ "x": 1 }, 2], "more": {} }, "b": null }"#;
        assert_eq!(seen(text), (Some(true), vec!["{\"x\":1}".to_owned(), "2".to_owned()]));
        assert_eq!(seen("{}"), (Some(false), Vec::new()));
        assert_eq!(seen(r#"{ "entries": [1] }"#), (Some(false), Vec::new()));
        assert_eq!(seen(r#"{ "log": { "entries": [1, 2"#), (None, vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(seen("[]"), (None, Vec::new()));
    }
}
