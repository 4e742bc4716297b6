//! A small fake of the Messages API: it asks for one tool call, and is content once it sees the result.
use super::super::tokens;
use super::body::{Answer, Asked, events, json, status, typed};
use serde_json::{Value, json as value};

/// What the model says at the end.
pub(crate) const LAST_WORDS: &str = "the bottle holds";
/// The command that it wants run; it writes `made.txt` in the workspace.
pub(crate) const COMMAND: &str = "echo made-in-the-bottle > made.txt && cat made.txt";

/// A prompt with these words makes it ask the operator, by the bottle's own tool, and say what the tool said.
pub(crate) const ASKING: &str = "ask the operator for a route";

pub(crate) async fn answer(asked: Asked) -> Answer {
    if asked.path == "/" || asked.path == "/api/hello" {
        return json(&value!({}));
    }
    if asked.header("x-api-key") != tokens::ANTHROPIC {
        let error = value!({ "type": "error", "error": { "type": "authentication_error", "message": "invalid x-api-key" } });
        return typed(401, "application/json", error.to_string());
    }
    match asked.path.as_str() {
        "/v1/messages" => messages(&serde_json::from_slice(&asked.body().await).unwrap_or_default()),
        "/v1/messages/count_tokens" => json(&value!({ "input_tokens": 10 })),
        _ => status(404, "no such endpoint"),
    }
}

fn messages(request: &Value) -> Answer {
    let block = next(request);
    if request["stream"] == true {
        events(&streamed(request, &block), true)
    } else {
        json(&message(request, &[block]))
    }
}

/// A tool call where a shell is offered and not used yet, else the last words.
fn next(request: &Value) -> Value {
    let said = request["messages"].to_string();
    let used = said.contains("tool_result");
    if said.contains(ASKING) {
        return asking(request, used);
    }
    let shell = tools(request).find(|name| name.eq_ignore_ascii_case("bash"));
    match shell {
        Some(name) if !used => value!({
            "type": "tool_use", "id": "toolu_01bottle", "name": name,
            "input": { "command": COMMAND, "description": "writes a file" },
        }),
        _ => value!({ "type": "text", "text": LAST_WORDS }),
    }
}

/// A call of the bottle's tool where it is offered, else what it said.
fn asking(request: &Value, used: bool) -> Value {
    let tool = tools(request).find(|name| name.ends_with("egress-block"));
    match tool {
        Some(name) if !used => value!({
            "type": "tool_use", "id": "toolu_02bottle", "name": name,
            "input": { "url": "https://refused.test/x", "why": "the model wants it" },
        }),
        _ => {
            let offered: Vec<&str> = tools(request).collect();
            value!({ "type": "text", "text": format!("the tool said: {}; offered: {offered:?}", result(request)) })
        }
    }
}

fn result(request: &Value) -> String {
    let blocks = request["messages"].as_array().into_iter().flatten();
    let blocks = blocks.flat_map(|message| message["content"].as_array().into_iter().flatten());
    let results = blocks.filter(|block| block["type"] == "tool_result");
    results.map(|block| block["content"].to_string()).collect()
}

fn tools(request: &Value) -> impl Iterator<Item = &str> {
    request["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str())
}

fn message(request: &Value, content: &[Value]) -> Value {
    let reason =
        if content.iter().any(|block| block["type"] == "tool_use") { "tool_use" } else { "end_turn" };
    value!({
        "id": "msg_01bottle", "type": "message", "role": "assistant", "model": request["model"], "content": content,
        "stop_reason": reason, "stop_sequence": null, "usage": { "input_tokens": 10, "output_tokens": 5 },
    })
}

fn streamed(request: &Value, block: &Value) -> Vec<Value> {
    let mut start = message(request, &[]);
    start["stop_reason"] = Value::Null;
    let (opening, delta) = if block["type"] == "tool_use" {
        let mut opening = block.clone();
        opening["input"] = value!({});
        (opening, value!({ "type": "input_json_delta", "partial_json": block["input"].to_string() }))
    } else {
        (value!({ "type": "text", "text": "" }), value!({ "type": "text_delta", "text": block["text"] }))
    };
    let reason = message(request, std::slice::from_ref(block))["stop_reason"].clone();
    vec![
        value!({ "type": "message_start", "message": start }),
        value!({ "type": "content_block_start", "index": 0, "content_block": opening }),
        value!({ "type": "ping" }),
        value!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        value!({ "type": "content_block_stop", "index": 0 }),
        value!({ "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null }, "usage": { "output_tokens": 5 } }),
        value!({ "type": "message_stop" }),
    ]
}
