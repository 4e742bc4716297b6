//! Field by field against the specification of OTLP's JSON form.
use super::*;
use audit::Finding;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn told() -> Told {
    let finding = |rule: &str| Finding::new(rule, "body", "EGRESS_TOKEN_0", "block");
    let exchange = Exchange {
        id: ID.to_owned(),
        decision: Decision::Allowed,
        code: None,
        reason: None,
        protocol: "h2".to_owned(),
        scheme: Some("https".to_owned()),
        method: Some("POST".to_owned()),
        host: Some("api.example.com".to_owned()),
        port: Some(443),
        path: Some("/v1/\u{1b}[2J".to_owned()),
        route: Some("api".to_owned()),
        policy: Some("1a2b3c".to_owned()),
        credential: Some("EGRESS_TOKEN_0".to_owned()),
        upstream: Some("192.0.2.7:443".to_owned()),
        status: Some(201),
        bytes_up: 5_000_000_000,
        bytes_down: 7,
        duration_ms: 1500,
        findings: vec![finding("canary"), finding("aws-key"), finding("canary")],
    };
    let time = Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("a time");
    Told { slug: "dev".to_owned(), time, exchange: Box::new(exchange) }
}

/// The value of an attribute.
fn attribute<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    let all = of["attributes"].as_array().expect("a list");
    let mut found = all.iter().filter(|attribute| attribute["key"] == key);
    let value = found.next().map(|attribute| &attribute["value"]);
    assert!(found.next().is_none(), "`{key}` stands once");
    value
}

#[test]
fn a_span_has_the_form_of_the_specification() {
    let span = span(&told());
    let keys: Vec<&str> = span.as_object().expect("an object").keys().map(String::as_str).collect();
    let wanted =
        ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"];
    assert_eq!(keys, wanted);
    assert_eq!(span["traceId"], "01890a5dac96774bbcceb302099a8057");
    assert_eq!(span["spanId"], "bcceb302099a8057");
    assert_eq!((&span["name"], &span["kind"]), (&json!("POST"), &json!(3)));
    assert_eq!(span["startTimeUnixNano"], "1699999998623456789", "a text, and 1.5 s before");
    assert_eq!(span["endTimeUnixNano"], "1700000000123456789");
    assert_eq!(span["status"], json!({}), "unset");
}

#[test]
fn a_span_has_the_attributes_of_the_conventions_and_ours() {
    let span = span(&told());
    for (key, value) in [
        ("http.request.method", json!({ "stringValue": "POST" })),
        ("url.scheme", json!({ "stringValue": "https" })),
        ("server.address", json!({ "stringValue": "api.example.com" })),
        ("server.port", json!({ "intValue": "443" })),
        ("url.path", json!({ "stringValue": "/v1/\\u{1b}[2J" })),
        ("http.response.status_code", json!({ "intValue": "201" })),
        ("network.peer.address", json!({ "stringValue": "192.0.2.7" })),
        ("network.peer.port", json!({ "intValue": "443" })),
        ("bottle.slug", json!({ "stringValue": "dev" })),
        ("bottle.decision", json!({ "stringValue": "allowed" })),
        ("bottle.protocol", json!({ "stringValue": "h2" })),
        ("bottle.route", json!({ "stringValue": "api" })),
        ("bottle.policy", json!({ "stringValue": "1a2b3c" })),
        ("bottle.credential", json!({ "stringValue": "EGRESS_TOKEN_0" })),
        ("bottle.bytes_up", json!({ "intValue": "5000000000" })),
        ("bottle.bytes_down", json!({ "intValue": "7" })),
    ] {
        assert_eq!(attribute(&span, key), Some(&value), "{key}");
    }
    let rules =
        json!({ "arrayValue": { "values": [{ "stringValue": "aws-key" }, { "stringValue": "canary" }] } });
    assert_eq!(attribute(&span, "bottle.findings"), Some(&rules));
    for absent in ["bottle.code", "error.type", "http.request.method_original"] {
        assert_eq!(attribute(&span, absent), None, "{absent}");
    }
}

