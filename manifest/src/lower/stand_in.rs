//! The look of placeholders: as written, or as the variable and the host suggest.
use crate::written;
use credentials::{AuthScheme, PlaceholderFormat};
use policy::{Host, HostPattern};

pub(super) fn format(format: written::Format) -> PlaceholderFormat {
    match format {
        written::Format::Opaque => PlaceholderFormat::Opaque,
        written::Format::Anthropic => PlaceholderFormat::Anthropic,
        written::Format::AnthropicOauth => PlaceholderFormat::AnthropicOauth,
        written::Format::Openai => PlaceholderFormat::Openai,
        written::Format::Google => PlaceholderFormat::Google,
        written::Format::Github => PlaceholderFormat::Github,
        written::Format::Gitlab => PlaceholderFormat::Gitlab,
        written::Format::Jwt => PlaceholderFormat::Jwt,
        written::Format::Openrouter => PlaceholderFormat::Openrouter,
        written::Format::Npm => PlaceholderFormat::Npm,
        written::Format::Huggingface => PlaceholderFormat::Huggingface,
    }
}

/// SDKs look at their key before they send it. The variable's name says most; else the host does.
pub(super) fn guess(env: &[String], host: &HostPattern, scheme: &AuthScheme) -> PlaceholderFormat {
    env.iter().find_map(|name| by_variable(name)).or_else(|| by_host(host, scheme)).unwrap_or_default()
}

fn by_variable(name: &str) -> Option<PlaceholderFormat> {
    Some(match name {
        "ANTHROPIC_API_KEY" => PlaceholderFormat::Anthropic,
        "CLAUDE_CODE_OAUTH_TOKEN" | "ANTHROPIC_AUTH_TOKEN" => PlaceholderFormat::AnthropicOauth,
        "OPENAI_API_KEY" | "CODEX_API_KEY" => PlaceholderFormat::Openai,
        "GEMINI_API_KEY" | "GOOGLE_API_KEY" | "GOOGLE_GENERATIVE_AI_API_KEY" => PlaceholderFormat::Google,
        "GH_TOKEN" | "GITHUB_TOKEN" | "GITHUB_PERSONAL_ACCESS_TOKEN" => PlaceholderFormat::Github,
        "GITLAB_TOKEN" | "GL_TOKEN" => PlaceholderFormat::Gitlab,
        "OPENROUTER_API_KEY" => PlaceholderFormat::Openrouter,
        "NPM_TOKEN" | "NODE_AUTH_TOKEN" => PlaceholderFormat::Npm,
        "HF_TOKEN" | "HUGGING_FACE_HUB_TOKEN" => PlaceholderFormat::Huggingface,
        _ => return None,
    })
}

fn by_host(host: &HostPattern, scheme: &AuthScheme) -> Option<PlaceholderFormat> {
    let name = match host {
        HostPattern::Exact(Host::Name(name)) | HostPattern::Below(name) => &**name,
        HostPattern::Exact(Host::Ip(_)) => return None,
    };
    let is =
        |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let formats = [
        ("openai.com", PlaceholderFormat::Openai),
        ("chatgpt.com", PlaceholderFormat::Jwt),
        ("generativelanguage.googleapis.com", PlaceholderFormat::Google),
        ("github.com", PlaceholderFormat::Github),
        ("githubusercontent.com", PlaceholderFormat::Github),
        ("gitlab.com", PlaceholderFormat::Gitlab),
        ("openrouter.ai", PlaceholderFormat::Openrouter),
        ("huggingface.co", PlaceholderFormat::Huggingface),
    ];
    if is("anthropic.com") {
        let oauth = *scheme == AuthScheme::Bearer;
        return Some(if oauth { PlaceholderFormat::AnthropicOauth } else { PlaceholderFormat::Anthropic });
    }
    formats.iter().find(|(domain, _)| is(domain)).map(|(_, format)| *format)
}
