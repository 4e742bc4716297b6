//! Everything that is sought one way, and one look at some bytes.
use crate::find::{Find, How, Text, Thing, Told, What};
use crate::hit::{FingerprintKey, Hit, Verdict};
use crate::known::Find as KnownFind;
use crate::layers::{self, Found, Layer, Layers, Searched, Seen, Sight, escapes};
use crate::masks::Masks;
use crate::packed::{self, Packed, Unfolding};
use crate::survey::Survey;
use crate::view::{Before, View};
use crate::{Inspector, KnownValues, RuleSet};
use std::ops::Range;
use std::sync::Arc;

/// Everything sought one way, compiled once. Cheap to clone.
#[derive(Clone)]
pub struct Sought {
    known: KnownValues,
    rules: RuleSet,
    key: FingerprintKey,
    names: Names,
}

/// What the commonest ways of reading are called, made once.
#[derive(Clone)]
struct Names {
    plain: Arc<str>,
    escaped: Arc<str>,
}

/// Bytes to look at.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    /// What to look at, and what stands before it.
    pub(crate) text: Text<'a>,
    /// What stands before all of it.
    pub(crate) before: Before,
    /// What was told of in the bytes that went out.
    pub(crate) told: &'a [Told],
}

/// What a look gave.
pub(crate) struct Look {
    /// What stands surely there, left to right, all of it before `hold`.
    pub(crate) finds: Vec<Find>,
    /// From here on something may have begun.
    pub(crate) hold: usize,
    survey: Option<Survey>,
    before: Before,
}

impl Sought {
    /// Known values first: where a rule sees one of them too, both are told, the known value before.
    pub fn new(known: KnownValues, rules: RuleSet, key: FingerprintKey) -> Sought {
        let names = Names { plain: "plain".into(), escaped: "escaped".into() };
        Sought { known, rules, key, names }
    }

    /// The known values.
    pub fn known(&self) -> &KnownValues {
        &self.known
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Nothing to seek.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.rules.is_empty()
    }

    /// Everything in these whole bytes (headers, paths, queries, messages), left to right; behind it what stands in something
    /// compressed.
    pub fn find_all(&self, whole: &[u8]) -> Vec<Hit> {
        let look = self.look(Window::whole(whole));
        let mut hits: Vec<Hit> = look.finds.iter().map(|find| self.hit(find, 0)).collect();
        if !self.is_empty() && packed::begins_in(whole) {
            let text = Text { bytes: whole, from: 0, last: true };
            let mut note = |hit: &Hit| {
                hits.push(hit.clone());
                Verdict::Pass
            };
            // Whoever lets everything pass is never told to stop.
            let _never = Packed::new(Unfolding::Everything).push(text, 0, self, &mut note);
        }
        hits
    }

