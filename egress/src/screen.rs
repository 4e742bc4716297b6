//! What must not leave: known values and stray placeholders, wherever they stand in a request.
use crate::body::{Body, Pipeline, Stage, Staged, Waiting};
use crate::coding::{Coding, Decode, codings};
use crate::config::{DlpAction, DlpTerms};
use crate::record::Ledger;
use audit::Finding;
use bytes::Bytes;
use credentials::{AuthScheme, Binding, BodyKind, Slot, Vault};
use dlp::{KnownValue, KnownValues, Scanner, Scrubber};
use http::{HeaderMap, HeaderValue, header};
use policy::{Denial, DenialCode, Permitted, RouteId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Encoded bytes that may wait for their decoded form to be clean.
const WAITING: usize = 1024 * 1024;
const STRAY: &str = "placeholder of ";

/// Everything that is sought, compiled once for each generation of the vault.
pub(crate) struct Terms {
    vault: Vault,
    dlp: DlpTerms,
    compiled: Mutex<Compiled>,
}

#[derive(Default)]
struct Compiled {
    generation: Option<u64>,
    outward: HashMap<Option<Slot>, KnownValues>,
    inward: Option<KnownValues>,
}

impl Terms {
    pub(crate) fn new(vault: Vault, dlp: DlpTerms) -> Terms {
        Terms { vault, dlp, compiled: Mutex::default() }
    }
    /// What is done about a finding on this route.
    pub(crate) fn action(&self, route: RouteId) -> DlpAction {
        self.dlp.routes.get(&route).copied().unwrap_or(self.dlp.action)
    }
    /// What may not go out; the placeholder of `exempt` may (its route swaps or replaces it).
    pub(crate) fn outward(&self, exempt: Option<Slot>) -> KnownValues {
        self.compiled(|compiled| {
            compiled.outward.entry(exempt).or_insert_with(|| self.compile_outward(exempt)).clone()
        })
    }
    /// What may not come in: the values behind the placeholders.
    pub(crate) fn inward(&self) -> KnownValues {
        self.compiled(|compiled| compiled.inward.get_or_insert_with(|| self.compile_inward()).clone())
    }
    /// A text for the audit or a page, without values.
    pub(crate) fn clean(&self, text: &str) -> String {
        let known = self.outward(None);
        let scrubbed = if known.is_empty() { None } else { known.scrub(text.as_bytes()) };
        scrubbed.map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn compiled<T>(&self, get: impl FnOnce(&mut Compiled) -> T) -> T {
        let generation = Some(self.vault.generation());
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.generation != generation {
            *compiled = Compiled { generation, ..Compiled::default() };
        }
        get(&mut compiled)
    }
    fn compile_outward(&self, exempt: Option<Slot>) -> KnownValues {
        let held = self.vault.expose_to_scanner();
        let mut values: Vec<KnownValue<'_>> = Vec::new();
        for (slot, placeholder, secret) in &held {
            values.push(known(&slot.to_string(), None, secret.dangerous_expose()));
            if exempt != Some(*slot) {
                values.push(known(&format!("{STRAY}{slot}"), None, placeholder.as_str().as_bytes()));
            }
        }
        let own = self.dlp.secrets.iter();
        values.extend(own.map(|(name, secret)| known(name, None, secret.dangerous_expose())));
        KnownValues::new(&values).0
    }
    fn compile_inward(&self) -> KnownValues {
        let held = self.vault.expose_to_scanner();
        let mut values: Vec<KnownValue<'_>> = Vec::new();
        for (slot, placeholder, secret) in &held {
            values.push(known(&slot.to_string(), Some(placeholder.as_str()), secret.dangerous_expose()));
        }
        KnownValues::new(&values).0
    }
}

fn known<'a>(name: &str, replacement: Option<&str>, value: &'a [u8]) -> KnownValue<'a> {
    let replacement = replacement.map_or_else(|| format!("[redacted:{name}]"), str::to_owned);
    KnownValue { name: name.into(), replacement: replacement.into(), value }
}

/// What is sought in one request and what is done about it.
#[derive(Clone)]
pub(crate) struct Watch {
    known: KnownValues,
    action: DlpAction,
    ledger: Ledger,
}

