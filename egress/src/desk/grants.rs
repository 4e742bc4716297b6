//! What operators granted while the bottle runs, besides the manifest.
use super::petition::Span;
use credentials::Binding;
use policy::{Proposal, Request, Route, RouteId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ids of granted routes: beyond those of any manifest, and never used twice in an engine's life.
const FIRST: u32 = 1 << 24;
/// How long something that was allowed once waits for its request.
const UNUSED: Duration = Duration::from_secs(3600);

/// A route that an operator granted.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) route: Arc<Route>,
    pub(crate) binding: Option<Binding>,
    pub(crate) ends: Option<Instant>,
    once: bool,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Grants {
    all: Vec<Grant>,
    next: u32,
}

impl Grants {
    /// Grants a proposal; when it ends.
    pub(super) fn add(
        &mut self,
        petition: &str,
        proposal: &Proposal,
        span: Span,
        binding: Option<Binding>,
    ) -> Option<Instant> {
        let (now, once) = (Instant::now(), span == Span::Once);
        let ends = match span {
            // The manifest grants it from now on.
            Span::Always => return None,
            Span::Once => now.checked_add(UNUSED),
            Span::Bottle => None,
            Span::Until { time } => {
                let left = time.duration_since(jiff::Timestamp::now());
                Some(now + Duration::try_from(left).unwrap_or_default())
            }
        };
        let id = RouteId(FIRST.saturating_add(self.next));
        self.next = self.next.wrapping_add(1);
        let route = Arc::new(proposal.route(id, format!("granted {petition}")));
        self.all.push(Grant { route, binding, ends, once });
        ends
    }

    /// For one request and no other, without an operator.
    pub(crate) fn learning(&mut self, request: &Request) -> Grant {
        let id = RouteId(FIRST.saturating_add(self.next));
        self.next = self.next.wrapping_add(1);
        let route = Arc::new(Proposal::of(request).route(id, crate::config::LEARNING.to_owned()));
        Grant { route, binding: None, ends: None, once: true }
    }

    /// Those that hold for more than one request, without what is over.
    pub(crate) fn standing(&mut self) -> Vec<Grant> {
        let now = Instant::now();
        self.all.retain(|grant| grant.ends.is_none_or(|ends| ends > now));
        self.all.iter().filter(|grant| !grant.once).cloned().collect()
    }

    /// Takes one that was granted for one request, for this one.
    pub(crate) fn take_once(&mut self, request: &Request) -> Option<Grant> {
        let now = Instant::now();
        let at = self.all.iter().position(|grant| {
            let is_now = grant.ends.is_none_or(|ends| ends > now);
            grant.once && is_now && grant.route.covers(request)
        })?;
        Some(self.all.swap_remove(at))
    }
}
