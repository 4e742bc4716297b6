//! What is said over the control socket.
use audit::Event;
use egress::Live;
use egress::desk::{Answer, Petition};
use manifest::plan::{Backend, EgressPlan};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// From a client. The first line of a connection; after `watch`, more of them may follow at any time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Call {
    /// A snapshot.
    Look,
    /// A snapshot, then everything that happens. Whoever watches attends: agents can ask as long as somebody does.
    Watch,
    /// The same for a program that only counts: nobody attends by that.
    Listen,
    /// Answers a petition.
    Answer {
        /// Which.
        id: String,
        /// What.
        answer: Answer,
        /// Where the answer was given, for the audit: `bottle allow`, `bottle watch`, …
        from: String,
    },
    /// A kill switch.
    Lock {
        /// Everything is refused.
        on: bool,
        /// That of all bottles, else that of this one.
        #[serde(default)]
        all: bool,
        /// As with an answer.
        from: String,
    },
    /// Reads the manifest again.
    Reload {
        /// The operator has looked at the file, although the agent could have written it.
        #[serde(default)]
        looked: bool,
        /// As with an answer.
        from: String,
    },
    /// The plan of what the bottle reaches, as it is in force, without what was granted.
    Plan,
}

/// From the launcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Say {
    /// How it stands.
    Snapshot(Box<Snapshot>),
    /// Something was written down.
    Seen(Box<Seen>),
    /// What is under way now; as often as it changes, twice a second at most.
    Running {
        /// All of it.
        live: Vec<Live>,
    },
    /// A petition was opened, or something became of it.
    Petition(Box<Petition>),
    /// The kill switch was turned.
    Locked {
        /// Everything is refused.
        on: bool,
    },
    /// Another policy is in force.
    Policy {
        /// Names it.
        hash: String,
        /// What changed, a line each, for people.
        changes: Vec<String>,
    },
    /// What was called for is done.
    Done {
        /// One sentence for people.
        what: String,
        /// What else they should know: weakenings of a reload, what needs a new start.
        notes: Vec<String>,
    },
    /// It could not be done; nothing has changed.
    Failed {
        /// What went wrong.
        what: String,
        /// The way out.
        help: Option<String>,
    },
    /// The plan that was called for.
    Plan(Box<EgressPlan>),
    /// Too much happened for this client to be told all of it: what follows is a new snapshot.
    Missed,
    /// The bottle has ended; nothing follows.
    Ended,
}

/// Something that was written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub time: jiff::Timestamp,
    /// What.
    pub event: Event,
}

/// How a bottle stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which bottle.
    pub slug: String,
    /// Name in the manifest.
    pub name: String,
    /// What started it.
    pub backend: Backend,
    /// When.
    pub started: jiff::Timestamp,
    /// Its workspace.
    pub workspace: PathBuf,
    /// What runs inside.
    pub command: Vec<String>,
    /// The manifest; none where there is no file.
    pub manifest: Option<PathBuf>,
    /// Its audit file.
    pub audit: PathBuf,
    /// Names the policy in force.
    pub policy: String,
    /// The kill switch is on.
    pub locked: bool,
    /// What was asked for, the latest last.
    pub petitions: Vec<Petition>,
    /// The last that was written down, the latest last.
    pub seen: Vec<Seen>,
    /// What is under way.
    pub live: Vec<Live>,
}
