//! The bottle's tools, seen by the official SDKs' clients and by the agents' own command lines.
use crate::bottle::{Bottle, Ran, client, scripts};
use crate::world;

const NODE: &str = "node/node_modules/.bin/node";
/// Somebody is there to be asked.
const ATTENDED: &str = "  on_request: [\"true\"]\n";

/// A client listed the tools and called each of them.
#[track_caller]
fn called_all(ran: Ran, times: usize) {
    let ran = ran.ended(0);
    for line in [
        "server: bottle",
        "tools: egress-block egress-request-status explain-request list-egress-routes",
        "read only: egress-request-status explain-request list-egress-routes",
        "list-egress-routes: error=False This bottle may reach the following",
        "explain-request: error=False it would be refused: no route of this bottle allows the host `refused.test`",
        "for `GET https://refused.test/x` is open",
        "egress-request-status structured: {\"id\":",
        "explain-request: error=True the arguments are wrong: missing field `url`",
        "there is no tool `allow-everything`",
    ] {
        let found = ran.said.matches(line).count();
        assert!(found >= times, "`{line}` {found} times in:\n{}", ran.said);
    }
    assert!(!ran.said.contains("unknown tool: error"), "{}", ran.said);
}

#[test]
fn the_python_sdk_lists_and_calls_the_tools_over_both_transports() {
    let Some(python) = client("mcp/bin/python") else { return };
    let client = format!("{python} {}/mcp_client.py", scripts().display());
    let script = format!(
        "{client} http://_egress.local/mcp && {client} https://_egress.local/mcp && {client} bottle mcp"
    );
    called_all(Bottle::new("mcp-python").egress(ATTENDED).run(&script), 3);
}

#[test]
fn the_typescript_sdk_lists_and_calls_the_tools_over_both_transports() {
    let (Some(node), Some(_)) =
        (client(NODE), client("mcp-node/node_modules/@modelcontextprotocol/sdk/package.json"))
    else {
        return;
    };
    let modules = crate::bottle::cache().join("mcp-node/node_modules");
    let client = format!("{node} {}/mcp_client.mjs {}", scripts().display(), modules.display());
    let script = format!(
        "{client} http://_egress.local/mcp && {client} https://_egress.local/mcp && {client} bottle mcp"
    );
    called_all(Bottle::new("mcp-node").egress(ATTENDED).run(&script), 3);
}

#[test]
fn claude_code_finds_the_tools_by_itself() {
    let Some(claude) = client("claude/node_modules/.bin/claude") else { return };
    let ran = Bottle::new("claude-tools")
        .preset("claude-code")
        .run(&format!("{claude} mcp list; {claude} mcp get bottle; {claude} mcp add --scope user mine -- /bin/true; {claude} mcp list"));
    let ran = ran
        .without_secrets()
        .says("bottle: http://_egress.local/mcp (HTTP) - ✔ Connected")
        .says("Scope: User config");
    ran.says("mine: /bin/true");
}

/// The model wants the tool, Claude Code calls it, and what it says comes back to the model.
#[test]
fn claude_code_asks_for_a_route_when_its_model_wants_one() {
    let Some(claude) = client("claude/node_modules/.bin/claude") else { return };
    let script = format!("{claude} -p --dangerously-skip-permissions '{}'", world::ASKING);
    let ran = Bottle::new("claude-asks").preset("claude-code").egress(ATTENDED).run(&script).ended(0);
    // Claude Code gives its model the structured form.
    ran.says("the tool said: ").says("\\\"status\\\":\\\"open\\\"").says("GET https://refused.test/x");
}

#[test]
fn opencode_finds_the_tools_by_itself_and_asks_for_a_route() {
    let Some(opencode) = client("opencode/node_modules/.bin/opencode") else { return };
    let script = format!(
        "{opencode} mcp list; {opencode} run -m anthropic/claude-sonnet-4-5 '{}' </dev/null",
        world::ASKING
    );
    let ran = Bottle::new("opencode-tools").preset("opencode").egress(ATTENDED).run(&script).ended(0);
    ran.says("bottle").says("connected").says("for `GET https://refused.test/x` is open");
}

/// Codex lists what it is configured with, and connects when it is asked something.
#[test]
fn codex_finds_the_tools_by_itself() {
    let Some(codex) = client("codex/node_modules/.bin/codex") else { return };
    let script = format!("{codex} mcp list; {codex} mcp get bottle");
    let ran = Bottle::new("codex-tools").preset("codex").run(&script).ended(0);
    ran.says("http://_egress.local/mcp").says("enabled: true").says("transport: streamable_http");
}

#[test]
fn gemini_cli_finds_the_tools_by_itself() {
    let (Some(gemini), Some(node)) = (client("gemini/node_modules/.bin/gemini"), client(NODE)) else {
        return;
    };
    let ran = Bottle::new("gemini-tools").preset("gemini-cli").run(&format!("{node} {gemini} mcp list"));
    ran.ended(0).says("bottle: http://_egress.local/mcp (http) - Connected");
}
