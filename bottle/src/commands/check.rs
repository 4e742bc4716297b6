//! `bottle check`: what a manifest means, or everything that is wrong with it.
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice, NoPlan};
use crate::rules::{self, Rules};
use crate::run::memory;
use crate::say;
use crate::style::{self, Style};
use clap::Args;
use credentials::reference::SlotPlan;
use manifest::plan::{BudgetPlan, EgressPlan, ImagePlan, NetworkLayout, RuleAction, RuleActions};
use manifest::{Loaded, Plan, Problem, Problems, Severity};
use policy::{HostPattern, Method, Protocol, Route, TlsMode};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code when the manifest is wrong.
pub const WRONG: u8 = 2;

/// Arguments of `bottle check`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CheckArgs {
    /// The manifest; without it, the only `bottle.yaml` in this folder or above.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Check presets instead of a manifest; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", conflicts_with = "manifest", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Print the plan, or the problems, as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print the JSON schema of manifests, for editors, and nothing else.
    #[arg(long, conflicts_with_all = ["manifest", "preset", "json"])]
    pub schema: bool,
}

const AFTER_HELP: &str = "\
Nothing is started. Of secrets in variables and files the length is looked at: what is too short is not looked for later.
Files of rules are read: what of them cannot be used is an error, what is not used a warning.

Examples:
  bottle check
  bottle check --manifest ci/bottle.yaml --json
  bottle check --preset claude-code,github

Exit code: 0 when there is a plan, 2 when the manifest is wrong or cannot be read.";

