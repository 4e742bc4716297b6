//! What pages ask for: answers, the kill switch, another reading of the manifest, the routes in force.
use super::show::{became, neutral};
use super::{Found, Roster};
use crate::control::call::Line;
use crate::control::{Call, Say, Snapshot};
use crate::failure::Failure;
use egress::desk::{Answer, Petition, Span};
use hyper::StatusCode;
use jiff::{Span as Time, Timestamp};
use manifest::plan::EgressPlan;
use policy::{Method, PathPattern, Proposal};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Where an answer was given, for the audit.
const FROM: &str = "bottle ui";
/// How long a reload may take.
const RELOAD: Duration = Duration::from_secs(60);
/// Minutes that something may be allowed for: a week. What should hold longer belongs into the manifest.
const LONGEST: u32 = 7 * 24 * 60;

/// An answer to a page.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) value: Value,
}

impl Said {
    pub(super) fn failed(what: &str) -> Said {
        Said { status: StatusCode::INTERNAL_SERVER_ERROR, value: json!({ "what": what }) }
    }

    fn done(value: Value) -> Said {
        Said { status: StatusCode::OK, value: neutral(value) }
    }
}

/// Why nothing was done.
enum Not {
    /// It cannot be read.
    Understood(String),
    /// The bottle says no, or nothing.
    Done(Failure),
    /// Somebody else was first, or it ended; what became of it.
    InTime(String),
}

impl From<Failure> for Not {
    fn from(failure: Failure) -> Not {
        Not::Done(failure)
    }
}

impl From<Not> for Said {
    fn from(not: Not) -> Said {
        let (status, value) = match not {
            Not::Understood(why) => (StatusCode::BAD_REQUEST, json!({ "what": why })),
            Not::Done(Failure { what, help, .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, json!({ "what": what, "help": help }))
            }
            Not::InTime(became) => (StatusCode::CONFLICT, json!({ "what": became, "late": true })),
        };
        Said { status, value: neutral(value) }
    }
}

/// Does it.
pub(super) fn act(path: &str, bytes: &[u8], roster: &dyn Roster) -> Said {
    let done = match path {
        "/answer" => read(bytes).and_then(|wanted| answer(wanted, roster)),
        "/lock" => read(bytes).and_then(|wanted| lock(&wanted, roster)),
        "/reload" => read(bytes).and_then(|wanted| reload(&wanted, roster)),
        _ => read(bytes).and_then(|wanted: Which| routes(&wanted.bottle, roster)),
    };
    done.map_or_else(Said::from, Said::done)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Not> {
    serde_json::from_slice(bytes)
        .map_err(|error| Not::Understood(format!("this cannot be understood: {error}")))
}

/// Another reading of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    bottle: String,
    /// The operator has looked at the file, which the agent could have written.
    #[serde(default)]
    looked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    bottle: String,
}

/// An answer to a petition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    bottle: String,
    id: String,
    verdict: Verdict,
    /// Other methods and paths than were asked for.
    #[serde(default)]
    narrowed: Option<Narrowed>,
    #[serde(default)]
    credential: bool,
    #[serde(default)]
    word: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Once,
    Bottle,
    Minutes(u32),
    Always,
    Refuse,
}

/// None: any.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Narrowed {
    /// More than was asked for is meant.
    #[serde(default)]
    wider: bool,
    methods: Option<Vec<Method>>,
    paths: Option<Vec<PathPattern>>,
}

impl Narrowed {
    fn of(self, petition: &Petition) -> Result<Proposal, Not> {
        let Narrowed { wider, methods, paths } = self;
        if methods.as_ref().is_some_and(Vec::is_empty) || paths.as_ref().is_some_and(Vec::is_empty) {
            return Err(Not::Understood(
                "without a method, or without a path, nothing would be allowed".to_owned(),
            ));
        }
        let chosen = Proposal { methods, paths, ..petition.proposal.clone() };
        if !wider && !chosen.is_within(&petition.proposal) {
            let more = format!("`{chosen}` is more than was asked for; say that you mean it");
            return Err(Not::Understood(more));
        }
        Ok(chosen)
    }
}

fn answer(wanted: Wanted, roster: &dyn Roster) -> Result<Value, Not> {
    let Wanted { bottle, id, verdict, narrowed, credential, word } = wanted;
    let found = find(&bottle, roster)?;
    let asked = asked(&found, &id)?;
    let word = Some(word).filter(|word| !word.trim().is_empty());
    let answer = match span(verdict)? {
        None => Answer::Refuse { word },
        Some(span) => {
            let narrowed = narrowed.map(|narrowed| narrowed.of(&asked)).transpose()?;
            let narrowed = narrowed.filter(|narrowed| *narrowed != asked.proposal);
            Answer::Allow { span, narrowed, credential, word }
        }
    };
    match done(&found, &Call::Answer { id: id.clone(), answer, from: FROM.to_owned() }) {
        // Not open any more: whoever was first did it between the look and the answer.
        Err(failure) => Err(self::asked(&found, &id).err().unwrap_or(Not::Done(failure))),
        done => Ok(done?),
    }
}

/// None: no.
fn span(verdict: Verdict) -> Result<Option<Span>, Not> {
    let span = match verdict {
        Verdict::Refuse => return Ok(None),
        Verdict::Once => Span::Once,
        Verdict::Bottle => Span::Bottle,
        Verdict::Always => Span::Always,
        Verdict::Minutes(minutes @ 1..=LONGEST) => {
            let time = Timestamp::now().checked_add(Time::new().minutes(i64::from(minutes)));
            Span::Until { time: time.map_err(|error| Not::Understood(error.to_string()))? }
        }
        Verdict::Minutes(_) => return Err(Not::Understood("from a minute to a week".to_owned())),
    };
    Ok(Some(span))
}

