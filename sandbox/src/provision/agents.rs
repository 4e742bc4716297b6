//! A short instruction about the bottle's tools in the agents' own configuration, where each agent merges what it finds with what its
//! user wrote, and the user's word goes before. Nothing of the user's is touched. The entries themselves stand in the agents'
//! own files in the private home, which `bottle run` sees to: no agent has a lower place that could hold one.
use super::Provision;
use manifest::plan::ToolsOf;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What the entry is called.
pub const TOOLS_NAME: &str = "bottle";
/// Where the tools are.
pub const TOOLS_URL: &str = "http://_egress.local/mcp";

const CLAUDE: &str = "/etc/claude-code/CLAUDE.md";
const CODEX: &str = "/etc/codex/config.toml";
const OPENCODE: &str = "/etc/bottle/opencode.json";
const INSTRUCTION_PATH: &str = "/etc/bottle/instruction.md";
/// Names a further configuration of opencode; a manifest that sets it keeps its own.
const OPENCODE_VARIABLE: &str = "OPENCODE_CONFIG";

/// Read by the agent at every start.
const INSTRUCTION: &str = "You run inside a bottle. Its egress lets out only what its operator allowed, and a refused request (403 with \
    the header `bottle-decision: denied`) is policy, not a fault: do not retry it and look for no way around it. The tools of the \
    MCP server `bottle` say what is allowed (`list-egress-routes`, `explain-request`) and ask the operator for what you need \
    (`egress-block`, then `egress-request-status`). Without tools: http://_egress.local/.\n";

/// Whether an agent's own configuration could stand at this path in an image: that one stays.
#[must_use]
pub fn is_agents_own(path: &Path) -> bool {
    [CLAUDE, CODEX].iter().any(|own| path == Path::new(own))
}

impl Provision {
    /// Instructions for these agents; `says` tells which variables are taken.
    pub(super) fn tools(&mut self, of: &[ToolsOf], says: impl Fn(&str) -> bool) {
        for agent in of {
            match agent {
                ToolsOf::ClaudeCode => self.text(CLAUDE, INSTRUCTION),
                ToolsOf::Codex => self.text(CODEX, &codex()),
                // What the server itself says to agents is its instruction; and so it is for who has a file of their own.
                ToolsOf::GeminiCli => {}
                ToolsOf::Opencode if says(OPENCODE_VARIABLE) => {}
                ToolsOf::Opencode => {
                    self.set(OPENCODE_VARIABLE, OPENCODE);
                    self.text(OPENCODE, &opencode());
                    self.text(INSTRUCTION_PATH, INSTRUCTION);
                }
            }
        }
    }

    fn text(&mut self, path: &str, text: &str) {
        self.file(PathBuf::from(path), text.as_bytes());
    }
}

/// Of all its layers the lowest. The instruction has no quotes and no backslashes that TOML would read. No server: Codex puts the
/// keys of one from all layers together.
fn codex() -> String {
    format!("developer_instructions = '''\n{INSTRUCTION}'''\n")
}

/// Lists of instructions are put together. No server: this is read after what its user wrote.
fn opencode() -> String {
    format!("{:#}\n", json!({ "instructions": [INSTRUCTION_PATH] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provided(of: &[ToolsOf], taken: &[&str]) -> Provision {
        let mut provision = Provision::default();
        provision.tools(of, |name| taken.contains(&name));
        provision
    }

    #[test]
    fn each_agent_gets_its_own_and_no_other() {
        let paths = |of: &[ToolsOf]| -> Vec<String> {
            provided(of, &[]).files.iter().map(|file| file.path.display().to_string()).collect()
        };
        assert_eq!(paths(&[]), [""; 0]);
        assert_eq!(paths(&[ToolsOf::ClaudeCode]), [CLAUDE]);
        assert_eq!(paths(&[ToolsOf::Codex, ToolsOf::GeminiCli]), [CODEX]);
        assert_eq!(paths(&[ToolsOf::Opencode]), [OPENCODE, INSTRUCTION_PATH]);
    }

    #[test]
    fn a_configuration_of_the_users_own_is_not_replaced() {
        let provision = provided(&[ToolsOf::Opencode], &[OPENCODE_VARIABLE]);
        assert!(provision.files.is_empty() && provision.env.is_empty());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let value: serde_json::Value = serde_json::from_str(&opencode()).expect("JSON");
        assert_eq!(
            value,
            json!({ "instructions": [INSTRUCTION_PATH] }),
            "nothing that goes before its user's"
        );
        assert!(!codex().contains("mcp_servers"), "with an own `command` of its user Codex would not start");
        assert!(!INSTRUCTION.contains("'''"), "it would end the text in Codex's file");
    }
}
