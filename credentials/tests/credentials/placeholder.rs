//! Placeholders that SDKs accept.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use credentials::{Placeholder, PlaceholderFormat};

const FORMATS: [PlaceholderFormat; 11] = [
    PlaceholderFormat::Opaque,
    PlaceholderFormat::Anthropic,
    PlaceholderFormat::AnthropicOauth,
    PlaceholderFormat::Openai,
    PlaceholderFormat::Google,
    PlaceholderFormat::Github,
    PlaceholderFormat::Gitlab,
    PlaceholderFormat::Jwt,
    PlaceholderFormat::Openrouter,
    PlaceholderFormat::Npm,
    PlaceholderFormat::Huggingface,
];

fn text(format: PlaceholderFormat) -> String {
    Placeholder::random(format).as_str().to_owned()
}

#[test]
fn formats_have_the_prefix_and_length_that_sdks_check() {
    for (format, prefix, length) in [
        (PlaceholderFormat::Opaque, "bottle_", 47),
        (PlaceholderFormat::Anthropic, "sk-ant-api03-", 108),
        (PlaceholderFormat::AnthropicOauth, "sk-ant-oat01-", 108),
        (PlaceholderFormat::Openai, "sk-proj-", 164),
        (PlaceholderFormat::Google, "AIza", 39),
        (PlaceholderFormat::Github, "ghp_", 40),
        (PlaceholderFormat::Gitlab, "glpat-", 33),
        (PlaceholderFormat::Openrouter, "sk-or-v1-", 73),
        (PlaceholderFormat::Npm, "npm_", 40),
        (PlaceholderFormat::Huggingface, "hf_", 37),
    ] {
        let text = text(format);
        assert!(text.starts_with(prefix), "{format:?}: {text}");
        assert_eq!(text.len(), length, "{format:?}: {text}");
    }
}

#[test]
fn a_jwt_has_three_parts_and_ends_far_in_the_future() {
    let text = text(PlaceholderFormat::Jwt);
    let parts: Vec<Vec<u8>> = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let [header, claims, signature] = &parts[..] else { panic!("{text}") };
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(claims).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&"RS256".into(), &"JWT".into()));
    assert!(claims["exp"].as_u64().unwrap() > 4_000_000_000);
    assert_eq!(claims["https://api.openai.com/auth"]["chatgpt_account_id"].as_str().unwrap().len(), 36);
    assert_eq!(signature.len(), 64);
}

#[test]
fn no_placeholder_is_the_beginning_of_another_or_comes_twice() {
    let all: Vec<String> = FORMATS.into_iter().chain(FORMATS).map(text).collect();
    for (at, one) in all.iter().enumerate() {
        for (_, other) in all.iter().enumerate().filter(|(other, _)| *other != at) {
            assert!(!other.starts_with(one.as_str()), "{one} begins {other}");
        }
    }
}

#[test]
fn placeholders_stand_for_themselves_everywhere() {
    for format in FORMATS {
        let text = text(format);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
        assert_eq!(Placeholder::parse(&text).unwrap().as_str(), text);
    }
    for text in
        ["", "short", "has a blank in its middle", "has%25percent%25signs%25", "has\"quotes\"in\"its\"text"]
    {
        assert_eq!(Placeholder::parse(text), None, "{text}");
    }
}
