//! Asking and answering: what agents ask for beyond the policy, what operators answer, and what is granted by that.
//!
//! Two sides, two types: [`AgentSide`] can read and ask; [`crate::Steering`] can answer. Nothing that a bottle reaches holds the
//! second one.
mod agent;
mod ask;
mod book;
mod grants;
mod petition;

pub use agent::{AgentSide, LocalAnswer, LocalSite, Refusal, RouteView};
pub use ask::{Ask, NotPut, Told};
pub use petition::{Answer, AnswerError, How, Near, NotAsked, Petition, Span, State};

use book::{Book, Wish};
pub(crate) use grants::Grant;
use grants::Grants;
use policy::{DenialCode, Proposal, Request};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Refused requests that are counted for what a proposal would have allowed.
const REFUSED: usize = 512;
const HOUR: Duration = Duration::from_secs(3600);
/// Requests that may wait for an answer at once.
const HELD: usize = 64;

/// Hears of every petition: when it is opened, and when something becomes of it. Called on the engine's threads: it must not wait.
pub type Notices = Arc<dyn Fn(&Petition) + Send + Sync>;

/// The petitions of a bottle and what came of them. All clones are the same.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    book: Mutex<Book>,
    grants: Mutex<Grants>,
    refused: Mutex<VecDeque<(Instant, Request)>>,
    waiting: Mutex<HashMap<String, usize>>,
    attended: AtomicBool,
    turned: watch::Sender<u64>,
    notices: Option<Notices>,
}

/// What became of a request that was held.
pub(crate) enum Outcome {
    /// It, or its like, may go now: judge it again.
    Again,
    /// The operator said no.
    Refused(Option<String>),
    /// Nobody said anything in time.
    Expired,
    /// It was not even asked.
    NotAsked(NotAsked),
}

