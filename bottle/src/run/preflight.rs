//! Before the agent starts: what it may reach, which credentials are bound where, what it sees of the disk.
use crate::canary::Planted;
use crate::engine;
use crate::style::{self, Style};
use credentials::{AuthScheme, Binding};
use manifest::Plan;
use manifest::plan::{BudgetPlan, DlpAction, EgressPlan, MountPlan, UnmatchedPlan};
use policy::{Method, Protocol, Route, Scheme, TlsMode};
use sandbox::linux::Survey;
use std::fmt::Write as _;

/// Routes that are shown; `bottle check` shows all.
const MOST_ROUTES: usize = 16;
/// Unprotected things that are shown; the log has all.
const MOST_GAPS: usize = 8;
/// Values that are not looked for, the same.
const MOST_UNSOUGHT: usize = 4;

/// What was found when the walls were built.
#[derive(Debug, Default)]
pub struct Walls {
    /// Repositories and files that the host runs, in folders of the workspace.
    pub nested: (usize, usize),
    /// What of those is not protected and why, a clause each.
    pub gaps: Vec<String>,
    /// How limits are kept, a clause each.
    pub limits: Vec<String>,
    /// Secrets that are not looked for, by name.
    pub unsought: Vec<String>,
    /// Where canaries are.
    pub canaries: Vec<String>,
    /// Where none could be planted.
    pub taken: Vec<String>,
}

impl Walls {
    /// From what the backend found.
    pub fn of(survey: &Survey, limits: Vec<String>) -> Walls {
        Walls { nested: survey.counts(), gaps: survey.gaps().to_vec(), limits, ..Walls::default() }
    }

    /// With what was planted.
    pub fn with_canaries(self, planted: &Planted) -> Walls {
        Walls { canaries: planted.places(), taken: planted.taken.clone(), ..self }
    }
}

/// The text, for standard error.
pub fn text(plan: &Plan, slug: &str, walls: &Walls, style: Style) -> String {
    text_with(plan, slug, &[], walls, style)
}

/// The same, with what a backend has to say of where the agent runs.
pub fn text_with(plan: &Plan, slug: &str, runs_in: &[String], walls: &Walls, style: Style) -> String {
    let mut out = String::new();
    let title = format!("bottle {}", style.bold(slug));
    let _ = writeln!(out, "{title}  {}", style::neutral(&plan.agent.command.join(" ")));
    block(&mut out, style, "runs in", runs_in);
    block(&mut out, style, "reaches", &reach(&plan.egress, style));
    block(&mut out, style, "sees", &sight(plan));
    block(&mut out, style, "guards", &guarded(walls, style));
    block(&mut out, style, "limits", &walls.limits);
    block(&mut out, style, "serves", &served(plan));
    block(&mut out, style, "careful", &careful(&walls.unsought, style));
    block(&mut out, style, "audit", &[plan.audit_file.display().to_string()]);
    out
}

fn block(out: &mut String, style: Style, label: &str, lines: &[String]) {
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        let _ = writeln!(out, "  {} {line}", style.dim(&format!("{label:<8}")));
    }
}

/// What is let out, a line for each route.
pub fn reach(egress: &EgressPlan, style: Style) -> Vec<String> {
    let routes = egress.policy.routes();
    if routes.is_empty() {
        let nothing = format!("{}: no route is allowed", style.yellow("nothing"));
        return std::iter::once(nothing).chain(asks(egress)).collect();
    }
    let rows: Vec<Vec<String>> = routes.iter().take(MOST_ROUTES).map(|route| row(egress, route)).collect();
    let mut lines: Vec<String> = style::table(&rows).lines().map(str::to_owned).collect();
    match routes.len().saturating_sub(MOST_ROUTES) {
        0 => lines.push("and nothing else".to_owned()),
        more => lines.push(format!(
            "and {} that `bottle check` shows; nothing else",
            style::count(more as u64, "route")
        )),
    }
    lines.extend(asks(egress));
    let budget = egress.budget.lines();
    if !budget.is_empty() {
        lines.push(format!("at most {} all together", budget.join(", ")));
    }
    lines.extend(next_hop(egress));
    lines
}

/// What becomes of the rest, where that is not a no at once.
fn asks(egress: &EgressPlan) -> Option<String> {
    let UnmatchedPlan::Ask { wait_secs } = egress.unmatched else { return None };
    let wait = style::duration(std::time::Duration::from_secs(wait_secs));
    Some(format!("what no route allows waits {wait} for your answer: `bottle watch`, `bottle ui`"))
}

fn row(egress: &EgressPlan, route: &Route) -> Vec<String> {
    let binding = egress.bindings.get(&route.id);
    let credential = binding.map(|binding| credential(egress, binding));
    vec![place(route), terms(egress, route), credential.unwrap_or_default()]
}

fn place(route: &Route) -> String {
    let usual = match route.scheme {
        Scheme::Https => 443,
        Scheme::Http => 80,
    };
    let port = if route.port == usual && route.protocol == Protocol::Http {
        String::new()
    } else {
        format!(":{}", route.port)
    };
    let scheme =
        if route.scheme == Scheme::Http && route.protocol == Protocol::Http { "http://" } else { "" };
    format!("{scheme}{}{port}", route.host)
}

