//! `bottle mcp`: the agent's tools over standard input and output, inside of a bottle.
use crate::failure::Outcome;
use crate::mcp::relay;
use clap::Args;
use std::process::ExitCode;

/// Arguments of `bottle mcp`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct McpArgs {}

const AFTER_HELP: &str = "\
Agents start this inside of a bottle; its tools say what the bottle may reach, why a request was refused, and ask the
operator for more. Nothing can be allowed with it. Agents that speak HTTP find the same at http://_egress.local/mcp,
and the presets of claude-code, codex, gemini-cli and opencode write that entry by themselves.

Example, as an entry of an agent's configuration:
  { \"command\": \"bottle\", \"args\": [\"mcp\"] }";

/// Relays until standard input ends.
///
/// # Errors
/// Outside of a bottle.
pub fn run(_: &McpArgs) -> Outcome {
    relay::relay()?;
    Ok(ExitCode::SUCCESS)
}
