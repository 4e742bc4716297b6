//! Listening to all bottles, each on a thread; what they say comes in one queue. A view that is slow makes launchers wait for
//! nothing: they drop who does not listen, and tell anew how it stands.
use super::model::{BottleId, News};
use crate::control::call::Line;
use crate::control::{Call, Say};
use crate::failure::Failure;
use crate::kill_switch;
use crate::process::Identity;
use crate::registry::{Record, Registry};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// What may wait to be shown.
const QUEUE: usize = 1024;
/// How often new bottles are looked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// Begins to listen to the bottles of these slugs and names; to all when none is named. `call`: what each line is opened with,
/// `Watch` or `Listen`.
/// # Errors
/// When there is no thread for it.
pub(crate) fn begin(names: Vec<String>, call: Call) -> Result<(SyncSender<News>, Receiver<News>), Failure> {
    let (tell, heard) = sync_channel(QUEUE);
    let also = tell.clone();
    spawn(move || look(&names, &call, &also))?;
    Ok((tell, heard))
}

/// A thread that ends with the program.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new().name("watch".to_owned()).spawn(work);
    started.map(drop).map_err(|error| Failure::new(format!("cannot start a thread: {error}")))
}

/// Looks for new bottles, until nobody wants to know.
fn look(names: &[String], call: &Call, tell: &SyncSender<News>) {
    let mut known: HashMap<(String, i32, u64), BottleId> = HashMap::new();
    let mut next = 0;
    loop {
        match Registry::open().and_then(|registry| registry.running()) {
            Ok(records) => {
                known.retain(|key, _| records.iter().any(|record| key_of(record) == *key));
                for record in records.into_iter().filter(|record| is_wanted(record, names)) {
                    let key = key_of(&record);
                    if known.contains_key(&key) {
                        continue;
                    }
                    next += 1;
                    known.insert(key, next);
                    if tell.send(News::Found(next, Box::new(record.clone()))).is_err() {
                        return;
                    }
                    let (id, call, to) = (next, call.clone(), tell.clone());
                    let listening = spawn(move || listen(id, &record, &call, &to));
                    if let Err(failure) = listening {
                        let _nobody_wants_to_know = tell.send(News::Silent(next, failure.what));
                    }
                }
            }
            Err(failure) => {
                let _nobody_wants_to_know = tell.send(News::Lost(failure.what));
            }
        }
        if tell.send(News::Switch(kill_switch::is_on())).is_err() {
            return;
        }
        std::thread::sleep(INTERVAL);
    }
}

fn key_of(record: &Record) -> (String, i32, u64) {
    let Identity { pid, start_ticks, .. } = record.launcher;
    (record.slug.clone(), pid, start_ticks)
}

/// Whether a bottle is among those named; all are when none is.
pub(crate) fn is_wanted(record: &Record, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| *name == record.slug || *name == record.name)
}

/// Listens to one bottle as long as its launcher lives.
fn listen(id: BottleId, record: &Record, call: &Call, tell: &SyncSender<News>) {
    loop {
        let news = match hear(id, record, call, tell) {
            Ok(true) => News::Gone(id),
            Ok(false) => News::Silent(id, "it stopped talking".to_owned()),
            Err(failure) => News::Silent(id, failure.what),
        };
        let over = matches!(news, News::Gone(_)) || !record.launcher.is_alive();
        let said = tell.send(if over { News::Gone(id) } else { news });
        if over || said.is_err() {
            return;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// True when the bottle has ended, false when the line broke.
fn hear(id: BottleId, record: &Record, call: &Call, tell: &SyncSender<News>) -> Result<bool, Failure> {
    let mut line = Line::open(record)?;
    line.say(call)?;
    while let Some(say) = line.hear()? {
        let ended = matches!(say, Say::Ended);
        if ended || tell.send(News::Said(id, say)).is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}