impl Watch {
    /// For a permitted request. The placeholder of the route's own credential is no stray where it will be swapped.
    pub(crate) fn new(terms: &Terms, permitted: &Permitted, exempt: Option<Slot>, ledger: &Ledger) -> Watch {
        Watch {
            known: terms.outward(exempt),
            action: terms.action(permitted.route().id),
            ledger: ledger.clone(),
        }
    }
    pub(crate) fn is_idle(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether bodies may change their length on the way.
    pub(crate) fn rewrites(&self) -> bool {
        !self.is_idle() && self.action == DlpAction::Redact
    }

    /// Records what was found; a denial when it may not go on.
    fn report(&self, name: &str, place: &str, action: DlpAction) -> Result<(), Box<Denial>> {
        let (rule, word) = (rule_of(name), word_of(action));
        let finding =
            Finding { rule: rule.into(), place: place.into(), name: name.into(), action: word.into() };
        self.ledger.find(finding);
        if action == DlpAction::Block { Err(astray(name, place)) } else { Ok(()) }
    }

    /// Whole bytes that cannot be rewritten: the target and the names of headers.
    fn check(&self, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        let Some(hit) = self.known.find(bytes) else { return Ok(()) };
        let action = if self.action == DlpAction::Redact { DlpAction::Block } else { self.action };
        self.report(&hit.name, place, action)
    }

    fn check_value(&self, name: &str, value: &mut HeaderValue) -> Result<(), Box<Denial>> {
        let Some(hit) = self.known.find(value.as_bytes()) else { return Ok(()) };
        self.report(&hit.name, &format!("header {name}"), self.action)?;
        if self.action == DlpAction::Redact {
            let clean =
                self.known.scrub(value.as_bytes()).and_then(|bytes| HeaderValue::from_bytes(&bytes).ok());
            *value = clean.unwrap_or_else(|| HeaderValue::from_static("[redacted]"));
        }
        Ok(())
    }

    /// Names and values of headers or trailers.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        if self.is_idle() {
            return Ok(());
        }
        for (name, value) in headers.iter_mut() {
            self.check(name.as_str().as_bytes(), "header name")?;
            self.check_value(name.as_str(), value)?;
        }
        Ok(())
    }

    /// The target as sent.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn target(&self, target: &str) -> Result<(), Box<Denial>> {
        if self.is_idle() {
            return Ok(());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.check(path.as_bytes(), "path")?;
        self.check(query.as_bytes(), "query")?;
        // A value may lie across the question mark too.
        self.check(target.as_bytes(), "target")
    }

    /// One whole message.
    /// # Errors
    /// When something stands there that must not leave.
    pub(crate) fn message(&self, bytes: &[u8], place: &str) -> Result<(), Box<Denial>> {
        if self.is_idle() { Ok(()) } else { self.check(bytes, place) }
    }

    /// The stages of a stream in the clear.
    pub(crate) fn stream(&self, pipeline: &mut Pipeline, place: &'static str) {
        if self.is_idle() {
            return;
        }
        match self.action {
            DlpAction::Redact => pipeline.then(Redact {
                watch: self.clone(),
                scrubber: Scrubber::new(self.known.clone()),
                place,
            }),
            _ => pipeline.then(Scan::new(self, place)),
        }
    }

    /// The body of a request: as it is, and as its receiver may decode it.
    /// # Errors
    /// When it is said to be in a coding that cannot be read.
    pub(crate) fn body(&self, headers: &HeaderMap, body: Body) -> Result<Body, Box<Denial>> {
        if self.is_idle() {
            return Ok(body);
        }
        let mut pipeline = Pipeline::default();
        self.stream(&mut pipeline, "body");
        match codings(headers) {
            Ok(codings) => pipeline.then(Shadow::new(self, codings)),
            Err(name) => self.unreadable(&name)?,
        }
        Ok(Staged::body(body, pipeline, self.action != DlpAction::Redact, self.ledger.clone()))
    }

    fn unreadable(&self, coding: &str) -> Result<(), Box<Denial>> {
        let action = if self.action == DlpAction::Warn { DlpAction::Warn } else { DlpAction::Block };
        let finding = Finding {
            rule: "unreadable".into(),
            place: "body".into(),
            name: "content-encoding".into(),
            action: word_of(action).into(),
        };
        self.ledger.find(finding);
        if action == DlpAction::Warn {
            return Ok(());
        }
        let sentence = format!(
            "the body is in the content coding `{}`, which cannot be inspected; send it plain, or as gzip, deflate, br or zstd",
            coding.escape_default()
        );
        Err(Box::new(Denial::new(DenialCode::Unreadable, sentence)))
    }
}

