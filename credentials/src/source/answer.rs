//! What a source gave.
use super::file::Stamp;
use super::fit;
use crate::Secret;
use jiff::Timestamp;
use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

/// Seconds beyond this are milliseconds that somebody took for seconds.
const LATEST: i64 = 100_000_000_000;

/// A value, and how long it is good.
pub(crate) struct Answer {
    pub(crate) value: Secret,
    pub(crate) expires_at: Option<Timestamp>,
    /// The state of the file it was read from.
    pub(crate) stamp: Option<Stamp>,
}

impl Answer {
    /// Good for the whole run.
    pub(crate) fn lasting(value: Secret) -> Answer {
        Answer { value, expires_at: None, stamp: None }
    }

    /// From what a command printed: the bare token, or JSON `{token, expires_at}`.
    pub(crate) fn printed(output: &[u8]) -> Result<Answer, String> {
        let output = output.trim_ascii();
        if !output.starts_with(b"{") {
            return fit(output).map(Answer::lasting).map_err(|why| format!("what it prints {why}"));
        }
        let mut json = Json::read(output).ok_or("what it prints begins like JSON and is none")?;
        let token = json.take_string("/token").ok_or("the JSON that it prints has no text at `token`")?;
        let value = fit(&token).map_err(|why| format!("the `token` that it prints {why}"))?;
        Ok(Answer { value, expires_at: json.expires_at()?, stamp: None })
    }
}

/// Parsed JSON whose texts are zeroed when it goes.
pub(crate) struct Json(Value);

impl Json {
    pub(crate) fn read(bytes: &[u8]) -> Option<Json> {
        serde_json::from_slice(bytes).ok().map(Json)
    }

    /// The text at an RFC 6901 pointer.
    pub(crate) fn take_string(&mut self, pointer: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.0.pointer_mut(pointer)? {
            Value::String(text) => Some(Zeroizing::new(std::mem::take(text).into_bytes())),
            _ => None,
        }
    }

    fn expires_at(&self) -> Result<Option<Timestamp>, String> {
        let expiry = match self.0.get("expires_at") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_i64().or_else(|| whole_seconds(number.as_f64()?)),
            Some(Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(time) => return Ok(Some(time)),
                Err(_) => text.parse().ok(),
            },
            Some(_) => None,
        };
        let time = expiry
            .filter(|seconds| *seconds < LATEST)
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let wrong = "the `expires_at` that it prints is neither RFC 3339 nor seconds since 1970";
        time.map(Some).ok_or_else(|| wrong.to_owned())
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction of a second is cut, and the range is checked"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    (0.0..1e11).contains(&seconds).then_some(seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(json: &str) -> Option<i64> {
        Answer::printed(json.as_bytes()).unwrap().expires_at.map(Timestamp::as_second)
    }

    #[test]
    fn bare_and_json_answers() {
        let value = |text: &str| Answer::printed(text.as_bytes()).unwrap().value.dangerous_expose().to_vec();
        assert_eq!(value(" token-1\n"), b"token-1");
        assert_eq!(value("{\"token\":\"token-2\",\"more\":[1]}\n"), b"token-2");
    }

    #[test]
    fn expiry_in_every_notation() {
        assert_eq!(expiry(r#"{"token":"t"}"#), None);
        assert_eq!(expiry(r#"{"token":"t","expires_at":null}"#), None);
        for json in [
            r#"{"token":"t","expires_at":"2027-01-15T08:00:00Z"}"#,
            r#"{"token":"t","expires_at":"2027-01-15T09:00:00+01:00"}"#,
            r#"{"token":"t","expires_at":1800000000}"#,
            r#"{"token":"t","expires_at":1800000000.7}"#,
            r#"{"token":"t","expires_at":"1800000000"}"#,
        ] {
            assert_eq!(expiry(json), Some(1_800_000_000), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_quoted() {
        for (output, why) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("hush\nhush", "line break"),
            ("{\"token\":\"hu\\nsh\"}", "line break"),
            ("{hush", "begins like JSON"),
            ("{\"toke\":\"hush\"}", "no text at `token`"),
            ("{\"token\":{\"hush\":1}}", "no text at `token`"),
            ("{\"token\":\"hush\",\"expires_at\":\"hush\"}", "RFC 3339"),
            ("{\"token\":\"hush\",\"expires_at\":1800000000000}", "seconds since 1970"),
            ("{\"token\":\"hush\",\"expires_at\":true}", "RFC 3339"),
        ] {
            let told = Answer::printed(output.as_bytes()).err().unwrap();
            assert!(told.contains(why) && !told.contains("hush"), "{output}: {told}");
        }
    }
}
