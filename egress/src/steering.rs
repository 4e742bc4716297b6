//! The operator's side of a running engine: answers, another rule, the kill switch, a look at what is under way.
use crate::desk::{Answer, AnswerError, Near, Petition, Span, State};
use crate::engine::Shared;
use crate::running::Live;
use crate::seat::{Rule, Seat};
use credentials::Binding;
use policy::{HostPattern, Proposal, Protocol, Route};
use std::sync::Arc;

/// Characters of a word to the agent.
const WORD: usize = 300;

/// A handle on a running engine. Nothing inside of a bottle leads to one. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct Steering {
    seat: Arc<Seat>,
}

impl Steering {
    pub(crate) fn new(seat: Arc<Seat>) -> Steering {
        Steering { seat }
    }

    /// What was asked for, the latest last.
    pub fn petitions(&self) -> Vec<Petition> {
        self.seat.now().desk.petitions()
    }

    /// Answers a petition. `by` says who and how, for the audit.
    /// # Errors
    /// When it is not open, or cannot be allowed so. Then nothing has changed.
    pub fn answer(&self, id: &str, answer: Answer, by: &str) -> Result<Petition, AnswerError> {
        let engine = self.seat.now();
        let petition = engine.desk.find(id).ok_or_else(|| AnswerError::Unknown(id.to_owned()))?;
        if !petition.state.is_open() {
            return Err(AnswerError::Closed(id.to_owned()));
        }
        match answer {
            Answer::Refuse { word } => {
                let word = word.as_deref().map(said);
                let settled = engine.desk.settle(id, State::Refused { word })?;
                engine.note("petition-refused", &format!("{id}: {}, by {by}", petition.proposal));
                Ok(settled)
            }
            Answer::Allow { span, narrowed, credential, word } => {
                let proposal = narrowed.as_ref().unwrap_or(&petition.proposal);
                let binding = if credential { Some(credential_for(&engine, proposal)?) } else { None };
                grantable(proposal, span, binding.as_ref())?;
                let word = word.as_deref().map(said);
                // The grant stands before whoever waits hears of it.
                let ends = engine.desk.grant(id, proposal, span, binding);
                if span != Span::Once && span != Span::Always {
                    self.seat.refresh();
                    ends.into_iter().for_each(|ends| self.seat.refresh_at(ends));
                }
                engine.note("petition-allowed", &format!("{id}: {proposal}, {span}, by {by}"));
                let state = State::Allowed { span, narrowed: narrowed.clone(), word };
                engine.desk.settle(id, state)
            }
        }
    }

    /// Another rule, at once and whole. What is under way and is not allowed by it is ended; how much that was.
    pub fn rule(&self, rule: Rule, by: &str) -> usize {
        self.seat.rule(rule, by)
    }

    /// The kill switch: refuses everything and ends what is under way, or serves again. How much was ended.
    pub fn lock(&self, on: bool, by: &str) -> usize {
        self.seat.lock(on, by)
    }

    /// Whether the kill switch is on.
    pub fn is_locked(&self) -> bool {
        self.seat.now().locked
    }

    /// Whether somebody can answer.
    pub fn attend(&self, on: bool) {
        self.seat.now().desk.attend(on);
    }

    /// What is under way.
    pub fn running(&self) -> Vec<Live> {
        self.seat.now().running.live()
    }
}

/// A word to the agent: short, and nothing but text.
fn said(word: &str) -> String {
    policy::neutral(word.trim(), WORD)
}

/// The credential of the route of this host that stands nearest.
fn credential_for(engine: &Shared, proposal: &Proposal) -> Result<Binding, AnswerError> {
    let none = || {
        AnswerError::Impossible(format!(
            "no route of `{}` has a credential that could be given; write one into the manifest and reload it",
            proposal.host
        ))
    };
    engine.nearest(&proposal.host).and_then(|route| engine.bindings.get(&route.id)).cloned().ok_or_else(none)
}

fn grantable(proposal: &Proposal, span: Span, binding: Option<&Binding>) -> Result<(), AnswerError> {
    let no = |why: &str| Err(AnswerError::Impossible(why.to_owned()));
    if proposal.protocol == Protocol::Tcp && span == Span::Once {
        return no("a raw connection is no request; allow it for this bottle's life, or until a time");
    }
    if binding.is_some() && proposal.protocol == Protocol::Tcp {
        return no("raw bytes carry no credential");
    }
    match span {
        Span::Until { time } if time <= jiff::Timestamp::now() => no("that time is over already"),
        _ => Ok(()),
    }
}

impl Shared {
    /// The first route of this very host; one with a credential goes before.
    pub(crate) fn nearest(&self, host: &HostPattern) -> Option<&Arc<Route>> {
        let of_host = || {
            self.policy.routes().iter().filter(|route| match host {
                HostPattern::Exact(one) => route.host.matches(one),
                HostPattern::Below(_) => route.host == *host,
            })
        };
        of_host().find(|route| self.bindings.contains_key(&route.id)).or_else(|| of_host().next())
    }

    /// The same, for people.
    pub(crate) fn near(&self, host: &HostPattern) -> Option<Near> {
        let route = self.nearest(host)?;
        let credential = self.bindings.get(&route.id).map(|binding| binding.slot.to_string());
        Some(Near { route: route.name.clone(), credential })
    }
}
