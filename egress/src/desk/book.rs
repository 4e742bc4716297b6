//! The petitions of a bottle: who may ask how often, what became of each. No clocks of its own, no waiting.
use super::petition::{How, Near, NotAsked, Petition, State};
use policy::Proposal;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Petitions that may wait for an answer at once: more than this nobody reads.
const OPEN: usize = 16;
/// New petitions in a [`SPAN`].
const NEW: usize = 10;
const SPAN: Duration = Duration::from_secs(60);
/// Petitions that are remembered, answered ones included.
const REMEMBERED: usize = 256;
/// An equal petition that was refused is not asked again for so long: the answer is the same.
const SETTLED: Duration = Duration::from_secs(600);

/// What is asked, before it has an id.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) proposal: Proposal,
    pub(super) why: String,
    pub(super) how: How,
    pub(super) exchange: Option<String>,
    pub(super) code: Option<String>,
    pub(super) would_have_allowed: u32,
    pub(super) near: Option<Near>,
}

struct Entry {
    petition: Petition,
    settled: Option<Instant>,
}

/// All of them, the latest last.
#[derive(Default)]
pub(super) struct Book {
    entries: VecDeque<Entry>,
    recent: VecDeque<Instant>,
}

impl Book {
    /// Opens a petition, or gives the equal one that is open, or was refused a short time ago; whether it is new.
    /// # Errors
    /// When there are too many.
    pub(super) fn open(
        &mut self,
        wish: Wish,
        id: impl FnOnce() -> String,
        now: (Instant, jiff::Timestamp),
    ) -> Result<(Petition, bool), NotAsked> {
        if let Some(known) = self.equal(&wish, now.0) {
            return Ok((known, false));
        }
        self.recent.retain(|asked| now.0.saturating_duration_since(*asked) < SPAN);
        if self.recent.len() >= NEW {
            return Err(NotAsked::TooMany("ten a minute"));
        }
        if self.entries.iter().filter(|entry| entry.petition.state.is_open()).count() >= OPEN {
            return Err(NotAsked::TooMany("sixteen wait already"));
        }
        self.recent.push_back(now.0);
        self.forget();
        let Wish { proposal, why, how, exchange, code, would_have_allowed, near } = wish;
        let petition = Petition {
            id: id(),
            asked: now.1,
            proposal,
            why,
            how,
            exchange,
            code,
            would_have_allowed,
            near,
            state: State::Open,
        };
        self.entries.push_back(Entry { petition: petition.clone(), settled: None });
        Ok((petition, true))
    }

    fn equal(&self, wish: &Wish, now: Instant) -> Option<Petition> {
        let is_same = |entry: &&Entry| entry.petition.proposal == wish.proposal;
        let still_holds = |entry: &&Entry| match (&entry.petition.state, entry.settled) {
            (State::Open, _) => true,
            (State::Refused { .. }, Some(at)) => now.saturating_duration_since(at) < SETTLED,
            _ => false,
        };
        self.entries.iter().rev().filter(is_same).find(still_holds).map(|entry| entry.petition.clone())
    }

    /// Room for one more: answered ones go first, the oldest of them.
    fn forget(&mut self) {
        if self.entries.len() < REMEMBERED {
            return;
        }
        if let Some(at) = self.entries.iter().position(|entry| !entry.petition.state.is_open()) {
            self.entries.remove(at);
        }
    }

    /// By its id.
    pub(super) fn find(&self, id: &str) -> Option<&Petition> {
        self.entries.iter().map(|entry| &entry.petition).find(|petition| petition.id == id)
    }

    /// What becomes of an open one; none: there is no open one of this id.
    pub(super) fn settle(&mut self, id: &str, state: State, now: Instant) -> Option<Petition> {
        let entry = self.entries.iter_mut().find(|entry| entry.petition.id == id)?;
        if !entry.petition.state.is_open() {
            return None;
        }
        entry.petition.state = state;
        entry.settled = Some(now);
        Some(entry.petition.clone())
    }

    /// All, the latest last.
    pub(super) fn all(&self) -> Vec<Petition> {
        self.entries.iter().map(|entry| entry.petition.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::Request;

    fn wish(path: &str) -> Wish {
        let request = Request::from_url("GET", &format!("https://a.example/{path}")).expect("a request");
        Wish {
            proposal: Proposal::of(&request),
            why: String::new(),
            how: How::Asked,
            exchange: None,
            code: None,
            would_have_allowed: 0,
            near: None,
        }
    }

    fn open(book: &mut Book, path: &str, now: Instant) -> Result<(Petition, bool), NotAsked> {
        let id = format!("{path}-{}", book.entries.len());
        book.open(wish(path), || id, (now, jiff::Timestamp::UNIX_EPOCH))
    }

    #[test]
    fn the_same_is_asked_once_and_a_no_holds() {
        let (mut book, now) = (Book::default(), Instant::now());
        let (first, new) = open(&mut book, "x", now).expect("asked");
        assert!(new);
        assert_eq!(open(&mut book, "x", now), Ok((first.clone(), false)));
        book.settle(&first.id, State::Refused { word: None }, now).expect("open");
        let (again, new) = open(&mut book, "x", now + SETTLED / 2).expect("known");
        assert!(!new && again.state == State::Refused { word: None }, "a no holds for a while");
        let (later, new) = open(&mut book, "x", now + SETTLED).expect("asked anew");
        assert!(new && later.id != first.id);
        let once = State::Allowed { span: super::super::Span::Once, narrowed: None, word: None };
        book.settle(&later.id, once, now).expect("open");
        assert!(open(&mut book, "x", now + SETTLED).expect("asked anew").1, "a yes was for that one");
    }

    #[test]
    fn nothing_is_answered_twice() {
        let (mut book, now) = (Book::default(), Instant::now());
        let (one, _) = open(&mut book, "x", now).expect("asked");
        assert!(book.settle(&one.id, State::Expired, now).is_some());
        assert!(book.settle(&one.id, State::Refused { word: None }, now).is_none());
        assert!(book.settle("other", State::Expired, now).is_none());
    }

    #[test]
    fn a_flood_ends_and_keeps_what_was_asked_before() {
        let (mut book, mut now) = (Book::default(), Instant::now());
        for number in 0..NEW {
            open(&mut book, &number.to_string(), now).expect("within the limit");
        }
        assert!(matches!(open(&mut book, "more", now), Err(NotAsked::TooMany(_))));
        now += SPAN;
        for number in NEW..OPEN {
            open(&mut book, &number.to_string(), now).expect("within the limit");
        }
        assert!(matches!(open(&mut book, "more", now + SPAN), Err(NotAsked::TooMany(_))));
        assert_eq!(book.all().len(), OPEN);
        assert!(book.find("0-0").is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut book, mut now) = (Book::default(), Instant::now());
        for number in 0..REMEMBERED * 2 {
            now += SPAN;
            let (petition, _) = open(&mut book, &number.to_string(), now).expect("asked");
            book.settle(&petition.id, State::Expired, now);
        }
        assert_eq!(book.all().len(), REMEMBERED);
    }
}
