//! One route, as it is written.
use super::Addition;
use crate::node::{Key, Node, Value};
use crate::problem::Span;
use policy::{Method, PathPattern, Protocol, Scheme, TlsMode, neutral};

/// Comments are for people; what an agent said to be let out has an end.
const LONGEST_COMMENT: usize = 300;

/// A value of a route's key.
enum Said {
    Text(String),
    Number(u16),
    List(Vec<String>),
}

/// The keys of the route that are not at their default, in the order of docs/manifest.md.
fn keys(addition: &Addition) -> Vec<(&'static str, Said)> {
    let route = &addition.proposal;
    let mut keys = vec![("host", Said::Text(route.host.to_string()))];
    keys.extend(addition.name.clone().map(|name| ("name", Said::Text(name))));
    if route.port != route.scheme.default_port() || route.protocol == Protocol::Tcp {
        keys.push(("port", Said::Number(route.port)));
    }
    if route.scheme == Scheme::Http {
        keys.push(("scheme", Said::Text("http".to_owned())));
    }
    if route.protocol == Protocol::Tcp {
        keys.push(("protocol", Said::Text("tcp".to_owned())));
    }
    if route.tls == TlsMode::Passthrough {
        keys.push(("tls", Said::Text("passthrough".to_owned())));
    }
    let methods = |list: &Vec<Method>| list.iter().map(|method| method.as_str().to_owned()).collect();
    let paths = |list: &Vec<PathPattern>| list.iter().map(|path| path.as_str().to_owned()).collect();
    keys.extend(route.methods.as_ref().map(|list| ("methods", Said::List(methods(list)))));
    keys.extend(route.paths.as_ref().map(|list| ("paths", Said::List(paths(list)))));
    keys
}

/// `host: api.example.com`, `paths: ["/v1/users"]`, …
pub(super) fn lines(addition: &Addition) -> Vec<String> {
    keys(addition).iter().map(|(key, said)| format!("{key}: {}", written(said))).collect()
}

/// `{ host: api.example.com, paths: ["/v1/users"] }`
pub(super) fn flow(addition: &Addition) -> String {
    format!("{{ {} }}", lines(addition).join(", "))
}

/// `# allowed …`, one line each.
pub(super) fn comments(addition: &Addition) -> Vec<String> {
    addition
        .comments
        .iter()
        .map(|line| format!("# {}", neutral(line, LONGEST_COMMENT)).trim_end().to_owned())
        .collect()
}

/// The same as the tree it is read as.
pub(super) fn value(addition: &Addition) -> Value {
    let entries = keys(addition).into_iter().map(|(key, said)| {
        let value = match said {
            Said::Text(text) => Value::Text(text),
            Said::Number(number) => Value::Int(i64::from(number)),
            Said::List(list) => Value::List(list.into_iter().map(|text| node(Value::Text(text))).collect()),
        };
        (Key { span: Span::default(), text: key.to_owned() }, node(value))
    });
    Value::Map(entries.collect())
}

fn node(value: Value) -> Node {
    Node { span: Span::default(), value }
}

fn written(said: &Said) -> String {
    match said {
        Said::Text(text) => scalar(text),
        Said::Number(number) => number.to_string(),
        Said::List(list) => {
            format!("[{}]", list.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Plain where nobody could read it as anything but text; else in double quotes, with JSON's escapes, which are YAML's too.
fn scalar(text: &str) -> String {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let safe = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let name =
        text.contains('.') && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(safe);
    if name || METHODS.contains(&text) || ["http", "tcp", "passthrough"].contains(&text) {
        return text.to_owned();
    }
    serde_json::Value::String(text.to_owned()).to_string()
}
