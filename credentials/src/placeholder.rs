//! Stand-ins: random per run, in a format that the provider's SDK accepts.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::distr::Alphanumeric;
use rand::rngs::OsRng;
use rand::{Rng, TryRngCore};
use serde::{Deserialize, Serialize};

/// The look of a placeholder. In each at least 128 bits are random.
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

/// Shorter texts could stand somewhere by chance.
const SHORTEST: usize = 20;

/// What the agent holds instead of a secret. Not secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placeholder(pub(crate) String);

impl Placeholder {
    /// A new one from the kernel's randomness.
    pub fn random(format: PlaceholderFormat) -> Placeholder {
        Placeholder(match format {
            PlaceholderFormat::Opaque => format!("bottle_{}", letters(40)),
            PlaceholderFormat::Anthropic => format!("sk-ant-api03-{}AA", letters(93)),
            PlaceholderFormat::AnthropicOauth => format!("sk-ant-oat01-{}AA", letters(93)),
            // Every OpenAI key has this mark in its middle.
            PlaceholderFormat::Openai => format!("sk-proj-{}T3BlbkFJ{}", letters(74), letters(74)),
            PlaceholderFormat::Google => format!("AIza{}", letters(35)),
            PlaceholderFormat::Github => checked("ghp_"),
            PlaceholderFormat::Gitlab => format!("glpat-{}", letters(27)),
            PlaceholderFormat::Jwt => jwt(),
            PlaceholderFormat::Openrouter => format!("sk-or-v1-{}", hex(32)),
            PlaceholderFormat::Npm => checked("npm_"),
            PlaceholderFormat::Huggingface => format!("hf_{}", letters(34)),
        })
    }

    /// One that was made elsewhere (the launcher's, in a sidecar): long enough, and of characters that stand for
    /// themselves in a header, an address and JSON.
    pub fn parse(text: &str) -> Option<Placeholder> {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (text.len() >= SHORTEST && text.bytes().all(fit)).then(|| Placeholder(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn letters(count: usize) -> String {
    OsRng.unwrap_err().sample_iter(Alphanumeric).take(count).map(char::from).collect()
}

fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    OsRng.unwrap_err().fill(bytes.as_mut_slice());
    bytes
}

fn hex(count: usize) -> String {
    bytes(count).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// GitHub's form, which npm shares: thirty characters and their checksum.
fn checked(prefix: &str) -> String {
    let random = letters(30);
    let checksum = checksum(&random);
    format!("{prefix}{random}{checksum}")
}

/// CRC-32 in six digits of base 62.
fn checksum(text: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32(text.as_bytes());
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Header, claims and signature in shape. The claims are those that ChatGPT's clients read before they send a token.
fn jwt() -> String {
    let id = hex(16);
    let account = format!("{}-{}-4{}-8{}-{}", &id[..8], &id[8..12], &id[13..16], &id[17..20], &id[20..]);
    let claims = serde_json::json!({
        "iss": "https://auth.openai.com",
        "aud": ["https://api.openai.com/v1"],
        "iat": 1_767_225_600,
        // 2100-01-01: no client shall try to refresh it.
        "exp": 4_102_444_800_u64,
        "jti": id,
        "sub": format!("bottle|{id}"),
        "email": "agent@bottle.invalid",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account,
            "chatgpt_plan_type": "pro",
            "chatgpt_user_id": format!("user-{id}"),
            "user_id": format!("user-{id}"),
        },
        "https://api.openai.com/profile": { "email": "agent@bottle.invalid", "email_verified": true },
    });
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = part(br#"{"alg":"RS256","typ":"JWT","kid":"bottle"}"#);
    format!("{header}.{}.{}", part(claims.to_string().as_bytes()), part(&bytes(64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_githubs() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        // A published example of a revoked token.
        assert_eq!(checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), "0mLq17");
    }
}