    /// Whole bytes with stand-ins where the judge wants them; `None` when nothing changes.
    /// # Errors
    /// The hit at which the judge said stop.
    pub fn redact(
        &self,
        whole: &[u8],
        judge: &mut dyn FnMut(&Hit) -> Verdict,
    ) -> Result<Option<Vec<u8>>, Hit> {
        if self.find_all(whole).is_empty() {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(whole.len());
        let mut changed = false;
        let mut judged = |hit: &Hit| {
            let verdict = judge(hit);
            changed |= verdict == Verdict::Redact;
            verdict
        };
        let mut inspector = Inspector::new(self.clone());
        inspector.last(whole, &mut out, &mut judged)?;
        Ok(changed.then_some(out))
    }

    /// As the bytes stand there, unescaped, and through every layer.
    pub(crate) fn look(&self, window: Window<'_>) -> Look {
        let mut look = self.look_undecoded(window);
        if !self.is_empty() {
            self.seek_in_layers(window, &mut look);
            look.settle(window.text.from);
        }
        look
    }

    fn look_undecoded(&self, window: Window<'_>) -> Look {
        let Window { text, before, .. } = window;
        let mut look = Look { finds: Vec::new(), hold: text.bytes.len(), survey: None, before };
        if self.is_empty() {
            return look;
        }
        let survey = Survey::of(text.bytes, before, text.last);
        self.seek_known(text, &survey, &mut look);
        self.seek_by_rules(text, &survey, &mut look);
        look.survey = Some(survey);
        look.settle(text.from);
        look
    }

    /// What went out already is looked at once more: a code may have begun there.
    ///
    /// What was told of already is told once, as it is where all of it is looked at at once: a code that is noticed later may have
    /// begun in it.
    fn seek_in_layers(&self, window: Window<'_>, look: &mut Look) {
        let Window { text, told, .. } = window;
        let mut seek =
            |text: Text<'_>, layers: Layers, sights: &mut Vec<Sight<What>>| self.search(text, layers, sights);
        let seen: Seen<What> = layers::look(text.bytes, look.survey.as_ref(), text.last, &mut seek);
        look.hold = look.hold.min(seen.hold.max(text.from));
        for found in seen.finds.into_iter().filter(|found| found.end > text.from) {
            let sure = found.sure;
            let place = found.start..found.end;
            let find = decoded(found, text.from);
            let is_it =
                |thing: Thing, value: &Range<usize>| self.are_one((thing, value), (find.thing(), &place));
            if look.finds.iter().any(|other| is_it(other.thing(), &other.value))
                || told.iter().any(|told| is_it(told.thing, &told.value))
            {
                continue;
            }
            if sure {
                look.finds.push(find);
            } else {
                look.hold = look.hold.min(find.start);
            }
        }
    }

    /// Of one reading. Known values have spellings of their own for what is reversed.
    fn search(&self, text: Text<'_>, layers: Layers, sights: &mut Vec<Sight<What>>) -> Searched {
        let look = if layers.last() == Some(Layer::Reversed) {
            let mut finds = Vec::new();
            let hold = self.rules.sweep(text, &Masks::of(text.bytes), &mut finds);
            Look { finds, hold, survey: None, before: Before::default() }
        } else {
            self.look_undecoded(Window { text, before: Before::default(), told: &[] })
        };
        sights.extend(look.finds.into_iter().map(|find| self.sight(find, text.bytes)));
        Searched { hold: look.hold, survey: look.survey }
    }

    fn sight(&self, find: Find, bytes: &[u8]) -> Sight<What> {
        let mut replacement = Vec::new();
        self.put_replacement(&find, bytes, &mut replacement);
        Sight { start: find.value.start, end: find.value.end, what: find.what, replacement }
    }

    /// The same rule or value in the same place, read in two ways.
    fn are_one(&self, one: (Thing, &Range<usize>), other: (Thing, &Range<usize>)) -> bool {
        let same = match (one.0, other.0) {
            (Thing::Rule(one), Thing::Rule(other)) => one == other,
            (Thing::Known(one), Thing::Known(other)) => self.known.are_of_one(one, other),
            _ => false,
        };
        same && one.1.start < other.1.end && other.1.start < one.1.end
    }

    fn seek_known(&self, text: Text<'_>, survey: &Survey, look: &mut Look) {
        let (finds, hold) = self.known.sweep_read(text, survey.view.as_ref());
        let found = |find: KnownFind| Find {
            start: find.start,
            value: find.start..find.end,
            what: What::Known(find.target),
            layer: How::Plain,
            stand_in: None,
        };
        look.finds.extend(finds.into_iter().map(found));
        look.hold = look.hold.min(hold);
    }

    /// A view that is the same as the bytes, all of them, shows nothing else.
    fn seek_by_rules(&self, text: Text<'_>, survey: &Survey, look: &mut Look) {
        let Some(view) = survey.view.as_ref().filter(|view| view.differs_from(text.bytes)) else {
            let hold = self.rules.sweep(text, &survey.masks, &mut look.finds);
            look.hold = look.hold.min(hold);
            return;
        };
        let read = Text { bytes: view.text(text.bytes), from: view.place(text.from), last: text.last };
        let [(mut finds, hold), (mut read, hold_read)] = self.rules.sweep_both(text, read, survey, view);
        look.hold = look.hold.min(hold).min(view.source(hold_read));
        for find in &mut read {
            find.start = view.source(find.start).max(text.from);
            find.value = view.source(find.value.start).max(text.from)..view.source_end(find.value.end);
            find.layer = How::Escaped;
        }
        look.finds.append(&mut finds);
        look.finds.append(&mut read);
    }

    /// As it is told; `base` is the place of the first byte that was looked at.
    pub(crate) fn hit(&self, find: &Find, base: u64) -> Hit {
        let (rule, name, fingerprint) = match &find.what {
            What::Known(target) => {
                let owner = self.known.owner(known(find, *target));
                (owner.rule.clone(), owner.name.clone(), self.key.fingerprint(&owner.value))
            }
            What::Rule(number, value) => {
                let rule = self.rules.rule(*number);
                let (id, about) =
                    rule.map(|rule| (rule.shared_id(), rule.shared_about())).unwrap_or_default();
                (id, about, self.key.fingerprint(value))
            }
        };
        let layer = match find.layer {
            How::Plain => self.names.plain.clone(),
            How::Escaped => self.names.escaped.clone(),
            How::Decoded(layers) => layers.to_string().into(),
        };
        let offset = base + find.value.start as u64;
        Hit { rule, name, offset, length: find.value.len(), fingerprint, layer, packed: false }
    }

    /// What goes on instead of a value.
    pub(crate) fn put_replacement(&self, find: &Find, bytes: &[u8], out: &mut Vec<u8>) {
        if let Some((_, stand_in)) = &find.stand_in {
            return out.extend_from_slice(stand_in);
        }
        match &find.what {
            What::Known(target) => self.known.put_replacement(known(find, *target), bytes, out),
            What::Rule(number, _) => {
                let id = self.rules.rule(*number).map(crate::Rule::id).unwrap_or_default();
                put_typed(id, &bytes[find.value.clone()], out);
            }
        }
    }
}

/// `[redacted:RULE]`, with brackets and colon percent-encoded where the value was.
fn put_typed(id: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend(escapes::like(value, format!("[redacted:{id}]").as_bytes()));
}

fn known(find: &Find, target: u32) -> KnownFind {
    KnownFind { start: find.value.start, end: find.value.end, target }
}

/// `from`: what stands before it went out already.
fn decoded(found: Found<What>, from: usize) -> Find {
    let (range, bytes) = found.replacement();
    let stand_in = (range.start >= from).then(|| (range, bytes.to_vec()));
    let start = found.start.max(from);
    Find { start, value: start..found.end, what: found.what, layer: How::Decoded(found.layers), stand_in }
}

impl<'a> Window<'a> {
    pub(crate) fn whole(bytes: &'a [u8]) -> Window<'a> {
        Window { text: Text { bytes, from: 0, last: true }, before: Before::default(), told: &[] }
    }
}

impl Look {
    /// Brings everything in order. What is not over yet at `hold` waits for the next look, which begins where it can be found
    /// again; so where a stream is cut makes no difference.
    fn settle(&mut self, from: usize) {
        if let Some(view) = self.view() {
            self.hold = view.floor(self.hold.min(view.read));
        }
        self.hold = self.hold.max(from);
        // What began in what stands before `from` cannot wait any more.
        while let Some(earlier) = self.unsettled().filter(|_| self.hold > from) {
            self.hold = self.floor(earlier).max(from);
        }
        let hold = self.hold;
        self.finds.retain(|find| find.value.end <= hold);
        for find in &mut self.finds {
            // The rest of its group waits: then the code cannot be kept whole.
            find.stand_in.take_if(|(range, _)| range.end > hold);
        }
        self.finds.sort_by_key(Find::order);
        self.drop_repeats();
    }

