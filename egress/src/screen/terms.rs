//! What is sought: compiled once for each generation of the vault, and taken up by streams that were open before.
use crate::coding::Room;
use crate::config::{DlpAction, DlpTerms};
use audit::{Decision, Exchange, Finding};
use credentials::{Slot, Vault};
use dlp::{KnownValue, KnownValues};
use policy::RouteId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Begins the name of a placeholder.
pub(super) const STRAY: &str = "placeholder of ";

/// Everything that is sought.
pub(crate) struct Terms {
    vault: Vault,
    dlp: DlpTerms,
    compiled: Mutex<Compiled>,
    room: Room,
}

#[derive(Default)]
struct Compiled {
    generation: Option<u64>,
    known: HashMap<Way, KnownValues>,
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
        Terms { vault, dlp, compiled: Mutex::default(), room: Room::new(decoders) }
    }
    /// What is done about a finding on this route.
    pub(crate) fn action(&self, route: RouteId) -> DlpAction {
        self.dlp.routes.get(&route).copied().unwrap_or(self.dlp.action)
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
        }
    }

    fn find_in_host(&self, event: &mut Exchange) {
        let host = event.host.as_deref().unwrap_or_default();
        let known = self.known(Way::Outward(None));
        let Some(hit) = known.find(host.as_bytes()) else { return };
        if event.findings.iter().all(|finding| finding.place != HOST) {
            let action = if event.decision == Decision::Denied { "block" } else { "warn" };
            let (rule, action) = (rule_of(&hit.name).into(), action.into());
            event.findings.push(Finding { rule, place: HOST.into(), name: hit.name.to_string(), action });
        }
    }

    fn cleaned(&self, text: &str) -> Option<String> {
        let known = self.known(Way::Outward(None));
        let scrubbed = if known.is_empty() { None } else { known.scrub(text.as_bytes()) };
        scrubbed.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn known(&self, way: Way) -> KnownValues {
        let generation = Some(self.vault.generation());
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.generation != generation {
            *compiled = Compiled { generation, ..Compiled::default() };
        }
        compiled.known.entry(way).or_insert_with(|| self.compile(way)).clone()
    }

    fn compile(&self, way: Way) -> KnownValues {
        let held = self.vault.expose_to_scanner();
        let mut values: Vec<KnownValue<'_>> = Vec::new();
        for (slot, placeholder, secret) in &held {
            let (name, stand_in) = (slot.to_string(), placeholder.as_str());
            let replacement = (way == Way::Inward).then_some(stand_in);
            values.push(known(&name, replacement, secret.dangerous_expose()));
            if matches!(way, Way::Outward(exempt) if exempt != Some(*slot)) {
                values.push(known(&format!("{STRAY}{slot}"), None, stand_in.as_bytes()));
            }
        }
        if way != Way::Inward {
            let own = self.dlp.secrets.iter();
            values.extend(own.map(|(name, secret)| known(name, None, secret.dangerous_expose())));
        }
        let (known, short) = KnownValues::new(&values);
        if !short.is_empty() {
            tracing::warn!(names = ?short, ?way, "values that are too short to be sought may pass");
        }
        known
    }
}

/// The place of a finding in the name of a host.
pub(super) const HOST: &str = "host";

fn known<'a>(name: &str, replacement: Option<&str>, value: &'a [u8]) -> KnownValue<'a> {
    let replacement = replacement.map_or_else(|| format!("[redacted:{name}]"), str::to_owned);
    KnownValue { name: name.into(), replacement: replacement.into(), value }
}

pub(super) fn rule_of(name: &str) -> &'static str {
    if name.starts_with(STRAY) { "placeholder-astray" } else { "known-secret" }
}

/// What is sought one way, as of the last look at the vault.
#[derive(Clone)]
pub(crate) struct Sought {
    terms: Arc<Terms>,
    way: Way,
    generation: u64,
    known: KnownValues,
}

impl Sought {
    pub(crate) fn new(terms: &Arc<Terms>, way: Way) -> Sought {
        // Read before the values: one that comes in between is looked for twice, never not at all.
        let generation = terms.vault.generation();
        Sought { terms: Arc::clone(terms), way, generation, known: terms.known(way) }
    }
    /// The values, when there are others than at the last look.
    pub(crate) fn renewed(&mut self) -> Option<KnownValues> {
        if self.terms.vault.generation() == self.generation {
            return None;
        }
        *self = Sought::new(&self.terms, self.way);
        Some(self.known.clone())
    }
    /// The values as of the last look.
    pub(crate) fn known(&self) -> KnownValues {
        self.known.clone()
    }
    /// The values as they are now.
    pub(crate) fn now(&self) -> KnownValues {
        self.clone().renewed().unwrap_or_else(|| self.known.clone())
    }
    /// Everything that may not go out, whatever may stand in other places.
    pub(crate) fn all_outward(&self) -> KnownValues {
        self.terms.known(Way::Outward(None))
    }
    /// There is nothing to seek, and there will be nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.known.is_empty() && self.terms.vault.slots().is_empty()
    }
    /// Where decoders find their place.
    pub(crate) fn room(&self) -> &Room {
        self.terms.room()
    }
}
