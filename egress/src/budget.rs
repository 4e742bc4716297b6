//! What may leave within a time: bytes, requests, new connections; of a route and of the whole bottle. One book for all
//! connections, so that many at once have no more than one alone.
mod window;

use policy::{Denial, DenialCode, Policy, Route, RouteId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use window::{Full, Window};

/// An amount, and the time for which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes, requests or connections.
    pub amount: u64,
    /// Within any span of this length; `None`: as long as the engine lives.
    pub per: Option<Duration>,
}

/// What may be used up. `None`: as much as is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Bytes that the agent sends: targets, headers, bodies, trailers, WebSocket frames, the payload of tunnels.
    pub bytes_up: Option<Rate>,
    /// Requests that are allowed, WebSocket handshakes among them.
    pub requests: Option<Rate>,
    /// Connections that are opened to upstreams, for requests and as tunnels.
    pub connections: Option<Rate>,
}

/// Every budget of a bottle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budgets {
    /// Of everything that leaves.
    pub bottle: Budget,
    /// Of a route, besides that.
    pub routes: BTreeMap<RouteId, Budget>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Requests,
    Connections,
}

/// The book of an engine.
pub(crate) struct Books {
    began: Instant,
    /// Nothing is limited: nothing is counted.
    idle: AtomicBool,
    pages: Mutex<Pages>,
}

/// Routes by name: an id means another route once the policy has changed, and what is under way pays all the same.
struct Pages {
    bottle: Page,
    routes: BTreeMap<String, Page>,
}

struct Page {
    budget: Budget,
    bytes: Option<Window>,
    requests: Option<Window>,
    connections: Option<Window>,
}

impl Page {
    fn new(budget: Budget) -> Page {
        let window = |rate: Option<Rate>| rate.map(Window::new);
        Page {
            budget,
            bytes: window(budget.bytes_up),
            requests: window(budget.requests),
            connections: window(budget.connections),
        }
    }
    fn window(&mut self, kind: Kind) -> Option<&mut Window> {
        match kind {
            Kind::Bytes => self.bytes.as_mut(),
            Kind::Requests => self.requests.as_mut(),
            Kind::Connections => self.connections.as_mut(),
        }
    }
}

impl Books {
    pub(crate) fn new(budgets: &Budgets, policy: &Policy) -> Books {
        let pages = Pages { bottle: Page::new(Budget::default()), routes: BTreeMap::new() };
        let books = Books { began: Instant::now(), idle: AtomicBool::new(true), pages: Mutex::new(pages) };
        books.replace(budgets, policy);
        books
    }

    /// Other budgets from now on. One that is as it was goes on with what it has counted.
    pub(crate) fn replace(&self, budgets: &Budgets, policy: &Policy) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut pages.routes);
        if pages.bottle.budget != budgets.bottle {
            pages.bottle = Page::new(budgets.bottle);
        }
        for (id, budget) in &budgets.routes {
            let Some(route) = policy.route(*id) else { continue };
            let kept = old.remove(&route.name).filter(|page| page.budget == *budget);
            pages.routes.insert(route.name.clone(), kept.unwrap_or_else(|| Page::new(*budget)));
        }
        self.idle.store(*budgets == Budgets::default(), Ordering::Relaxed);
    }

    /// A new connection to an upstream, by this route.
    /// # Errors
    /// When there may be no more of them now.
    pub(crate) fn connection(&self, route: &Route) -> Result<(), Box<Denial>> {
        self.spend(route, Kind::Connections, 1)
    }

    /// Takes an amount from both budgets, or from neither.
    fn spend(&self, route: &Route, kind: Kind, amount: u64) -> Result<(), Box<Denial>> {
        self.ask(route, kind, amount, true)
    }

    fn ask(&self, route: &Route, kind: Kind, amount: u64, take: bool) -> Result<(), Box<Denial>> {
        if self.idle.load(Ordering::Relaxed) || amount == 0 {
            return Ok(());
        }
        // The clock is read inside: who waited for the lock must not turn it back.
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.began.elapsed();
        pages.ask(route, kind, amount, now, take).map_err(Box::new)
    }
}