    /// From this place on everything waits.
    pub(crate) fn hold_from(&mut self, at: usize, from: usize) {
        if at < self.hold {
            self.hold = at;
            self.settle(from);
        }
    }

    /// Nothing before this place waits any longer.
    pub(crate) fn hold_less(&mut self, least: usize) {
        if self.hold < least {
            self.hold = self.floor(least).max(self.hold);
        }
    }

    fn unsettled(&self) -> Option<usize> {
        let crossing = self.finds.iter().filter(|find| find.start < self.hold && find.value.end > self.hold);
        crossing.map(|find| find.start).min()
    }

    fn drop_repeats(&mut self) {
        let mut kept: Vec<Find> = Vec::with_capacity(self.finds.len());
        for find in self.finds.drain(..) {
            let part = kept.iter_mut().rev().take_while(|before| before.value.end > find.value.start);
            match part.into_iter().find(|before| before.holds(&find)) {
                Some(before) => before.take_value(find),
                None => kept.push(find),
            }
        }
        self.finds = kept;
    }

    fn view(&self) -> Option<&View> {
        self.survey.as_ref().and_then(|survey| survey.view.as_ref())
    }

    /// Back to the beginning of an escape.
    pub(crate) fn floor(&self, at: usize) -> usize {
        self.view().map_or(at, |view| view.floor(at))
    }

    /// What stands before this place, which is no middle of an escape.
    pub(crate) fn before(&self, bytes: &[u8], at: usize) -> Before {
        self.view().map_or_else(|| self.before.after(&bytes[..at]), |view| view.before(bytes, at))
    }
}
