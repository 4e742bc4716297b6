//! The allowlist: which route of the new plan is which of the old, and what of it is other.
use super::{Area, Change, Kind, source, value, word};
use crate::plan::EgressPlan;
use crate::{lint, meet};
use credentials::Binding;
use policy::{Method, PathPattern, Proposal, Protocol, Route, RouteId, TlsMode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Two plans, and their routes side by side.
pub(super) struct Pairs<'p> {
    pub(super) old: &'p EgressPlan,
    pub(super) new: &'p EgressPlan,
    /// Of the same route: as it was, and as it is; in the order of the new plan.
    pub(super) both: Vec<(&'p Route, &'p Route)>,
    removed: Vec<&'p Route>,
    added: Vec<&'p Route>,
}

type Alike = fn(&Route, &Route) -> bool;

/// What makes two routes the same one, the surest sign first.
const ALIKE: [Alike; 4] = [
    |old, new| *old == Route { id: old.id, name: old.name.clone(), ..new.clone() },
    |old, new| destination(old) == destination(new) && old.name == new.name,
    |old, new| destination(old) == destination(new),
    |old, new| old.name == new.name,
];

fn destination(route: &Route) -> (String, u16, &'static str, Protocol) {
    (route.host.to_string(), route.port, route.scheme.as_str(), route.protocol)
}

impl<'p> Pairs<'p> {
    pub(super) fn of(old: &'p EgressPlan, new: &'p EgressPlan) -> Pairs<'p> {
        let mut removed: Vec<&Route> = old.policy.routes().iter().map(Arc::as_ref).collect();
        let mut added: Vec<&Route> = new.policy.routes().iter().map(Arc::as_ref).collect();
        let mut both = Vec::new();
        for alike in ALIKE {
            added.retain(|route| match removed.iter().position(|old| alike(old, route)) {
                Some(at) => {
                    both.push((removed.remove(at), *route));
                    false
                }
                None => true,
            });
        }
        both.sort_by_key(|(_, new)| new.id);
        Pairs { old, new, both, removed, added }
    }
}

pub(super) fn changes(pairs: &Pairs<'_>, out: &mut Vec<Change>) {
    for route in &pairs.removed {
        // What it covered may be another route's now.
        let falls = |other: &&Arc<Route>| {
            meet::requests(route, other) && says(pairs.old, route.id) != says(pairs.new, other.id)
        };
        let heir = pairs.new.policy.routes().iter().find(falls);
        let detail = match heir {
            Some(heir) => {
                format!("{}; what it covered may go out by `{}`", shown(pairs.old, route), heir.name)
            }
            None => shown(pairs.old, route),
        };
        out.push(Change::new(Area::Routes, Kind::Removed, item(route), detail).weakens(heir.is_some()));
    }
    for (old, new) in &pairs.both {
        facets(pairs, old, new, out);
    }
    for route in &pairs.added {
        out.push(Change::new(Area::Routes, Kind::Added, item(route), shown(pairs.new, route)).weakens(true));
    }
    order(pairs, out);
}

pub(super) fn item(route: &Route) -> String {
    format!("route `{}`", route.name)
}

/// What it lets through, and with what.
fn shown(egress: &EgressPlan, route: &Route) -> String {
    let private = if route.allow_private { ", may be private" } else { "" };
    let credential =
        egress.bindings.get(&route.id).map(|binding| format!(", with {}", credential(egress, binding)));
    format!("{}{private}{}", Proposal::of_route(route), credential.unwrap_or_default())
}

/// `variable `T` as bearer`.
fn credential(egress: &EgressPlan, binding: &Binding) -> String {
    let slot = egress.slots.iter().find(|slot| slot.slot == binding.slot);
    let from = slot.map_or_else(|| binding.slot.to_string(), |slot| source(&slot.source));
    let scheme = serde_json::to_value(&binding.scheme).unwrap_or_default();
    let mut how = scheme["scheme"].as_str().unwrap_or_default().to_owned();
    for key in ["name", "prefix", "username", "parameter"] {
        if let Some(text) = scheme[key].as_str() {
            how += &format!(" {key} `{text}`");
        }
    }
    if let Some(places) = scheme["places"].as_object() {
        let places = places.iter().filter(|(_, on)| **on == Value::Bool(true));
        how += &places.map(|(place, _)| format!(" in {place}")).collect::<String>();
    }
    format!("{from} as {how}")
}

/// What else hangs on a route.
fn says(egress: &EgressPlan, id: RouteId) -> Value {
    let bound = egress.bindings.get(&id).map(|binding| credential(egress, binding));
    let private = egress.policy.route(id).is_some_and(|route| route.allow_private);
    json!([bound, egress.dlp.routes.get(&id), egress.route_budgets.get(&id), private])
}

fn facets(pairs: &Pairs<'_>, old: &Route, new: &Route, out: &mut Vec<Change>) {
    let item = item(new);
    let mut tell = |what: &str, was: String, is: String, weakens: bool| {
        if was != is {
            out.push(
                Change::new(Area::Routes, Kind::Changed, &item, format!("{what} {was} → {is}"))
                    .weakens(weakens),
            );
        }
    };
    tell("called", old.name.clone(), new.name.clone(), false);
    tell("host", old.host.to_string(), new.host.to_string(), !lint::covers_host(&old.host, &new.host));
    tell("port", old.port.to_string(), new.port.to_string(), true);
    let plain = new.scheme.as_str() == "http";
    tell("scheme", old.scheme.as_str().to_owned(), new.scheme.as_str().to_owned(), plain);
    tell("protocol", word(&old.protocol), word(&new.protocol), new.protocol == Protocol::Tcp);
    tell("tls", word(&old.tls), word(&new.tls), new.tls == TlsMode::Passthrough);
    tell("methods", methods(old), methods(new), !lint::covers_methods(old, new));
    let covered = lint::covers_paths(old.paths.as_deref(), new.paths.as_deref());
    tell("paths", paths(old), paths(new), !covered);
    tell("allow_private", old.allow_private.to_string(), new.allow_private.to_string(), new.allow_private);
    let bound = |egress: &EgressPlan, id: RouteId| {
        egress.bindings.get(&id).map(|binding| credential(egress, binding))
    };
    let (was, is) = (bound(pairs.old, old.id), bound(pairs.new, new.id));
    let change =
        value(Area::Routes, &item, (was.as_ref(), is.as_ref()), String::clone, |_, new| new.is_some());
    out.extend(change.map(|change| Change { detail: format!("credential {}", change.detail), ..change }));
}

fn methods(route: &Route) -> String {
    let list = |list: &Vec<Method>| list.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    route.methods.as_ref().map_or_else(|| "all".to_owned(), list)
}

fn paths(route: &Route) -> String {
    let list = |list: &Vec<PathPattern>| list.iter().map(PathPattern::as_str).collect::<Vec<_>>().join(", ");
    route.paths.as_ref().map_or_else(|| "all".to_owned(), list)
}

/// The first route that covers a request decides: which is first may be other.
fn order(pairs: &Pairs<'_>, out: &mut Vec<Change>) {
    for (i, (old_first, first)) in pairs.both.iter().enumerate() {
        for (old_second, second) in &pairs.both[i + 1..] {
            if old_first.id > old_second.id && meet::requests(first, second) {
                let differ = says(pairs.new, first.id) != says(pairs.new, second.id)
                    || (first.protocol, first.tls) != (second.protocol, second.tls);
                let detail = format!("stands before `{}` now, which decided first", second.name);
                out.push(Change::new(Area::Routes, Kind::Changed, item(first), detail).weakens(differ));
            }
        }
    }
}
