//! A client of a bottle's control socket.
use super::describe;
use super::wire::{Call, Say, Snapshot};
use crate::failure::Failure;
use crate::registry::{Record, Registry};
use crate::style::neutral;
use egress::desk::{Answer, Petition};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a launcher may take to do something.
const ANSWER: Duration = Duration::from_secs(60);
/// How long it may take to say how it stands: who waits for several launchers does not wait for one that hangs.
const LOOK: Duration = Duration::from_secs(5);
/// Exit code when a request is not there, or not open any more.
pub const NOT_OPEN: u8 = 3;
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

    /// To every one of these bottles at once, and waits as long for each.
    pub fn ask_all(records: &[Record], call: &Call, time: Duration) -> Vec<Result<Say, Failure>> {
        let ask = |record: &Record| Line::open(record)?.ask_within(call, time);
        std::thread::scope(|scope| {
            let asked: Vec<_> = records.iter().map(|record| scope.spawn(move || ask(record))).collect();
            let lost = || Err(Failure::new("the thread that asked was lost"));
            asked.into_iter().map(|answer| answer.join().unwrap_or_else(|_| lost())).collect()
        })
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
            _ if line.len() as u64 >= LONGEST => {
                Err(Failure::new(format!("the bottle `{}` says more at once than anybody reads", self.slug)))
            }
            _ => Ok(None),
        }
    }

    /// Asks for one thing and waits for its answer, a minute at most.
    /// # Errors
    /// What the launcher says is wrong, or that it says nothing.
    pub fn ask(self, call: &Call) -> Result<Say, Failure> {
        self.ask_within(call, ANSWER)
    }

    /// The same, with another limit.
    /// # Errors
    /// As with [`Line::ask`].
    pub fn ask_within(mut self, call: &Call, time: Duration) -> Result<Say, Failure> {
        self.reader.get_ref().set_read_timeout(Some(time)).map_err(|_| self.gone())?;
        let begun = std::time::Instant::now();
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
            None if begun.elapsed() >= time => Err(self.silent(time)),
            None => Err(self.gone()),
        }
    }

    /// Another handle on the same connection, to say something while somebody hears.
    /// # Errors
    /// When there are no more descriptors.
    pub fn speaker(&self) -> Result<UnixStream, Failure> {
        self.reader.get_ref().try_clone().map_err(|error| Failure::new(error.to_string()))
    }

    fn silent(&self, time: Duration) -> Failure {
        let what = format!("the bottle `{}` gave no answer within {} s", self.slug, time.as_secs());
        Failure::new(what).help(format!("`bottle stop {}` ends it", self.slug))
    }

    fn gone(&self) -> Failure {
        Failure::new(format!("the bottle `{}` ended before it answered", self.slug))
    }
}

/// A running bottle, and how it stands or why it does not say.
pub type Looked = (Record, Result<Snapshot, Failure>);

/// Snapshots of all running bottles that answer.
/// # Errors
/// When the records cannot be read.
pub fn look_all() -> Result<Vec<Snapshot>, Failure> {
    Ok(look_each()?.into_iter().filter_map(|(_, found)| found.ok()).collect())
}

/// All running bottles, each with its snapshot or why it gives none.
/// # Errors
/// When the records cannot be read.
pub fn look_each() -> Result<Vec<Looked>, Failure> {
    let records = Registry::open()?.running()?;
    let answers = Line::ask_all(&records, &Call::Look, LOOK);
    let snapshot = |said| match said {
        Say::Snapshot(snapshot) => Ok(*snapshot),
        _ => Err(Failure::new("what it says cannot be understood")),
    };
    Ok(records.into_iter().zip(answers).map(|(record, said)| (record, said.and_then(snapshot))).collect())
}

/// The running bottle in which this petition was made.
/// # Errors
/// When there is none, or several could be meant.
pub fn whose(id: &str) -> Result<Record, Failure> {
    asked(id).map(|(record, _)| record)
}

/// A petition and the running bottle in which it was made; `SLUG/ID` names both.
/// # Errors
/// When there is none, or several could be meant.
pub fn asked(id: &str) -> Result<(Record, Petition), Failure> {
    only(find(id, look_each()?), id)
}

fn find(id: &str, bottles: Vec<Looked>) -> Vec<(Record, Petition)> {
    let (slug, id) = id.rsplit_once('/').map_or((None, id), |(slug, id)| (Some(slug), id));
    let meant = bottles.into_iter().filter(|(record, _)| slug.is_none_or(|slug| slug == record.slug));
    let has = |(record, found): Looked| {
        let petition = found.ok()?.petitions.into_iter().find(|petition| petition.id == id)?;
        Some((record, petition))
    };
    meant.filter_map(has).collect()
}

/// An engine draws ids at random. Two equal ones are no accident, and an answer must not go to the wrong one.
fn only(mut found: Vec<(Record, Petition)>, id: &str) -> Result<(Record, Petition), Failure> {
    let slugs: Vec<&str> = found.iter().map(|(record, _)| record.slug.as_str()).collect();
    match slugs.as_slice() {
        [] => Err(Failure::new(format!("no running bottle has a request `{}`", neutral(id)))
            .help("`bottle requests` shows what waits for an answer")
            .code(NOT_OPEN)),
        [_] => Ok(found.swap_remove(0)),
        several => Err(Failure::new(format!(
            "several bottles have a request `{}`: {}",
            neutral(id),
            several.join(", ")
        ))
        .help(format!("look at both, then name one: `{}/{}`", several[0], neutral(id)))
        .code(NOT_OPEN)),
    }
}

/// Answers a petition; what the launcher says to it.
/// # Errors
/// Why it came to nothing. Where somebody else was faster, what they answered.
pub fn answer(
    record: &Record,
    id: &str,
    answer: Answer,
    from: &str,
) -> Result<(String, Vec<String>), Failure> {
    let call = Call::Answer { id: id.to_owned(), answer, from: from.to_owned() };
    match Line::open(record)?.ask(&call) {
        Ok(Say::Done { what, notes }) => Ok((what, notes)),
        Ok(_) => Err(Failure::new(format!("what the bottle `{}` says cannot be understood", record.slug))),
        Err(failure) => Err(settled(record, id).unwrap_or(failure)),
    }
}

/// What became of a petition meanwhile.
fn settled(record: &Record, id: &str) -> Option<Failure> {
    let Say::Snapshot(snapshot) = Line::open(record).ok()?.ask_within(&Call::Look, LOOK).ok()? else {
        return None;
    };
    let petition = snapshot.petitions.into_iter().find(|petition| petition.id == id)?;
    (!petition.state.is_open()).then(|| closed(&petition))
}

/// Why a petition cannot be answered any more.
pub fn closed(petition: &Petition) -> Failure {
    let state = describe::state(&petition.state);
    Failure::new(format!("request `{}` is no longer open: {state}", neutral(&petition.id))).code(NOT_OPEN)
}

/// The running bottles of these slugs and names; all of them where none is named.
/// # Errors
/// When one does not run.
pub fn chosen(names: &[String]) -> Result<Vec<Record>, Failure> {
    let mut records = Registry::open()?.running()?;
    let is = |record: &Record, name: &String| *name == record.slug || *name == record.name;
    if let Some(missing) = names.iter().find(|name| !records.iter().any(|record| is(record, name))) {
        return Err(Failure::new(format!("no bottle `{}` runs", neutral(missing)))
            .help("`bottle ps` lists those that run"));
    }
    records.retain(|record| names.is_empty() || names.iter().any(|name| is(record, name)));
    Ok(records)
}
