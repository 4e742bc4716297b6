//! What is sought: compiled once for each generation of the vault, and taken up by streams that were open before.
use super::verdicts::{ASTRAY, CANARY, KNOWN, StandIns, Verdicts};
use crate::coding::Room;
use crate::config::{DlpTerms, RuleAction};
use audit::{Decision, Exchange, Finding};
use credentials::{Secret, Slot, Vault};
use dlp::fragments::Memory;
use dlp::{Collector, Fragments, KnownValue, KnownValues, RuleSet, Verdict};
use policy::{Route, RouteId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Begins the name of a placeholder.
pub(super) const STRAY: &str = "placeholder of ";
/// The place of a finding in the name of a host.
pub(super) const HOST: &str = "host";

/// Hosts (or `*.` routes) of which pieces are remembered.
const HOSTS: usize = 256;
/// Seconds that they are remembered, twice that at most.
const REMEMBERED: u64 = 600;

/// Short texts that were looked at and hold nothing: hosts and paths come again and again.
const CLEAN_TEXTS: usize = 1024;
/// Bytes of the longest of them.
const CLEAN_TEXT: usize = 256;

/// Everything that is sought.
pub(crate) struct Terms {
    vault: Vault,
    dlp: DlpTerms,
    /// Rules that are not off everywhere, by the way that they look.
    outward: RuleSet,
    inward: RuleSet,
    compiled: Mutex<Compiled>,
    verdicts: Mutex<HashMap<(RouteId, bool), Arc<Verdicts>>>,
    stand_ins: StandIns,
    /// The pieces of values that went to each host of late.
    memory: Arc<Memory>,
    began: Instant,
    room: Room,
}

#[derive(Default)]
struct Compiled {
    generation: Option<u64>,
    sought: HashMap<Way, Arc<Both>>,
    fragments: Option<Fragments>,
    /// Nothing that may not leave stands in these, neither as they are nor without their dots.
    clean: HashSet<Box<str>>,
}

/// What is sought one way: all of it, and what is known alone.
pub(crate) struct Both {
    pub(crate) all: dlp::Sought,
    /// For parts that are put together: what only looks like a credential is made of any parts by chance.
    pub(crate) known: dlp::Sought,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// Out; the placeholder of this slot may (its route swaps or replaces it).
    Outward(Option<Slot>),
    /// In: the values behind the placeholders may not.
    Inward,
}

impl Terms {
    pub(crate) fn new(vault: Vault, dlp: DlpTerms, decoders: usize) -> Terms {
        let outward = dlp.rules.only(|rule| is_used_outward(&dlp, rule.id()));
        let inward = dlp.rules.only(|rule| is_used_inward(&dlp, rule.id()));
        let stand_in = |slot: &Slot| Some(dlp.key.fingerprint(vault.placeholder(*slot)?.as_str().as_bytes()));
        let stand_ins = Arc::new(vault.slots().iter().filter_map(stand_in).collect());
        let (compiled, verdicts, room) = (Mutex::default(), Mutex::default(), Room::new(decoders));
        let (memory, began) = (Arc::new(Memory::new(HOSTS, REMEMBERED)), Instant::now());
        Terms { vault, dlp, outward, inward, compiled, verdicts, stand_ins, memory, began, room }
    }
    /// Compiles what the first look needs. It takes some milliseconds: on a thread beside the start. In the order in which an exchange
    /// asks for it; of the credentials only the first is likely to be asked for at once.
    pub(crate) fn prepare(&self) {
        if !self.outward.is_empty() {
            self.outward.prepare();
        }
        let first = self.vault.slots().first().copied();
        for way in [Way::Outward(first), Way::Outward(None), Way::Inward] {
            self.both(way);
        }
    }
    /// Other ones, that remember what these saw: a change of policy is no way to begin anew.
    pub(crate) fn succeeding(old: &Terms, vault: Vault, dlp: DlpTerms, decoders: usize) -> Terms {
        let (memory, began) = (Arc::clone(&old.memory), old.began);
        Terms { memory, began, ..Terms::new(vault, dlp, decoders) }
    }
    /// What is done about findings in what leaves by this route.
    pub(crate) fn outward(&self, route: RouteId) -> Arc<Verdicts> {
        self.verdicts(route, true, Verdicts::outward)
    }
    /// What is done about findings in what comes back by this route.
    pub(crate) fn inward(&self, route: RouteId) -> Arc<Verdicts> {
        self.verdicts(route, false, Verdicts::inward)
    }
    fn verdicts(
        &self,
        route: RouteId,
        out: bool,
        make: fn(&DlpTerms, &StandIns, RouteId) -> Verdicts,
    ) -> Arc<Verdicts> {
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            verdicts.entry((route, out)).or_insert_with(|| Arc::new(make(&self.dlp, &self.stand_ins, route))),
        )
    }
    /// What is done about random text in what leaves by this route.
    fn entropy(&self, route: RouteId) -> RuleAction {
        self.dlp.routes.get(&route).and_then(|own| own.entropy).unwrap_or(self.dlp.entropy)
    }
    /// What is done about an answer by this route that speaks to an agent.
    pub(crate) fn prompt_injection(&self, route: RouteId) -> RuleAction {
        self.dlp.routes.get(&route).and_then(|own| own.prompt_injection).unwrap_or(self.dlp.prompt_injection)
    }
    /// Whether the bytes of a raw route are read.
    pub(crate) fn reads(&self, route: RouteId) -> bool {
        self.dlp.routes.get(&route).is_some_and(|own| own.inspect)
    }
    /// Where decoders find their place.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }
    /// A text for the audit or a page, without values.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.cleaned(text).unwrap_or_else(|| text.to_owned())
    }

    /// Takes values out of an event. A name that held one is a finding, also of a connection that goes nowhere: names
    /// are asked for before it, and the answer to that tells nobody.
    pub(crate) fn clean_event(&self, event: &mut Exchange) {
        if let Some(host) = event.host.as_deref().and_then(|host| self.cleaned(host)) {
            self.find_in_host(event);
            event.host = Some(host);
        }
        for text in [&mut event.method, &mut event.path, &mut event.reason].into_iter().flatten() {
            *text = self.clean(text);
        }
        for finding in &mut event.findings {
            finding.place = self.clean(&finding.place);
            finding.excerpt = finding.excerpt.as_deref().map(|excerpt| self.clean(excerpt));
        }
    }

    fn find_in_host(&self, event: &mut Exchange) {
        let host = event.host.as_deref().unwrap_or_default();
        let sought = self.both(Way::Outward(None));
        let hits = sought.all.find_all(host.as_bytes());
        let Some(hit) = hits.first() else { return };
        if event.findings.iter().all(|finding| finding.place != HOST) {
            let action = if event.decision == Decision::Denied { "block" } else { "warn" };
            let finding = Finding::new(&hit.rule, HOST, &hit.name, action);
            let fingerprint = Some(hit.fingerprint.to_string());
            event.findings.push(Finding { length: Some(hit.length as u64), fingerprint, ..finding });
        }
    }

    fn cleaned(&self, text: &str) -> Option<String> {
        if self.is_clean(text) {
            return None;
        }
        let sought = self.both(Way::Outward(None));
        let redacted = sought.all.redact(text.as_bytes(), &mut |_| Verdict::Redact).ok().flatten();
        redacted.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Nothing stands in a text that may not leave, as it is or without its dots (the labels of a name, put together). Short texts
    /// that are clean are remembered, for as long as the same is sought.
    pub(super) fn is_clean(&self, text: &str) -> bool {
        if text.len() <= CLEAN_TEXT && self.compiled().clean.contains(text) {
            return true;
        }
        // Before the look: what is rotated in meanwhile makes another generation, and nothing of this one is remembered there.
        let generation = self.compiled().generation;
        let sought = self.both(Way::Outward(None));
        let clean = sought.all.find_all(text.as_bytes()).is_empty()
            && sought.known.find_all(text.replace('.', "").as_bytes()).is_empty();
        if clean && text.len() <= CLEAN_TEXT {
            let mut compiled = self.compiled();
            if compiled.generation == generation {
                if compiled.clean.len() >= CLEAN_TEXTS {
                    compiled.clean.clear();
                }
                compiled.clean.insert(text.into());
            }
        }
        clean
    }

    /// What is compiled for the vault as it is now.
    fn compiled(&self) -> MutexGuard<'_, Compiled> {
        let generation = Some(self.vault.generation());
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.generation != generation {
            *compiled = Compiled { generation, ..Compiled::default() };
        }
        compiled
    }

    fn both(&self, way: Way) -> Arc<Both> {
        let mut compiled = self.compiled();
        Arc::clone(compiled.sought.entry(way).or_insert_with(|| Arc::new(self.compile(way))))
    }

    /// Gathers the pieces of values that leave in one exchange, with those that went to the hosts of its route before.
    pub(super) fn collector(&self, route: &Route) -> Collector {
        let mut compiled = self.compiled();
        let fragments = compiled.fragments.get_or_insert_with(|| self.fragments()).clone();
        self.memory.collector(fragments, &route.host.to_string(), self.began.elapsed().as_secs())
    }

    fn fragments(&self) -> Fragments {
        let held = self.vault.expose_to_scanner();
        let slots: Vec<(String, &Secret)> =
            held.iter().map(|(slot, _, secret)| (slot.to_string(), secret)).collect();
        let slots = slots.iter().map(|(name, secret)| (name, *secret));
        let own = self.dlp.secrets.iter().chain(&self.dlp.canaries).map(|(name, secret)| (name, secret));
        let values: Vec<KnownValue<'_>> = slots
            .chain(own)
            .map(|(name, secret)| known(KNOWN, name, None, secret.dangerous_expose()))
            .collect();
        Fragments::new(&values, &self.dlp.key)
    }

    fn compile(&self, way: Way) -> Both {
        let known = self.known(way);
        let rules = if way == Way::Inward { &self.inward } else { &self.outward };
        let sought = |rules| dlp::Sought::new(known.clone(), rules, self.dlp.key.clone());
        Both { all: sought(rules.clone()), known: sought(RuleSet::none()) }
    }

    fn known(&self, way: Way) -> KnownValues {
        let held = self.vault.expose_to_scanner();
        let mut values: Vec<KnownValue<'_>> = Vec::new();
        for (slot, placeholder, secret) in &held {
            let (name, stand_in) = (slot.to_string(), placeholder.as_str());
            let replacement = (way == Way::Inward).then_some(stand_in);
            values.push(known(KNOWN, &name, replacement, secret.dangerous_expose()));
            if matches!(way, Way::Outward(exempt) if exempt != Some(*slot)) {
                values.push(known(ASTRAY, &format!("{STRAY}{slot}"), None, stand_in.as_bytes()));
            }
        }
        if way != Way::Inward {
            for (name, secret) in &self.dlp.secrets {
                values.push(known(KNOWN, name, None, secret.dangerous_expose()));
            }
            for (place, secret) in &self.dlp.canaries {
                values.push(known(CANARY, place, None, secret.dangerous_expose()));
            }
        }
        let (known, short) = KnownValues::new(&values);
        if !short.is_empty() {
            tracing::warn!(names = ?short, ?way, "values that are too short to be sought may pass");
        }
        known
    }
}

