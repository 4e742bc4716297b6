//! Values that must not pass, compiled into one search.
use crate::find::Text;
use crate::forms::{Spelling, spellings};
use crate::layers::escapes;
use crate::matcher::{Matcher, Sight};
use crate::view::{Before, View, readings};
use crate::{KnownHit, Scrubber};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Shorter values would be found everywhere.
const SHORTEST: usize = 8;
/// Longer values are sought piece by piece: a piece is enough to know them, and streams hold back less.
const PIECE: usize = 1024;
/// A value that looks escaped itself gets shorter when it is read; below this its reading would be found everywhere.
const SHORTEST_READING: usize = 6;

/// A value to find and the name it is reported under. The bytes are zeroed on drop by their owner; this crate keeps its
/// own copies only inside [`KnownValues`].
pub struct KnownValue<'a> {
    /// The rule that a finding is reported under (`known-secret`, `placeholder-astray`, `canary`).
    pub rule: Arc<str>,
    /// Slot or reference (`EGRESS_TOKEN_0`, `placeholder of EGRESS_TOKEN_0`, `.env:DB_PASSWORD`).
    pub name: Arc<str>,
    /// What replaces it when scrubbed or redacted (its placeholder, or `[redacted:NAME]`).
    pub replacement: Arc<str>,
    /// The value; shorter than 8 bytes is not sought (it would match everywhere), and the builder says so.
    pub value: &'a [u8],
}

/// All spellings of all values in one search. Cheap to clone; has no Debug of its bytes.
#[derive(Clone)]
pub struct KnownValues {
    inner: Arc<Inner>,
}

struct Inner {
    matcher: Matcher,
    targets: Vec<Target>,
}

/// Whose spelling was found, and what stands there instead.
struct Target {
    owner: Arc<Owner>,
    replacement: Vec<u8>,
}

/// The value that all its spellings stand for.
pub(crate) struct Owner {
    pub(crate) rule: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) value: Zeroizing<Vec<u8>>,
}

/// Where a spelling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Find {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) target: u32,
}

/// What a look at some bytes gave: whole spellings, left to right, and where one may have begun (or the end).
pub(crate) struct Sweep {
    pub(crate) finds: Vec<Find>,
    pub(crate) hold: usize,
    /// What stands before `hold`.
    pub(crate) before: Before,
}

