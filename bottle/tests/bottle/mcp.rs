//! The agent's tools: the protocol as it stands on the wire, and what a bottle has of them inside.
use crate::egress::Serving;
use crate::stage::{Stage, as_every_user};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

const TOOLS: [&str; 4] = ["egress-block", "egress-request-status", "explain-request", "list-egress-routes"];
const BOTH: &str = "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";
const ROUTES: &str =
    "egress:\n  on_request: [\"true\"]\n  routes:\n    - { host: api.test, methods: [GET] }\n";

/// An egress and a manifest of one route.
fn serving(stage: &Stage) -> Serving {
    stage.manifest("egress: { routes: [{ host: api.test, methods: [GET] }] }\n");
    Serving::start(stage, &[])
}

/// One request to the tools: status, head and body.
fn post(serving: &Serving, method: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&serving.at).expect("it listens");
    let length = body.len();
    let text = format!(
        "{method} http://_egress.local/mcp HTTP/1.1\r\nHost: _egress.local\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer to its end");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn told(serving: &Serving, headers: &str, message: &Value) -> Value {
    let (status, _, body) = post(serving, "POST", &format!("{BOTH}{headers}"), &message.to_string());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn initialize(version: &str) -> Value {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })
}

fn call(id: u32, name: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": arguments } })
}

#[test]
fn the_protocol_is_kept() {
    let stage = Stage::ordinary();
    let serving = serving(&stage);
    for (asked, agreed) in [
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let (status, head, body) = post(&serving, "POST", BOTH, &initialize(asked).to_string());
        let welcome: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, &welcome["result"]["protocolVersion"]), (200, &json!(agreed)), "{asked}: {body}");
        assert!(!head.contains("mcp-session-id") && head.contains("cache-control: no-store"), "{head}");
    }
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (status, _, body) = post(&serving, "POST", BOTH, &ready.to_string());
    assert_eq!((status, body.as_str()), (202, ""));
    let version = "mcp-protocol-version: 2025-06-18\r\nmcp-session-id: of-some-other-server\r\n";
    assert_eq!(
        told(&serving, version, &json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }))["result"],
        json!({})
    );
    let listed = told(&serving, version, &json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }));
    let tools = listed["result"]["tools"].as_array().expect("a list");
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, TOOLS, "these and no other: none of them answers for the operator");
    for tool in tools {
        let reads = tool["name"] != "egress-block";
        assert_eq!(tool["annotations"]["readOnlyHint"], reads, "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
    }
    let explained = call(3, "explain-request", &json!({ "method": "GET", "url": "https://api.test/x" }));
    let explained = told(&serving, version, &explained);
    assert_eq!(explained["result"]["structuredContent"], json!({ "allowed": true, "route": "api.test" }));
}

#[test]
fn what_is_no_message_of_the_protocol_is_refused() {
    let stage = Stage::ordinary();
    let serving = serving(&stage);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let long =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "x".repeat(65 * 1024) } });
    for (method, headers, body, expected) in [
        ("GET", "accept: text/event-stream\r\n", "", 405),
        ("DELETE", "mcp-session-id: x\r\n", "", 405),
        ("POST", BOTH, &format!("[{list}]"), 415),
        ("POST", BOTH, "{", 415),
        ("POST", BOTH, &long.to_string(), 413),
        ("POST", "content-type: text/plain\r\naccept: application/json, text/event-stream\r\n", &list, 415),
        ("POST", &format!("{BOTH}mcp-protocol-version: 1999-01-01\r\n"), &list, 400),
        ("POST", &format!("{BOTH}origin: http://evil.example\r\n"), &list, 403),
        ("POST", &format!("{BOTH}origin: null\r\n"), &list, 403),
        ("POST", &format!("{BOTH}sec-fetch-site: cross-site\r\n"), &list, 403),
        ("POST", &format!("{BOTH}host: evil.example\r\n"), &list, 400),
        ("OPTIONS", "origin: http://evil.example\r\n", "", 403),
    ] {
        let (status, head, told) = post(&serving, method, headers, body);
        assert_eq!(
            status,
            expected,
            "{method} {headers} {}: {told}",
            body.chars().take(80).collect::<String>()
        );
        assert!(!head.contains("access-control-allow"), "{head}");
        assert!(!told.contains("egress-block"), "nothing is told: {told}");
    }
    let unknown = told(&serving, "", &call(1, "egress-allow", &json!({ "id": "x" })));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let unknown = told_as(&serving, &json!({ "jsonrpc": "2.0", "id": 2, "method": "egress/allow" }));
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    let wrong = call(3, "egress-block", &json!({ "url": "https://x.test/", "why": "x", "answer": "allow" }));
    let wrong = told(&serving, "", &wrong);
    assert_eq!(wrong["result"]["structuredContent"]["code"], "malformed", "{wrong}");
}

/// An answer of whatever status.
fn told_as(serving: &Serving, message: &Value) -> Value {
    serde_json::from_str(&post(serving, "POST", BOTH, &message.to_string()).2).expect("JSON")
}

