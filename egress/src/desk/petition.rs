//! What an agent asks for and what an operator answers: plain data, the same on every backend and in every view.
use policy::Proposal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that an agent asks its operator for. Texts in it come from the agent: they are bounded, neutralised, and hold
/// no value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Petition {
    /// Six letters and digits, drawn at random: an answer to an old one never meets a new one.
    pub id: String,
    /// When it was first asked.
    pub asked: jiff::Timestamp,
    /// What it asks for.
    pub proposal: Proposal,
    /// Why, in the agent's words; empty where a request was held and nobody said anything.
    pub why: String,
    /// How it came up.
    pub how: How,
    /// The refused or held exchange that it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// The code of that refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many requests that were refused within the last hour it would have allowed.
    pub would_have_allowed: u32,
    /// The route of the same host that stands nearest, whose credential could be given to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
    /// What became of it.
    pub state: State,
}

/// A route of the same host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Near {
    /// Its name.
    pub route: String,
    /// The slot of its credential; none: it carries none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// How a petition came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// A request waits for the answer (`unmatched: ask`).
    Held,
    /// The agent asked by itself, with a tool or on the page.
    Asked,
}

/// What became of a petition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// Nobody has answered yet.
    Open,
    /// Allowed.
    Allowed {
        /// For how long.
        #[serde(flatten)]
        span: Span,
        /// What was allowed, when that is not what was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        narrowed: Option<Proposal>,
        /// A word of the operator's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<String>,
    },
    /// Refused.
    Refused {
        /// A word of the operator's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<String>,
    },
    /// Nobody answered in time.
    Expired,
    /// Whoever asked is gone.
    Withdrawn,
}

impl State {
    /// Whether it still waits for an answer.
    pub fn is_open(&self) -> bool {
        *self == State::Open
    }
}

/// How long something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Span {
    /// For one request: the one that waits, or the next that it covers.
    Once,
    /// As long as this bottle lives.
    Bottle,
    /// Until a time.
    Until {
        /// Which.
        time: jiff::Timestamp,
    },
    /// From now on: it stands in the manifest.
    Always,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Once => f.write_str("once"),
            Span::Bottle => f.write_str("as long as this bottle lives"),
            Span::Until { time } => write!(f, "until {time}"),
            Span::Always => f.write_str("from now on, by the manifest"),
        }
    }
}

/// What an operator answers. The agent has no way to make one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// Yes.
    Allow {
        /// For how long.
        #[serde(flatten)]
        span: Span,
        /// This instead of what was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        narrowed: Option<Proposal>,
        /// With the credential of the route that stands nearest ([`Near`]).
        #[serde(default)]
        credential: bool,
        /// A word for the agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<String>,
    },
    /// No.
    Refuse {
        /// A word for the agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word: Option<String>,
    },
}

/// Why an answer came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AnswerError {
    /// No petition has this id, or it was long ago.
    #[error("no request `{0}` waits here; it may have been answered, or its bottle may have ended")]
    Unknown(String),
    /// It was answered already, or nobody waits any more.
    #[error("request `{0}` is no longer open")]
    Closed(String),
    /// It cannot be allowed so.
    #[error("{0}")]
    Impossible(String),
}

/// Why something was not even asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// Nobody can answer.
    #[error(
        "nobody attends to this bottle, so there is nobody to ask: the answer is no; do what you can without it, and say in your result what you would have needed"
    )]
    Unattended,
    /// Too many of late, or too many that wait.
    #[error("too many requests to the operator of late; wait for answers before you ask for more ({0})")]
    TooMany(&'static str),
    /// It is allowed already.
    #[error("this is allowed already, by the route `{0}`; just do it")]
    Allowed(String),
    /// What can never be asked for.
    #[error("{0}")]
    Impossible(String),
}
