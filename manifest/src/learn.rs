//! From what was seen to the narrowest routes that explain it.
//!
//! Pure: facts of requests in, routes out; the clock, files and audit lines are the caller's. What a route of the present
//! policy allows is left out. Nothing is learned from a request in which something was found, or that was refused for
//! another reason than that no route allowed it: those are told, with why.
//!
//! # What is made wider than it was seen
//! Hosts, ports and methods never are, but for hosts: where five or more names stand right below one that is nobody's
//! common suffix, and it says so. Of paths: a segment that names one thing among many (a UUID, a hash, a long number) becomes
//! `*`; numbers, versions and files with versions do where two were seen in one place, and words where six were seen with
//! the same below them. What then is still more than sixteen patterns below one segment becomes `/segment/**`. Each method
//! is looked at by itself, so none is allowed where only another was seen.
mod hosts;
mod ids;
mod paths;

use crate::edit::Addition;
use audit::{Decision, Exchange};
use policy::{Host, Opening, Policy, Proposal, Request, Scheme, decide, neutral, open};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Reasons of refusals that a route could have prevented.
const BY_POLICY: [&str; 5] =
    ["host-not-allowed", "port-not-allowed", "scheme-not-allowed", "method-not-allowed", "path-not-allowed"];
/// Destinations that routes are made for: an agent can make up names without end.
const MOST_DESTINATIONS: usize = 500;
/// Different things that are told as left out, one by one.
const MOST_LEFT_OUT: usize = 1000;
/// Lines of what was left out that stand in a manifest; the others are counted.
const TOLD: usize = 20;

/// What was learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Routes for a manifest, with comments that say what they come from.
    pub additions: Vec<Addition>,
    /// Exchanges that the policy allows already.
    pub covered: u64,
    /// Exchanges that these routes explain.
    pub explained: u64,
    /// What nothing was learned from.
    pub left_out: Vec<LeftOut>,
}

/// Something that nothing was learned from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// What was asked for, neutralised.
    pub what: String,
    /// Why not.
    pub why: String,
    /// How often.
    pub times: u64,
}

impl LeftOut {
    /// `POST https://a.test/x (3 times): …`
    pub fn line(&self) -> String {
        let times = if self.times == 1 { String::new() } else { format!(" ({} times)", self.times) };
        format!("{}{times}: {}", self.what, self.why)
    }
}

/// Something that was seen, and that a route could explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// A request, or the handshake of a WebSocket.
    Request(Request),
    /// Raw bytes that went out.
    Raw(Host, u16),
}

/// From exchanges of an audit: those that went out, and those that only the lack of a route held back.
pub fn from_events(exchanges: impl IntoIterator<Item = impl Borrow<Exchange>>, policy: &Policy) -> Learned {
    let mut gathered = Gathered::default();
    for exchange in exchanges {
        let exchange = exchange.borrow();
        match observed(exchange) {
            Ok(observed) => gathered.see(observed, policy),
            Err(why) => gathered.leave_out(exchange, &why),
        }
    }
    gathered.learned()
}

/// From requests that are known to have been harmless.
pub fn from_observed(seen: impl IntoIterator<Item = Observed>, policy: &Policy) -> Learned {
    let mut gathered = Gathered::default();
    seen.into_iter().for_each(|observed| gathered.see(observed, policy));
    gathered.learned()
}

/// What may be learned from an exchange, or why nothing.
fn observed(exchange: &Exchange) -> Result<Observed, String> {
    let found =
        exchange.findings.iter().find(|finding| !["allow", "scrub"].contains(&finding.action.as_str()));
    if let Some(finding) = found {
        return Err(format!("`{}` was found in {}", finding.rule, finding.place));
    }
    match (exchange.decision, exchange.code.as_deref()) {
        (Decision::Allowed, _) => {}
        (Decision::Denied, Some(code)) if BY_POLICY.contains(&code) => {}
        (Decision::Aborted, None) => {}
        (_, Some("protocol-not-allowed")) => {
            return Err(
                "it is no HTTP; a raw route (`protocol: tcp`) is not read by anything, write it by hand"
                    .to_owned(),
            );
        }
        (_, code) => return Err(format!("refused by `{}`", code.unwrap_or("unknown"))),
    }
    facts(exchange).ok_or_else(|| "the line does not say enough".to_owned())
}

