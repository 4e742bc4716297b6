//! Interim answers (1xx, RFC 9110 section 15.2): heard of an upstream and said to an agent, by either version.
//!
//! Not here: 100, which each leg settles for itself, and 101, which is an answer and none in HTTP/2.
mod aside;
mod said;

use http::{HeaderMap, Request, Response, StatusCode, header};
use policy::{Denial, DenialCode};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

pub(crate) use aside::Aside;
pub(crate) use said::{Said, Unanswered};

/// Of one exchange. Real servers say a few; more is a flood.
const MOST: usize = 32;
/// Bytes that the agent's leg takes of them; what does not fit is left unsaid.
const WAITING: usize = 64 * 1024;

/// What an upstream says before it answers.
pub(crate) struct Hints(Arc<Heard>);

/// In a request's extensions: who hears what an h2 upstream says. For h1, hyper has its own way.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Heard>);

impl Ear {
    pub(crate) fn hear(&self, hint: &Response<()>) {
        self.0.hear(hint.status(), hint.headers());
    }
}

#[derive(Default)]
struct Heard {
    count: AtomicUsize,
    waiting: Mutex<VecDeque<Response<()>>>,
    came: Notify,
}

impl Heard {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Response<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        if self.count.fetch_add(1, Ordering::AcqRel) < MOST {
            self.waiting().push_back(bare(status, headers));
        }
        self.came.notify_one();
    }
}

impl Hints {
    /// Listens for those to this request.
    pub(crate) fn of<B>(request: &mut Request<B>) -> Hints {
        let heard = Arc::<Heard>::default();
        let hears = heard.clone();
        request.extensions_mut().insert(Ear(heard.clone()));
        hyper::ext::on_informational(request, move |head| hears.hear(head.status(), head.headers()));
        Hints(heard)
    }

    /// The next one, whenever it comes.
    /// # Errors
    /// After too many.
    pub(crate) async fn next(&mut self) -> Result<Response<()>, Box<Denial>> {
        loop {
            if let Some(hint) = self.left()? {
                return Ok(hint);
            }
            self.0.came.notified().await;
        }
    }

    /// The next one, if it is there already.
    /// # Errors
    /// As [`Hints::next`].
    pub(crate) fn left(&mut self) -> Result<Option<Response<()>>, Box<Denial>> {
        if self.0.count.load(Ordering::Acquire) > MOST {
            return Err(flood());
        }
        Ok(self.0.waiting().pop_front())
    }
}

fn bare(status: StatusCode, headers: &HeaderMap) -> Response<()> {
    let mut hint = Response::new(());
    *hint.status_mut() = status;
    *hint.headers_mut() = headers.clone();
    hint
}

fn flood() -> Box<Denial> {
    let sentence = format!("the upstream gave more than {MOST} interim answers (1xx) before its answer");
    Box::new(Denial::new(DenialCode::UpstreamUnreachable, sentence))
}

/// Where they are said to the agent.
#[derive(Clone)]
pub(crate) enum Teller {
    H1(Arc<Aside>),
    H2(Said),
}

impl Teller {
    /// Without content (RFC 9110 section 15.2), whatever the headers say. 100 is left out: the agent's leg says it by
    /// itself, once the body is wanted. So is 101, which in HTTP/2 is no word at all (RFC 9113 section 8.6).
    pub(crate) fn say(&self, mut hint: Response<()>) {
        if [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS].contains(&hint.status()) {
            return;
        }
        hint.headers_mut().remove(header::CONTENT_LENGTH);
        hint.headers_mut().remove(header::TRAILER);
        match self {
            Teller::H1(aside) => aside.say(&hint),
            Teller::H2(said) => said.say(hint),
        }
    }
}
