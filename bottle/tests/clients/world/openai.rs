//! A small fake of the Responses API (streamed events over HTTP or WebSocket) and of Chat Completions.
use super::super::tokens;
use super::anthropic::{COMMAND, LAST_WORDS};
use super::body::{Answer, Asked, events, json, stream, typed};
use super::websocket::{self, Socket};
use serde_json::{Value, json as value};
use std::time::Duration;

pub(crate) async fn answer(asked: Asked) -> Answer {
    if asked.header("authorization") != format!("Bearer {}", tokens::OPENAI) {
        let error = value!({ "error": { "message": "incorrect api key", "type": "invalid_request_error", "code": "invalid_api_key" } });
        return typed(401, "application/json", error.to_string());
    }
    match asked.path.as_str() {
        "/v1/responses" if asked.method == "GET" => websocket::upgrade(asked, talk),
        "/v1/responses" => events(&responses(&request(asked).await), true),
        "/v1/chat/completions" => completions(&request(asked).await),
        "/v1/models" => json(&value!({ "object": "list", "data": [], "models": [] })),
        _ => typed(404, "application/json", "{}"),
    }
}

async fn request(asked: Asked) -> Value {
    serde_json::from_slice(&asked.body().await).unwrap_or_default()
}

/// One `response.create` after the other on one socket.
async fn talk(mut socket: Socket) {
    while let Ok(Some((_, message))) = socket.message().await {
        for event in responses(&serde_json::from_slice(&message).unwrap_or_default()) {
            if socket.text(&event.to_string()).await.is_err() {
                return;
            }
        }
    }
}

fn responses(request: &Value) -> Vec<Value> {
    let item = item(request);
    let response = |state: &str, output: &[Value]| {
        value!({
            "id": "resp_bottle", "object": "response", "created_at": 1_700_000_000, "status": state, "model": request["model"],
            "output": output, "usage": {
                "input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
                "input_tokens_details": { "cached_tokens": 0 }, "output_tokens_details": { "reasoning_tokens": 0 },
            },
        })
    };
    vec![
        value!({ "type": "response.created", "sequence_number": 0, "response": response("in_progress", &[]) }),
        value!({ "type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item }),
        value!({ "type": "response.output_item.done", "sequence_number": 2, "output_index": 0, "item": item }),
        value!({ "type": "response.completed", "sequence_number": 3, "response": response("completed", &[item]) }),
    ]
}

fn item(request: &Value) -> Value {
    let is_result = |item: &Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("call_output"));
    let used = request["input"].as_array().is_some_and(|items| items.iter().any(is_result));
    let call = |name: &str, arguments: &Value| {
        value!({
            "id": "fc_bottle", "type": "function_call", "status": "completed", "call_id": "call_bottle",
            "name": name, "arguments": arguments.to_string(),
        })
    };
    let offered =
        |name: &str| request["tools"].as_array().into_iter().flatten().any(|tool| tool["name"] == name);
    // Newer models are given one tool that runs a script, which calls the others.
    if !used && request["input"].to_string().contains("additional_tools") {
        let script =
            format!("const done = await tools.exec_command({}); text(done);", value!({ "cmd": COMMAND }));
        return value!({
            "id": "ctc_bottle", "type": "custom_tool_call", "status": "completed", "call_id": "call_bottle",
            "name": "exec", "namespace": "functions", "input": script,
        });
    }
    if !used && offered("exec_command") {
        return call("exec_command", &value!({ "cmd": COMMAND }));
    }
    if !used && offered("shell_command") {
        return call("shell_command", &value!({ "command": COMMAND }));
    }
    if !used && offered("shell") {
        return call("shell", &value!({ "command": ["sh", "-c", COMMAND] }));
    }
    value!({
        "id": "msg_bottle", "type": "message", "status": "completed", "role": "assistant",
        "content": [{ "type": "output_text", "text": LAST_WORDS, "annotations": [] }],
    })
}

fn completions(request: &Value) -> Answer {
    let piece = |delta: Value, reason: Option<&str>| {
        value!({
            "id": "chatcmpl-bottle", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": request["model"],
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
        })
    };
    if request["stream"] == true {
        let said = piece(value!({ "role": "assistant", "content": LAST_WORDS }), None);
        let end = piece(value!({}), Some("stop"));
        let lines = vec![format!("data: {said}\n\n"), format!("data: {end}\n\n"), "data: [DONE]\n\n".into()];
        return stream("text/event-stream", lines, Duration::from_millis(2));
    }
    json(&value!({
        "id": "chatcmpl-bottle", "object": "chat.completion", "created": 1_700_000_000, "model": request["model"],
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": LAST_WORDS }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
    }))
}
