//! Destinations → routes. Names are put together only where many of them stand below one.
use super::counted;
use super::paths::{Group, Seen, groups};
use crate::edit::Addition;
use policy::{Host, HostPattern, Proposal, Protocol, Request, Scheme, TlsMode};
use std::collections::BTreeMap;

/// So many names right below one are taken for all names below it.
const SIBLINGS: usize = 5;
/// Names that a comment lists.
const LISTED: usize = 8;

/// Second labels below which strangers' names stand side by side (`co.uk`).
const SHARED_SECOND: [&str; 8] = ["co", "com", "org", "net", "ac", "gov", "edu", "or"];
/// Hosts whose customers' names stand side by side: one of them says nothing of the next.
const SHARED: [&str; 30] = [
    "amazonaws.com",
    "cloudfront.net",
    "azurewebsites.net",
    "azureedge.net",
    "windows.net",
    "azure.com",
    "appspot.com",
    "run.app",
    "web.app",
    "firebaseapp.com",
    "firebaseio.com",
    "cloudfunctions.net",
    "googleapis.com",
    "github.io",
    "gitlab.io",
    "pages.dev",
    "workers.dev",
    "r2.dev",
    "vercel.app",
    "netlify.app",
    "herokuapp.com",
    "fly.dev",
    "onrender.com",
    "ngrok.io",
    "ngrok-free.app",
    "trycloudflare.com",
    "blogspot.com",
    "myshopify.com",
    "nip.io",
    "sslip.io",
];

/// Where requests lead. In the order in which routes are written: by the labels of names from the right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    labels: Vec<String>,
    host: String,
    port: u16,
    scheme: &'static str,
}

impl Destination {
    pub(super) fn of(request: &Request) -> Destination {
        let host = request.host.to_string();
        let labels = match &request.host {
            Host::Name(_) => host.rsplit('.').map(str::to_owned).collect(),
            Host::Ip(_) => Vec::new(),
        };
        Destination { labels, host, port: request.port, scheme: request.scheme.as_str() }
    }

    /// The name above it, if names below that one may be put together.
    fn parent(&self) -> Option<(String, u16, &'static str)> {
        let (_, parent) = self.host.split_once('.').filter(|_| !self.labels.is_empty())?;
        let labels: Vec<&str> = parent.split('.').collect();
        let country = labels.len() == 2 && labels[1].len() == 2 && SHARED_SECOND.contains(&labels[0]);
        let below = |shared: &&str| parent == *shared || parent.ends_with(&format!(".{shared}"));
        let shared = labels.len() < 2 || country || SHARED.iter().any(below);
        (!shared).then(|| (parent.to_owned(), self.port, self.scheme))
    }

    fn scheme(&self) -> Scheme {
        if self.scheme == "http" { Scheme::Http } else { Scheme::Https }
    }
}

/// Routes with comments for all that was seen.
pub(super) fn routes(seen: BTreeMap<Destination, Seen>) -> Vec<Addition> {
    let mut siblings: BTreeMap<(String, u16, &'static str), Vec<String>> = BTreeMap::new();
    for destination in seen.keys() {
        if let Some(parent) = destination.parent() {
            siblings.entry(parent).or_default().push(destination.host.clone());
        }
    }
    siblings.retain(|_, names| names.len() >= SIBLINGS);
    let mut below: BTreeMap<(String, u16, &'static str), (Destination, Seen)> = BTreeMap::new();
    let mut additions = Vec::new();
    for (destination, seen) in seen {
        match destination.parent().filter(|parent| siblings.contains_key(parent)) {
            Some(parent) => {
                let (_, together) = below.entry(parent).or_insert((destination, Seen::default()));
                *together = std::mem::take(together).with(seen);
            }
            None => {
                if let Ok(host) = Host::parse(&destination.host) {
                    additions.extend(host_routes(&HostPattern::Exact(host), &destination, &seen, None));
                }
            }
        }
    }
    for (parent, (destination, seen)) in below {
        let Ok(pattern) = HostPattern::parse(&format!("*.{}", parent.0)) else { continue };
        let names = siblings.remove(&parent).unwrap_or_default();
        additions.extend(host_routes(&pattern, &destination, &seen, Some(&all_names(&parent.0, &names))));
    }
    additions
}

/// `5 names below cdn.test were seen, so all of them are let through: a.cdn.test, …`
fn all_names(parent: &str, names: &[String]) -> String {
    let listed = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > LISTED { ", …" } else { "" };
    format!("{} names below {parent} were seen, so all of them are let through: {listed}{more}", names.len())
}

fn host_routes(host: &HostPattern, to: &Destination, seen: &Seen, wide: Option<&str>) -> Vec<Addition> {
    let from = format!("learned from {}", counted(seen.times, "request"));
    let mut first = Some(from);
    let addition = |group: Group| {
        let notes = group.notes.into_iter().map(|note| format!("wider than what was seen: {note}"));
        let comments = first.take().into_iter().chain(wide.map(str::to_owned)).chain(notes).collect();
        let proposal = Proposal {
            host: host.clone(),
            port: to.port,
            scheme: to.scheme(),
            protocol: Protocol::Http,
            tls: TlsMode::Open,
            methods: Some(group.methods),
            paths: group.paths,
        };
        Addition { comments, ..Addition::of(proposal) }
    };
    groups(seen).into_iter().map(addition).collect()
}
