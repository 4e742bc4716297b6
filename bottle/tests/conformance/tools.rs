//! The bottle's tools inside: the program, the entries in the agents' own files, and the agents' own command lines that read them.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::images;
use crate::stage::Ran;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("tools::the_program_inside_lists_the_tools_and_answers_for_nobody", program),
    ("tools::each_agent_has_its_entry_in_its_own_file", entries),
];
/// With the agents' own command lines.
pub(crate) const AGENTS: &[(&str, Scenario)] = &[
    ("tools::claude_code_connects_to_them", claude),
    ("tools::codex_knows_them_and_starts_with_an_entry_of_its_users_own", codex),
    ("tools::gemini_cli_connects_to_them", gemini),
    ("tools::opencode_connects_to_them_unless_its_user_has_another", opencode),
];

const URL: &str = "http://_egress.local/mcp";
const NAMES: [&str; 4] = ["egress-block", "egress-request-status", "explain-request", "list-egress-routes"];

/// A handshake as the protocol has it, and these calls.
pub(crate) fn lines(more: &[Value]) -> String {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let first = [
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }),
    ];
    first.iter().chain(more).map(|line| format!("{line}\n")).collect()
}

/// The answer with this id.
fn answer(out: &str, id: u64) -> Value {
    let all = out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.into_iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("no answer {id} in {out}"))
}

