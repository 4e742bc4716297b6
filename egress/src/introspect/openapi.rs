//! The pages as an OpenAPI 3.1 document.
use super::ask::WAIT;
use serde_json::{Value, json};

/// The whole document. It says what the pages are, and nothing of this bottle.
pub(super) fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "The egress of this bottle",
            "version": "1",
            "description": "What this bottle may reach, why something was refused, and the place to ask its operator for more. \
                            Nothing here can be used to allow anything.",
        },
        "servers": [{ "url": "http://_egress.local" }, { "url": "https://_egress.local" }],
        "paths": {
            "/routes.json": { "get": operation("listRoutes", "What this bottle may reach", &[], &[("200", "Routes")]) },
            "/why/{id}": { "get": operation(
                "explainRefusal", "Why a request was refused, by the id or the code in the refusal",
                &[path_parameter("id", "the exchange's id, or a code such as `host-not-allowed`")],
                &[("200", "Refusal"), ("404", "Problem")],
            ) },
            "/ask": { "post": ask() },
            "/ask/{id}": { "get": operation(
                "lookAfterRequest", "What became of a request to the operator",
                &[path_parameter("id", "the id that /ask gave"), json!({
                    "name": "wait", "in": "query", "description": "seconds to wait for the answer",
                    "schema": { "type": "integer", "minimum": 0, "maximum": WAIT },
                })],
                &[("200", "Told"), ("404", "Problem")],
            ) },
        },
        "components": { "schemas": schemas() },
    })
}

fn ask() -> Value {
    let answers =
        [("200", "Told"), ("202", "Told"), ("400", "Problem"), ("403", "Problem"), ("429", "Problem")];
    let mut operation = operation("askOperator", "Ask the operator for a route", &[], &answers);
    operation["requestBody"] = json!({ "required": true, "content": content("Ask") });
    operation
}

fn operation(id: &str, summary: &str, parameters: &[Value], answers: &[(&str, &str)]) -> Value {
    let answers = answers.iter().map(|(status, schema)| {
        ((*status).to_owned(), json!({ "description": schema, "content": content(schema) }))
    });
    let answers: serde_json::Map<String, Value> = answers.collect();
    json!({ "operationId": id, "summary": summary, "parameters": parameters, "responses": answers })
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn path_parameter(name: &str, what: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "description": what, "schema": { "type": "string" } })
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": ["array", "null"], "items": { "type": "string" } });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties });
    json!({
        "Ask": {
            "type": "object", "required": ["why"], "additionalProperties": false,
            "description": "Give `url` (with `method`), or `host` (with what narrows it), or `exchange` alone.",
            "properties": {
                "why": { "type": "string", "maxLength": 500, "description": "one sentence for the operator" },
                "method": { "type": "string", "default": "GET" }, "url": text(),
                "host": text(), "port": { "type": "integer", "minimum": 1, "maximum": 65535 },
                "scheme": { "enum": ["https", "http"] }, "protocol": { "enum": ["http", "tcp"] },
                "methods": { "type": "array", "items": text(), "minItems": 1, "maxItems": 10 },
                "paths": { "type": "array", "items": text(), "minItems": 1, "maxItems": 10 },
                "exchange": { "type": "string", "description": "the id in the refusal" },
            },
        },
        "Told": object(&["id", "status", "asks_for", "next"], json!({
            "id": text(), "status": { "enum": ["open", "allowed", "refused", "expired", "withdrawn"] },
            "asks_for": text(), "allowed": text(), "span": text(), "word": text(), "next": text(), "url": text(),
        })),
        "Problem": object(&["code", "error"], json!({ "code": text(), "error": text() })),
        "Refusal": object(&["exchange", "code", "reason"], json!({
            "exchange": text(), "code": text(), "reason": text(), "policy": { "type": "boolean" },
            "askable": { "type": "boolean" }, "proposal": { "type": ["string", "null"] },
        })),
        "Routes": object(&["routes", "attended"], json!({
            "attended": { "type": "boolean" },
            "routes": { "type": "array", "items": object(&["name", "host", "port", "scheme"], json!({
                "name": text(), "host": text(), "port": { "type": "integer" }, "scheme": text(), "protocol": text(),
                "tls": text(), "methods": texts(), "paths": texts(), "credential": { "type": "boolean" },
            })) },
        })),
    })
}