#[test]
fn what_broke_off_is_an_error_and_a_refusal_is_none() {
    let with = |change: fn(&mut Exchange)| {
        let mut told = told();
        change(&mut told.exchange);
        span(&told)
    };
    let broken = with(|exchange| {
        exchange.decision = Decision::Aborted;
        exchange.code = Some("secret-found".to_owned());
        exchange.reason = Some("a secret \u{1b}was found".to_owned());
    });
    assert_eq!(broken["status"], json!({ "code": 2, "message": "a secret \\u{1b}was found" }));
    assert_eq!(attribute(&broken, "error.type"), Some(&json!({ "stringValue": "secret-found" })));
    let refused = with(|exchange| {
        exchange.decision = Decision::Denied;
        exchange.status = Some(403);
        exchange.code = Some("no-route".to_owned());
    });
    assert_eq!(refused["status"], json!({}));
    assert_eq!(attribute(&refused, "bottle.code"), Some(&json!({ "stringValue": "no-route" })));
    let unwell = with(|exchange| exchange.status = Some(503));
    assert_eq!(unwell["status"]["code"], 2);
    assert_eq!(attribute(&unwell, "error.type"), Some(&json!({ "stringValue": "503" })));
}

#[test]
fn methods_that_nobody_knows_and_tunnels_have_names_that_are_few() {
    let mut told = told();
    told.exchange.method = Some("BREW\n".to_owned());
    let odd = span(&told);
    assert_eq!(odd["name"], "HTTP");
    assert_eq!(attribute(&odd, "http.request.method"), Some(&json!({ "stringValue": "_OTHER" })));
    let original = json!({ "stringValue": "BREW\\u{a}" });
    assert_eq!(attribute(&odd, "http.request.method_original"), Some(&original));
    (told.exchange.method, told.exchange.protocol) = (None, "tcp".to_owned());
    assert_eq!(span(&told)["name"], "tcp");
}

/// An id of 16 bytes that are not all zero, whatever a launcher says.
#[test]
fn an_id_is_hexadecimal_whatever_it_was() {
    for id in ["", "no uuid", ID] {
        let trace = trace_id(id);
        assert!(trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()), "{trace}");
        assert!(!trace.ends_with("0000000000000000"), "{trace}");
    }
    assert_ne!(trace_id("one"), trace_id("other"));
}

#[test]
fn sums_and_gauges_have_the_form_of_the_specification() {
    let mut sheet = Sheet::default();
    let of = |code: &str| vec![("bottle", "dev".to_owned()), ("code", code.to_owned())];
    sheet.set(Family::Running, vec![("bottle", "dev".to_owned())], 2);
    sheet.add(Family::Exchanges, of(""), 4);
    sheet.add(Family::Exchanges, of("no-route"), 1);
    let time = |seconds: i64| Timestamp::from_second(seconds).expect("a time");
    let body = metrics("one", &sheet, time(1_700_000_000), time(1_700_000_010));
    let told = &body["resourceMetrics"][0];
    assert_eq!(attribute(&told["resource"], "service.name"), Some(&json!({ "stringValue": "bottle" })));
    assert_eq!(attribute(&told["resource"], "service.instance.id"), Some(&json!({ "stringValue": "one" })));
    let slug = json!({ "key": "bottle.slug", "value": { "stringValue": "dev" } });
    let code = json!({ "key": "bottle.code", "value": { "stringValue": "no-route" } });
    let (since, now) = ("1700000000000000000", "1700000010000000000");
    let wanted = json!([
        {
            "name": "bottle.exchanges_running", "description": "Exchanges under way.", "unit": "{exchange}",
            "gauge": { "dataPoints": [{ "attributes": [slug], "timeUnixNano": now, "asInt": "2" }] },
        },
        {
            "name": "bottle.exchanges", "description": "Exchanges that ended.", "unit": "{exchange}",
            "sum": {
                "dataPoints": [
                    { "attributes": [slug], "timeUnixNano": now, "asInt": "4", "startTimeUnixNano": since },
                    { "attributes": [slug, code], "timeUnixNano": now, "asInt": "1", "startTimeUnixNano": since },
                ],
                "aggregationTemporality": 2, "isMonotonic": true,
            },
        },
    ]);
    assert_eq!(told["scopeMetrics"][0]["metrics"], wanted);
}

#[test]
fn spans_stand_in_a_scope_of_a_resource() {
    let body = traces("one", &[json!("a span")]);
    let scope = &body["resourceSpans"][0]["scopeSpans"][0];
    assert_eq!((&scope["scope"]["name"], &scope["spans"]), (&json!("bottle.export"), &json!(["a span"])));
}