impl KnownValues {
    /// Compiles; also gives the names of values too short to seek.
    pub fn new(values: &[KnownValue<'_>]) -> (KnownValues, Vec<Arc<str>>) {
        let (sought, short): (Vec<_>, Vec<_>) =
            values.iter().partition(|value| value.value.len() >= SHORTEST);
        let mut builder = Builder { patterns: Vec::new(), targets: Vec::new() };
        for value in sought {
            builder.add(value);
        }
        let inner = Inner { matcher: Matcher::new(builder.patterns), targets: builder.targets };
        let short = short.into_iter().map(|value| value.name.clone()).collect();
        (KnownValues { inner: Arc::new(inner) }, short)
    }

    /// Nothing to seek: scanners and scrubbers pass everything through untouched.
    pub fn is_empty(&self) -> bool {
        self.inner.matcher.is_empty()
    }

    /// The first value found in these whole bytes, in any spelling (headers, paths, queries, messages).
    pub fn find(&self, bytes: &[u8]) -> Option<KnownHit> {
        let find = *self.sweep(bytes, Before::default(), true).finds.first()?;
        Some(self.hit(find, 0))
    }

    /// Every value found in these whole bytes, left to right.
    pub fn find_all(&self, bytes: &[u8]) -> Vec<KnownHit> {
        self.sweep(bytes, Before::default(), true).finds.into_iter().map(|find| self.hit(find, 0)).collect()
    }

    /// Replaces every value in whole bytes; `None` when there was none.
    pub fn scrub(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.sweep(bytes, Before::default(), true).finds.is_empty() {
            return None;
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let count = Scrubber::new(self.clone()).last(bytes, &mut clean);
        (count > 0).then_some(clean)
    }

    /// The longest spelling in bytes: what a stream may have to hold back (more when its characters are escaped).
    pub fn longest(&self) -> usize {
        self.inner.matcher.longest()
    }

    pub(crate) fn hit(&self, find: Find, base: u64) -> KnownHit {
        KnownHit { name: self.target(find).owner.name.clone(), offset: base + find.start as u64 }
    }

    /// What stands instead of a find. Where the value was escaped, so is this.
    pub(crate) fn put_replacement(&self, find: Find, bytes: &[u8], out: &mut Vec<u8>) {
        let replacement = &self.target(find).replacement;
        out.extend(escapes::like(&bytes[find.start..find.end], replacement));
    }

    pub(crate) fn owner(&self, find: Find) -> &Owner {
        &self.target(find).owner
    }

    /// Two spellings of one value, by their numbers.
    pub(crate) fn are_of_one(&self, one: u32, other: u32) -> bool {
        let owner = |target: u32| self.inner.targets.get(target as usize).map(|target| &target.owner);
        owner(one).zip(owner(other)).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    fn target(&self, find: Find) -> &Target {
        &self.inner.targets[find.target as usize]
    }

    /// Looks at the bytes as they are and as a receiver reads them; leftmost first, then longest. `before` as the
    /// sweep before gave it.
    pub(crate) fn sweep(&self, bytes: &[u8], before: Before, last: bool) -> Sweep {
        let view = if self.is_empty() { None } else { View::of(bytes, before, last) };
        let text = Text { bytes, from: 0, last };
        let (finds, hold) = self.sweep_read(text, view.as_ref());
        let before =
            view.as_ref().map_or_else(|| before.after(&bytes[..hold]), |view| view.before(bytes, hold));
        Sweep { finds, hold, before }
    }

    /// As [`KnownValues::sweep`], with the view of the bytes (`None` when they are read as they are).
    pub(crate) fn sweep_read(&self, text: Text<'_>, view: Option<&View>) -> (Vec<Find>, usize) {
        let Text { bytes, from, last } = text;
        let (plain, viewed) = (Next::Unknown, Next::Unknown);
        Readers { matcher: &self.inner.matcher, bytes, last, view, plain, viewed }.sweep(from)
    }
}

struct Builder {
    patterns: Vec<(Vec<u8>, u32)>,
    targets: Vec<Target>,
}

impl Builder {
    fn add(&mut self, value: &KnownValue<'_>) {
        let owner = Arc::new(Owner {
            rule: value.rule.clone(),
            name: value.name.clone(),
            value: Zeroizing::new(value.value.to_vec()),
        });
        for piece in pieces(value.value) {
            for spelling in spellings(piece, value.replacement.as_bytes()) {
                self.add_spelling(&owner, spelling);
            }
        }
    }

    /// As it stands in the bytes, and as it stands in a view of them.
    fn add_spelling(&mut self, owner: &Arc<Owner>, spelling: Spelling) {
        let Ok(id) = u32::try_from(self.targets.len()) else { return };
        for read in readings(&spelling.text) {
            if read != spelling.text && read.len() >= SHORTEST_READING {
                self.patterns.push((read, id));
            }
        }
        self.patterns.push((spelling.text, id));
        self.targets.push(Target { owner: Arc::clone(owner), replacement: spelling.replacement });
    }
}

/// Pieces of at least [`PIECE`] bytes; the last one takes what is left.
fn pieces(value: &[u8]) -> Vec<&[u8]> {
    let count = (value.len() / PIECE).max(1);
    (0..count)
        .map(|index| {
            let end = if index + 1 == count { value.len() } else { (index + 1) * PIECE };
            &value[index * PIECE..end]
        })
        .collect()
}

/// What a reader sees next.
#[derive(Clone, Copy)]
enum Next {
    Unknown,
    Nothing,
    Seen(Sight),
}

/// The two ways to read the bytes, each with its next sight in places of the source.
struct Readers<'a> {
    matcher: &'a Matcher,
    bytes: &'a [u8],
    last: bool,
    view: Option<&'a View>,
    plain: Next,
    viewed: Next,
}

impl Readers<'_> {
    fn sweep(&mut self, from: usize) -> (Vec<Find>, usize) {
        let mut finds = Vec::new();
        let mut hold = self.unread_escape();
        let mut from = from;
        while let Some(sight) = self.next(from) {
            let Some((target, end)) = sight.found.filter(|_| !sight.open) else {
                hold = hold.min(sight.start);
                break;
            };
            finds.push(Find { start: sight.start, end, target });
            from = end;
        }
        (finds, self.whole_escape(hold).max(from))
    }

    fn next(&mut self, from: usize) -> Option<Sight> {
        let plain = refreshed(self.plain, from, || self.matcher.next(self.bytes, from, self.last));
        let viewed = refreshed(self.viewed, from, || self.next_in_view(from));
        (self.plain, self.viewed) = (plain, viewed);
        match (plain, viewed) {
            (Next::Seen(a), Next::Seen(b)) if a.start == b.start => Some(joined(a, b)),
            (Next::Seen(a), Next::Seen(b)) => Some(if a.start < b.start { a } else { b }),
            (Next::Seen(sight), _) | (_, Next::Seen(sight)) => Some(sight),
            _ => None,
        }
    }

    fn next_in_view(&self, from: usize) -> Option<Sight> {
        let view = self.view.filter(|view| view.differs_from(self.bytes))?;
        let sight = self.matcher.next(view.text(self.bytes), view.place(from), self.last)?;
        Some(Sight {
            start: view.source(sight.start).max(from),
            found: sight.found.map(|(target, end)| (target, view.source_end(end).max(from + 1))),
            open: sight.open,
        })
    }

    fn unread_escape(&self) -> usize {
        self.view.map_or(self.bytes.len(), |view| view.read)
    }

    fn whole_escape(&self, at: usize) -> usize {
        self.view.map_or(at, |view| view.floor(at))
    }
}

fn refreshed(next: Next, from: usize, look: impl FnOnce() -> Option<Sight>) -> Next {
    match next {
        Next::Nothing => Next::Nothing,
        Next::Seen(sight) if sight.start >= from => next,
        _ => look().map_or(Next::Nothing, Next::Seen),
    }
}

/// Both readers see something at the same place: the longer one counts.
fn joined(a: Sight, b: Sight) -> Sight {
    let found = match (a.found, b.found) {
        (Some(first), Some(second)) => Some(if second.1 > first.1 { second } else { first }),
        (first, second) => first.or(second),
    };
    Sight { start: a.start, found, open: a.open || b.open }
}
