//! Telling the operator that somebody asks: a command of theirs, and the desktop. Whoever tells never waits, and a flood of
//! petitions starts neither a flood of programs nor one of bubbles.
mod command;
mod desktop;

use super::Snapshot;
use crate::machine;
use command::Job;
use egress::desk::Petition;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Commands that run at once.
const AT_ONCE: usize = 4;
/// Petitions that wait to be told of.
const WAITING: usize = 16;
/// Commands that are started in a [`SPAN`].
const COMMANDS: usize = 20;
/// Desktop notifications in a [`SPAN`]; the last one says that there are more.
const BUBBLES: usize = 4;
const SPAN: Duration = Duration::from_secs(60);

/// Tells of a petition.
pub type Notifier = Box<dyn Fn(&Snapshot, &Petition) + Send + Sync>;

/// Runs `on_request` (a program and its arguments; no shell) on the host for each new petition, and shows a desktop notification
/// where there is a desktop. What it gives never waits.
pub fn notifier(on_request: Option<Vec<String>>) -> Notifier {
    let command = on_request.filter(|argv| !argv.is_empty()).map(|argv| {
        let program = Program::named(&argv[0]);
        if program.0.is_empty() {
            tracing::warn!(program = argv[0], "`on_request` cannot be run: no folder of `PATH` has it");
        }
        (program, argv)
    });
    notifier_of(command, desktop::find())
}

/// The files that a name leads to, looked up once: what an agent puts into a folder of the `PATH` later is not run, and what lies
/// in the bottle's workspace neither.
#[derive(Debug, Clone, Default)]
struct Program(Vec<PathBuf>);

impl Program {
    fn named(name: &str) -> Program {
        Program(machine::programs(name))
    }

    fn for_bottle(&self, workspace: &Path) -> Option<PathBuf> {
        self.0.iter().find(|file| machine::is_outside(file, workspace)).cloned()
    }
}

fn notifier_of(command: Option<(Program, Vec<String>)>, desktop: Option<Program>) -> Notifier {
    if command.is_none() && desktop.is_none() {
        return Box::new(|_, _| {});
    }
    let teller = Mutex::new(None::<SyncSender<Asked>>);
    Box::new(move |about, petition| {
        let mut teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread begins with the first petition: most bottles have none.
        let to = teller.get_or_insert_with(|| {
            let found = |program: &Program| program.for_bottle(&about.workspace);
            let command = command.as_ref().and_then(|(program, argv)| Some((found(program)?, argv.clone())));
            begin(command.map(Arc::new), desktop.as_ref().and_then(found))
        });
        let asked =
            Asked { bottle: about.slug.clone(), name: about.name.clone(), petition: petition.clone() };
        match to.try_send(asked) {
            Ok(()) => {}
            Err(TrySendError::Full(asked)) => {
                tracing::warn!(request = asked.petition.id, "nobody was notified: too many requests wait");
            }
            Err(TrySendError::Disconnected(_)) => *teller = None,
        }
    })
}

/// A petition, and who made it.
#[derive(Debug, Clone)]
struct Asked {
    bottle: String,
    name: String,
    petition: Petition,
}

type Command = Option<Arc<(PathBuf, Vec<String>)>>;

/// Ends when the notifier goes.
fn begin(command: Command, desktop: Option<PathBuf>) -> SyncSender<Asked> {
    let (teller, heard) = sync_channel(WAITING);
    let work = move || tell(&heard, &command, desktop.as_deref());
    let started = std::thread::Builder::new().name("notify".to_owned()).spawn(work);
    if let Err(error) = started {
        tracing::warn!(%error, "nobody is notified: no thread");
    }
    teller
}

fn tell(heard: &Receiver<Asked>, command: &Command, desktop: Option<&Path>) {
    let (mut commands, mut bubbles) = (Rate::of(COMMANDS), Rate::of(BUBBLES));
    let places = Arc::new(());
    for asked in heard {
        if let Some(program) = desktop {
            match bubbles.take(Instant::now()) {
                Some(left) => desktop::show(program, &asked, left == 0),
                None => tracing::debug!(request = asked.petition.id, "no notification: too many of late"),
            }
        }
        let Some(command) = command else { continue };
        if commands.take(Instant::now()).is_none() {
            tracing::warn!(
                request = asked.petition.id,
                "`on_request` was not run: too many requests of late"
            );
            continue;
        }
        // Waiting here is no harm: whoever tells of a petition finds the queue full, and goes on.
        while Arc::strong_count(&places) > AT_ONCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (place, command) = (Arc::clone(&places), Arc::clone(command));
        let run = move || {
            Job::new(&command.0, &command.1, &asked).run();
            drop(place);
        };
        if let Err(error) = std::thread::Builder::new().name("notify".to_owned()).spawn(run) {
            tracing::warn!(%error, "`on_request` was not run: no thread");
        }
    }
}

/// So many in any [`SPAN`].
struct Rate {
    most: usize,
    taken: std::collections::VecDeque<Instant>,
}

impl Rate {
    fn of(most: usize) -> Rate {
        Rate { most, taken: std::collections::VecDeque::new() }
    }

    /// Takes one; how many are left then. None: there is none left.
    fn take(&mut self, now: Instant) -> Option<usize> {
        self.taken.retain(|taken| now.saturating_duration_since(*taken) < SPAN);
        let left = self.most.checked_sub(self.taken.len() + 1)?;
        self.taken.push_back(now);
        Some(left)
    }
}

#[cfg(test)]
mod tests;