/// The slot whose placeholder may stand in this request: where its route replaces it, or can swap it.
pub(crate) fn exempt(binding: Option<&Binding>, headers: &HeaderMap) -> Option<Slot> {
    let binding = binding?;
    let swapped = !matches!(binding.scheme, AuthScheme::Placeholder { .. })
        || body_kind(headers).is_some()
        || !has_body(headers);
    swapped.then_some(binding.slot)
}

/// How a placeholder in this body is swapped; `None`: it cannot be.
pub(crate) fn body_kind(headers: &HeaderMap) -> Option<BodyKind> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let plain = codings(headers).is_ok_and(|codings| codings.is_empty());
    BodyKind::of(content_type).filter(|_| plain)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_TYPE) || headers.contains_key(header::CONTENT_ENCODING)
}

fn rule_of(name: &str) -> &'static str {
    if name.starts_with(STRAY) { "placeholder-astray" } else { "known-secret" }
}

fn word_of(action: DlpAction) -> &'static str {
    match action {
        DlpAction::Block => "block",
        DlpAction::Redact => "redact",
        DlpAction::Warn => "warn",
    }
}

fn astray(name: &str, place: &str) -> Box<Denial> {
    let what = if name.starts_with(STRAY) {
        format!("the {name} stands in the {place} of a request to a host or place that is not its own")
    } else {
        format!("the value of {name} stands in the {place} of this request and must stay inside the bottle")
    };
    let sentence = format!("{what}; this is policy, do not try to send it in another way");
    Box::new(Denial::new(DenialCode::SecretInRequest, sentence))
}

/// Looks for values in a stream; with `warn` it goes on after the first.
struct Scan {
    watch: Watch,
    scanner: Option<Scanner>,
    place: &'static str,
}

impl Scan {
    fn new(watch: &Watch, place: &'static str) -> Scan {
        Scan { watch: watch.clone(), scanner: Some(Scanner::new(watch.known.clone())), place }
    }
    fn found(&mut self, hit: &dlp::Hit) -> Result<(), Box<Denial>> {
        self.scanner = None;
        self.watch.report(&hit.name, self.place, self.watch.action)
    }
    /// Looks without giving anything out; gives the number of bytes known to be clean.
    fn look(&mut self, chunk: &[u8], last: bool) -> Result<u64, Box<Denial>> {
        let mut clean = Vec::new();
        match self.push(chunk, last, &mut clean) {
            Some(hit) => self.found(&hit).map(|()| u64::MAX),
            None if self.scanner.is_none() => Ok(u64::MAX),
            None => Ok(clean.len() as u64),
        }
    }
    fn push(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Option<dlp::Hit> {
        let scanner = self.scanner.as_mut()?;
        let pushed = scanner.push(chunk, out);
        let finished = if last && pushed.is_ok() { scanner.finish(out) } else { Ok(()) };
        pushed.and(finished).err()
    }
    fn warns(&self) -> bool {
        self.watch.action == DlpAction::Warn
    }
}

impl Stage for Scan {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let chunk = std::mem::take(input);
        if self.warns() {
            self.look(&chunk, false)?;
            out.extend_from_slice(&chunk);
        } else if let Some(hit) = self.push(&chunk, false, out) {
            self.found(&hit)?;
        }
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if self.warns() {
            self.look(&[], true)?;
        } else if let Some(hit) = self.push(&[], true, out) {
            self.found(&hit)?;
        }
        Ok(())
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.watch.headers(trailers)
    }
}

/// Replaces values in a stream.
struct Redact {
    watch: Watch,
    scrubber: Scrubber,
    place: &'static str,
}

impl Redact {
    fn count(&self, replaced: u64) -> Result<(), Box<Denial>> {
        if replaced == 0 { Ok(()) } else { self.watch.report("a known value", self.place, DlpAction::Redact) }
    }
}

impl Stage for Redact {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let replaced = self.scrubber.push(&std::mem::take(input), out);
        self.count(replaced).map(|()| false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let replaced = self.scrubber.finish(out);
        self.count(replaced)
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.watch.headers(trailers)
    }
}

/// Decodes a copy of the stream and scans that; the bytes themselves go on unchanged once their copy is clean. What is
/// found in a copy cannot be redacted, so it blocks.
struct Shadow {
    scan: Scan,
    mode: Mode,
    declared: bool,
    waiting: Waiting,
    /// The last byte so far of a declared coding. A receiver that counts has not got all before the end was checked.
    last: Bytes,
    decoded: u64,
    clean: u64,
}

