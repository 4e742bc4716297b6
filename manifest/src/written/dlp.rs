//! What is sought in what passes, and how much may leave.
use crate::at::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize as Derive;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// How much may leave within a time: a number, a slash and `s`, `min`, `h`, `d`, or `run` for the whole run. What would be
/// too much is refused until there is room again, and a body or stream is cut in its middle.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Bytes that the agent sends, in headers, URLs, bodies, WebSockets and raw bytes: `10MiB/min`, `1GiB/run`.
    pub bytes_up: Option<At<String>>,
    /// Requests: `60/min`.
    pub requests: Option<At<String>>,
    /// New connections to the far side, whatever they carry: `30/min`. A connection that is used again is not new.
    pub connections: Option<At<String>>,
}

/// The search for secrets in what leaves.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dlp {
    /// What happens to a request in which a secret was found. Default: `block`.
    pub action: Option<DlpAction>,
    /// More values to keep inside, besides every token. Files in the workspace are write-protected, or the agent could
    /// take out what is to be looked for; `unprotect` sets them free. Values of fewer than 8 bytes are not looked for:
    /// they would be found everywhere; `bottle check` and the preflight name them.
    #[serde(default)]
    pub secrets: Vec<At<DlpSecret>>,
    /// What happens to what single rules find, by their ids (`docs/dlp.md` has those that are built in): one word for what
    /// leaves, or `{ out: …, in: … }` for both ways. Default: as `action` says for what leaves, nothing for what comes back.
    pub rules: Option<RuleTable>,
    /// Files with more rules, in the TOML of gitleaks, as they are. The rules that are built in stay, but for those that a file
    /// with `[extend] useDefault` lists as `disabledRules`. In the workspace they are write-protected.
    #[serde(default)]
    pub rule_files: Vec<At<String>>,
    /// More rules.
    #[serde(default)]
    pub own_rules: Vec<At<OwnRule>>,
    /// Single values that may pass although a rule finds them.
    #[serde(default)]
    pub allow: Vec<At<Allowance>>,
    /// Fake credentials in the bottle's private home, new in every run, that no program needs. Whatever holds one of them
    /// is refused, on every route: only who looks for secrets comes by them. `true` plants all that confuse no usual
    /// program. Default: none.
    pub canaries: Option<At<Canaries>>,
    /// What happens to names of hosts and parts of URLs that look random, as data does that is carried out in them.
    /// Default: `off`.
    pub entropy: Option<At<EntropyAction>>,
    /// The search in what comes back.
    pub responses: Option<Responses>,
}

/// The search for secrets in what leaves by a route.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteDlp {
    /// What happens to a request in which a secret was found. Default: as `egress.dlp` says.
    pub action: Option<DlpAction>,
    /// What happens to what single rules find. What is not said here is as in `egress.dlp.rules`.
    pub rules: Option<RuleTable>,
    /// With `protocol: tcp`: the bytes are read and searched as they are. Default: `false`.
    pub inspect: Option<At<bool>>,
    /// As in `egress.dlp.entropy`, for this route.
    pub entropy: Option<At<EntropyAction>>,
    /// The search in what comes back by this route.
    pub responses: Option<Responses>,
}

/// The search in what comes back. Values of secrets are always taken out of it.
#[derive(Debug, Clone, Default, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Responses {
    /// Text that speaks to an agent and not to a reader: hidden from the eye, dressed as a tool's answer, or ordering it
    /// about. Default: `warn`.
    pub prompt_injection: Option<At<InjectionAction>>,
}

/// What happens to a request in which a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DlpAction {
    /// It is refused.
    Block,
    /// It goes out with the secret replaced.
    Redact,
    /// It goes out; the audit says what was found.
    Warn,
}

/// What happens to what looks random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntropyAction {
    /// The request is refused.
    Block,
    /// It goes out; the audit says where.
    Warn,
    /// Nobody looks.
    Off,
}

/// What happens to an answer that speaks to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InjectionAction {
    /// It ends before that text.
    Block,
    /// It passes; the audit and the end of the run say what was found.
    Warn,
    /// Nobody looks.
    Off,
}

/// What happens to what a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// The exchange ends.
    Block,
    /// It goes on with the value replaced.
    Redact,
    /// It goes on; the audit says what was found.
    Warn,
    /// The rule is not used.
    Off,
}

/// What happens to what a rule finds, one way or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleChoice {
    /// In what leaves.
    pub out: Option<RuleAction>,
    /// In what comes back.
    pub inward: Option<RuleAction>,
}

/// Rules by id.
#[derive(Debug, Clone, Default)]
pub struct RuleTable(pub Vec<(At<String>, At<RuleChoice>)>);

