//! Bottles without a bottle: the launcher's end of the control socket is real, engine and manifest are played.
use bottle::control::hub::{Keeper, Reloaded};
use bottle::control::serve::Served;
use bottle::control::steer::Change;
use bottle::control::{Hub, Snapshot, Steer};
use bottle::failure::Failure;
use bottle::ui::{Found, Roster, Ui};
use egress::Live;
use egress::desk::{Answer, AnswerError, How, Near, Petition, Span, State};
use manifest::plan::{Backend, EgressPlan};
use policy::{Proposal, Request, RouteId};
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A place for bottles, and the page that shows them.
pub(crate) struct Stage {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ui: Ui,
    roster: Arc<Listed>,
}

/// Those that are there; every test's own.
#[derive(Default)]
struct Listed(Mutex<Vec<Found>>, Mutex<bool>);

impl Roster for Listed {
    fn running(&self) -> Result<Vec<Found>, Failure> {
        Ok(self.0.lock().expect("not poisoned").clone())
    }

    fn is_switched(&self) -> bool {
        *self.1.lock().expect("not poisoned")
    }

    fn switch(&self, on: bool) -> Result<(), Failure> {
        *self.1.lock().expect("not poisoned") = on;
        Ok(())
    }
}

/// A played bottle.
pub(crate) struct Played {
    pub(crate) slug: String,
    pub(crate) hub: Hub,
    pub(crate) engine: Arc<Engine>,
    pub(crate) book: Arc<Book>,
    _served: Served,
}

/// The engine: what it was told, and what it says is under way.
#[derive(Default)]
pub(crate) struct Engine {
    hub: Mutex<Option<Hub>>,
    petitions: Mutex<Vec<Petition>>,
    pub(crate) answers: Mutex<Vec<(String, Answer, String)>>,
    pub(crate) locks: Mutex<Vec<(bool, String)>>,
    pub(crate) attended: Mutex<bool>,
    pub(crate) live: Mutex<Vec<Live>>,
}

/// Changes and notes of a reload, or why there is none.
type Outcome = Result<(Vec<String>, Vec<String>), Failure>;

/// The manifest: what a reload says, and what was written into it.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) next: Mutex<Option<Outcome>>,
    pub(crate) kept: Mutex<Vec<(String, String)>>,
    pub(crate) reloads: Mutex<Vec<(String, bool)>>,
}

impl Steer for Engine {
    fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Petition, AnswerError> {
        let mut petitions = self.petitions.lock().expect("not poisoned");
        let found = petitions.iter_mut().find(|petition| petition.id == id);
        let petition = found.ok_or_else(|| AnswerError::Unknown(id.into()))?;
        if !petition.state.is_open() {
            return Err(AnswerError::Closed(id.into()));
        }
        self.answers.lock().expect("not poisoned").push((id.into(), answer.clone(), by.into()));
        petition.state = match answer {
            Answer::Allow { span, narrowed, word, .. } => State::Allowed { span, narrowed, word },
            Answer::Refuse { word } => State::Refused { word },
        };
        let petition = petition.clone();
        drop(petitions);
        self.hub.lock().expect("not poisoned").as_ref().expect("a hub").petition(&petition);
        Ok(petition)
    }

    fn lock(&self, on: bool, by: &str) -> Result<usize, Failure> {
        self.locks.lock().expect("not poisoned").push((on, by.into()));
        Ok(self.live.lock().expect("not poisoned").len())
    }

    fn attend(&self, on: bool) {
        *self.attended.lock().expect("not poisoned") = on;
    }

    fn running(&self) -> Vec<Live> {
        self.live.lock().expect("not poisoned").clone()
    }

    fn rule(&self, _change: Change, _by: &str) -> Result<usize, Failure> {
        Err(Failure::new("played: nothing reads a manifest here"))
    }
}

impl Keeper for Book {
    fn reload(&self, by: &str, looked: bool) -> Result<Reloaded, Failure> {
        self.reloads.lock().expect("not poisoned").push((by.into(), looked));
        let next =
            self.next.lock().expect("not poisoned").take().unwrap_or_else(|| Ok((Vec::new(), Vec::new())));
        next.map(|(changes, notes)| Reloaded { hash: "9f8e7d6c5b4a".into(), plan: plan(), changes, notes })
    }

