//! The agents' own command lines, each with one prompt, against small fakes of the providers' APIs.
use crate::bottle::{Bottle, client};
use crate::{tokens, world};

const PROMPT: &str = "write made.txt with the shell";

/// The tool ran in the workspace, the words came back, and the provider saw the real key.
#[track_caller]
fn completed(bottle: &Bottle, script: &str, host: &str, header: &str, value: &str) {
    let ran = bottle.run(script).ended(0).says("the bottle holds");
    let made = std::fs::read_to_string(bottle.workspace().join("made.txt")).unwrap_or_default();
    assert_eq!(made, "made-in-the-bottle\n", "the tool did not run:\n{}", ran.said);
    keyed(host, header, value);
}

/// Whatever carried a key carried the real one: a placeholder never went out.
#[track_caller]
fn keyed(host: &str, header: &str, value: &str) {
    let seen = world::world().seen(host, "/v1");
    let keys: Vec<_> = seen.iter().map(|seen| seen.header(header)).filter(|key| !key.is_empty()).collect();
    assert!(!keys.is_empty(), "{host} saw no key");
    assert!(keys.iter().all(|key| *key == value), "{host} saw {keys:?}");
}

#[test]
fn claude_code_completes_a_prompt_with_a_tool_call() {
    let Some(claude) = client("claude/node_modules/.bin/claude") else { return };
    let script = format!("{claude} -p --dangerously-skip-permissions '{PROMPT}'");
    let bottle = Bottle::new("claude").preset("claude-code");
    completed(&bottle, &script, world::ANTHROPIC, "x-api-key", tokens::ANTHROPIC);
}

#[test]
fn codex_completes_a_prompt_with_a_tool_call() {
    let Some(codex) = client("codex/node_modules/.bin/codex") else { return };
    let script = format!(
        "mkdir -p ~/.codex; printf '{{\"OPENAI_API_KEY\":\"%s\"}}' \"$OPENAI_API_KEY\" > ~/.codex/auth.json\n\
         {codex} exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox '{PROMPT}' </dev/null"
    );
    let bearer = format!("Bearer {}", tokens::OPENAI);
    completed(&Bottle::new("codex").preset("codex"), &script, world::OPENAI, "authorization", &bearer);
}

#[test]
fn gemini_cli_completes_a_prompt_with_a_tool_call() {
    let (Some(gemini), Some(node)) =
        (client("gemini/node_modules/.bin/gemini"), client("node/node_modules/.bin/node"))
    else {
        return;
    };
    let script = format!("{node} {gemini} --yolo --skip-trust -m gemini-2.5-flash -p '{PROMPT}' </dev/null");
    completed(
        &Bottle::new("gemini").preset("gemini-cli"),
        &script,
        world::GEMINI,
        "x-goog-api-key",
        tokens::GEMINI,
    );
}

#[test]
fn opencode_completes_a_prompt_with_a_tool_call() {
    let Some(opencode) = client("opencode/node_modules/.bin/opencode") else { return };
    let script = format!("{opencode} run -m anthropic/claude-sonnet-4-5 '{PROMPT}' </dev/null");
    let bottle = Bottle::new("opencode").preset("opencode");
    completed(&bottle, &script, world::ANTHROPIC, "x-api-key", tokens::ANTHROPIC);
}

#[test]
fn aider_completes_a_prompt() {
    let Some(aider) = client("aider/bin/aider") else { return };
    let script = format!(
        "{aider} --no-git --yes-always --no-check-update --no-show-model-warnings --analytics-disable --no-stream \
         --model openai/gpt-4o --message '{PROMPT}' </dev/null"
    );
    Bottle::new("aider").preset("aider").run(&script).ended(0).says("the bottle holds");
    keyed(world::OPENAI, "authorization", &format!("Bearer {}", tokens::OPENAI));
}