impl Desk {
    pub(crate) fn new(attended: bool, notices: Option<Notices>) -> Desk {
        Desk(Arc::new(Inner {
            book: Mutex::default(),
            grants: Mutex::default(),
            refused: Mutex::default(),
            waiting: Mutex::default(),
            attended: AtomicBool::new(attended),
            turned: watch::Sender::new(0),
            notices,
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is granted.
    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody can answer.
    pub(crate) fn attend(&self, on: bool) {
        self.0.attended.store(on, Ordering::Relaxed);
    }

    pub(crate) fn is_attended(&self) -> bool {
        self.0.attended.load(Ordering::Relaxed)
    }

    /// Keeps a request that the policy refused.
    pub(crate) fn note_refused(&self, request: &Request) {
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.truncate(REFUSED - 1);
        refused.push_front((Instant::now(), request.clone()));
    }

    fn would_have_allowed(&self, proposal: &Proposal) -> u32 {
        let refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = refused.iter().take_while(|(at, _)| at.elapsed() < HOUR);
        u32::try_from(recent.filter(|(_, request)| proposal.covers(request)).count()).unwrap_or(u32::MAX)
    }

    fn open(&self, mut wish: Wish) -> Result<Petition, NotAsked> {
        if !self.is_attended() {
            return Err(NotAsked::Unattended);
        }
        wish.would_have_allowed = self.would_have_allowed(&wish.proposal);
        let now = (Instant::now(), jiff::Timestamp::now());
        let (petition, new) = self.book().open(wish, new_id, now)?;
        if new {
            self.tell(&petition);
        }
        Ok(petition)
    }

    fn tell(&self, petition: &Petition) {
        if let Some(notices) = &self.0.notices {
            notices(petition);
        }
        self.0.turned.send_modify(|turn| *turn = turn.wrapping_add(1));
    }

    /// All petitions, the latest last.
    pub(crate) fn petitions(&self) -> Vec<Petition> {
        self.book().all()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Petition> {
        self.book().find(id).cloned()
    }

    /// Grants what a petition asks for, or what an operator made of it; when that ends.
    pub(crate) fn grant(
        &self,
        id: &str,
        proposal: &Proposal,
        span: Span,
        binding: Option<credentials::Binding>,
    ) -> Option<Instant> {
        self.grants().add(id, proposal, span, binding)
    }

    /// Settles an open petition.
    /// # Errors
    /// When it is not open, or not known.
    pub(crate) fn settle(&self, id: &str, state: State) -> Result<Petition, AnswerError> {
        let settled = self.book().settle(id, state, Instant::now());
        match settled {
            Some(petition) => {
                self.tell(&petition);
                Ok(petition)
            }
            None if self.find(id).is_some() => Err(AnswerError::Closed(id.to_owned())),
            None => Err(AnswerError::Unknown(id.to_owned())),
        }
    }

    /// The petition as it is once it is not open any more, or when the time is over; none: there is none of this id.
    pub(crate) async fn wait(&self, id: &str, time: Duration) -> Option<Petition> {
        let mut turned = self.0.turned.subscribe();
        let until = tokio::time::sleep(time);
        tokio::pin!(until);
        loop {
            turned.mark_unchanged();
            let petition = self.find(id)?;
            if !petition.state.is_open() {
                return Some(petition);
            }
            tokio::select! {
                changed = turned.changed() => if changed.is_err() { return Some(petition) },
                () = &mut until => return self.find(id),
            }
        }
    }

    /// Waits with a request for an answer. Whoever gives the request up withdraws the petition, unless others wait with it.
    pub(crate) async fn hold(&self, wish: Refused, time: Duration) -> Outcome {
        let petition = match self.open(wish.into_wish()) {
            Ok(petition) => petition,
            Err(not) => return Outcome::NotAsked(not),
        };
        if let State::Refused { word } = petition.state {
            return Outcome::Refused(word);
        }
        let Some(place) = Waiting::take(self, &petition.id) else {
            return Outcome::NotAsked(NotAsked::TooMany("sixty-four requests wait already"));
        };
        let settled = self.wait(&petition.id, time).await;
        place.leave();
        match settled.map(|petition| petition.state) {
            Some(State::Allowed { .. }) => Outcome::Again,
            Some(State::Refused { word }) => Outcome::Refused(word),
            Some(State::Open) => {
                let _answered_just_now = self.settle(&petition.id, State::Expired);
                Outcome::Expired
            }
            Some(State::Expired | State::Withdrawn) | None => Outcome::Expired,
        }
    }
}

/// A request that the policy refused, to be held.
pub(crate) struct Refused {
    pub(crate) request: Request,
    pub(crate) code: DenialCode,
    pub(crate) exchange: String,
    pub(crate) near: Option<Near>,
}

impl Refused {
    fn into_wish(self) -> Wish {
        Wish {
            proposal: Proposal::of(&self.request),
            why: String::new(),
            how: How::Held,
            exchange: Some(self.exchange),
            code: Some(self.code.as_str().to_owned()),
            would_have_allowed: 0,
            near: self.near,
        }
    }
}

/// A request that waits; given up, its petition goes with it when it was the last.
struct Waiting {
    desk: Desk,
    id: String,
    left: bool,
}

impl Waiting {
    fn take(desk: &Desk, id: &str) -> Option<Waiting> {
        let mut waiting = desk.waiting();
        if waiting.values().sum::<usize>() >= HELD {
            return None;
        }
        *waiting.entry(id.to_owned()).or_default() += 1;
        drop(waiting);
        Some(Waiting { desk: desk.clone(), id: id.to_owned(), left: false })
    }

    fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.desk.waiting();
        let others = waiting.get_mut(&self.id).is_some_and(|count| {
            *count = count.saturating_sub(1);
            *count > 0
        });
        if !others {
            waiting.remove(&self.id);
        }
        drop(waiting);
        if !self.left && !others {
            let _answered_already = self.desk.settle(&self.id, State::Withdrawn);
        }
    }
}

/// Letters and digits that nobody mistakes for each other.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

/// Thirty random bits.
fn new_id() -> String {
    let random: [u8; 6] = rand::random();
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