/// Not off everywhere: a route may want what the others do not.
fn is_used_outward(terms: &DlpTerms, id: &str) -> bool {
    let mut said = terms.routes.values().filter_map(|route| route.actions.get(id)?.out);
    let off = terms.actions.get(id).and_then(|actions| actions.out) == Some(RuleAction::Off);
    !off || said.any(|action| action != RuleAction::Off)
}

fn is_used_inward(terms: &DlpTerms, id: &str) -> bool {
    let everywhere = std::iter::once(&terms.actions);
    let mut all = everywhere.chain(terms.routes.values().map(|route| &route.actions));
    all.any(|actions| {
        actions.get(id).and_then(|one| one.inward).is_some_and(|action| action != RuleAction::Off)
    })
}

fn known<'a>(rule: &str, name: &str, replacement: Option<&str>, value: &'a [u8]) -> KnownValue<'a> {
    let replacement = replacement.map_or_else(|| format!("[redacted:{name}]"), str::to_owned);
    KnownValue { rule: rule.into(), name: name.into(), replacement: replacement.into(), value }
}

/// What is sought one way, as of the last look at the vault.
#[derive(Clone)]
pub(crate) struct Sought {
    terms: Arc<Terms>,
    way: Way,
    generation: u64,
    both: Arc<Both>,
}

