//! What opens the page: links, which are used up, and sessions, which last as long as this process.
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Links that wait to be used; with one more the oldest is worth nothing.
const LINKS: usize = 8;
/// Sessions at once; the oldest ends for a new one.
const SESSIONS: usize = 16;

/// 256 bits in hexadecimal digits. Not printable by mistake, and gone from memory with its owner.
type Secret = Zeroizing<String>;

/// All links and sessions.
#[derive(Default)]
pub(super) struct Keys {
    held: Mutex<Held>,
    opened: Condvar,
}

#[derive(Default)]
struct Held {
    links: VecDeque<Secret>,
    sessions: VecDeque<Secret>,
    opened: u64,
    told: u64,
}

impl Keys {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret that opens one session.
    pub(super) fn link(&self) -> String {
        let secret = draw();
        push(&mut self.held().links, secret.clone(), LINKS);
        secret.to_string()
    }

    /// Opens a session with the secret of a link, which is used up by that; none: there is no such link, or no more.
    pub(super) fn open(&self, link: &str) -> Option<String> {
        let mut held = self.held();
        let at = find(&held.links, link)?;
        held.links.remove(at);
        let session = draw();
        push(&mut held.sessions, session.clone(), SESSIONS);
        held.opened += 1;
        self.opened.notify_all();
        Some(session.to_string())
    }

    /// Whether a session is one of ours.
    pub(super) fn knows(&self, session: &str) -> bool {
        find(&self.held().sessions, session).is_some()
    }

    /// Waits for a session to be opened that nobody was told of.
    pub(super) fn opened_within(&self, time: Duration) -> bool {
        let waits = self.opened.wait_timeout_while(self.held(), time, |held| held.opened == held.told);
        let (mut held, _) = waits.unwrap_or_else(PoisonError::into_inner);
        let opened = held.opened != held.told;
        held.told = held.opened;
        opened
    }
}

fn draw() -> Secret {
    let mut text = String::with_capacity(64);
    for byte in rand::random::<[u8; 32]>() {
        let _never_fails = write!(text, "{byte:02x}");
    }
    Zeroizing::new(text)
}

fn push(into: &mut VecDeque<Secret>, secret: Secret, most: usize) {
    into.truncate(most - 1);
    into.push_front(secret);
}

/// Looks at every one of them, each in a time that says nothing of where they differ.
fn find(all: &VecDeque<Secret>, given: &str) -> Option<usize> {
    all.iter().enumerate().fold(None, |found, (at, secret)| {
        if bool::from(secret.as_bytes().ct_eq(given.as_bytes())) { Some(at) } else { found }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_one_session_and_is_worth_nothing_then() {
        let keys = Keys::default();
        let link = keys.link();
        assert!(link.len() == 64 && link != keys.link(), "256 bits, never the same");
        assert!(!keys.knows(&link), "a link is no session");
        let session = keys.open(&link).expect("opened");
        assert!(keys.knows(&session) && session != link);
        assert_eq!(keys.open(&link), None, "used up");
        assert_eq!(keys.open(&session), None, "a session is no link");
    }

    #[test]
    fn nothing_but_the_whole_secret_counts() {
        let keys = Keys::default();
        let link = keys.link();
        let upper = link.to_uppercase().replace(|c: char| c.is_ascii_digit(), "1");
        for wrong in ["", "0", &link[..63], &format!("{link}0"), &upper] {
            assert_eq!(keys.open(wrong), None, "`{wrong}`");
            assert!(!keys.knows(wrong));
        }
        assert!(keys.open(&link).is_some(), "wrong guesses use up nothing");
    }

    #[test]
    fn old_ones_make_room() {
        let keys = Keys::default();
        let first = keys.link();
        let links: Vec<String> = (0..LINKS).map(|_| keys.link()).collect();
        assert_eq!(keys.open(&first), None);
        assert!(keys.open(&links[0]).is_some());
        assert!(keys.opened_within(Duration::ZERO) && !keys.opened_within(Duration::ZERO), "told once");
    }
}
