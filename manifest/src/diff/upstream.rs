//! Where secrets come from, names and their addresses, the next hop.
use super::{Area, Change, Kind, lists, source, value, word};
use crate::plan::{EgressPlan, UpstreamProxyPlan};
use credentials::reference::SlotPlan;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Secrets by their source: the numbers of slots are places.
pub(super) fn credentials(old: &EgressPlan, new: &EgressPlan, out: &mut Vec<Change>) {
    let find = |egress: &EgressPlan, slot: &SlotPlan| {
        egress.slots.iter().find(|one| one.source == slot.source).cloned()
    };
    let held = |slot: &SlotPlan| match slot.env.as_slice() {
        [] => "no placeholder".to_owned(),
        names => format!("placeholder in {}", names.join(", ")),
    };
    // The agent gets its placeholders when it starts.
    let tell = |kind, slot: &SlotPlan, detail| {
        Change::new(Area::Credentials, kind, source(&slot.source), detail).restart(true)
    };
    for slot in &old.slots {
        match find(new, slot) {
            None => out.push(tell(Kind::Removed, slot, held(slot))),
            Some(now) if now.env != slot.env || now.format != slot.format => {
                out.push(tell(Kind::Changed, slot, format!("{} → {}", held(slot), held(&now))));
            }
            Some(_) => {}
        }
    }
    for slot in new.slots.iter().filter(|slot| find(old, slot).is_none()) {
        out.push(tell(Kind::Added, slot, held(slot)).weakens(true));
    }
}

pub(super) fn changes(old: &EgressPlan, new: &EgressPlan, out: &mut Vec<Change>) {
    let (was, is) = (old.policy.names(), new.policy.names());
    for name in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        // The operator's addresses may be private ones.
        let both = (was.get(name), is.get(name));
        out.extend(value(Area::Resolve, &format!("`{name}`"), both, ToString::to_string, |_, new| {
            new.is_some()
        }));
    }
    let file = |path: &PathBuf| format!("`{}`", path.display());
    let from = out.len();
    lists(
        Area::Upstream,
        "root that is trusted",
        (&old.upstream_roots, &new.upstream_roots),
        file,
        Kind::Added,
        out,
    );
    proxy(old.upstream_proxy.as_ref(), new.upstream_proxy.as_ref(), out);
    // Roots and the proxy's certificates are read when the engine starts.
    out[from..].iter_mut().for_each(|change| change.restart = true);
}

fn proxy(old: Option<&UpstreamProxyPlan>, new: Option<&UpstreamProxyPlan>, out: &mut Vec<Change>) {
    const ITEM: &str = "upstream proxy";
    let (Some(was), Some(is)) = (old, new) else {
        // Whoever looked there at what leaves does so no more.
        out.extend(value(
            Area::Upstream,
            ITEM,
            (old, new),
            |proxy| proxy.url.clone(),
            |_, new| new.is_none(),
        ));
        return;
    };
    let mut tell = |what: &str, was: String, is: String| {
        if was != is {
            let detail = format!("{what} {was} → {is}");
            out.push(Change::new(Area::Upstream, Kind::Changed, ITEM, detail).weakens(true));
        }
    };
    let path = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(|| "none".to_owned(), |path| format!("`{}`", path.display()))
    };
    tell("url", was.url.clone(), is.url.clone());
    tell("ca", path(&was.ca), path(&is.ca));
    tell("roots", path(&was.roots), path(&is.roots));
    let user = |proxy: &UpstreamProxyPlan| {
        proxy.auth.as_ref().map_or_else(|| "none".to_owned(), |auth| auth.username.clone())
    };
    tell("user", user(was), user(is));
    lists(Area::Upstream, "what goes around the proxy", (&was.except, &is.except), word, Kind::Added, out);
}
