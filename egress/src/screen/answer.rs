//! What rules seek in an answer: in its fields, and in its body and messages as they pass. Values are taken out of everything
//! besides.
use super::{Judged, Sought, Verdicts, finding};
use crate::body::Stage;
use crate::record::Ledger;
use bytes::Bytes;
use dlp::{Hit, Inspector, Verdict};
use http::{HeaderMap, HeaderName, HeaderValue};
use policy::{Denial, DenialCode};
use std::sync::Arc;

/// What stands for a value that could not be mended.
const GONE: HeaderValue = HeaderValue::from_static("[redacted]");

/// Looks for what is sought in a stream that comes back, besides the values that are taken out of everything.
pub(crate) struct Inspection {
    sought: Sought,
    verdicts: Arc<Verdicts>,
    inspector: Inspector,
    ledger: Ledger,
    place: &'static str,
}

impl Inspection {
    pub(crate) fn new(
        sought: &Sought,
        verdicts: &Arc<Verdicts>,
        ledger: &Ledger,
        place: &'static str,
    ) -> Inspection {
        Inspection {
            sought: sought.clone(),
            verdicts: Arc::clone(verdicts),
            inspector: Inspector::new(sought.sought()),
            ledger: ledger.clone(),
            place,
        }
    }

    fn push(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if let Some(sought) = self.sought.renewed() {
            self.inspector.renew(sought);
        }
        let (verdicts, ledger, place) = (&self.verdicts, &self.ledger, self.place);
        let mut judge = |hit: &Hit| inward(verdicts, ledger, hit, place);
        let pushed = match last {
            true => self.inspector.last(chunk, out, &mut judge),
            false => self.inspector.push(chunk, out, &mut judge),
        };
        pushed.map_err(|hit| Box::new(refused(&hit, place)))
    }
}

fn inward(verdicts: &Verdicts, ledger: &Ledger, hit: &Hit, place: &str) -> Verdict {
    let judged = match verdicts.on(hit) {
        Judged::Redact if hit.packed => Judged::Block,
        judged => judged,
    };
    if &*hit.rule == super::KNOWN && !hit.packed {
        crate::exchange::scrubbed(ledger, place);
    } else if let Some(finding) = finding(hit, place, &judged) {
        ledger.find(finding);
    }
    verdict(&judged)
}

fn verdict(judged: &Judged) -> Verdict {
    match judged {
        Judged::Block => Verdict::Stop,
        Judged::Redact => Verdict::Redact,
        Judged::Off | Judged::Allowed(_) | Judged::Warn => Verdict::Pass,
    }
}

fn refused(hit: &Hit, place: &str) -> Denial {
    let sentence = format!(
        "what looks like a secret ({}, rule {}) stands in the {place} of this answer, and the policy of this bottle ends it there",
        hit.name, hit.rule
    );
    Denial::new(DenialCode::AnswerBlocked, sentence)
}

impl Stage for Inspection {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.push(&std::mem::take(input), false, out).map(|()| false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.push(&[], true, out)
    }
    fn last(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.push(&std::mem::take(input), true, out).map(|()| true)
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        let sought = self.sought.now();
        crate::exchange::scrub_headers(sought.all.known(), trailers, &self.ledger);
        fields(&sought.all, &self.verdicts, &self.ledger, "trailer", trailers)
    }
}

/// Looks at each field of an answer: its name, its value, and both together, for some kinds are told by what a header is called.
/// `what` the fields are, for people.
/// # Errors
/// When something stands there at which the answer ends.
pub(crate) fn fields(
    sought: &dlp::Sought,
    verdicts: &Verdicts,
    ledger: &Ledger,
    what: &str,
    headers: &mut HeaderMap,
) -> Result<(), Box<Denial>> {
    let mut look = Fields { sought, verdicts, ledger, told: Vec::new(), named: 0 };
    let mut bad = Vec::new();
    for name in headers.keys() {
        // A name cannot be mended.
        if look.redacted(name.as_str().as_bytes(), &format!("response {what} name"))?.is_some() {
            bad.push(name.clone());
        }
    }
    bad.iter().for_each(|name| drop(headers.remove(name)));
    look.named = look.told.len();
    headers.iter_mut().try_for_each(|(name, value)| look.field(name, value, what))
}

/// Looks at some whole bytes; gives what goes on in place of them.
/// # Errors
/// When something stands there at which the answer ends.
pub(crate) fn whole(
    sought: &dlp::Sought,
    verdicts: &Verdicts,
    ledger: &Ledger,
    place: &str,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, Box<Denial>> {
    Fields { sought, verdicts, ledger, told: Vec::new(), named: 0 }.redacted(bytes, place)
}

/// One look at the fields of an answer.
struct Fields<'a> {
    sought: &'a dlp::Sought,
    verdicts: &'a Verdicts,
    ledger: &'a Ledger,
    /// Rules and fingerprints of what was told: of names, and of this field, which is looked at twice.
    told: Vec<(Arc<str>, dlp::Fingerprint)>,
    /// How many of them were names.
    named: usize,
}

impl Fields<'_> {
    fn field(&mut self, name: &HeaderName, value: &mut HeaderValue, what: &str) -> Result<(), Box<Denial>> {
        let place = format!("response {what} {name}");
        self.told.truncate(self.named);
        if let Some(clean) = self.redacted(value.as_bytes(), &place)? {
            *value = HeaderValue::from_bytes(&clean).unwrap_or(GONE);
        }
        let before = format!("{name}: ").into_bytes();
        if let Some(clean) = self.redacted(&[&before, value.as_bytes()].concat(), &place)? {
            let rest = clean.strip_prefix(before.as_slice());
            *value = rest.and_then(|rest| HeaderValue::from_bytes(rest).ok()).unwrap_or(GONE);
        }
        Ok(())
    }

    fn redacted(&mut self, bytes: &[u8], place: &str) -> Result<Option<Vec<u8>>, Box<Denial>> {
        let (verdicts, ledger, told) = (self.verdicts, self.ledger, &mut self.told);
        let redacted = self.sought.redact(bytes, &mut |hit: &Hit| {
            let one = (hit.rule.clone(), hit.fingerprint);
            if told.contains(&one) {
                return verdict(&verdicts.on(hit));
            }
            told.push(one);
            inward(verdicts, ledger, hit, place)
        });
        redacted.map_err(|hit| Box::new(refused(&hit, place)))
    }
}
