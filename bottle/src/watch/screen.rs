//! The terminal: taken whole, and given back on every way out.
use crate::failure::Failure;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, poll, read};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether it is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    pub(super) fn take() -> Result<Screen, Failure> {
        give_back_before_a_panic_is_told();
        enter()?;
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Screen { terminal }),
            Err(error) => {
                leave();
                Err(failed(&error))
            }
        }
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame)) -> Result<(), Failure> {
        self.terminal.draw(draw).map(drop).map_err(|error| failed(&error))
    }

    /// Draws everything anew with the next frame. The library's own `clear` asks the terminal where its cursor is, and waits for
    /// an answer that not every terminal gives.
    pub(super) fn renew(&mut self) -> Result<(), Failure> {
        let renewed = self.terminal.size().and_then(|size| self.terminal.resize(size.into()));
        renewed.map_err(|error| failed(&error))
    }

    /// Gives it to the shell and stops; afterwards it is taken anew.
    pub(super) fn suspend(&mut self) -> Result<(), Failure> {
        leave();
        // The whole group, as the terminal itself would do it. Where there is no shell to wake it up the kernel does not stop it.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)
            .map_err(|error| failed(&error.into()))?;
        self.resume()
    }

    /// After a stop: whoever had the terminal meanwhile left it as they liked.
    pub(super) fn resume(&mut self) -> Result<(), Failure> {
        leave();
        enter()?;
        self.renew()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// The next that is typed, if there is something within this time. A signal ends the wait as well.
///
/// The wait is ours: who reads from a terminal that hung up reads nothing, at once and for ever, and the library never stops
/// to try.
pub(super) fn typed(time: Duration) -> Result<Option<Event>, Failure> {
    let input = rustix::stdio::stdin();
    let mut watched = [PollFd::new(&input, PollFlags::IN)];
    let _a_signal_or_a_key = rustix::event::poll(&mut watched, Timespec::try_from(time).ok().as_ref());
    if watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Err(Failure::new("the terminal hung up"));
    }
    let typed = poll(Duration::ZERO).and_then(|ready| if ready { read().map(Some) } else { Ok(None) });
    match typed {
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        typed => typed.map_err(|error| failed(&error)),
    }
}

fn enter() -> Result<(), Failure> {
    TAKEN.store(true, Ordering::SeqCst);
    let entered =
        enable_raw_mode().and_then(|()| execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste));
    entered.map_err(|error| {
        leave();
        failed(&error)
    })
}

/// As it was; a terminal that is gone takes nothing back.
pub(super) fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _gone = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _gone = disable_raw_mode();
    }
}

/// What a panic says would be lost on our screen. Other threads do not take it from the view.
fn give_back_before_a_panic_is_told() {
    let (before, view) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == view {
            leave();
        }
        before(panic);
    }));
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::new(format!("the terminal cannot be used: {error}"))
        .help("`bottle watch --plain` prints a line for everything that happens")
}