impl Pages {
    fn ask(
        &mut self,
        route: &Route,
        kind: Kind,
        amount: u64,
        now: Duration,
        take: bool,
    ) -> Result<(), Denial> {
        let of_route = self.routes.get_mut(&route.name).and_then(|page| page.window(kind));
        let of_bottle = self.bottle.window(kind);
        let mut windows: Vec<(&mut Window, bool)> =
            [(of_route, true), (of_bottle, false)].into_iter().filter_map(|(w, of)| Some((w?, of))).collect();
        for (window, is_route) in &mut windows {
            if let Err(full) = window.fits(amount, now) {
                let whose = if *is_route { Some(route) } else { None };
                return Err(used_up(kind, window.rate(), whose, full));
            }
        }
        if take {
            windows.iter_mut().for_each(|(window, _)| window.put(amount));
        }
        Ok(())
    }
}

fn used_up(kind: Kind, rate: Rate, route: Option<&Route>, full: Full) -> Denial {
    let whose = match route {
        Some(route) => format!("of the route `{}`", route.name.escape_default()),
        None => "of this bottle".to_owned(),
    };
    let when = match full {
        Full::Until(time) => {
            let seconds = whole_seconds(time);
            format!("there is room for this again in {seconds} s, and trying earlier does not help")
        }
        Full::Never if rate.per.is_none() => {
            "it does not come back while this bottle runs, so do not try again".to_owned()
        }
        Full::Never => "this alone is more than that, so do not try again as it is".to_owned(),
    };
    let sentence = format!(
        "the budget {whose} for {} is used up ({}); {when}; this is the operator's policy and not to be worked around",
        kind.word(),
        kind.amount(rate),
    );
    let denial = Denial::new(DenialCode::BudgetExceeded, sentence);
    Denial {
        opens_in: match full {
            Full::Until(time) => Some(time),
            Full::Never => None,
        },
        ..denial
    }
}

/// Rounded up: who comes then is not too early.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Bytes => "bytes sent",
            Kind::Requests => "requests",
            Kind::Connections => "new connections",
        }
    }
    fn amount(self, rate: Rate) -> String {
        let amount =
            if self == Kind::Bytes { Bytes(rate.amount).to_string() } else { rate.amount.to_string() };
        match rate.per {
            None => format!("{amount} for the whole run"),
            Some(per) => format!("{amount} in {} s", per.as_secs()),
        }
    }
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        match units.iter().find(|(shift, _)| self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// What one exchange or tunnel takes from the book. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Purse {
    books: Arc<Books>,
    route: Arc<Route>,
}