/// What `bottle mcp` says to these lines, with this egress as the proxy.
fn relayed(stage: &Stage, at: &str, lines: &[Value]) -> Vec<Value> {
    let mut command = stage.bottle(&["mcp"]);
    command.env("http_proxy", format!("http://{at}")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a message to a line")).collect()
}

#[test]
fn lines_in_are_lines_out() {
    let stage = Stage::ordinary();
    let serving = serving(&stage);
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let list = json!({ "jsonrpc": "2.0", "id": "two", "method": "tools/list" });
    let mut answers = relayed(&stage, &serving.at, &[initialize("2025-06-18"), ready, json!([list]), list]);
    answers.sort_by_key(|answer| answer["id"].to_string());
    let [listed, first, batch] = &answers[..] else { panic!("not three: {answers:?}") };
    assert_eq!(batch["error"]["code"], -32600, "{batch}");
    assert_eq!((&first["id"], &first["result"]["protocolVersion"]), (&json!(0), &json!("2025-06-18")));
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(4), "{listed}");
    let no_json = relayed(&stage, &serving.at, &[json!("x".repeat(70_000))]);
    assert_eq!(no_json[0]["error"]["code"], -32700, "too long for a line: {no_json:?}");
}

#[test]
fn outside_of_a_bottle_it_says_so() {
    let stage = Stage::ordinary();
    let mut command = stage.bottle(&["mcp"]);
    let output = command.env("http_proxy", "http://127.0.0.1:9").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(
        said.contains("no egress answers at `127.0.0.1:9`") && said.contains("inside of a bottle"),
        "{said}"
    );
}

/// Over captured names and over the proxy, by both schemes; the program is there, and has no way to the operator's side.
#[test]
fn a_bottle_has_the_tools_inside_and_nothing_of_its_operators() {
    as_every_user(|stage| {
        stage.manifest(ROUTES);
        let lines = [
            initialize("2025-06-18"),
            call(1, "egress-block", &json!({ "url": "https://other.test/x", "why": "the test" })),
        ];
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        stage.write("lines", &lines);
        let script = "
            for without in '' 'env -u http_proxy -u HTTP_PROXY'; do $without bottle mcp <lines || exit 1; done
            curl -sS --noproxy '*' http://_egress.local/routes.json && curl -sS --noproxy '*' https://_egress.local/ask/none
            curl -sS http://_egress.local/ask/none
            echo; echo \"bottles: $(bottle ps --quiet 2>&1)\"
            find / -xdev -type s 2>/dev/null; find /run /tmp -name '*control*' 2>/dev/null
            rm -f /run/bottle/bin/bottle; echo x 2>/dev/null >/run/bottle/bin/bottle || echo kept
        ";
        let ran = stage.run(&["run", "--quiet", "--", "sh", "-c", script]).ended_with(0);
        assert_eq!(ran.out.matches("is open; ").count(), 2, "{}\n{}", ran.out, ran.err);
        let ids: Vec<&str> = ran
            .out
            .split("\"structuredContent\":{\"id\":\"")
            .skip(1)
            .filter_map(|text| text.split('"').next())
            .collect();
        assert!(ids.len() >= 2 && ids[0] == ids[1], "the same is asked once: {ids:?}");
        assert!(ran.out.contains("\"attended\":true"), "{}", ran.out);
        assert_eq!(ran.out.matches("unknown-id").count(), 2, "{}", ran.out);
        assert!(ran.out.contains("bottles: \n") && ran.out.ends_with("kept\n"), "{}", ran.out);
        assert!(!ran.out.contains("control"), "{}", ran.out);
    });
}

#[test]
fn agents_find_the_tools_in_their_own_configuration_when_they_are_to() {
    let files = "/etc/claude-code/CLAUDE.md /etc/codex/config.toml /etc/bottle/opencode.json ~/.claude.json \
                 ~/.codex/config.toml ~/.gemini/settings.json ~/.config/opencode/config.json";
    let script = format!("cat {files} 2>/dev/null; echo \"[$OPENCODE_CONFIG]\"");
    let run = |stage: &Stage, rest: &str| {
        stage.manifest(rest);
        stage.run(&["run", "--quiet", "--", "sh", "-c", &script]).ended_with(0).out
    };
    let stage = Stage::ordinary();
    assert_eq!(run(&stage, ""), "[]\n", "no preset, no entry");
    let all = run(&stage, "agent: { tools: true }\n");
    assert_eq!(all.matches("http://_egress.local/mcp").count(), 4, "{all}");
    assert!(all.contains("list-egress-routes") && all.ends_with("[/etc/bottle/opencode.json]\n"), "{all}");
    let off = run(&stage, "agent: { tools: false }\n");
    assert!(!off.contains("_egress.local"), "the entry in the private home is gone again: {off}");
    let own = run(&stage, "agent: { tools: true, env: { OPENCODE_CONFIG: /own.json } }\n");
    assert!(own.ends_with("[/own.json]\n") && own.matches("_egress.local/mcp").count() == 4, "{own}");
}
