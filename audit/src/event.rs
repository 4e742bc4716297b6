//! What a line says.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line of the audit file: chain fields around an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Schema version of the line; 1.
    pub v: u32,
    /// Number of the line in its file, from 0.
    pub seq: u64,
    /// RFC 3339 UTC, microseconds.
    pub time: String,
    /// Slug of the bottle.
    pub bottle: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// SHA-256 (hex) of the exact bytes of the line before, without its line feed; zeros for the first.
    pub prev: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A request and its response, or a tunnel, ended.
    Exchange(Box<Exchange>),
    /// A step of the bottle's life.
    Lifecycle(Lifecycle),
}

/// Allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Went out.
    Allowed,
    /// Did not go out.
    Denied,
    /// Went out and was broken off (finding in mid-stream, upstream failure, limits).
    Aborted,
}

/// One exchange. Sizes in bytes of bodies (tunnels: of payload) as forwarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// UUID v7 of the exchange; the refusal shows it to the agent.
    pub id: String,
    /// Went out or not.
    pub decision: Decision,
    /// The stable denial code, when denied or aborted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// One sentence, when denied or aborted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// `h1`, `h2`, `ws`, `tcp`, `tls-passthrough`, `dns`.
    pub protocol: String,
    /// `http`, `https`, or none for tunnels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scheme: Option<String>,
    /// Method, if HTTP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// Host asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host: Option<String>,
    /// Port asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub port: Option<u16>,
    /// Normal path, without query; values of secrets scrubbed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// Name of the route that allowed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<String>,
    /// Names the policy that judged it: the beginning of its hash, the same for the same rules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
    /// Slot whose credential was put on the wire (`EGRESS_TOKEN_0`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credential: Option<String>,
    /// Address dialled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream: Option<String>,
    /// Status of the response.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Bytes towards upstream.
    pub bytes_up: u64,
    /// Bytes towards the agent.
    pub bytes_down: u64,
    /// Milliseconds from first byte to end.
    pub duration_ms: u64,
    /// What the scanner saw.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
}

/// What the scanner saw; never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `placeholder-astray`, `known-secret`, `canary`, `split-secret`, `random-text`, `unreadable`, `prompt-injection`, or the
    /// id of a rule.
    pub rule: String,
    /// `header authorization`, `body`, `path`, `query`, `websocket`, `tcp`, `response body`…
    pub place: String,
    /// Name of the secret (slot or reference) or of its kind, never its value.
    pub name: String,
    /// What was done: `block`, `redact`, `warn`, `allow`, `scrub`.
    pub action: String,
    /// Bytes that it took there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<u64>,
    /// Tells values apart: the beginning of a keyed hash, 16 hexadecimal digits, the same in every place and run of this user.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
    /// How it had to be read: `escaped`, `base64`…; none where it stood as it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
    /// Why it was let through, with `allow`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// What stood there, of `prompt-injection` alone: short, neutralised, without values of secrets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excerpt: Option<String>,
}

impl Finding {
    /// With what every finding has.
    pub fn new(rule: &str, place: &str, name: &str, action: &str) -> Finding {
        let text = str::to_owned;
        let (rule, place, name, action) = (text(rule), text(place), text(name), text(action));
        let (length, fingerprint, layer, reason, excerpt) = (None, None, None, None, None);
        Finding { rule, place, name, action, length, fingerprint, layer, reason, excerpt }
    }
}

/// A step of the bottle's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lifecycle {
    /// `bottle-started`, `agent-started`, `agent-ended`, `bottle-ended`, `egress-listening`, `credential-refreshed`…
    pub step: String,
    /// Plain text, neutralised.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}
