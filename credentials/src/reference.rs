//! Where secrets come from and where they go: names only, safe to print and store.
use crate::PlaceholderFormat;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Where a secret comes from. Paths are absolute and commands are argv by the time this is in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRef {
    /// An environment variable of the launcher.
    Env {
        /// Its name.
        name: String,
    },
    /// A file, re-read when it changes; surrounding white space is cut.
    File {
        /// Absolute.
        path: PathBuf,
        /// RFC 6901 pointer into JSON content.
        json_pointer: Option<String>,
    },
    /// A command of the host; its standard output, or JSON `{token, expires_at}`.
    Command {
        /// Program and arguments; no shell.
        argv: Vec<String>,
        /// How long an answer is good, in seconds; `None`: for the whole run, or until `expires_at`.
        ttl_secs: Option<u64>,
        /// How long a stale answer may be used while the command fails, in seconds.
        stale_secs: u64,
    },
}

/// The name a secret has between launcher and egress: `EGRESS_TOKEN_<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EGRESS_TOKEN_{}", self.0)
    }
}

/// How a secret stands in a request. Whatever the scheme, the agent's own value for that place is removed first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum AuthScheme {
    /// `Authorization: Bearer …`
    Bearer,
    /// `Authorization: Basic base64(username:token)`
    Basic {
        /// Before the colon.
        username: String,
    },
    /// A header, with an optional prefix before the token.
    Header {
        /// Lower-case header name.
        name: String,
        /// For example `token `.
        prefix: Option<String>,
    },
    /// A query parameter.
    Query {
        /// Its name.
        parameter: String,
    },
    /// The placeholder is swapped wherever the agent put it in the head: headers, inside Basic, query, path. In the other
    /// places only where it is said: what stands in a body is material for the far side, which may spell it anew and hand
    /// the value back in a form that no scrubber knows.
    Placeholder {
        /// Where else.
        #[serde(default)]
        places: Places,
    },
}

/// Places besides the head in which a placeholder is swapped. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Places {
    /// JSON, form and text bodies.
    #[serde(default)]
    pub body: bool,
    /// Text messages of WebSockets.
    #[serde(default)]
    pub websocket: bool,
}

impl AuthScheme {
    /// The placeholder in the head and nowhere else.
    pub fn placeholder() -> AuthScheme {
        AuthScheme::Placeholder { places: Places::default() }
    }
}

/// A route's credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// Which secret.
    pub slot: Slot,
    /// Where it goes.
    #[serde(flatten)]
    pub scheme: AuthScheme,
}

/// What the plan knows of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotPlan {
    /// Its name between launcher and egress.
    pub slot: Slot,
    /// Where it comes from.
    pub source: TokenRef,
    /// The look of its stand-in.
    pub format: PlaceholderFormat,
    /// Variables of the agent's environment that hold the placeholder.
    pub env: Vec<String>,
}
