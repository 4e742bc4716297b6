//! A client of a bottle's control socket.
use super::wire::{Call, Say, Snapshot};
use crate::failure::Failure;
use crate::registry::{Record, Registry};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a launcher may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes of a message.
const LONGEST: u64 = 32 * 1024 * 1024;

/// A connection to one bottle.
pub struct Line {
    reader: BufReader<UnixStream>,
    slug: String,
}

impl Line {
    /// To this bottle.
    /// # Errors
    /// When it does not listen: it is ending, or of another version.
    pub fn open(record: &Record) -> Result<Line, Failure> {
        Line::to(&Registry::open()?.control(&record.slug), &record.slug)
    }

    /// To this socket.
    /// # Errors
    /// As with [`Line::open`].
    pub fn to(socket: &Path, slug: &str) -> Result<Line, Failure> {
        let stream = super::serve::connect(socket)
            .and_then(|stream| stream.set_write_timeout(Some(ANSWER)).map(|()| stream))
            .map_err(|error| {
                Failure::new(format!("the bottle `{slug}` does not listen: {error}"))
                    .help("it may be ending, or was started by an older `bottle`")
            })?;
        Ok(Line { reader: BufReader::new(stream), slug: slug.to_owned() })
    }

    /// Says something.
    /// # Errors
    /// When the bottle has ended.
    pub fn say(&mut self, call: &Call) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(call)?;
        line.push(b'\n');
        self.reader.get_mut().write_all(&line).map_err(|_| self.gone())
    }

    /// The next message, waiting as long as it takes; `None`: the bottle has ended.
    /// # Errors
    /// When it cannot be understood.
    pub fn hear(&mut self) -> Result<Option<Say>, Failure> {
        let mut line = Vec::new();
        let read = Read::take(&mut self.reader, LONGEST).read_until(b'\n', &mut line);
        match (read, line.last()) {
            (Ok(_), Some(b'\n')) => serde_json::from_slice(&line).map(Some).map_err(|_| {
                Failure::new(format!("what the bottle `{}` says cannot be understood", self.slug))
            }),
            _ => Ok(None),
        }
    }

    /// Asks for one thing and waits for its answer, a minute at most.
    /// # Errors
    /// What the launcher says is wrong, or that it says nothing.
    pub fn ask(mut self, call: &Call) -> Result<Say, Failure> {
        self.reader.get_ref().set_read_timeout(Some(ANSWER)).map_err(|_| self.gone())?;
        self.say(call)?;
        match self.hear()? {
            Some(Say::Failed { what, help }) => {
                let failure = Failure::new(what);
                Err(match help {
                    Some(help) => failure.help(help),
                    None => failure,
                })
            }
            Some(said) => Ok(said),
            None => Err(self.gone()),
        }
    }

    /// Another handle on the same connection, to say something while somebody hears.
    /// # Errors
    /// When there are no more descriptors.
    pub fn speaker(&self) -> Result<UnixStream, Failure> {
        self.reader.get_ref().try_clone().map_err(|error| Failure::new(error.to_string()))
    }

    fn gone(&self) -> Failure {
        Failure::new(format!("the bottle `{}` ended before it answered", self.slug))
    }
}

/// Snapshots of all running bottles that answer.
/// # Errors
/// When the records cannot be read.
pub fn look_all() -> Result<Vec<Snapshot>, Failure> {
    let records = Registry::open()?.running()?;
    let look = |record: &Record| match Line::open(record).ok()?.ask(&Call::Look).ok()? {
        Say::Snapshot(snapshot) => Some(*snapshot),
        _ => None,
    };
    Ok(records.iter().filter_map(look).collect())
}

/// The running bottle in which this petition was made.
/// # Errors
/// When there is none, or several could be meant.
pub fn whose(id: &str) -> Result<Record, Failure> {
    let records = Registry::open()?.running()?;
    let has = |snapshot: &Snapshot| snapshot.petitions.iter().any(|petition| petition.id == id);
    let slug = look_all()?.into_iter().find(has).map(|snapshot| snapshot.slug);
    records.into_iter().find(|record| Some(&record.slug) == slug.as_ref()).ok_or_else(|| {
        Failure::new(format!("no running bottle has a request `{}`", crate::style::neutral(id)))
            .help("`bottle watch` shows what waits for an answer")
    })
}
