//! Exchanges as an HTTP archive (HAR 1.2, <http://www.softwareishard.com/blog/har-12-spec/>), as far as an audit knows them: no
//! queries, headers or bodies. What HAR has no field for stands in fields that begin with `_`, as it provides.
use audit::{Event, Exchange, Record};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// One archive of all exchanges among these records.
pub fn archive<'r>(records: impl IntoIterator<Item = &'r Record>) -> Value {
    let entry = |record: &Record| match &record.event {
        Event::Exchange(exchange) => Some(entry(&record.time, exchange)),
        _ => None,
    };
    let entries: Vec<Value> = records.into_iter().filter_map(entry).collect();
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "bottle", "version": env!("CARGO_PKG_VERSION") },
        "comment": "made from an audit: it has no queries, headers or bodies",
        "entries": entries,
    }})
}

fn entry(ended: &str, exchange: &Exchange) -> Value {
    let version = version(&exchange.protocol);
    let mut entry = json!({
        "startedDateTime": started(ended, exchange.duration_ms),
        "time": exchange.duration_ms,
        "request": {
            "method": exchange.method.as_deref().unwrap_or("CONNECT"),
            "url": url(exchange),
            "httpVersion": version,
            "cookies": [], "headers": [], "queryString": [],
            "headersSize": -1,
            "bodySize": exchange.bytes_up,
        },
        "response": {
            // Zero where there is no answer, as browsers write it.
            "status": exchange.status.unwrap_or(0),
            "statusText": exchange.code.as_deref().unwrap_or_default(),
            "httpVersion": version,
            "cookies": [], "headers": [],
            "content": { "size": exchange.bytes_down, "mimeType": "x-unknown" },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": exchange.bytes_down,
        },
        "cache": {},
        "timings": { "send": 0, "wait": exchange.duration_ms, "receive": 0 },
        "comment": exchange.reason.as_deref().unwrap_or_default(),
        "_id": exchange.id,
        "_decision": exchange.decision,
        "_protocol": exchange.protocol,
    });
    if let (Some(fields), Some(upstream)) = (entry.as_object_mut(), &exchange.upstream) {
        fields.insert("serverIPAddress".to_owned(), json!(address(upstream)));
    }
    let more = [
        ("_code", &exchange.code),
        ("_route", &exchange.route),
        ("_policy", &exchange.policy),
        ("_credential", &exchange.credential),
    ];
    for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        entry[name] = json!(value);
    }
    if !exchange.findings.is_empty() {
        entry["_findings"] = json!(exchange.findings);
    }
    entry
}

fn version(protocol: &str) -> &str {
    match protocol {
        "h1" | "ws" => "HTTP/1.1",
        "h2" => "HTTP/2",
        other => other,
    }
}

/// `https://host:8443/path`; a tunnel is named by what it carries.
fn url(exchange: &Exchange) -> String {
    let scheme = exchange.scheme.as_deref().unwrap_or(&exchange.protocol);
    let host = exchange.host.as_deref().unwrap_or("unknown.invalid");
    let usual = matches!((scheme, exchange.port), ("https", Some(443)) | ("http", Some(80)) | (_, None));
    let port = exchange.port.filter(|_| !usual).map(|port| format!(":{port}")).unwrap_or_default();
    let path = exchange.path.as_deref().filter(|path| path.starts_with('/')).unwrap_or("/");
    format!("{scheme}://{host}{port}{path}")
}

/// `10.0.0.1` of `10.0.0.1:443`.
fn address(upstream: &str) -> String {
    upstream
        .parse::<std::net::SocketAddr>()
        .map_or_else(|_| upstream.to_owned(), |address| address.ip().to_string())
}

/// Lines are written at the end of an exchange; an archive wants its beginning.
fn started(ended: &str, milliseconds: u64) -> String {
    let before = |time: Timestamp| {
        time.checked_sub(SignedDuration::from_millis(i64::try_from(milliseconds).ok()?)).ok()
    };
    let time: Option<Timestamp> = ended.parse().ok().and_then(before);
    time.map_or_else(|| ended.to_owned(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Record {
        serde_json::from_str(line).expect("an audit line")
    }

    #[test]
    fn an_archive_has_what_the_audit_knows_and_the_fields_that_readers_need() {
        let lines = [
            r#"{"v":1,"seq":0,"time":"2026-01-01T00:00:00Z","bottle":"dev","event":"lifecycle","step":"bottle-started","prev":"0"}"#,
            r#"{"v":1,"seq":1,"time":"2026-01-01T12:00:01.500000Z","bottle":"dev","event":"exchange","id":"i","decision":"allowed","protocol":"h2","scheme":"https","method":"GET","host":"a.test","port":8443,"path":"/x","route":"r","credential":"EGRESS_TOKEN_0","upstream":"[2001:db8::1]:8443","status":200,"bytes_up":3,"bytes_down":5,"duration_ms":1500,"findings":[{"rule":"r","place":"body","name":"n","action":"warn"}],"prev":"0"}"#,
            r#"{"v":1,"seq":2,"time":"odd","bottle":"dev","event":"exchange","id":"j","decision":"denied","code":"host-not-allowed","reason":"no","protocol":"tcp","host":"db.test","port":5432,"bytes_up":0,"bytes_down":0,"duration_ms":1,"prev":"0"}"#,
        ]
        .map(record);
        let archive = archive(&lines);
        let entries = archive["log"]["entries"].as_array().expect("entries");
        assert_eq!((entries.len(), &archive["log"]["version"]), (2, &json!("1.2")));
        let [first, second] = entries.as_slice() else { panic!("two") };
        assert_eq!(first["startedDateTime"], "2026-01-01T12:00:00.000Z");
        assert_eq!(first["request"]["url"], "https://a.test:8443/x");
        assert_eq!(first["serverIPAddress"], "2001:db8::1");
        assert_eq!((&first["_credential"], &first["_route"]), (&json!("EGRESS_TOKEN_0"), &json!("r")));
        assert_eq!(first["_findings"][0]["rule"], "r");
        assert_eq!(second["request"]["url"], "tcp://db.test:5432/");
        assert_eq!(
            (&second["response"]["status"], &second["_code"]),
            (&json!(0), &json!("host-not-allowed"))
        );
        for entry in entries {
            for field in ["startedDateTime", "time", "request", "response", "cache", "timings"] {
                assert!(entry.get(field).is_some(), "{field}");
            }
        }
    }
}
