//! A small fake of `generateContent` and its streamed form.
use super::super::tokens;
use super::anthropic::{COMMAND, LAST_WORDS};
use super::body::{Answer, Asked, events, json, typed};
use serde_json::{Value, json as value};

pub(crate) async fn answer(asked: Asked) -> Answer {
    if asked.header("x-goog-api-key") != tokens::GEMINI {
        let error = value!({ "error": { "code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT" } });
        return typed(400, "application/json", error.to_string());
    }
    let streamed = asked.path.ends_with(":streamGenerateContent");
    let counted = asked.path.ends_with(":countTokens");
    let request: Value = serde_json::from_slice(&asked.body().await).unwrap_or_default();
    match (streamed, counted) {
        (_, true) => json(&value!({ "totalTokens": 10 })),
        (true, _) => events(&[content(&request)], false),
        _ => json(&content(&request)),
    }
}

fn content(request: &Value) -> Value {
    value!({
        "candidates": [{ "index": 0, "finishReason": "STOP", "content": { "role": "model", "parts": [part(request)] } }],
        "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15 },
        "modelVersion": "gemini-of-the-tests",
    })
}

/// Some requests are about the routing of the prompt and want JSON back; they get one that fits all seen so far.
fn part(request: &Value) -> Value {
    let used = request["contents"].to_string().contains("functionResponse");
    let shell = request["tools"].to_string().contains("run_shell_command");
    if request["generationConfig"]["responseMimeType"] == "application/json" {
        return value!({ "text": "{\"reasoning\":\"simple\",\"model_choice\":\"flash\",\"complexity_score\":1,\"next_speaker\":\"user\"}" });
    }
    if shell && !used {
        return value!({ "functionCall": { "name": "run_shell_command", "args": { "command": COMMAND, "description": "writes a file" } } });
    }
    value!({ "text": LAST_WORDS })
}
