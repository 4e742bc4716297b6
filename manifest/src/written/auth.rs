//! Credentials as written: how a secret stands in a request, where it comes from, what stands in for it.
use crate::at::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as Derive;
use serde::de::{Deserialize, Deserializer, Visitor};
use std::borrow::Cow;

/// A credential, or a list of which the first one at hand is taken.
#[derive(Debug, Clone)]
pub struct AuthChoice(pub Vec<At<Auth>>);

/// How a secret stands in the requests of a route. The agent's own value for that place is always removed first.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Where the secret goes.
    pub scheme: At<AuthScheme>,
    /// `scheme: header`: the header's name.
    pub header: Option<At<String>>,
    /// `scheme: header`: what stands before the token, for example `"token "`.
    pub prefix: Option<At<String>>,
    /// `scheme: basic`: the user name.
    pub username: Option<At<String>>,
    /// `scheme: query`: the parameter's name.
    pub parameter: Option<At<String>>,
    /// `scheme: placeholder`: where it is swapped besides headers, query and path. Only for a far side that gives nothing
    /// back of what it was sent: it may spell the secret anew (“with a dash after each letter”), which nothing can find.
    #[serde(rename = "in")]
    pub places: Option<At<Vec<At<PlaceWord>>>>,
    /// Where the secret comes from.
    pub token: At<Token>,
    /// Variables of the agent's environment that hold the placeholder. Default: the variable that `token.env` names.
    pub placeholder_env: Option<At<Vec<At<String>>>>,
    /// The look of the placeholder, for clients that check it. Default: guessed from the host and the variable.
    pub format: Option<At<Format>>,
}

/// Where a secret goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthScheme {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: Basic …`, made from `username` and the token.
    Basic,
    /// The header named by `header`, after `prefix`.
    Header,
    /// The query parameter named by `parameter`.
    Query,
    /// Wherever the agent put the placeholder in headers, query and path; in bodies and WebSocket text where `in` says so.
    Placeholder,
}

/// Where a placeholder is swapped besides headers, query and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PlaceWord {
    /// JSON, form and text bodies.
    Body,
    /// Text messages of WebSockets.
    Websocket,
}

/// Where a secret comes from: exactly one of `env`, `file` and `command`. Read on this machine at start and later, never
/// inside the bottle.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// A variable of this machine's environment.
    pub env: Option<At<String>>,
    /// A file, read again when it changes. Nowhere that the agent can look: not in the workspace, not in a mount.
    pub file: Option<At<String>>,
    /// With `file`: the place in JSON content, as in RFC 6901: `/tokens/access`.
    pub json_pointer: Option<At<String>>,
    /// A program and its arguments; no shell. It runs on this machine, in `/`, and prints the secret, or JSON
    /// `{"token": …, "expires_at": …}`. Nowhere that the agent can write: not in the workspace.
    pub command: Option<At<Vec<At<String>>>>,
    /// With `command`: how long an answer is good: `10m`. Default: for the whole run, or until `expires_at`.
    pub ttl: Option<At<String>>,
    /// With `command`: how long an old answer serves while the command fails; then requests are refused. Default: `5m`.
    pub stale: Option<At<String>>,
    /// The credential counts as at hand only when this file exists too, for example a tool's own login.
    pub when_file: Option<At<String>>,
    /// When the secret is not at hand: `true` keeps the route without a credential, `false` stops the start. Default:
    /// `false`.
    #[serde(default)]
    pub optional: bool,
}

/// The look of a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `bottle_…`.
    Opaque,
    /// `sk-ant-api03-…`.
    Anthropic,
    /// `sk-ant-oat01-…`.
    AnthropicOauth,
    /// `sk-proj-…`.
    Openai,
    /// `AIza…`.
    Google,
    /// `ghp_…`.
    Github,
    /// `glpat-…`.
    Gitlab,
    /// A JSON web token that expires in a far future.
    Jwt,
    /// `sk-or-v1-…`.
    Openrouter,
    /// `npm_…`.
    Npm,
    /// `hf_…`.
    Huggingface,
}

impl JsonSchema for AuthChoice {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "AuthChoice".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Auth>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

impl<'de> Deserialize<'de> for AuthChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AuthChoice, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = AuthChoice;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of credentials")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<AuthChoice, A::Error> {
                let mut choices = Vec::new();
                while let Some(choice) = seq.next_element()? {
                    choices.push(choice);
                }
                Ok(AuthChoice(choices))
            }
        }
        deserializer.deserialize_seq(Choice)
    }
}