enum Mode {
    /// Nothing was declared and the first bytes have not shown a coding yet.
    Unsettled(Vec<u8>),
    Reading(Pipeline),
    /// In no coding: the stage before has scanned it as it is.
    Plain,
}

impl Shadow {
    fn new(watch: &Watch, codings: Vec<Coding>) -> Shadow {
        let mut strict = watch.clone();
        if strict.action == DlpAction::Redact {
            strict.action = DlpAction::Block;
        }
        let declared = !codings.is_empty();
        let reading = || Mode::Reading(pipeline_of(codings.into_iter().rev()));
        Shadow {
            scan: Scan::new(&strict, "body"),
            mode: if declared { reading() } else { Mode::Unsettled(Vec::new()) },
            declared,
            waiting: Waiting::default(),
            last: Bytes::new(),
            decoded: 0,
            clean: 0,
        }
    }

    /// The bytes to go on with, once it is known how to read them.
    fn settle(&mut self, chunk: Bytes) -> Bytes {
        let Mode::Unsettled(start) = &mut self.mode else { return chunk };
        start.extend_from_slice(&chunk);
        if start.len() < Coding::SNIFFED {
            return Bytes::new();
        }
        let start = Bytes::from(std::mem::take(start));
        self.mode = match Coding::sniff(&start) {
            Some(coding) => Mode::Reading(pipeline_of(std::iter::once(coding))),
            None => Mode::Plain,
        };
        start
    }

    /// What may wait with the others: all but the last byte.
    fn keep_last(&mut self, mut chunk: Bytes) -> Bytes {
        if !self.declared || chunk.is_empty() {
            return chunk;
        }
        let last = chunk.split_off(chunk.len() - 1);
        let before = std::mem::replace(&mut self.last, last);
        if before.is_empty() { chunk } else { Bytes::from([before, chunk].concat()) }
    }

    /// Scans what the decoders give; `next` asks them.
    fn read(
        &mut self,
        next: fn(&mut Pipeline) -> Result<Option<Bytes>, Box<Denial>>,
    ) -> Result<(), Box<Denial>> {
        while let Mode::Reading(decoders) = &mut self.mode {
            match next(decoders) {
                Ok(Some(piece)) => self.scan_piece(&piece, false)?,
                Ok(None) => break,
                Err(denial) => self.undecodable(denial)?,
            }
        }
        Ok(())
    }

    fn scan_piece(&mut self, piece: &[u8], last: bool) -> Result<(), Box<Denial>> {
        self.decoded += piece.len() as u64;
        let clean = self.scan.look(piece, last)?;
        self.clean = self.clean.saturating_add(clean);
        Ok(())
    }

    /// What only looked like a coding is plain; what was declared and is none is unreadable.
    fn undecodable(&mut self, denial: Box<Denial>) -> Result<(), Box<Denial>> {
        if self.declared {
            self.scan.watch.unreadable("damaged").map_err(|_| denial)?;
        }
        self.mode = Mode::Plain;
        self.clean = u64::MAX;
        Ok(())
    }
}

fn pipeline_of(codings: impl Iterator<Item = Coding>) -> Pipeline {
    let mut pipeline = Pipeline::default();
    codings.for_each(|coding| pipeline.then(Decode::new(coding)));
    pipeline
}

impl Stage for Shadow {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let chunk = self.settle(std::mem::take(input));
        if let Mode::Reading(decoders) = &mut self.mode {
            decoders.feed(chunk.clone());
            self.read(Pipeline::next)?;
            let chunk = self.keep_last(chunk);
            self.waiting.push(chunk, self.decoded);
            self.waiting.release(self.clean, out);
        } else {
            out.extend_from_slice(&std::mem::take(&mut self.last));
            out.extend_from_slice(&chunk);
        }
        if self.waiting.bytes() > WAITING {
            return Err(Box::new(Denial::new(
                DenialCode::Unreadable,
                "an encoded body decodes to nothing that can be inspected",
            )));
        }
        Ok(false)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.read(Pipeline::finish)?;
        if let Mode::Reading(_) = self.mode {
            self.scan_piece(&[], true)?;
        }
        self.waiting.release(u64::MAX, out);
        out.extend_from_slice(&std::mem::take(&mut self.last));
        if let Mode::Unsettled(start) = &mut self.mode {
            out.append(start);
        }
        Ok(())
    }
}
