//! One stream, inspected as it passes.
use crate::find::{Text, Told};
use crate::hit::{Hit, Verdict};
use crate::layers::CONTEXT;
use crate::packed::{Packed, Unfolding};
use crate::rules::BACK;
use crate::sought::{Look, Sought, Window};
use crate::view::Before;

/// Bytes that one stream keeps at most, those included that went out last: what is spelled out over more is not seen.
const MOST: usize = 256 * 1024;

/// Bytes that went out and are kept: rules look back at them, and codes may have begun in them.
const KEPT: usize = if CONTEXT > BACK { CONTEXT } else { BACK };

/// Sans-IO: gives out what surely holds nothing, holds back only what may begin something that is sought, and asks a judge
/// about everything that it finds.
pub struct Inspector {
    sought: Sought,
    /// Bytes given out already, to be looked back at, and behind them those that wait.
    bytes: Vec<u8>,
    given: usize,
    /// What stands before `bytes`.
    before: Before,
    /// Place of the first one of `bytes` in the stream.
    base: u64,
    /// What was told of in those of `bytes` that went out: a code that is noticed later may have begun in it.
    told: Vec<Told>,
    stopped: Option<Hit>,
    packed: Packed,
}

impl Inspector {
    /// For one stream.
    pub fn new(sought: Sought) -> Inspector {
        Inspector::inside(sought, Packed::new(Unfolding::Everything))
    }

    /// For one stream that somebody decodes beside it.
    pub fn beside(sought: Sought, unfolding: Unfolding) -> Inspector {
        Inspector::inside(sought, Packed::new(unfolding))
    }

    /// For one stream inside of another.
    pub(crate) fn inside(sought: Sought, packed: Packed) -> Inspector {
        let before = Before::default();
        let (bytes, told) = (Vec::new(), Vec::new());
        Inspector { sought, bytes, given: 0, before, base: 0, told, stopped: None, packed }
    }

    /// From the next chunk on this is sought; what waits is looked at again.
    pub fn renew(&mut self, sought: Sought) {
        self.packed.renew(&sought);
        // They are numbers of what was sought until now.
        self.told.clear();
        self.sought = sought;
    }

    /// Takes a chunk; appends to `out` the bytes that may be forwarded.
    /// # Errors
    /// The hit at which the judge said stop: nothing of the value was given out. Once stopped, a stream stays stopped.
    pub fn push(
        &mut self,
        chunk: &[u8],
        out: &mut Vec<u8>,
        judge: &mut dyn FnMut(&Hit) -> Verdict,
    ) -> Result<(), Hit> {
        self.advance(chunk, false, out, judge)
    }

    /// The last chunk, or all there is: as [`Inspector::push`] and [`Inspector::finish`], with one look instead of two.
    /// # Errors
    /// As [`Inspector::push`].
    pub fn last(
        &mut self,
        chunk: &[u8],
        out: &mut Vec<u8>,
        judge: &mut dyn FnMut(&Hit) -> Verdict,
    ) -> Result<(), Hit> {
        self.advance(chunk, true, out, judge)
    }

    /// The end: gives out what was held back.
    /// # Errors
    /// As [`Inspector::push`].
    pub fn finish(&mut self, out: &mut Vec<u8>, judge: &mut dyn FnMut(&Hit) -> Verdict) -> Result<(), Hit> {
        self.advance(&[], true, out, judge)
    }

    /// Whether there is anything compressed at this place, or was shortly before.
    pub(crate) fn unfolds(&self, place: u64) -> bool {
        self.packed.is_live(place)
    }

    /// Bytes that wait for what follows.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.given
    }

    fn advance(
        &mut self,
        chunk: &[u8],
        last: bool,
        out: &mut Vec<u8>,
        judge: &mut dyn FnMut(&Hit) -> Verdict,
    ) -> Result<(), Hit> {
        if let Some(hit) = &self.stopped {
            return Err(hit.clone());
        }
        let new = self.bytes.len();
        self.bytes.extend_from_slice(chunk);
        if let Err(hit) = self.unfold(new, last, judge) {
            self.stopped = Some((*hit).clone());
            return Err(*hit);
        }
        // Then all of it was looked at, and nothing of it may go on.
        if chunk.is_empty() && self.waiting() == 0 {
            return Ok(());
        }
        let text = Text { bytes: &self.bytes, from: self.given, last };
        let mut look = self.sought.look(Window { text, before: self.before, told: &self.told });
        if let Some(hold) = self.packed.hold() {
            let hold = usize::try_from(hold.saturating_sub(self.base)).unwrap_or(usize::MAX);
            look.hold_from(hold, self.given);
        }
        look.hold_less(self.bytes.len().saturating_sub(MOST));
        self.stopped = self.give(&look, out, judge);
        match &self.stopped {
            Some(hit) => Err(hit.clone()),
            None => {
                self.forget(&look);
                Ok(())
            }
        }
    }

    fn unfold(
        &mut self,
        new: usize,
        last: bool,
        judge: &mut dyn FnMut(&Hit) -> Verdict,
    ) -> Result<(), Box<Hit>> {
        if self.sought.is_empty() {
            return Ok(());
        }
        let text = Text { bytes: &self.bytes, from: new, last };
        self.packed.push(text, self.base, &self.sought, judge)
    }

    /// Gives out what is settled; the hit at which it was stopped.
    fn give(&self, look: &Look, out: &mut Vec<u8>, judge: &mut dyn FnMut(&Hit) -> Verdict) -> Option<Hit> {
        let mut done = self.given;
        for find in &look.finds {
            let hit = self.sought.hit(find, self.base);
            match judge(&hit) {
                Verdict::Pass => {}
                Verdict::Redact if find.replaced().start >= done => {
                    out.extend_from_slice(&self.bytes[done..find.replaced().start]);
                    self.sought.put_replacement(find, &self.bytes, out);
                    done = find.replaced().end;
                }
                Verdict::Redact => done = done.max(find.value.end),
                Verdict::Stop => {
                    out.extend_from_slice(&self.bytes[done..find.value.start.max(done)]);
                    return Some(hit);
                }
            }
        }
        out.extend_from_slice(&self.bytes[done..look.hold.max(done)]);
        None
    }

    /// Keeps what waits, and before it as much as rules look back at and codes may have begun in.
    fn forget(&mut self, look: &Look) {
        let kept = look.floor(look.hold.saturating_sub(KEPT));
        self.before = look.before(&self.bytes, kept);
        self.bytes.drain(..kept);
        self.told
            .extend(look.finds.iter().map(|find| Told { thing: find.thing(), value: find.value.clone() }));
        self.told.retain_mut(|told| {
            told.value = told.value.start.saturating_sub(kept)..told.value.end.saturating_sub(kept);
            told.value.end > 0
        });
        self.given = look.hold - kept;
        self.base += kept as u64;
    }
}