/// A petition that is open.
fn asked(found: &Found, id: &str) -> Result<Petition, Not> {
    let snapshot = look(found)?;
    let petition = snapshot.petitions.into_iter().find(|petition| petition.id == id);
    let petition = petition.ok_or_else(|| {
        Failure::new(format!("the bottle `{}` has no request `{id}`", found.slug))
            .help("it may have been started anew")
    })?;
    if petition.state.is_open() { Ok(petition) } else { Err(Not::InTime(became(&petition.state))) }
}

/// The kill switch of one bottle, or of all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[serde(default)]
    bottle: Option<String>,
    on: bool,
}

/// Of all: the switch first, so that who hangs or is just starting finds it. One that cannot be told does not keep the others
/// from being told; that is an error all the same, and says who was.
fn lock(wanted: &Lock, roster: &dyn Roster) -> Result<Value, Not> {
    let all = match &wanted.bottle {
        Some(_) if !wanted.on && roster.is_switched() => {
            let all = Failure::new("the kill switch of all bottles is on");
            return Err(all.help("turn that off, at the top or with `bottle kill-switch off`").into());
        }
        Some(slug) => vec![find(slug, roster)?],
        None => roster.running()?,
    };
    let switched = if wanted.bottle.is_none() { roster.switch(wanted.on) } else { Ok(()) };
    if !wanted.on {
        // As long as it stands there, bottles refuse whatever they are told.
        switched.clone()?;
    }
    let call = Call::Lock { on: wanted.on, all: wanted.bottle.is_none(), from: FROM.to_owned() };
    let (mut said, mut failed) = (Vec::new(), Vec::new());
    failed.extend(switched.err().map(|failure| failure.what));
    for found in &all {
        match ask(found, &call) {
            Ok(Say::Done { what, .. }) => said.push(what),
            Ok(_) => failed.push(odd(found).what),
            Err(failure) => failed.push(failure.what),
        }
    }
    if failed.is_empty() {
        let nobody = "the kill switch is turned; no bottle runs".to_owned();
        return Ok(json!({ "what": if said.is_empty() { nobody } else { said.join("; ") } }));
    }
    let help =
        if said.is_empty() { "no bottle was told".to_owned() } else { format!("done: {}", said.join("; ")) };
    Err(Failure::new(failed.join("; ")).help(help).into())
}

/// Watches meanwhile: what changed is told apart from what people should know besides.
fn reload(again: &Again, roster: &dyn Roster) -> Result<Value, Not> {
    let slug = again.bottle.as_str();
    let found = find(slug, roster)?;
    let mut line = Line::to(&found.socket, slug)?;
    line.speaker()?.set_read_timeout(Some(RELOAD)).map_err(Failure::from)?;
    line.say(&Call::Watch)?;
    // From its snapshot on it tells everything.
    let watches = matches!(line.hear()?, Some(Say::Snapshot(_)));
    if !watches {
        return Err(odd(&found).into());
    }
    line.say(&Call::Reload { looked: again.looked, from: FROM.to_owned() })?;
    let mut changed: Option<Vec<String>> = None;
    let mut done: Option<(String, Vec<String>)> = None;
    loop {
        if let (Some(changes), Some((what, notes))) = (&changed, &done) {
            return Ok(reloaded(what, notes, changes));
        }
        match line.hear()? {
            Some(Say::Policy { changes, .. }) => changed = Some(changes),
            Some(Say::Done { what, notes }) => done = Some((what, notes)),
            Some(Say::Failed { what, help }) => return Err(failed(what, help).into()),
            // The answer may have been among what was missed.
            Some(Say::Missed | Say::Ended) | None => {
                return Err(Failure::new(format!("`{slug}` did not say what came of it")).into());
            }
            Some(_) => {}
        }
    }
}

/// Notes hold the changes first, then what is weaker and what needs a new start.
fn reloaded(what: &str, notes: &[String], changes: &[String]) -> Value {
    let notes = notes.strip_prefix(changes).unwrap_or(notes);
    json!({ "what": what, "changes": changes, "warnings": notes })
}

fn routes(slug: &str, roster: &dyn Roster) -> Result<Value, Not> {
    let found = find(slug, roster)?;
    match ask(&found, &Call::Plan)? {
        Say::Plan(plan) => Ok(json!({ "routes": reaches(&plan) })),
        _ => Err(odd(&found).into()),
    }
}

fn reaches(plan: &EgressPlan) -> Vec<Value> {
    let routes = plan.policy.routes().iter();
    routes
        .map(|route| json!({ "name": route.name, "shows": Proposal::of_route(route).to_string() }))
        .collect()
}

fn find(slug: &str, roster: &dyn Roster) -> Result<Found, Not> {
    let found = roster.running()?.into_iter().find(|found| found.slug == slug);
    found.ok_or_else(|| Failure::new(format!("the bottle `{slug}` has ended")).into())
}

fn look(found: &Found) -> Result<Snapshot, Failure> {
    match ask(found, &Call::Look)? {
        Say::Snapshot(snapshot) => Ok(*snapshot),
        _ => Err(odd(found)),
    }
}

fn done(found: &Found, call: &Call) -> Result<Value, Failure> {
    match ask(found, call)? {
        Say::Done { what, notes } => Ok(json!({ "what": what, "warnings": notes })),
        _ => Err(odd(found)),
    }
}

fn ask(found: &Found, call: &Call) -> Result<Say, Failure> {
    Line::to(&found.socket, &found.slug)?.ask(call)
}

fn failed(what: String, help: Option<String>) -> Failure {
    Failure { help, ..Failure::new(what) }
}

fn odd(found: &Found) -> Failure {
    Failure::new(format!("what the bottle `{}` says cannot be understood", found.slug))
}