/// Does it.
///
/// # Errors
/// When the manifest is wrong and people are to read why.
pub fn run(args: &CheckArgs) -> Outcome {
    if args.schema {
        say::out(format!("{:#}\n", manifest::schema()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let choice = Choice { manifest: args.manifest.as_deref(), presets: &args.preset, ..Choice::default() };
    memory::keep_secrets_in()?;
    match checked(&choice) {
        Ok((loaded, rules)) if args.json => {
            let unsought = engine::unsought_on_host(&loaded.plan.egress);
            say::out(format!(
                "{:#}\n",
                json!({ "ok": true, "plan": loaded.plan, "problems": loaded.warnings.reports(), "unsought": unsought,
                        "rules": rules.json() })
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok((loaded, rules)) => {
            warn(&loaded.warnings);
            let unsought = engine::unsought_on_host(&loaded.plan.egress);
            say::out(text(&loaded.plan, &rules, &unsought, Style::stdout()))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(no_plan) if args.json => {
            say::out(format!("{:#}\n", json!({ "ok": false, "problems": reports(&no_plan) })))?;
            Ok(ExitCode::from(WRONG))
        }
        Err(no_plan) => Err(Failure::from(no_plan).code(WRONG)),
    }
}

/// A plan whose rules can all be used. What is odd about the files of rules is among the warnings.
fn checked(choice: &Choice<'_>) -> Result<(Loaded, Rules), NoPlan> {
    let (_, mut loaded) = load::load(choice)?;
    let rules = rules::read(&loaded.plan.egress.dlp)?;
    for note in &rules.notes {
        let message = note.clone();
        loaded.warnings.push(Problem { severity: Severity::Warning, message, span: None, hint: None });
    }
    Ok((loaded, rules))
}

/// Warnings, for people.
pub(super) fn warn(warnings: &Problems) {
    if !warnings.list.is_empty() {
        say::err(&format!("{}\n\n", warnings.render(load::colours())));
    }
}

/// Problems as JSON; what could not be read is one problem without a place.
pub(super) fn reports(no_plan: &NoPlan) -> Value {
    match no_plan {
        NoPlan::Wrong(problems) => json!(problems.reports()),
        NoPlan::Unreadable(failure) => {
            json!([{ "severity": "error", "message": failure.what, "file": null, "line": null, "column": null,
                     "source": null, "hint": failure.help }])
        }
    }
}

/// The whole plan, for people.
fn text(plan: &Plan, rules: &Rules, unsought: &[String], style: Style) -> String {
    let mut out = format!("bottle {}\n", style.bold(&plan.name));
    let command = plan.agent.command.join(" ");
    let command = if command.is_empty() { "nothing yet: `bottle run -- CMD`" } else { &command };
    section(&mut out, style, "runs", &[command.to_owned()]);
    section(&mut out, style, "runs in", &containers(plan));
    section(&mut out, style, "with", &variables(plan));
    section(&mut out, style, "sees", &sight(plan));
    section(&mut out, style, "reaches", &reach(plan));
    section(&mut out, style, "tokens", &plan.egress.slots.iter().map(slot).collect::<Vec<_>>());
    section(&mut out, style, "keeps", &keeps(plan, rules, unsought));
    section(&mut out, style, "limits", &limits(plan));
    section(&mut out, style, "audit", &[plan.audit_file.display().to_string()]);
    out
}

fn section(out: &mut String, style: Style, label: &str, lines: &[String]) {
    for (i, line) in lines.iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        let _ = writeln!(out, "  {} {}", style.dim(&format!("{label:<8}")), style::neutral(line));
    }
}

fn containers(plan: &Plan) -> Vec<String> {
    let Some(docker) = &plan.docker else { return Vec::new() };
    let image = match &docker.image {
        ImagePlan::Named(name) => format!("a container of `{name}`"),
        ImagePlan::Build(build) => format!("a container of what `{}` builds", build.context.display()),
    };
    let network = match docker.network {
        NetworkLayout::Sealed => "without any network of its own (`sealed`)",
        NetworkLayout::Internal => "on a network of the engine without a way out (`internal`)",
    };
    let outward = format!("its egress on the network `{}`", docker.outward);
    vec![image, network.to_owned(), outward]
}

fn variables(plan: &Plan) -> Vec<String> {
    plan.agent.env.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn sight(plan: &Plan) -> Vec<String> {
    let sandbox = &plan.sandbox;
    let mut lines = vec![
        format!("rw  {} (workspace)", sandbox.workspace.display()),
        format!("rw  {} (private home; on disk {})", sandbox.home_inside.display(), sandbox.home.display()),
    ];
    for mount in &sandbox.mounts {
        let mode = if mount.writable { "rw" } else { "ro" };
        let from = if mount.at == mount.path {
            String::new()
        } else {
            format!(" (on disk {})", mount.path.display())
        };
        let optional = if mount.optional { ", when it is there" } else { "" };
        lines.push(format!("{mode}  {}{from}{optional}", mount.at.display()));
    }
    lines.extend(sandbox.protect.iter().map(|path| format!("ro  {} (protected)", path.display())));
    lines.extend(sandbox.unprotect.iter().map(|path| format!("rw  {} (set free)", path.display())));
    lines
}

pub(super) fn reach(plan: &Plan) -> Vec<String> {
    let egress = &plan.egress;
    let routes = egress.policy.routes();
    if routes.is_empty() {
        return vec!["nothing: there is no route".to_owned()];
    }
    let rows: Vec<Vec<String>> = routes.iter().map(|route| row(plan, route)).collect();
    let mut lines: Vec<String> = style::table(&rows).lines().map(str::to_owned).collect();
    lines.extend(engine::next_hop(egress));
    let budget = egress.budget.lines();
    if !budget.is_empty() {
        lines.push(format!("at most {} all together", budget.join(", ")));
    }
    lines.extend(egress.upstream_roots.iter().map(|root| format!("trusting {} too", root.display())));
    lines
}

fn row(plan: &Plan, route: &Route) -> Vec<String> {
    let binding = plan.egress.bindings.get(&route.id);
    let credential =
        binding.map(|binding| format!("{} by {}", binding.slot, super::explain::place(&binding.scheme)));
    vec![address(route), terms(plan, route), credential.unwrap_or_default()]
}

/// `https://api.example.com`, `tcp://db.example.com:5432`.
pub(super) fn address(route: &Route) -> String {
    let scheme = if route.protocol == Protocol::Tcp { "tcp" } else { route.scheme.as_str() };
    let usual = route.protocol == Protocol::Http && route.port == route.scheme.default_port();
    let port = if usual { String::new() } else { format!(":{}", route.port) };
    format!("{scheme}://{}{port}", route.host)
}

/// Whether the bytes of a raw route are searched.
pub(super) fn is_inspected(egress: &EgressPlan, route: &Route) -> bool {
    egress.dlp.routes.get(&route.id).is_some_and(|own| own.inspect)
}

fn terms(plan: &Plan, route: &Route) -> String {
    let mut terms = Vec::new();
    if let Some(methods) = &route.methods {
        terms.push(methods.iter().map(Method::as_str).collect::<Vec<_>>().join(","));
    }
    if let Some(paths) = &route.paths {
        terms.push(paths.iter().cloned().map(String::from).collect::<Vec<_>>().join(" "));
    }
    if route.tls == TlsMode::Passthrough || route.protocol == Protocol::Tcp {
        let read = if is_inspected(&plan.egress, route) { "read as it is" } else { "not read" };
        terms.push(read.to_owned());
    }
    if route.allow_private {
        terms.push("may be private".to_owned());
    }
    if let HostPattern::Exact(host) = &route.host
        && let Some(address) = plan.egress.policy.pinned(host, route.port)
    {
        terms.push(format!("at {address}, by `resolve`"));
    }
    if let Some(action) = plan.egress.dlp.routes.get(&route.id).and_then(|own| own.action) {
        terms.push(format!("secrets: {}", word(&action)));
    }
    terms.extend(plan.egress.route_budgets.get(&route.id).into_iter().flat_map(BudgetPlan::lines));
    if terms.is_empty() { "everything".to_owned() } else { terms.join("; ") }
}

fn slot(slot: &SlotPlan) -> String {
    let held = match slot.env.as_slice() {
        [] => "no placeholder".to_owned(),
        names => format!("placeholder in {}", names.join(", ")),
    };
    format!("{}  {}; {held}", slot.slot, engine::source(&slot.source))
}

fn keeps(plan: &Plan, rules: &Rules, unsought: &[String]) -> Vec<String> {
    let dlp = &plan.egress.dlp;
    let more = dlp.secrets.len();
    let more =
        if more == 0 { String::new() } else { format!(" and {}", style::count(more as u64, "more source")) };
    let mut lines =
        vec![format!("every token{more} inside; what is found on its way out: {}", word(&dlp.action))];
    lines.push(format!("what looks like a secret, by {}", rules.count()));
    lines.extend(dlp.rules.iter().flat_map(|(id, actions)| rule_lines(id, *actions)));
    lines.extend(unsought.iter().map(|name| format!("but not {name}: {}", engine::UNSOUGHT)));
    lines
}

/// What is said about one rule, each way.
pub(super) fn rule_lines(id: &str, actions: RuleActions) -> Vec<String> {
    let line = |way: &str, action: Option<RuleAction>| {
        action.map(|action| format!("`{id}`{way}: {}", word(&action)))
    };
    [line("", actions.out), line(" in what comes back", actions.inward)].into_iter().flatten().collect()
}

fn limits(plan: &Plan) -> Vec<String> {
    let limits = &plan.sandbox.limits;
    let mut lines = Vec::new();
    lines.extend(limits.memory.map(|memory| format!("memory {}", style::bytes(memory))));
    lines.extend(limits.processes.map(|processes| format!("processes {processes}")));
    lines.extend(limits.millicpus.map(|cpus| format!("processors {}.{:03}", cpus / 1000, cpus % 1000)));
    lines.extend(limits.open_files.map(|files| format!("open files {files}")));
    let time = plan.agent.time_limit_secs.map(std::time::Duration::from_secs);
    lines.extend(time.map(|time| format!("time {}", style::duration(time))));
    lines
}

/// A word of the manifest for a value of the plan.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
