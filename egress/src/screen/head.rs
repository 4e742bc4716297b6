//! The head of a request, and the fields of its trailers: whole, part by part, and the parts put together.
use super::entropy::{is_random_label, is_random_part};
use super::terms::Both;
use super::terms::HOST;
use super::{Can, Judged, Watch};
use crate::config::RuleAction;
use audit::Finding;
use dlp::{Hit, Verdict};
use http::{HeaderMap, HeaderValue};
use policy::{Denial, DenialCode, Host, HostPattern, Permitted};

/// Methods that say nothing but what they mean.
const USUAL: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

impl Watch {
    /// Everything that stands before the body.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn request(&self, permitted: &Permitted, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        let request = permitted.request();
        self.host(&request.host)?;
        self.random(permitted)?;
        if self.is_idle() {
            return Ok(());
        }
        let method = request.method.as_str();
        if !USUAL.contains(&method) {
            self.check(&self.body.all_outward().all, method.as_bytes(), "method")?;
        }
        let sought = self.head.now();
        let name = request.host.name().unwrap_or_default();
        self.pieces(&[name.as_bytes(), b" ", &lines(Some(&request.target), headers)].concat(), "head")?;
        if self.is_clean(&sought, Some(&request.target), headers) {
            return Ok(());
        }
        self.target(&sought.all, &request.target)?;
        self.fields(&sought.all, headers)?;
        self.put_together(&sought, Some(&request.target), headers)
    }

    /// Trailers are not injected into, so a placeholder stands there as in a body.
    pub(super) fn trailers(&self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        let sought = self.body.now();
        if self.body.is_idle() {
            return Ok(());
        }
        self.pieces(&lines(None, trailers), "trailers")?;
        if self.is_clean(&sought, None, trailers) {
            return Ok(());
        }
        self.fields(&sought.all, trailers)?;
        self.put_together(&sought, None, trailers)
    }

    /// One look at all of it: most requests hold nothing but what their agent holds rightly.
    fn is_clean(&self, sought: &Both, target: Option<&str>, headers: &HeaderMap) -> bool {
        let nothing = |hits: Vec<Hit>| hits.iter().all(|hit| self.verdicts.on(hit) == Judged::Off);
        let apart: Vec<Vec<u8>> = target.into_iter().flat_map(joined).collect();
        nothing(sought.all.find_all(&lines(target, headers)))
            && (apart.is_empty() || nothing(sought.known.find_all(&apart.join(BETWEEN))))
    }

    /// Whole bytes that cannot be rewritten: the target and the names of headers.
    pub(super) fn check(&self, sought: &dlp::Sought, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        let hits = sought.find_all(bytes);
        hits.iter().try_for_each(|hit| self.judge(hit, place, Can::OnlyBlock).map(drop))
    }

    fn check_value(
        &self,
        sought: &dlp::Sought,
        place: &str,
        value: &mut HeaderValue,
    ) -> Result<(), Box<Denial>> {
        let mut denied = None;
        let redacted = sought.redact(value.as_bytes(), &mut |hit: &Hit| {
            self.judge(hit, place, Can::Redact).unwrap_or_else(|denial| {
                denied = Some(denial);
                Verdict::Stop
            })
        });
        match (redacted, denied) {
            (_, Some(denial)) => Err(denial),
            (Err(hit), None) => Err(self.denial(&hit, place)),
            (Ok(None), None) => Ok(()),
            (Ok(Some(clean)), None) => {
                *value = HeaderValue::from_bytes(&clean)
                    .unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
                Ok(())
            }
        }
    }

    fn fields(&self, sought: &dlp::Sought, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        for (name, value) in headers.iter_mut() {
            self.check(sought, name.as_str().as_bytes(), "header name")?;
            self.check_value(sought, &format!("header {name}"), value)?;
        }
        Ok(())
    }

    fn target(&self, sought: &dlp::Sought, target: &str) -> Result<(), Box<Denial>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.check(sought, path.as_bytes(), "path")?;
        self.check(sought, query.as_bytes(), "query")?;
        // A value may lie across the question mark too.
        self.check(sought, target.as_bytes(), "target")
    }

    /// What no part holds by itself. Parts that a far side may put together are searched for known values only, for what looks
    /// like a credential by chance is made of any parts; a header is told by its name and value.
    fn put_together(
        &self,
        sought: &Both,
        target: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<(), Box<Denial>> {
        for part in target.into_iter().flat_map(joined) {
            self.check(&sought.known, &part, "target, put together")?;
        }
        let hits = sought.all.find_all(&lines(target, headers));
        let mut untold = hits.iter().filter(|hit| !self.is_told(hit));
        untold.try_for_each(|hit| self.judge(hit, "head", Can::OnlyBlock).map(drop))
    }

    fn is_told(&self, hit: &Hit) -> bool {
        let fingerprint = Some(hit.fingerprint.to_string());
        let mut told = false;
        self.ledger.note(|event| {
            let same = |one: &Finding| one.rule == *hit.rule && one.fingerprint == fingerprint;
            told = event.findings.iter().any(same);
        });
        told
    }

    /// Where it goes: a name is told to everybody who is asked for its address, and to who is called by it.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn host(&self, host: &Host) -> Result<(), Box<Denial>> {
        let Some(name) = host.name().filter(|_| !self.is_idle()) else { return Ok(()) };
        if self.body.is_clean(name) {
            return Ok(());
        }
        let sought = self.body.all_outward();
        self.check(&sought.all, name.as_bytes(), HOST)?;
        self.check(&sought.known, name.replace('.', "").as_bytes(), HOST)
    }

    /// What looks random, where the operator wants to know or to have none of it. A host that the manifest names whole
    /// says nothing.
    fn random(&self, permitted: &Permitted) -> Result<(), Box<Denial>> {
        let action = self.body.entropy(self.route);
        if action == RuleAction::Off {
            return Ok(());
        }
        let request = permitted.request();
        if let (HostPattern::Below(apex), Some(name)) = (&permitted.route().host, request.host.name()) {
            let own = name.strip_suffix(&**apex).unwrap_or(name);
            if own.split('.').any(is_random_label) {
                self.report_random(HOST, action)?;
            }
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if path.split('/').any(is_random_part) {
            self.report_random("path", action)?;
        }
        if query.split(['&', '=']).any(is_random_part) {
            self.report_random("query", action)?;
        }
        Ok(())
    }

    fn report_random(&self, place: &str, action: RuleAction) -> Result<(), Box<Denial>> {
        let word = if action == RuleAction::Warn { "warn" } else { "block" };
        self.ledger.find(Finding::new("random-text", place, "text that looks random", word));
        if action == RuleAction::Warn {
            return Ok(());
        }
        let sentence = format!(
            "the {place} of this request holds text that looks random, as data does that is carried out in it; this is policy \
             (`egress.dlp.entropy`), do not try to send it in another way"
        );
        Err(Box::new(Denial::new(DenialCode::SecretInRequest, sentence)))
    }
}

/// A line break that could not be taken for one of an encoding.
const BETWEEN: &[u8] = b" \n ";

/// As HTTP/1 writes it, but for the line breaks.
pub(crate) fn lines(target: Option<&str>, headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::with_capacity(1024);
    lines.extend_from_slice(target.unwrap_or_default().as_bytes());
    for (name, value) in headers {
        lines.extend_from_slice(BETWEEN);
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
    }
    lines
}

/// The segments of the path, the values of the query, and its names, each put together.
fn joined(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = || query.split('&').map(|pair| pair.split_once('=').unwrap_or(("", pair)));
    let segments: String = path.split('/').collect();
    let values: String = pairs().map(|(_, value)| value).collect();
    let names: String = pairs().map(|(name, _)| name).collect();
    let worth = |part: &String| part.len() >= 8;
    [segments, values, names].into_iter().filter(worth).map(String::into_bytes)
}