impl Sought {
    pub(crate) fn new(terms: &Arc<Terms>, way: Way) -> Sought {
        // Read before the values: one that comes in between is looked for twice, never not at all.
        let generation = terms.vault.generation();
        Sought { terms: Arc::clone(terms), way, generation, both: terms.both(way) }
    }
    /// What is sought, when it is other than at the last look.
    pub(crate) fn renewed(&mut self) -> Option<dlp::Sought> {
        if self.terms.vault.generation() == self.generation {
            return None;
        }
        *self = Sought::new(&self.terms, self.way);
        Some(self.both.all.clone())
    }
    /// What is sought, as of the last look.
    pub(crate) fn sought(&self) -> dlp::Sought {
        self.both.all.clone()
    }
    /// The values as of the last look.
    pub(crate) fn known(&self) -> KnownValues {
        self.both.all.known().clone()
    }
    /// What is sought, as it is now.
    pub(crate) fn now(&self) -> Arc<Both> {
        if self.terms.vault.generation() == self.generation {
            return Arc::clone(&self.both);
        }
        self.terms.both(self.way)
    }
    /// Everything that may not go out, whatever may stand in other places.
    pub(crate) fn all_outward(&self) -> Arc<Both> {
        self.terms.both(Way::Outward(None))
    }
    /// As [`Terms::is_clean`].
    pub(super) fn is_clean(&self, text: &str) -> bool {
        self.terms.is_clean(text)
    }
    /// There is nothing to seek, and there will be nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.both.all.is_empty() && self.terms.vault.slots().is_empty()
    }
    /// As [`Terms::entropy`].
    pub(super) fn entropy(&self, route: RouteId) -> RuleAction {
        self.terms.entropy(route)
    }
    /// Whether rules look at what comes back, besides the values.
    pub(crate) fn has_rules(&self) -> bool {
        !self.both.all.rules().is_empty()
    }
    /// Where decoders find their place.
    pub(crate) fn room(&self) -> &Room {
        self.terms.room()
    }
}
