//! What an OpenTelemetry collector is told: OTLP in its JSON form. Ids are hexadecimal, 64-bit integers are texts, enumerations are
//! numbers. Attributes are named by the semantic conventions for HTTP, ours begin with `bottle.`.
use super::ledger::{Told, decision};
use super::metrics::{Family, Labels, Sheet};
use crate::style::neutral;
use audit::{Decision, Exchange};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// `SPAN_KIND_CLIENT`.
const CLIENT: u8 = 3;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;
/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;
/// Methods that the conventions know; others are `_OTHER`.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Says who tells: `instance` tells exporters apart.
fn resource(instance: &str) -> Value {
    let attributes = [
        text("service.name", "bottle"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", instance),
    ];
    json!({ "attributes": attributes })
}

fn scope() -> Value {
    json!({ "name": "bottle.export", "version": env!("CARGO_PKG_VERSION") })
}

/// The body for `/v1/traces`.
pub(super) fn traces(instance: &str, spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": resource(instance),
        "scopeSpans": [{ "scope": scope(), "spans": spans }],
    }] })
}

/// The body for `/v1/metrics`.
pub(super) fn metrics(instance: &str, sheet: &Sheet, since: Timestamp, now: Timestamp) -> Value {
    let all: Vec<Value> =
        sheet.families().map(|(family, points)| metric(family, points, since, now)).collect();
    json!({ "resourceMetrics": [{
        "resource": resource(instance),
        "scopeMetrics": [{ "scope": scope(), "metrics": all }],
    }] })
}

fn metric(family: Family, points: &BTreeMap<Labels, u64>, since: Timestamp, now: Timestamp) -> Value {
    let about = family.about();
    let name = about.name.trim_end_matches("_total").replacen('_', ".", 1);
    let point = |(labels, number): (&Labels, &u64)| {
        let told = labels.iter().filter(|(_, value)| !value.is_empty());
        let attributes: Vec<Value> =
            told.map(|(label, value)| text(&format!("bottle.{}", own(label)), value)).collect();
        let mut point =
            json!({ "attributes": attributes, "timeUnixNano": nanos(now), "asInt": number.to_string() });
        if about.sum {
            point["startTimeUnixNano"] = nanos(since).into();
        }
        point
    };
    let points: Vec<Value> = points.iter().map(point).collect();
    let mut metric = json!({ "name": name, "description": about.help, "unit": about.unit });
    if about.sum {
        metric["sum"] =
            json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true });
    } else {
        metric["gauge"] = json!({ "dataPoints": points });
    }
    metric
}

fn own(label: &str) -> &str {
    if label == "bottle" { "slug" } else { label }
}

/// A span of an exchange. Its trace is the exchange's id, which the agent was told when it was refused.
pub(super) fn span(told: &Told) -> Value {
    let Told { slug, time, exchange } = told;
    let trace = trace_id(&exchange.id);
    let milliseconds = i64::try_from(exchange.duration_ms).unwrap_or(i64::MAX);
    let start = time.checked_sub(SignedDuration::from_millis(milliseconds)).unwrap_or(*time);
    let mut attributes = http(exchange);
    attributes.extend(ours(slug, exchange));
    let error = error(exchange);
    attributes.extend(error.as_deref().map(|kind| text("error.type", kind)));
    let status = match &error {
        Some(kind) => {
            json!({ "code": ERROR, "message": neutral(exchange.reason.as_deref().unwrap_or(kind)) })
        }
        None => json!({}),
    };
    json!({
        "traceId": trace,
        "spanId": trace[16..],
        "name": name(exchange),
        "kind": CLIENT,
        "startTimeUnixNano": nanos(start),
        "endTimeUnixNano": nanos(*time),
        "attributes": attributes,
        "status": status,
    })
}

/// By the conventions the method and no more: paths are too many.
fn name(exchange: &Exchange) -> String {
    match exchange.method.as_deref() {
        Some(method) if METHODS.contains(&method) => method.to_owned(),
        Some(_) => "HTTP".to_owned(),
        None => neutral(&exchange.protocol),
    }
}

/// What broke off is an error, and by the conventions an answer of 400 and more. A refusal is a decision and none.
fn error(exchange: &Exchange) -> Option<String> {
    match exchange.decision {
        Decision::Aborted => Some(neutral(exchange.code.as_deref().unwrap_or("_OTHER"))),
        Decision::Allowed => exchange.status.filter(|status| *status >= 400).map(|status| status.to_string()),
        Decision::Denied => None,
    }
}

fn http(exchange: &Exchange) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(method) = exchange.method.as_deref() {
        let known = METHODS.contains(&method);
        all.push(text("http.request.method", if known { method } else { "_OTHER" }));
        all.extend((!known).then(|| text("http.request.method_original", method)));
    }
    all.extend(exchange.scheme.as_deref().map(|scheme| text("url.scheme", scheme)));
    all.extend(exchange.host.as_deref().map(|host| text("server.address", host)));
    all.extend(exchange.port.map(|port| integer("server.port", port.into())));
    all.extend(exchange.path.as_deref().map(|path| text("url.path", path)));
    all.extend(exchange.status.map(|status| integer("http.response.status_code", status.into())));
    if let Some(peer) = exchange.upstream.as_deref().and_then(|peer| peer.parse::<SocketAddr>().ok()) {
        all.push(text("network.peer.address", &peer.ip().to_string()));
        all.push(integer("network.peer.port", peer.port().into()));
    }
    all
}

fn ours(slug: &str, exchange: &Exchange) -> Vec<Value> {
    let mut all = vec![
        text("bottle.slug", slug),
        text("bottle.decision", decision(exchange.decision)),
        text("bottle.protocol", &exchange.protocol),
        integer("bottle.bytes_up", exchange.bytes_up),
        integer("bottle.bytes_down", exchange.bytes_down),
    ];
    let optional = [
        ("bottle.code", &exchange.code),
        ("bottle.route", &exchange.route),
        ("bottle.policy", &exchange.policy),
        ("bottle.credential", &exchange.credential),
    ];
    all.extend(optional.into_iter().filter_map(|(key, value)| Some(text(key, value.as_deref()?))));
    let rules: BTreeSet<&str> = exchange.findings.iter().map(|finding| finding.rule.as_str()).collect();
    if !rules.is_empty() {
        let values: Vec<Value> =
            rules.into_iter().map(|rule| json!({ "stringValue": neutral(rule) })).collect();
        all.push(json!({ "key": "bottle.findings", "value": { "arrayValue": { "values": values } } }));
    }
    all
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": neutral(value) } })
}

fn integer(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn nanos(time: Timestamp) -> String {
    time.as_nanosecond().max(0).to_string()
}

/// 32 hexadecimal digits; the end of a version 7 UUID is random, so its second half is the id of the span.
fn trace_id(id: &str) -> String {
    match uuid::Uuid::parse_str(id) {
        Ok(id) => id.simple().to_string(),
        Err(_) => Sha256::digest(id.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests;
