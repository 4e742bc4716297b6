//! `bottle watch`: all bottles in one terminal. What is known ([`model`]) and what keys do ([`app`]) know of no terminal; [`draw`]
//! makes a frame of them; [`screen`] has the terminal; [`feed`] listens to launchers on threads of its own.
mod app;
mod dialog;
mod draw;
mod event;
pub(crate) mod feed;
mod input;
mod look;
mod model;
mod plain;
mod screen;
mod text;

#[cfg(test)]
mod tests;

use crate::commands::kill_switch::tell;
use crate::control::{Call, call};
use crate::failure::Failure;
use crate::kill_switch;
use crate::registry::Record;
use app::{Action, App, Now};
use egress::desk::Answer;
use look::Look;
pub(crate) use model::{BottleId, News};
use screen::Screen;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

/// How often the view looks at what it was told.
const TICK: Duration = Duration::from_millis(80);
/// News that are taken in before the next key.
const AT_ONCE: usize = 2000;
/// How long the view may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often clocks and ages are drawn anew.
const CLOCK: Duration = Duration::from_millis(500);

/// A line for everything that happens, until nobody reads.
/// # Errors
/// When it cannot be written.
pub fn plain(names: Vec<String>) -> Result<(), Failure> {
    let (_tell, heard) = feed::begin(names, Call::Watch)?;
    plain::run(&heard)
}

/// The view, until the operator leaves it; the signal that ended it, if one did.
/// # Errors
/// When the terminal cannot be used.
pub fn view(names: Vec<String>) -> Result<Option<i32>, Failure> {
    let signals = Signals::catch()?;
    let (tell, heard) = feed::begin(names, Call::Watch)?;
    let mut screen = Screen::take()?;
    signals.end_without_us()?;
    let (mut app, look) = (App::new(), Look::of_terminal());
    let mut drawn: Option<Instant> = None;
    loop {
        if let Some(signal) = signals.ended_by() {
            return Ok(Some(signal));
        }
        if signals.continued() {
            screen.resume()?;
            drawn = None;
        }
        if take_in(&mut app, &heard) || drawn.is_none_or(|drawn| drawn.elapsed() >= CLOCK) {
            screen.draw(|frame| draw::draw(&mut app, frame, now(), look))?;
            drawn = Some(Instant::now());
        }
        let Some(event) = screen::typed(TICK)? else { continue };
        // What is on the screen before the next key is what this one made of it.
        drawn = None;
        match app.event(&event, now()) {
            Some(Action::Quit) => return Ok(None),
            Some(Action::Suspend) => {
                screen.suspend()?;
                signals.continued();
            }
            Some(Action::Redraw) => screen.renew()?,
            Some(Action::Answer { bottle, id, answer }) => {
                let record = app.world.bottle(bottle).map(|bottle| bottle.record.clone());
                record.into_iter().for_each(|record| answer_aside(record, id.clone(), answer.clone(), &tell));
            }
            Some(Action::Lock(on)) => turn_aside(on, &tell),
            None => {}
        }
    }
}

fn now() -> Now {
    Now { instant: Instant::now(), time: jiff::Timestamp::now() }
}

/// Whether there was anything.
fn take_in(app: &mut App, heard: &Receiver<News>) -> bool {
    let mut any = false;
    for news in heard.try_iter().take(AT_ONCE) {
        any = true;
        app.hear(news, jiff::Timestamp::now());
    }
    any
}

/// Answers on a thread of its own: a launcher that hangs does not hold the view.
fn answer_aside(record: Record, id: String, answer: Answer, tell: &SyncSender<News>) {
    let to = tell.clone();
    aside(tell, move || {
        let outcome = call::answer(&record, &id, answer, "bottle watch");
        let outcome = outcome.map(|(what, notes)| [vec![what], notes].concat().join("\n"));
        let _view_is_gone = to.send(News::Did(outcome.map_err(|failure| failure.what)));
    });
}

/// Turns the kill switch: its file first, then every bottle.
fn turn_aside(on: bool, tell_view: &SyncSender<News>) {
    let to = tell_view.clone();
    aside(tell_view, move || {
        let _view_is_gone = to.send(News::Did(turn(on)));
    });
}

fn turn(on: bool) -> Result<String, String> {
    let written = kill_switch::set(on).map_err(|failure| failure.what);
    if !on {
        written.clone()?;
    }
    let mut said = Vec::new();
    let deaf = tell(on, "bottle watch", |line| said.push(line.to_owned())).map_err(|failure| failure.what)?;
    written?;
    match deaf {
        0 => Ok(format!("the kill switch is {}", if on { "on: everything is refused" } else { "off" })),
        _ => {
            said.retain(|line| line.contains("NOT TURNED"));
            Err(said.join("\n"))
        }
    }
}

fn aside(tell: &SyncSender<News>, work: impl FnOnce() + Send + 'static) {
    if let Err(failure) = feed::spawn(work) {
        let _view_is_gone = tell.try_send(News::Did(Err(failure.what)));
    }
}

/// Signals that came: those that end the view, and that it goes on after a stop. That it is to stop is not caught: the terminal
/// sends it as a key, and the kernel knows when nobody could wake us up.
struct Signals {
    ended_by: Arc<AtomicUsize>,
    continued: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> Result<Signals, Failure> {
        let signals = Signals { ended_by: Arc::default(), continued: Arc::default() };
        let failed = |error| Failure::new(format!("cannot catch signals: {error}"));
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&signals.ended_by), number)
                .map_err(failed)?;
        }
        signal_hook::flag::register(SIGCONT, Arc::clone(&signals.continued)).map_err(failed)?;
        Ok(signals)
    }

    /// When a signal came and the view has not ended a moment later, it is stuck at its terminal: then it is ended from here.
    fn end_without_us(&self) -> Result<(), Failure> {
        let ended_by = Arc::clone(&self.ended_by);
        feed::spawn(move || {
            while ended_by.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(PATIENCE / 4);
            }
            std::thread::sleep(PATIENCE);
            screen::leave();
            let signal = i32::try_from(ended_by.load(Ordering::SeqCst)).unwrap_or_default();
            std::process::exit(128 + signal);
        })
    }

    fn ended_by(&self) -> Option<i32> {
        i32::try_from(self.ended_by.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    fn continued(&self) -> bool {
        self.continued.swap(false, Ordering::SeqCst)
    }
}