fn facts(exchange: &Exchange) -> Option<Observed> {
    let host = Host::parse(exchange.host.as_deref()?).ok()?;
    let port = exchange.port?;
    if exchange.protocol == "tcp" {
        return (exchange.decision == Decision::Allowed).then_some(Observed::Raw(host, port));
    }
    let scheme = match exchange.scheme.as_deref()? {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let request = Request::new(scheme, host, port, exchange.method.as_deref()?, exchange.path.as_deref()?);
    request.ok().map(Observed::Request)
}

/// Requests by where they lead, and what is left out.
#[derive(Default)]
struct Gathered {
    requests: BTreeMap<hosts::Destination, paths::Seen>,
    raw: BTreeMap<(String, u16), (Host, u64)>,
    covered: u64,
    explained: u64,
    left_out: BTreeMap<(String, String), u64>,
}

impl Gathered {
    fn see(&mut self, observed: Observed, policy: &Policy) {
        if is_covered(&observed, policy) {
            self.covered += 1;
            return;
        }
        match observed {
            // `OPTIONS *` is no path, and no pattern covers it.
            Observed::Request(request) if !request.path.as_str().starts_with('/') => {
                self.left_out(request.display_url(), "no pattern of a path covers it".to_owned());
            }
            Observed::Request(request) => {
                let to = hosts::Destination::of(&request);
                if self.requests.len() >= MOST_DESTINATIONS && !self.requests.contains_key(&to) {
                    let why = format!("more than {MOST_DESTINATIONS} hosts were asked for");
                    return self.left_out("others".to_owned(), why);
                }
                self.explained += 1;
                self.requests.entry(to).or_default().add(request.method, &request.path);
            }
            Observed::Raw(host, port) => {
                self.explained += 1;
                self.raw.entry((host.to_string(), port)).or_insert((host, 0)).1 += 1;
            }
        }
    }

    fn leave_out(&mut self, exchange: &Exchange, why: &str) {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let method = exchange.method.as_ref().unwrap_or(&exchange.protocol);
        let port = exchange
            .port
            .filter(|port| ![80, 443].contains(port))
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        let scheme = exchange.scheme.as_ref().map(|scheme| format!("{scheme}://")).unwrap_or_default();
        let what = format!("{method} {scheme}{}{port}{}", text(&exchange.host), text(&exchange.path));
        self.left_out(neutral(&what, 160), neutral(why, 160));
    }

    fn left_out(&mut self, what: String, why: String) {
        let one = (what, why);
        let full = self.left_out.len() >= MOST_LEFT_OUT && !self.left_out.contains_key(&one);
        let one = if full { ("others".to_owned(), "for such reasons".to_owned()) } else { one };
        *self.left_out.entry(one).or_default() += 1;
    }

    fn learned(self) -> Learned {
        let mut additions: Vec<Addition> = hosts::routes(self.requests);
        for ((_, port), (host, times)) in self.raw {
            let comments =
                vec![format!("learned from {}; nothing reads what goes there", counted(times, "connection"))];
            additions.push(Addition { comments, ..Addition::of(Proposal::raw(host, port)) });
        }
        let left_out =
            self.left_out.into_iter().map(|((what, why), times)| LeftOut { what, why, times }).collect();
        Learned { additions, covered: self.covered, explained: self.explained, left_out }
    }
}

impl Learned {
    /// The routes as they go into a manifest: before the first stands `head`, and what nothing was learned from.
    pub fn for_manifest(&self, head: &str) -> Vec<Addition> {
        let mut additions = self.additions.clone();
        if let Some(first) = additions.first_mut() {
            let more = self.left_out.len().saturating_sub(TOLD);
            let told = self.left_out.iter().take(TOLD).map(|one| format!("not learned: {}", one.line()));
            let rest = (more > 0).then(|| format!("not learned: {more} more"));
            let own = std::mem::take(&mut first.comments);
            first.comments = std::iter::once(head.to_owned()).chain(told).chain(rest).chain(own).collect();
        }
        additions
    }
}

/// `1 request`, `2 requests`.
fn counted(times: u64, noun: &str) -> String {
    format!("{times} {noun}{}", if times == 1 { "" } else { "s" })
}

fn is_covered(observed: &Observed, policy: &Policy) -> bool {
    match observed {
        Observed::Raw(host, port) => matches!(open(policy, host, *port), Opening::Raw(_)),
        Observed::Request(request) => match open(policy, &request.host, request.port) {
            Opening::Raw(_) => true,
            Opening::Passthrough(_) => request.scheme == Scheme::Https,
            Opening::Inspect => decide(policy, request.clone()).is_ok(),
        },
    }
}