/// Exactly the four tools.
#[track_caller]
pub(crate) fn lists_the_tools(out: &str) {
    let listed = answer(out, 1);
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{out}"));
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

/// It speaks for the agent; and what it can do besides is what every program there can: nothing for the operator.
fn program(ground: Ground) {
    let scene = ground.scene("  on_request: [\"true\"]\n");
    let wish = json!({ "url": "https://other.test/x", "why": "the test" });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "egress-block", "arguments": wish } });
    scene.stage.write("lines", &lines(&[call]));
    let script = "
        command -v bottle
        /run/bottle/bin/bottle mcp <lines
        bottle mcp <lines >again
        id=$(grep -o '\"id\":\"[^\"]*\"' again | head -n 1); id=${id#*:?}; id=${id%?}
        [ -n \"$id\" ] || exit 9
        bottle allow \"$id\" >/dev/null 2>&1 && echo ALLOWED
        [ -z \"$(bottle requests --json 2>/dev/null | grep \"$id\")\" ] || echo SEES-REQUESTS
        [ -z \"$(bottle ps --quiet 2>/dev/null)\" ] || echo SEES-BOTTLES
        rm -f /run/bottle/bin/bottle 2>/dev/null; mv /run/bottle/bin/bottle away 2>/dev/null
        (echo x >/run/bottle/bin/bottle) 2>/dev/null && echo WRITTEN
        grep -q ' /run/bottle/bin[^ ]* [^ ]* ro' /proc/mounts || echo WRITABLE
        printf '%s\\n' '{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}' | /run/bottle/bin/bottle mcp
        probe get h1 variables http://_egress.local/
    ";
    let ran = scene.sh(script).ended_with(0);
    assert!(ran.out.starts_with("/run/bottle/bin/bottle\n"), "it is on the path: {ran:?}");
    lists_the_tools(&ran.out);
    let asked = answer(&ran.out, 2);
    assert!(asked["result"]["structuredContent"]["id"].is_string(), "{asked}");
    for word in ["ALLOWED", "SEES-REQUESTS", "SEES-BOTTLES", "WRITTEN", "WRITABLE"] {
        assert!(!ran.out.contains(word), "{ran:?}");
    }
    assert_eq!(answer(&ran.out, 3)["result"], json!({}), "it is as it was: {ran:?}");
    assert!(ran.out.contains("`/run/bottle/bin/bottle mcp`"), "the page says where it is: {ran:?}");
    scene.nothing_is_left();
}

const FILES: [&str; 4] =
    ["~/.claude.json", "~/.codex/config.toml", "~/.gemini/settings.json", "~/.config/opencode/config.json"];

/// What each file holds, and whose it is.
pub(crate) fn show() -> String {
    let each = FILES
        .map(|file| format!("echo '{file}'; cat {file} 2>/dev/null; stat -c %u:%g:%a {file} 2>/dev/null\n"));
    format!("{}id -u", each.concat())
}

fn entries(ground: Ground) {
    let scene = ground.scene("agent: { tools: true }\n");
    let more = "cat /etc/claude-code/CLAUDE.md /etc/codex/config.toml /etc/bottle/opencode.json /etc/bottle/instruction.md";
    let said = scene.sh(&format!("{}; {more}", show())).ended_with(0).out;
    assert_eq!(said.matches(URL).count(), 4, "{said}");
    for entry in [
        "\"alwaysLoad\": true",
        "\"type\": \"http\"",
        "[mcp_servers.bottle]\nurl = \"",
        "\"httpUrl\": \"",
        "\"type\": \"remote\"",
    ] {
        assert!(said.contains(entry), "no {entry} in {said}");
    }
    assert_eq!(said.matches("explain-request").count(), 3, "instructions: {said}");
    let off = ground.scene("agent: { tools: false }\n");
    assert!(!off.sh(&show()).ended_with(0).out.contains("_egress.local"));
}

/// Programs of this machine and what they are linked to; nothing of what trusts certificates.
const PROGRAMS: [&str; 4] =
    ["/usr/bin", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// Where `tests/setup` puts clients.
fn cache() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-clients");
    let set = std::env::var_os("BOTTLE_TEST_CACHE").filter(|set| !set.is_empty());
    let cache = set.map_or_else(default, PathBuf::from);
    cache.canonicalize().unwrap_or(cache)
}

/// A scene in which an agent's own program can run: an image that is this machine's programs. `None`: it is not installed.
fn with_client(ground: Ground, client: &str, more: &str) -> Option<(Scene, String)> {
    let program = cache().join(client);
    if !program.is_file() {
        crate::skip(&format!("{} with {client} (tests/setup could not install it)", ground.name()));
        return None;
    }
    let name = "programs:test";
    if ground.kind().is_some() {
        images::import(ground.engine(), name, |root| {
            for folder in ["bin", "sbin", "lib", "lib64"] {
                root.link(&format!("usr/{folder}"), folder);
            }
            root.folder("usr", 0o755);
            root.folder("usr/lib", 0o755);
            root.folder("tmp", 0o1777);
        });
    }
    let scene = ground.scene_in(name, &format!("agent: {{ tools: true{more} }}\n"));
    let manifest = std::fs::read_to_string(scene.stage.path("work/bottle.yaml")).expect("read");
    let folders = PROGRAMS.iter().map(PathBuf::from).filter(|path| ground.kind().is_some() && path.exists());
    let mounts = folders.chain([cache()]).map(|path| format!("  - {{ path: {} }}\n", path.display()));
    let mounts = format!("mounts:\n{}", mounts.collect::<String>());
    scene.stage.write("bottle.yaml", &manifest.replace("mounts:\n", &mounts));
    Some((scene, program.display().to_string()))
}

/// What an agent's own command line says, in time.
fn says(scene: &Scene, script: &str) -> Ran {
    let ran = scene.sh(&format!(
        "export PATH={}/node/node_modules/.bin:$PATH\nexec 2>&1 </dev/null\n{script}",
        cache().display()
    ));
    let _shown_when_it_fails = writeln!(std::io::stderr(), "{}", ran.out);
    ran
}

fn claude(ground: Ground) {
    let Some((scene, claude)) = with_client(ground, "claude/node_modules/.bin/claude", "") else { return };
    let said = says(&scene, &format!("timeout 60 {claude} mcp list")).out;
    assert!(said.contains(&format!("bottle: {URL}")) && said.contains("Connected"), "{said}");
}

/// It puts the keys of one server from all of its layers together: with ours and its user's it would not start.
fn codex(ground: Ground) {
    let Some((scene, codex)) = with_client(ground, "codex/node_modules/.bin/codex", "") else { return };
    let list = format!("timeout 60 {codex} mcp list");
    let added = says(&scene, &format!("{list}\n{codex} mcp add bottle -- /bin/mine x\n{list}"));
    let said = added.ended_with(0).out;
    assert!(said.contains(URL) && said.contains("/bin/mine"), "{said}");
    let later = says(&scene, &list).ended_with(0).out;
    assert!(later.contains("/bin/mine") && !later.contains(URL), "{later}");
}

fn gemini(ground: Ground) {
    let Some((scene, gemini)) =
        with_client(ground, "gemini/node_modules/.bin/gemini", ", env: { GEMINI_API_KEY: none }")
    else {
        return;
    };
    let said =
        says(&scene, &format!("GEMINI_CLI_TRUST_WORKSPACE=true timeout 60 node {gemini} mcp list")).out;
    assert!(said.contains(&format!("bottle: {URL}")) && said.contains("Connected"), "{said}");
}

/// As its preset says: it would write into a folder of the workspace that is protected.
const NO_PROJECT: &str = ", env: { OPENCODE_DISABLE_PROJECT_CONFIG: \"true\" }";

fn opencode(ground: Ground) {
    let Some((scene, opencode)) = with_client(ground, "opencode/node_modules/.bin/opencode", NO_PROJECT)
    else {
        return;
    };
    let list = format!("timeout 60 {opencode} mcp list");
    let said = says(&scene, &list).out;
    assert!(said.contains(URL) && said.contains("connected"), "{said}");
    let own = json!({ "mcp": { "bottle": { "type": "local", "command": ["/bin/mine"] } } });
    let said = says(&scene, &format!("echo '{own}' >~/.config/opencode/opencode.json\n{list}")).out;
    assert!(said.contains("/bin/mine") && !said.contains(" connected"), "{said}");
    let later = says(&scene, &list).out;
    assert!(later.contains("/bin/mine") && !later.contains(" connected"), "{later}");
}