/// What is let through, and what is not looked at.
fn terms(egress: &EgressPlan, route: &Route) -> String {
    let mut terms = Vec::new();
    if let Some(methods) = &route.methods {
        terms.push(methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" "));
    }
    if let Some(paths) = &route.paths {
        terms.push(paths.iter().cloned().map(String::from).collect::<Vec<_>>().join(" "));
    }
    let read = egress.dlp.routes.get(&route.id).is_some_and(|own| own.inspect);
    if route.protocol == Protocol::Tcp {
        let read = if read { "read as they are" } else { "not inspected" };
        terms.push(format!("raw bytes, {read}"));
    } else if route.tls == TlsMode::Passthrough {
        terms.push("not inspected".to_owned());
    }
    if route.allow_private {
        terms.push("may be private".to_owned());
    }
    match egress.dlp.action_on(route.id) {
        DlpAction::Block => {}
        DlpAction::Redact => terms.push("secrets redacted".to_owned()),
        DlpAction::Warn => terms.push("secrets let through with a warning".to_owned()),
    }
    terms.extend(egress.route_budgets.get(&route.id).into_iter().flat_map(BudgetPlan::lines));
    terms.join(", ")
}

fn credential(egress: &EgressPlan, binding: &Binding) -> String {
    let slot = egress.slots.iter().find(|slot| slot.slot == binding.slot);
    let source = slot.map_or_else(|| binding.slot.to_string(), |slot| engine::source(&slot.source));
    let place = match &binding.scheme {
        AuthScheme::Bearer => "as bearer token".to_owned(),
        AuthScheme::Basic { username } => format!("as password of `{username}`"),
        AuthScheme::Header { name, .. } => format!("in `{name}`"),
        AuthScheme::Query { parameter } => format!("in the query, as `{parameter}`"),
        AuthScheme::Placeholder { .. } => "where the agent puts its placeholder".to_owned(),
    };
    format!("+ {source} {place}")
}

fn next_hop(egress: &EgressPlan) -> Vec<String> {
    engine::next_hop(egress).iter().map(|line| style::neutral(line)).collect()
}

fn sight(plan: &Plan) -> Vec<String> {
    let sandbox = &plan.sandbox;
    let mut rows = vec![
        vec![
            sandbox.workspace.display().to_string(),
            "read-write; what the host executes is protected".to_owned(),
        ],
        vec![
            sandbox.home_inside.display().to_string(),
            format!("its own, kept in {}", sandbox.home.display()),
        ],
    ];
    rows.extend(sandbox.mounts.iter().filter(|mount| !mount.optional || mount.path.exists()).map(mount_row));
    rows.extend(
        sandbox.unprotect.iter().map(|path| vec![path.display().to_string(), "not protected".to_owned()]),
    );
    style::table(&rows).lines().map(str::to_owned).collect()
}

/// What is protected in folders of the workspace, and plainly what is not.
fn guarded(walls: &Walls, style: Style) -> Vec<String> {
    let (repositories, files) = walls.nested;
    let mut lines = Vec::new();
    if repositories + files > 0 {
        let things: Vec<_> = [(repositories, "repository", "repositories"), (files, "file", "files")]
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        lines.push(format!("{} in folders of the workspace, as its own", things.join(" and ")));
    }
    if !walls.canaries.is_empty() {
        lines.push(format!("canaries in {}", walls.canaries.join(", ")));
    }
    if !walls.taken.is_empty() {
        let taken = walls.taken.join(", ");
        lines.push(style.yellow(&format!("no canary in {taken}: something else is there")));
    }
    let more = walls.gaps.len().saturating_sub(MOST_GAPS);
    lines.extend(walls.gaps.iter().take(MOST_GAPS).map(|gap| style.yellow(&style::neutral(gap))));
    if more > 0 {
        lines.push(style.yellow(&format!("and {more} more that are not protected: `bottle logs` has all")));
    }
    lines
}

fn mount_row(mount: &MountPlan) -> Vec<String> {
    let mode = if mount.writable { "read-write" } else { "read-only" };
    let from =
        if mount.path == mount.at { String::new() } else { format!(", from {}", mount.path.display()) };
    vec![mount.at.display().to_string(), format!("{mode}{from}")]
}

/// Secrets that leave unnoticed, a line each up to a few.
pub fn careful(unsought: &[String], style: Style) -> Vec<String> {
    let told = |name: &String| {
        let what = format!("{name} is {}", engine::UNSOUGHT);
        style.yellow(&style::neutral(&what))
    };
    let mut lines: Vec<String> = unsought.iter().take(MOST_UNSOUGHT).map(told).collect();
    let more = unsought.len().saturating_sub(MOST_UNSOUGHT) as u64;
    lines
        .extend((more > 0).then(|| format!("and {} that `bottle check` shows", style::count(more, "value"))));
    lines
}

fn served(plan: &Plan) -> Vec<String> {
    let line = |port: &manifest::plan::PortPlan| format!("127.0.0.1:{} → {} inside", port.host, port.inside);
    plan.sandbox.ports.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guarded_below_and_what_is_not_is_said() {
        let plain = Style::plain();
        assert!(guarded(&Walls::default(), plain).is_empty());
        let gaps = (0..10).map(|n| format!("gap {n}")).collect();
        let lines = guarded(&Walls { nested: (1, 2), gaps, ..Walls::default() }, plain);
        assert_eq!(lines[0], "1 repository and 2 files in folders of the workspace, as its own");
        assert_eq!(lines[8..], ["gap 7", "and 2 more that are not protected: `bottle logs` has all"]);
    }
}
