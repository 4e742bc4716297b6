//! The engine as a sidecar: what launcher and engine say to each other over the sidecar's standard input and output.
//!
//! A line is a message, in JSON. Secrets travel here and nowhere else. The launcher's end is the sidecar's end: when
//! standard input closes, the engine stops at once, and nothing inside the bottle is answered any more.
pub mod health;
pub mod helm;
pub mod launcher;
pub mod room;

use crate::engine::Supplies;
use audit::Event;
use credentials::{Fresh, Handed, TokenRef};
use egress::desk::Petition;
use helm::{Helm, Said};
use manifest::plan::EgressPlan;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Version of the messages; launcher and sidecar are the same binary unless somebody names another image.
pub const VERSION: u32 = 3;
/// Bytes of a message: the roots of a machine are the largest part, half a megabyte.
const LONGEST: u64 = 16 * 1024 * 1024;

/// From the launcher.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The first one, and the only one of its kind.
    Start(Box<Briefing>),
    /// What a source gave.
    Fresh {
        /// Of the question.
        id: u64,
        /// The value, or what is wrong.
        outcome: Result<Fresh, String>,
    },
    /// A file that holds a secret has changed.
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// Events cannot be written down any more: refuse everything.
    Unrecorded {
        /// Why.
        why: String,
    },
    /// What the operator calls for.
    Steer {
        /// Of the call.
        id: u64,
        /// What.
        helm: Helm,
    },
    /// End in good order.
    End,
}

/// Everything that an engine needs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Briefing {
    /// Of the messages.
    pub version: u32,
    /// Which bottle.
    pub slug: String,
    /// The sidecar's own address on the agent's network: it listens there and nowhere else, for whoever is on its other
    /// network would have the credentials. `None` where it has listeners of a holder.
    pub inner: Option<IpAddr>,
    /// What it reaches.
    pub egress: EgressPlan,
    /// What the launcher read for it.
    pub supplies: Supplies,
    /// The secrets.
    pub slots: Vec<Handed>,
    /// Somebody can answer.
    pub attended: bool,
    /// The kill switch is on.
    pub locked: bool,
    /// What no route allows goes out, to be learned from.
    pub learn: bool,
}

/// From the sidecar.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The engine answers.
    Ready {
        /// The bottle's CA, PEM. Its key never leaves the sidecar's memory.
        ca_pem: String,
    },
    /// It could not start.
    Failed {
        /// What went wrong.
        what: String,
        /// The way out.
        help: Option<String>,
    },
    /// Something to write down.
    Event(Event),
    /// A source to be asked.
    Ask {
        /// Of the question.
        id: u64,
        /// Which source; the launcher answers for those of the plan only.
        reference: TokenRef,
    },
    /// An agent asked for something, or something became of that.
    Petition(Box<Petition>),
    /// What came of a call of the operator's.
    Steered {
        /// Of the call.
        id: u64,
        /// What.
        said: Said,
    },
    /// It has ended in good order; nothing comes after this.
    Ended,
}

/// Writes a message.
pub fn say(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&line(message)?)?;
    to.flush()
}

/// A message as a line; zeroed when it goes, for it may hold secrets.
pub fn line(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(serde_json::to_vec(message)?);
    line.push(b'\n');
    Ok(line)
}

/// Reads a message; `None` when the other side has ended.
pub fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Zeroizing::new(Vec::new());
    from.take(LONGEST).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        // A line that was cut: the other side died in the middle of a word, or says too much.
        Some(last) if *last != b'\n' => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(_) => understood(&line).map(Some),
    }
}

/// The message in a line. The parser's own words are not passed on: they may quote a secret.
pub fn understood<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    serde_json::from_slice(line).map_err(|error| {
        let what = format!("a message that cannot be understood (column {})", error.column());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_is_no_message_and_an_end_is_none() {
        assert!(hear::<Report>(&mut &b""[..]).expect("an end").is_none());
        assert!(matches!(hear::<Report>(&mut &b"\"ended\"\n"[..]), Ok(Some(Report::Ended))));
        hear::<Report>(&mut &b"\"ended\""[..]).expect_err("cut");
        hear::<Report>(&mut &b"{\"ready\": 1}\n"[..]).expect_err("wrong");
    }

    #[test]
    fn what_cannot_be_understood_is_not_quoted() {
        let line =
            b"{\"fresh\":{\"id\":1,\"outcome\":{\"Ok\":{\"value\":\"s3cr3t-v4lue!\",\"expires_at\":null}}}}";
        let error = understood::<Order>(line).expect_err("no base64").to_string();
        assert!(!error.contains("s3cr3t"), "{error}");
    }
}
