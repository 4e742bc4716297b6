//! What the tools are called, what they say of themselves, and what they do.
use egress::desk::{AgentSide, Ask, NotPut, Refusal, Told};
use policy::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Seconds that `egress-request-status` waits at most: the official SDKs' clients give a call up after sixty.
const WAIT: u64 = 50;

/// A tool, for agents.
pub(super) struct ToolText {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// Whether it changes nothing at all.
    pub(super) reads: bool,
    properties: fn() -> Value,
    required: &'static [&'static str],
}

impl ToolText {
    /// The JSON Schema of its arguments.
    pub(super) fn input(&self) -> Map<String, Value> {
        let schema = json!({
            "type": "object", "properties": (self.properties)(), "required": self.required, "additionalProperties": false,
        });
        schema.as_object().cloned().unwrap_or_default()
    }
}

pub(super) const TOOLS: [ToolText; 4] = [
    ToolText {
        name: "list-egress-routes",
        title: "What this bottle may reach",
        description: "Lists the hosts, methods and paths that this bottle may reach. Use it before you plan work that needs the \
                      network, or after a refusal, to find another way that is allowed.",
        reads: true,
        properties: || json!({}),
        required: &[],
    },
    ToolText {
        name: "egress-block",
        title: "Report a block and ask for a route",
        description: "Reports that the egress blocked something you need and asks the operator (a person) for the narrowest route \
                      that would help. Use it when a request was refused with `bottle-decision: denied`, you need it for your \
                      task, and there is no other way. Name the refused request: by `exchange` (the id in the refusal), or by \
                      `url` and `method`; or, for a group of requests, a rule: `host` with `methods` and `paths`. Ask for as \
                      little as you need. Returns the request's id and state at once; the answer may take minutes: go on with \
                      something else and look with `egress-request-status`. Asking grants nothing by itself.",
        reads: false,
        properties: block_properties,
        required: &["why"],
    },
    ToolText {
        name: "egress-request-status",
        title: "What became of a request to the operator",
        description: "Says whether the operator has answered a request made with `egress-block`: open, allowed, refused or expired. \
                      With `wait_seconds` (at most 50) it waits for the answer that long. Once it is allowed, do what was \
                      blocked; nothing has to be restarted.",
        reads: true,
        properties: || {
            json!({
                "id": { "type": "string", "description": "the id that `egress-block` returned" },
                "wait_seconds": { "type": "integer", "minimum": 0, "maximum": WAIT, "description": "how long to wait for the answer" },
            })
        },
        required: &["id"],
    },
    ToolText {
        name: "explain-request",
        title: "Would this request go out?",
        description: "Says whether a request would be allowed, and by which route; or why not, and what could be asked for. Sends \
                      nothing. Use it before you try something that may be blocked.",
        reads: true,
        properties: || {
            json!({
                "method": { "type": "string", "description": "GET, POST, …" },
                "url": { "type": "string", "description": "the whole URL" },
            })
        },
        required: &["method", "url"],
    },
];

fn block_properties() -> Value {
    let texts = |what: &str| json!({ "type": "array", "items": { "type": "string" }, "description": what });
    json!({
        "why": { "type": "string", "description": "one sentence for the operator: what you need it for" },
        "exchange": { "type": "string", "description": "the id in the refusal (header `bottle-exchange`)" },
        "method": { "type": "string", "description": "with `url`; GET where it is left out" },
        "url": { "type": "string", "description": "the URL that was refused" },
        "host": { "type": "string", "description": "instead of `url`: a host, or `*.example.com` for all below it" },
        "port": { "type": "integer", "description": "with `host`; 443 where it is left out" },
        "scheme": { "enum": ["https", "http"], "description": "with `host`; https where it is left out" },
        "protocol": { "enum": ["http", "tcp"], "description": "with `host`; `tcp` for raw bytes to one host and port" },
        "methods": texts("with `host`: only these methods"),
        "paths": texts("with `host`: only these paths; `*` is one segment, `**` any number"),
    })
}

/// What a tool answers.
pub(super) struct Outcome {
    /// For the model.
    pub(super) text: String,
    /// The same for programs.
    pub(super) value: Value,
    /// Nothing came of it.
    pub(super) failed: bool,
}