    fn keep(&self, proposal: &Proposal, why: &str, _by: &str) -> Result<(), Failure> {
        self.kept.lock().expect("not poisoned").push((proposal.to_string(), why.into()));
        Ok(())
    }
}

fn plan() -> EgressPlan {
    let asked = Request::from_url("GET", "https://api.example.com/v1/models").expect("a request");
    let route = Proposal::of(&asked).route(RouteId(0), "models <b>".into());
    serde_json::from_value(json!({
        "policy": { "routes": [route], "resolve": {} }, "bindings": {}, "slots": [],
        "dlp": { "action": "block", "routes": {}, "secrets": [] }, "upstream_roots": [], "upstream_proxy": null,
    }))
    .expect("a plan")
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let roster = Arc::new(Listed::default());
        let ui = Ui::start(0, Arc::clone(&roster) as Arc<dyn Roster>).expect("served");
        Stage { folder: tempfile::tempdir().expect("a folder"), ui, roster }
    }

    /// A bottle that runs.
    pub(crate) fn bottle(&self, slug: &str) -> Played {
        let about = Snapshot {
            slug: slug.into(),
            name: slug.into(),
            backend: Backend::Linux,
            started: jiff::Timestamp::now(),
            workspace: format!("/home/ada/{slug}").into(),
            command: vec!["claude".into(), "--dangerously-skip-permissions".into()],
            manifest: Some(format!("/home/ada/{slug}/bottle.yaml").into()),
            audit: PathBuf::from(format!("/home/ada/.local/state/bottle/{slug}/audit.jsonl")),
            policy: "1a2b3c4d5e6f".into(),
            locked: false,
            petitions: Vec::new(),
            seen: Vec::new(),
            live: Vec::new(),
        };
        let hub = Hub::new(about, plan(), false, true, None);
        let (engine, book) = (Arc::new(Engine::default()), Arc::new(Book::default()));
        *engine.hub.lock().expect("not poisoned") = Some(hub.clone());
        hub.steered_by(engine.clone(), book.clone());
        let socket = self.folder.path().join(format!("{slug}.sock"));
        let served = Served::at(&socket, hub.clone()).expect("served");
        let mut listed = self.roster.0.lock().expect("not poisoned");
        listed.push(Found { slug: slug.into(), socket });
        listed.sort_by(|one, other| one.slug.cmp(&other.slug));
        Played { slug: slug.into(), hub, engine, book, _served: served }
    }

    /// Whether the kill switch of all bottles is on.
    pub(crate) fn is_switched(&self) -> bool {
        self.roster.is_switched()
    }

    /// It ends as launchers end: it says so, then its record goes.
    pub(crate) fn end(&self, played: &Played) {
        played.hub.end();
        self.roster.0.lock().expect("not poisoned").retain(|found| found.slug != played.slug);
    }
}

impl Played {
    /// An agent asks.
    pub(crate) fn ask(&self, id: &str, method: &str, url: &str, why: &str) -> Petition {
        self.ask_with(id, method, url, why, |_| {})
    }

    pub(crate) fn ask_with(
        &self,
        id: &str,
        method: &str,
        url: &str,
        why: &str,
        change: impl FnOnce(&mut Petition),
    ) -> Petition {
        let request = Request::from_url(method, url).expect("a request");
        let mut petition = Petition {
            id: id.into(),
            asked: jiff::Timestamp::now(),
            proposal: Proposal::of(&request),
            why: why.into(),
            how: How::Asked,
            exchange: None,
            code: Some("no-route".into()),
            would_have_allowed: 3,
            near: Some(Near { route: "api".into(), credential: Some("EGRESS_TOKEN_0".into()) }),
            state: State::Open,
        };
        change(&mut petition);
        self.engine.petitions.lock().expect("not poisoned").push(petition.clone());
        self.hub.petition(&petition);
        petition
    }

    /// Somebody else answers, elsewhere.
    pub(crate) fn answered_elsewhere(&self, id: &str) {
        let answer = Answer::Allow { span: Span::Bottle, narrowed: None, credential: false, word: None };
        self.hub.answer(id, answer, "uid 0, bottle allow").expect("answered");
    }

    /// What was answered here.
    pub(crate) fn answers(&self) -> Vec<(String, Answer, String)> {
        self.engine.answers.lock().expect("not poisoned").clone()
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
