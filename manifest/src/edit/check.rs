//! Whether a new plan is the old one and these routes, and nothing else.
use super::{Addition, EditError};
use crate::meet;
use crate::plan::{EgressPlan, Plan};
use policy::{Policy, Route, RouteId};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The routes of `additions` stand together after the user's own; everything else is as it was.
pub(super) fn only_added(before: &Plan, after: &Plan, additions: &[Addition]) -> Result<(), EditError> {
    let (old, new) = (before.egress.policy.routes(), after.egress.policy.routes());
    let fits = |at: usize| {
        additions
            .iter()
            .zip(new.get(at..).unwrap_or_default())
            .all(|(addition, route)| **route == addition.proposal.route(route.id, route.name.clone()))
    };
    // Presets stand after the user's routes and may say the same: the last place that fits is not always ours.
    let place = (0..=old.len()).find(|at| {
        new.len() == old.len() + additions.len() && fits(*at) && is(before, after, *at, additions.len())
    });
    let Some(place) = place else { return Err(another(before, after)) };
    let added = &new[place..place + additions.len()];
    let later = &new[place + additions.len()..];
    for route in added {
        if let Some(taken) = later.iter().find(|later| takes_from(route, later, &after.egress)) {
            return Err(EditError::new(
                format!(
                    "the route would decide requests that `{}` decides now, with its credential or checks",
                    taken.name
                ),
                "narrow its methods or paths, or write it by hand where you want it",
            ));
        }
    }
    Ok(())
}

fn another(before: &Plan, after: &Plan) -> EditError {
    let has = |name: &str| after.egress.policy.routes().iter().any(|route| route.name == name);
    let lost = before.egress.policy.routes().iter().find(|route| !has(&route.name));
    let what = match lost {
        Some(route) => format!("the route would take the place of `{}`", route.name),
        None => "the manifest would mean more than one more route".to_owned(),
    };
    EditError::new(what, "narrow its methods or paths, or write it by hand where you want it")
}

/// Whether `after` is `before` with `count` routes put in at a place.
fn is(before: &Plan, after: &Plan, place: usize, count: usize) -> bool {
    let expected = Plan { egress: shifted(&before.egress, &after.egress, place, count), ..before.clone() };
    match (serde_json::to_value(&expected), serde_json::to_value(after)) {
        (Ok(expected), Ok(after)) => expected == after,
        _ => false,
    }
}

fn shifted(before: &EgressPlan, after: &EgressPlan, place: usize, count: usize) -> EgressPlan {
    let new = after.policy.routes().get(place..place + count).unwrap_or_default();
    let moved = |id: RouteId| shift(id, place, count);
    let old = before.policy.routes().iter().map(|route| Route { id: moved(route.id), ..Route::clone(route) });
    let mut routes: Vec<Route> = old.collect();
    routes.splice(
        place.min(routes.len())..place.min(routes.len()),
        new.iter().map(|route| Route::clone(route)),
    );
    let mut egress =
        EgressPlan { policy: Policy::new(routes, resolve(before, after, new)), ..before.clone() };
    egress.bindings = rekeyed(&before.bindings, moved);
    egress.route_budgets = rekeyed(&before.route_budgets, moved);
    egress.dlp.routes = rekeyed(&before.dlp.routes, moved);
    for allowance in &mut egress.dlp.allow {
        allowance.route = allowance.route.map(moved);
    }
    egress
}

fn shift(id: RouteId, place: usize, count: usize) -> RouteId {
    let at = usize::try_from(id.0).unwrap_or(usize::MAX);
    let by = if at >= place { u32::try_from(count).unwrap_or(0) } else { 0 };
    RouteId(id.0.saturating_add(by))
}

fn rekeyed<T: Clone>(map: &BTreeMap<RouteId, T>, moved: impl Fn(RouteId) -> RouteId) -> BTreeMap<RouteId, T> {
    map.iter().map(|(id, value)| (moved(*id), value.clone())).collect()
}

/// The old table, and entries that a `resolve` without ports has for the new routes' ports.
fn resolve(
    before: &EgressPlan,
    after: &EgressPlan,
    new: &[std::sync::Arc<Route>],
) -> BTreeMap<String, SocketAddr> {
    let mut table = before.policy.names().clone();
    let names = |key: &str, route: &Route| {
        key.rsplit_once(':').is_some_and(|(host, port)| {
            port == route.port.to_string()
                && policy::Host::parse(host).is_ok_and(|host| route.host.matches(&host))
        })
    };
    for (key, address) in after.policy.names() {
        if new.iter().any(|route| names(key, route)) {
            table.entry(key.clone()).or_insert(*address);
        }
    }
    table
}

/// Whether a route that now stands before another takes requests away from it to which that one does something.
fn takes_from(route: &Route, later: &Route, egress: &EgressPlan) -> bool {
    if meet::connections(route, later) && (route.protocol != later.protocol || route.tls != later.tls) {
        return true;
    }
    let id = later.id;
    let does = egress.bindings.contains_key(&id)
        || egress.dlp.routes.contains_key(&id)
        || egress.route_budgets.contains_key(&id)
        || later.allow_private;
    does && meet::requests(route, later)
}
