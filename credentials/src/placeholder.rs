//! Stand-ins: random per run, in a format that the provider's SDK accepts.
use serde::{Deserialize, Serialize};

/// The look of a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceholderFormat {
    /// `bottle_` + 40 letters and digits.
    #[default]
    Opaque,
    /// `sk-ant-api03-…` (Anthropic API key).
    Anthropic,
    /// `sk-ant-oat01-…` (Anthropic OAuth token).
    AnthropicOauth,
    /// `sk-proj-…` (OpenAI).
    Openai,
    /// `AIza…` (Google API key, 39 characters).
    Google,
    /// `ghp_…` with GitHub's CRC-32 checksum.
    Github,
    /// `glpat-…` (GitLab).
    Gitlab,
    /// A JWT in shape with a far `exp` (ChatGPT).
    Jwt,
    /// `sk-or-v1-…` (OpenRouter).
    Openrouter,
    /// `npm_…`.
    Npm,
    /// `hf_…`.
    Huggingface,
}

/// What the agent holds instead of a secret. Not secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placeholder(pub(crate) String);

impl Placeholder {
    /// A new one from the kernel's randomness.
    pub fn random(format: PlaceholderFormat) -> Placeholder {
        let _ = format;
        todo!()
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