impl Purse {
    pub(crate) fn new(books: &Arc<Books>, route: &Arc<Route>) -> Purse {
        Purse { books: Arc::clone(books), route: Arc::clone(route) }
    }
    /// A request.
    /// # Errors
    /// When there may be no more of them now.
    pub(crate) fn request(&self) -> Result<(), Box<Denial>> {
        self.books.spend(&self.route, Kind::Requests, 1)
    }
    /// Bytes that are about to leave.
    /// # Errors
    /// When there may be no more of them now.
    pub(crate) fn bytes(&self, count: u64) -> Result<(), Box<Denial>> {
        self.books.spend(&self.route, Kind::Bytes, count)
    }
    /// Whether so many bytes could leave now; takes nothing. What is known to be too much is refused before its first byte.
    /// # Errors
    /// When they could not.
    pub(crate) fn has_room(&self, count: u64) -> Result<(), Box<Denial>> {
        self.books.ask(&self.route, Kind::Bytes, count, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{HostPattern, Protocol, Scheme, TlsMode};

    fn route(id: u32) -> Arc<Route> {
        Arc::new(Route {
            id: RouteId(id),
            name: format!("route {id}"),
            host: HostPattern::parse("a.test").expect("a host"),
            port: 443,
            scheme: Scheme::Https,
            protocol: Protocol::Http,
            tls: TlsMode::Open,
            methods: None,
            paths: None,
            allow_private: false,
        })
    }

    fn books(budgets: &Budgets) -> Arc<Books> {
        let routes = (0..8).map(|id| Arc::unwrap_or_clone(route(id))).collect();
        Arc::new(Books::new(budgets, &Policy::new(routes, BTreeMap::new())))
    }

    fn per_minute(amount: u64) -> Option<Rate> {
        Some(Rate { amount, per: Some(Duration::from_secs(60)) })
    }

    #[test]
    fn what_one_budget_refuses_the_other_does_not_lose() {
        let bottle = Budget { requests: per_minute(3), ..Budget::default() };
        let narrow = Budget { requests: per_minute(1), ..Budget::default() };
        let budgets = Budgets { bottle, routes: BTreeMap::from([(RouteId(0), narrow)]) };
        let books = books(&budgets);
        let (first, second) = (Purse::new(&books, &route(0)), Purse::new(&books, &route(1)));
        first.request().expect("one is allowed");
        for _ in 0..5 {
            let denial = first.request().expect_err("no second one");
            assert!(denial.sentence.contains("`route 0`"), "{denial}");
            assert!(denial.opens_in.is_some_and(|time| time <= Duration::from_secs(61)));
        }
        second.request().expect("of the bottle's three one is gone");
        second.request().expect("the third");
        let denial = second.request().expect_err("no fourth");
        assert!(denial.sentence.contains("of this bottle"), "{denial}");
    }

    #[test]
    fn other_budgets_keep_what_was_counted_by_those_that_stay() {
        let narrow = Budget { requests: per_minute(1), ..Budget::default() };
        let of = |ids: &[u32]| Budgets {
            bottle: Budget::default(),
            routes: ids.iter().map(|id| (RouteId(*id), narrow)).collect(),
        };
        let policy = |ids: &[u32]| {
            // The ids are places: the same names, in another order.
            let named = ids.iter().enumerate().map(|(place, id)| Route {
                id: RouteId(u32::try_from(place).expect("few")),
                ..Arc::unwrap_or_clone(route(*id))
            });
            Policy::new(named.collect(), BTreeMap::new())
        };
        let books = Arc::new(Books::new(&of(&[0, 1]), &policy(&[0, 1])));
        Purse::new(&books, &route(0)).request().expect("its one");
        books.replace(&of(&[0, 1]), &policy(&[1, 0]));
        assert!(Purse::new(&books, &route(0)).request().is_err(), "used up, whatever its place is now");
        Purse::new(&books, &route(1)).request().expect("its own");
        books.replace(&of(&[]), &policy(&[]));
        Purse::new(&books, &route(0)).request().expect("nothing is limited any more");
    }

    #[test]
    fn many_threads_have_no_more_than_one() {
        let bottle = Budget { bytes_up: per_minute(1000), ..Budget::default() };
        let books = books(&Budgets { bottle, ..Budgets::default() });
        let taken: u64 = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..8)
                .map(|id| {
                    let purse = Purse::new(&books, &route(id));
                    scope.spawn(move || (0..1000).filter(|_| purse.bytes(7).is_ok()).count() as u64 * 7)
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().expect("it ends")).sum()
        });
        assert_eq!(taken, 994, "142 times 7 fit into 1000");
    }

    #[test]
    fn a_budget_for_the_whole_run_does_not_come_back() {
        let total = Some(Rate { amount: 10, per: None });
        let bottle = Budget { bytes_up: total, ..Budget::default() };
        let books = books(&Budgets { bottle, ..Budgets::default() });
        let purse = Purse::new(&books, &route(0));
        purse.has_room(10).expect("takes nothing");
        purse.bytes(10).expect("all of it");
        let denial = purse.bytes(1).expect_err("nothing is left");
        assert_eq!(denial.opens_in, None);
        assert!(denial.sentence.contains("does not come back"), "{denial}");
    }
}
