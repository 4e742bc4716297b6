//! What runs inside.
use super::{Layer, Lower};
use crate::at::At;
use crate::plan::{AgentPlan, ToolsOf};
use crate::written::Agent;
use std::collections::BTreeMap;

/// What only describes the terminal, the language and the time zone.
const ALWAYS_PASSED: &[&str] = &[
    "TERM",
    "COLORTERM",
    "TERM_PROGRAM",
    "NO_COLOR",
    "FORCE_COLOR",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
    "TZ",
];

/// What the user said; else those whose presets are used.
fn tools(layers: &[Layer]) -> Vec<ToolsOf> {
    let said = layers.iter().find_map(|layer| layer.manifest.agent.as_ref()?.tools);
    let is_used =
        |agent: &ToolsOf| layers.iter().any(|layer| layer.preset.as_deref() == Some(agent.preset()));
    match said {
        Some(true) => ToolsOf::ALL.to_vec(),
        Some(false) => Vec::new(),
        None => ToolsOf::ALL.into_iter().filter(is_used).collect(),
    }
}

/// How well-known secrets begin.
const SECRET_BEGINNINGS: &[&str] = &[
    "sk-ant-",
    "sk-proj-",
    "sk-or-v1-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "AIza",
    "xoxb-",
    "xoxp-",
    "hf_",
    "npm_",
    "-----BEGIN",
];

impl Lower<'_> {
    pub(super) fn agent(&mut self, layers: &[Layer]) -> Option<AgentPlan> {
        let agents = || layers.iter().filter_map(|layer| layer.manifest.agent.as_ref());
        let time_limit = layers.first().and_then(|layer| layer.manifest.time_limit.as_ref());
        let time_limit_secs = time_limit.map(|limit| self.seconds(limit));
        let command = agents().find_map(|agent| agent.command.as_ref()).map(|command| self.command(command));
        let mut env = BTreeMap::new();
        let mut pass_env: Vec<String> = ALWAYS_PASSED.iter().map(|&name| name.to_owned()).collect();
        for agent in agents() {
            self.env(agent, &mut env);
            self.pass_env(agent, &mut pass_env);
        }
        Some(AgentPlan {
            command: command.unwrap_or(Some(Vec::new()))?,
            env,
            pass_env,
            time_limit_secs: match time_limit_secs {
                Some(seconds) => Some(seconds?),
                None => None,
            },
            tools: tools(layers),
        })
    }

    pub(super) fn seconds(&mut self, written: &At<String>) -> Option<u64> {
        super::units::duration(written).map_err(|why| self.error(written.span, why)).ok()
    }

    /// A program and its arguments, each of which can be one, and none of which is a secret: others can read them.
    pub(super) fn command(&mut self, written: &At<Vec<At<String>>>) -> Option<Vec<String>> {
        let words = self.some_of(written, "command", "name the program first, then its arguments")?;
        for word in words {
            if word.contains('\0') || words.first().is_some_and(|program| program.is_empty()) {
                self.error(word.span, "a program cannot be started by this name");
                return None;
            }
            self.no_secret(word);
        }
        Some(words.iter().map(|word| word.value.clone()).collect())
    }

    /// What was said first holds: the user's before the presets'.
    fn env(&mut self, agent: &Agent, env: &mut BTreeMap<String, String>) {
        for (name, value) in agent.env.iter().flat_map(|table| &table.0) {
            self.variable(name);
            self.no_secret(value);
            env.entry(name.value.clone()).or_insert_with(|| value.value.clone());
        }
    }

    fn pass_env(&mut self, agent: &Agent, pass_env: &mut Vec<String>) {
        for name in &agent.pass_env {
            self.variable(name);
            if !pass_env.contains(&name.value) {
                pass_env.push(name.value.clone());
            }
        }
    }

    /// Whether this can be a variable's name.
    pub(super) fn variable(&mut self, name: &At<String>) -> bool {
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let good = letters && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !good {
            self.error(name.span, format!("`{}` is not a variable's name", name.value));
        }
        good
    }

    /// A manifest is shown, logged and committed: a secret must not stand in it.
    pub(super) fn no_secret(&mut self, text: &At<String>) {
        let found =
            SECRET_BEGINNINGS.iter().find(|start| text.starts_with(**start) && text.len() > start.len() + 12);
        if let Some(start) = found {
            let message = format!("this looks like a secret (`{start}…`), and a manifest must not hold one");
            let hint =
                "export it as a variable and name that in a route: `auth: { …, token: { env: NAME } }`";
            self.error_hint(text.span, message, hint);
        }
    }
}