impl Outcome {
    fn of(text: String, value: Value) -> Outcome {
        Outcome { text, value, failed: false }
    }

    fn failure(code: &str, sentence: &str) -> Outcome {
        Outcome {
            text: format!("{sentence} (code {code})"),
            value: json!({ "code": code, "error": sentence }),
            failed: true,
        }
    }
}

/// Does a tool's work; `None`: there is no such tool.
pub(super) async fn call(desk: &AgentSide, name: &str, arguments: Map<String, Value>) -> Option<Outcome> {
    let outcome = match name {
        "list-egress-routes" => read::<Nothing>(arguments).map(|Nothing {}| routes(desk)),
        "egress-block" => read::<Ask>(arguments).map(|ask| block(desk, &ask)),
        "egress-request-status" => match read::<Status>(arguments) {
            Ok(status) => Ok(look(desk, &status).await),
            Err(wrong) => Err(wrong),
        },
        "explain-request" => read::<Explain>(arguments).map(|asked| explain(desk, &asked)),
        _ => return None,
    };
    Some(outcome.unwrap_or_else(|wrong| wrong))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    id: String,
    #[serde(default)]
    wait_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    method: String,
    url: String,
}

fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Outcome> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        let what = policy::neutral(&error.to_string(), 200);
        Outcome::failure("malformed", &format!("the arguments are wrong: {what}"))
    })
}

fn routes(desk: &AgentSide) -> Outcome {
    let value = json!({ "routes": desk.routes(), "attended": desk.is_attended() });
    Outcome::of(desk.routes_text(), value)
}

fn block(desk: &AgentSide, ask: &Ask) -> Outcome {
    match desk.put(ask) {
        Ok(petition) => told(&Told::from(&petition)),
        Err(not) => {
            let refused = Outcome::failure(not.code(), &not.to_string());
            // What is allowed already is no failure.
            let failed = !matches!(not, NotPut::NotAsked(egress::desk::NotAsked::Allowed(_)));
            Outcome { failed, ..refused }
        }
    }
}

async fn look(desk: &AgentSide, status: &Status) -> Outcome {
    let wait = Duration::from_secs(status.wait_seconds.min(WAIT));
    match desk.wait(&status.id, wait).await {
        Some(petition) => told(&Told::from(&petition)),
        None => Outcome::failure("unknown-id", "no request of this id was asked here, or it was long ago"),
    }
}

fn told(told: &Told) -> Outcome {
    let Told { id, status, asks_for, allowed, span, word, next } = told;
    let mut text = format!("request {id} for `{asks_for}` is {status}");
    if let (Some(allowed), Some(span)) = (allowed, span) {
        text.push_str(&format!(": `{allowed}`, {span}"));
    }
    if let Some(word) = word {
        text.push_str(&format!("; the operator says: \"{word}\""));
    }
    Outcome::of(format!("{text}; {next}"), json!(told))
}

fn explain(desk: &AgentSide, asked: &Explain) -> Outcome {
    let url = asked.url.split('#').next().unwrap_or_default();
    let judged = Request::from_url(&asked.method, url).and_then(|request| desk.judge(request));
    let denial = match judged {
        Ok(route) => {
            return Outcome::of(
                format!("it would be allowed, by the route `{route}`"),
                json!({ "allowed": true, "route": route }),
            );
        }
        Err(denial) => denial,
    };
    let Refusal { code, reason, proposal, .. } = desk.as_refusal(&denial);
    let proposal = proposal.map(|proposal| proposal.to_string());
    let help = match &proposal {
        Some(proposal) if desk.is_attended() => {
            format!("; if you need it, ask for `{proposal}` with `egress-block`")
        }
        Some(_) => "; nobody attends to this bottle, so it cannot be asked for".to_owned(),
        None => "; no route would change this, so there is nothing to ask for".to_owned(),
    };
    let value = json!({
        "allowed": false, "code": code, "reason": reason, "askable": proposal.is_some() && desk.is_attended(),
        "proposal": proposal,
    });
    Outcome::of(format!("it would be refused: {reason} (code {code}){help}"), value)
}