/// A rule of one's own.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnRule {
    /// Its name in findings: lower-case letters, digits and `-`.
    pub id: At<String>,
    /// What it finds, for people.
    pub description: Option<At<String>>,
    /// The regular expression, in the syntax of the Rust crate `regex`, without look-around. It is about bytes: `\w`, `\d`, `\b` and
    /// `(?i)` know ASCII only. With three fixed letters or more near its beginning it costs next to nothing; without, it is
    /// tried at every byte, and `bottle check` says so.
    pub pattern: At<String>,
    /// The group of the expression that is the secret. Default: the first one that matched, or all of it where there is none.
    pub group: Option<At<u32>>,
    /// How random the secret is at least, in bits per character: `3.5`. Default: it does not count.
    pub entropy: Option<At<f64>>,
    /// A secret that holds one of these, in any case of their letters, is none.
    #[serde(default)]
    pub stop_words: Vec<At<String>>,
    /// A secret in which one of these regular expressions matches is none.
    #[serde(default)]
    pub except: Vec<At<String>>,
    /// What happens to what it finds. Default: as `action` says.
    pub action: Option<At<RuleAction>>,
}

/// A value that may pass although a rule finds it.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The route that it may pass by, by its name. Default: every route.
    pub route: Option<At<String>>,
    /// The rule that finds it.
    pub rule: At<String>,
    /// The fingerprint of the value: 16 hexadecimal digits, as findings and `bottle scan` show it. It is made with a key of
    /// this user's, so that another user's is another one.
    pub fingerprint: At<String>,
    /// Why it may pass. The audit says it.
    pub reason: At<String>,
}

/// Values to keep inside: exactly one of `env`, `file` and `command`.
#[derive(Debug, Clone, Derive, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DlpSecret {
    /// A variable of this machine's environment.
    pub env: Option<At<String>>,
    /// A file: every value when its lines are `NAME=value`, else its whole content.
    pub file: Option<At<String>>,
    /// With `file`: the names of the lines whose values count. Default: all of them.
    pub keys: Option<At<Vec<At<String>>>>,
    /// A program and its arguments; no shell. It runs on this machine, once at the start, and prints the value. Nowhere
    /// that the agent can write.
    pub command: Option<At<Vec<At<String>>>>,
}

/// Which fake credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canaries {
    /// The usual ones, or none.
    All(bool),
    /// These.
    Some(Vec<At<Canary>>),
}

/// A fake credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Derive, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Canary {
    /// `~/.aws/credentials`, of a profile that no program uses unasked.
    Aws,
    /// `~/.env` with keys and the address of a data base.
    Env,
    /// `~/.netrc`, for hosts that do not exist.
    Netrc,
}

const RULE_WORDS: [&str; 4] = ["block", "redact", "warn", "off"];

impl JsonSchema for RuleTable {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RuleTable".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = json_schema!({ "type": "string", "enum": RULE_WORDS });
        json_schema!({ "type": "object", "additionalProperties": { "anyOf": [word, {
            "type": "object", "properties": { "out": word, "in": word }, "additionalProperties": false
        }] } })
    }
}

impl<'de> Deserialize<'de> for RuleTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleTable, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = RuleTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ids of rules and actions")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RuleTable, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(RuleTable(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for RuleChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleChoice, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = RuleChoice;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an action, or one for each way")
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RuleChoice, E> {
                let word = serde::de::value::StrDeserializer::new(word);
                Ok(RuleChoice { out: Some(RuleAction::deserialize(word)?), inward: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RuleChoice, A::Error> {
                let mut choice = RuleChoice { out: None, inward: None };
                while let Some(way) = map.next_key::<String>()? {
                    let action = Some(map.next_value()?);
                    if way == "in" { choice.inward = action } else { choice.out = action }
                }
                Ok(choice)
            }
        }
        deserializer.deserialize_any(Choice)
    }
}

impl JsonSchema for Canaries {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Canaries".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Canary>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

impl<'de> Deserialize<'de> for Canaries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Canaries, D::Error> {
        struct Which;
        impl<'de> Visitor<'de> for Which {
            type Value = Canaries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false` or a list of canaries")
            }
            fn visit_bool<E>(self, all: bool) -> Result<Canaries, E> {
                Ok(Canaries::All(all))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Canaries, A::Error> {
                let mut some = Vec::new();
                while let Some(one) = seq.next_element()? {
                    some.push(one);
                }
                Ok(Canaries::Some(some))
            }
        }
        deserializer.deserialize_any(Which)
    }
}
