//! The tools over standard input and output: lines in, each sent to the egress, lines out. For agents that start their servers as
//! programs. It runs inside of a bottle and can do there what every program can: ask.
use crate::failure::Failure;
use bytes::Bytes;
use egress::Caller;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// Where the tools are.
const URL: &str = "http://_egress.local/mcp";
/// Bytes of a line; the egress takes no more.
const LONGEST: u64 = 64 * 1024;
/// Lines that wait for their turn.
const QUEUE: usize = 16;
/// Where JSON-RPC puts what went wrong on the way (section 5.1).
const INTERNAL: i64 = -32603;
/// Where it puts what is no JSON, and what is no message.
const NO_JSON: i64 = -32700;
const NO_MESSAGE: i64 = -32600;

/// Relays until standard input ends.
///
/// # Errors
/// When there is no egress, as outside of a bottle.
pub fn relay() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lines = lines();
    runtime.block_on(async {
        let egress = find().await?;
        Relay { egress, version: None, running: JoinSet::new(), by_id: HashMap::new() }.run(lines).await;
        Ok(())
    })
}

/// Standard input by lines, without their ends; one that is too long comes cut, and is no message then.
fn lines() -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = (&mut input).take(LONGEST).read_until(b'\n', &mut line);
            if !matches!(read, Ok(1..)) || send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receive
}

/// The egress as this bottle's programs know it: their proxy, or where a bottle has it.
async fn find() -> Result<Caller, Failure> {
    let proxy = ["http_proxy", "HTTP_PROXY"].iter().find_map(|name| std::env::var(name).ok());
    let text = proxy.unwrap_or_else(|| "127.0.0.1:9099".to_owned());
    let bare = text.strip_prefix("http://").unwrap_or(&text).trim_end_matches('/');
    let outside = |why: String| {
        Failure::new(format!("no egress answers at `{}`: {why}", crate::style::neutral(bare)))
            .help("`bottle mcp` runs inside of a bottle, started there by an agent: `bottle run -- claude` and the like")
    };
    let authority = policy::Authority::parse(bare).map_err(|error| outside(error.to_string()))?;
    Caller::find(&authority.host, authority.port.unwrap_or(80)).await.map_err(outside)
}

struct Relay {
    egress: Caller,
    /// What was agreed on in `initialize`.
    version: Option<String>,
    running: JoinSet<Option<String>>,
    by_id: HashMap<String, AbortHandle>,
}

impl Relay {
    async fn run(mut self, mut lines: mpsc::Receiver<Vec<u8>>) {
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => self.take(&line).await,
                    None => break,
                },
                Some(agreed) = self.running.join_next() => self.note(agreed.ok().flatten()),
            }
        }
        // What was asked is answered, also when whoever asks says no more.
        while self.running.join_next().await.is_some() {}
    }

    fn note(&mut self, agreed: Option<String>) {
        self.version = agreed.or_else(|| self.version.take());
        self.by_id.retain(|_, running| !running.is_finished());
    }

    async fn take(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let Ok(message) = serde_json::from_slice::<Value>(line) else {
            say(&problem(&Value::Null, NO_JSON, "this line is no JSON, or longer than 64 KiB"));
            return;
        };
        if !message.is_object() {
            say(&problem(&Value::Null, NO_MESSAGE, "a line is one message; batches are not taken"));
            return;
        }
        if message["method"] == "notifications/cancelled" {
            // There is nobody to tell: who gives the request up ends it.
            let id = message["params"]["requestId"].to_string();
            self.by_id.remove(&id).iter().for_each(AbortHandle::abort);
            return;
        }
        let (egress, version) = (self.egress, self.version.clone());
        let id = message["id"].to_string();
        let first = message["method"] == "initialize";
        let running = self.running.spawn(async move { pass(egress, message, version).await });
        if first {
            // What follows is said in the version that this agrees on.
            let agreed = self.running.join_next().await.and_then(Result::ok).flatten();
            self.note(agreed);
        } else {
            self.by_id.insert(id, running);
        }
    }
}

/// Sends one message on and says the answer; the version, where the answer agrees on one.
async fn pass(egress: Caller, message: Value, version: Option<String>) -> Option<String> {
    let id = message["id"].clone();
    let answer = match send(egress, &message, version.as_deref()).await {
        Ok(answer) => answer?,
        Err(_) if id.is_null() => return None,
        Err(why) => problem(&id, INTERNAL, &format!("the egress of this bottle did not answer: {why}")),
    };
    say(&answer);
    answer["result"]["protocolVersion"].as_str().map(str::to_owned)
}

async fn send(egress: Caller, message: &Value, version: Option<&str>) -> Result<Option<Value>, String> {
    let request = request(message, version).map_err(|error| error.to_string())?;
    let (status, body) = egress.call(request).await?;
    if status == StatusCode::ACCEPTED {
        return Ok(None);
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) if value["jsonrpc"] == "2.0" => Ok(Some(value)),
        _ => Err(format!("{status}: {}", policy::neutral(String::from_utf8_lossy(&body).trim(), 300))),
    }
}

/// A message as a request. From the revision without `initialize` on, headers say what the message says (SEP-2243).
fn request(message: &Value, version: Option<&str>) -> http::Result<Request<Full<Bytes>>> {
    let own = message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(URL)
        .header(header::HOST, "_egress.local")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    if message["method"] != "initialize" {
        request = own
            .or(version)
            .into_iter()
            .fold(request, |request, version| request.header("mcp-protocol-version", version));
    }
    if own.is_some() {
        let named = [("mcp-method", &message["method"]), ("mcp-name", &message["params"]["name"])];
        for (name, value) in named {
            request = value.as_str().into_iter().fold(request, |request, value| request.header(name, value));
        }
    }
    request.body(Full::new(Bytes::from(message.to_string())))
}

fn problem(id: &Value, code: i64, sentence: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": sentence } })
}

/// One line, whole.
fn say(message: &Value) {
    let mut out = std::io::stdout().lock();
    // Whoever listened is gone when this fails; then standard input ends as well.
    let _gone = writeln!(out, "{message}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_the_message_says() {
        let headers = |message: Value, version: Option<&str>| {
            request(&message, version).expect("a request").headers().clone()
        };
        let call = json!({ "id": 1, "method": "tools/call", "params": { "name": "explain-request" } });
        let old = headers(call.clone(), Some("2025-06-18"));
        assert_eq!(old["mcp-protocol-version"], "2025-06-18");
        assert!(!old.contains_key("mcp-method"));
        let mut new = call;
        new["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
        let new = headers(new, None);
        assert_eq!(
            (&new["mcp-protocol-version"], &new["mcp-name"]),
            (&"2026-07-28".parse().expect("a value"), &"explain-request".parse().expect("a value"))
        );
        let first = headers(json!({ "id": 0, "method": "initialize", "params": {} }), Some("2025-06-18"));
        assert!(!first.contains_key("mcp-protocol-version"), "the first one agrees on it");
    }
}
