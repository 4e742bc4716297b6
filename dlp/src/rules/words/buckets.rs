//! Where in a text the four bytes may stand that were chosen of any word: asked of sixty-four places at once.
//!
//! Every four bytes are in one of sixteen buckets. For each half of each of them a table tells which buckets have such a half
//! there; what all eight tables agree on is where a bucket may have something. That is too much by what the buckets mix, and so
//! words share one where that lets least of a text through, and each gives those of its bytes that fit in best.
use super::ANCHOR;
use super::chosen::{Next, anchors, commonness};
use crate::blocks::{BLOCK, PART, Simd, Whole, first_bits};

/// As many as two bytes have bits.
const BUCKETS: usize = 16;
/// Halves of a byte.
const HALVES: usize = 16;
/// Blocks that are asked for at once.
pub(super) const STRIPE: usize = 16;
/// Bytes that tell about a block: the last of its places has three more behind it.
const SEEN: usize = BLOCK + ANCHOR - 1;

/// For each of four places, of each half of a byte: the buckets that have it there.
pub(super) struct Buckets {
    places: [[Halves; 2]; ANCHOR],
}

/// Of eight buckets.
#[derive(Clone, Copy, Default)]
struct Halves {
    low: [u8; HALVES],
    high: [u8; HALVES],
}

impl Buckets {
    /// Of all words, and with each where its four bytes begin.
    pub(super) fn of(words: &[Vec<u8>], bare: impl Fn(&[u8]) -> bool) -> (Buckets, Vec<usize>) {
        let rates = rates();
        let mut buckets: Vec<Bucket> = (0..BUCKETS).map(|_| Bucket::default()).collect();
        let mut offsets = vec![0; words.len()];
        let mut order: Vec<usize> = (0..words.len()).collect();
        order.sort_by_key(|number| words[*number].len());
        for number in order {
            let all = anchors(&words[number], bare(&words[number]));
            let dearer = |(anchor, bucket): (usize, usize)| {
                let (_, bytes, next) = &all[anchor];
                buckets[bucket].dearer_by(&rates, bytes, *next)
            };
            let ways = (0..all.len()).flat_map(|anchor| (0..BUCKETS).map(move |bucket| (anchor, bucket)));
            let best = ways.min_by(|one, other| dearer(*one).total_cmp(&dearer(*other)));
            let Some((anchor, bucket)) = best else { continue };
            let (offset, bytes, next) = &all[anchor];
            buckets[bucket].add(&rates, bytes, *next);
            offsets[number] = *offset;
        }
        (Buckets::made_of(&buckets), offsets)
    }

    fn made_of(buckets: &[Bucket]) -> Buckets {
        let mut places = [[Halves::default(); 2]; ANCHOR];
        for (number, bucket) in buckets.iter().enumerate() {
            for (halves, place) in places.iter_mut().zip(&bucket.places) {
                let halves = &mut halves[number / 8];
                for half in 0..HALVES {
                    halves.low[half] |= u8::from(place.low >> half & 1 == 1) << (number % 8);
                    halves.high[half] |= u8::from(place.high >> half & 1 == 1) << (number % 8);
                }
            }
        }
        Buckets { places }
    }

    /// The places in so many blocks from the text's first byte on. What follows the text may be anything that follows a word.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, text: &[u8], blocks: &mut [u64]) {
        // Written out: what is called in between would not be compiled for this processor.
        let [[a, b], [c, d], [e, f], [g, h]] = &self.places;
        let places = [
            [Tables::of(simd, a), Tables::of(simd, b)],
            [Tables::of(simd, c), Tables::of(simd, d)],
            [Tables::of(simd, e), Tables::of(simd, f)],
            [Tables::of(simd, g), Tables::of(simd, h)],
        ];
        for (number, slot) in blocks.iter_mut().enumerate() {
            let rest = text.get(number * BLOCK..).unwrap_or_default();
            *slot = match rest.first_chunk() {
                Some(seen) => places_of(simd, &places, seen),
                None => places_of(simd, &places, &padded(rest)) & first_bits(rest.len()),
            };
        }
    }
}

/// Of eight buckets, in registers.
#[derive(Clone, Copy)]
struct Tables<S: Simd> {
    low: Whole<S>,
    high: Whole<S>,
}

impl<S: Simd> Tables<S> {
    #[inline(always)]
    fn of(simd: S, halves: &Halves) -> Tables<S> {
        Tables { low: Whole::table(simd, &halves.low), high: Whole::table(simd, &halves.high) }
    }

    #[inline(always)]
    fn of_all(self, bytes: Whole<S>) -> Whole<S> {
        bytes.low_in(self.low) & bytes.high_in(self.high)
    }
}

#[inline(always)]
fn places_of<S: Simd>(simd: S, places: &[[Tables<S>; 2]; ANCHOR], seen: &[u8; SEEN]) -> u64 {
    let [first, second, third, fourth] = places;
    let bytes = Whole::of_first(simd, seen).with(0x20);
    let (mut one, mut other) = (first[0].of_all(bytes), first[1].of_all(bytes));
    let mut rest = &seen[1..];
    for place in [second, third, fourth] {
        let bytes = Whole::of_first(simd, rest).with(0x20);
        one = one & place[0].of_all(bytes);
        other = other & place[1].of_all(bytes);
        rest = rest.get(1..).unwrap_or_default();
    }
    (one | other).at_least(1).bits()
}

#[cold]
fn padded(rest: &[u8]) -> [u8; SEEN] {
    let mut seen = [Next::SOME; SEEN];
    seen[..rest.len()].copy_from_slice(rest);
    seen
}

/// How often each byte stands in texts, folded, by its upper and its lower half.
type Rates = [[f32; HALVES]; HALVES];

fn rates() -> Rates {
    let mut rates = [[0.0; HALVES]; HALVES];
    let mut all = 0.0;
    for byte in b' '..=b'~' {
        let (high, low) = halves(byte);
        let rate = commonness(byte);
        rates[high][low] += rate;
        all += rate;
    }
    rates.iter_mut().flatten().for_each(|rate| *rate /= all);
    rates
}

/// Of a byte, folded.
fn halves(byte: u8) -> (usize, usize) {
    (usize::from((byte | 0x20) >> 4), usize::from(byte & 0x0F))
}

/// Of one bucket: what it has at each place.
#[derive(Default)]
struct Bucket {
    places: [Place; ANCHOR],
}

/// The halves of bytes at one place, and how often a text has a byte of two of them.
#[derive(Default)]
struct Place {
    low: u16,
    high: u16,
    rate: f32,
    /// How often it has one with each lower half, and one of the upper halves here; and the other way round.
    by_low: [f32; HALVES],
    by_high: [f32; HALVES],
}

impl Bucket {
    fn rate(&self) -> f32 {
        self.places.iter().map(|place| place.rate).product()
    }

    /// How much more of a text it lets through with these bytes.
    fn dearer_by(&self, rates: &Rates, bytes: &[u8], next: Option<Next>) -> f32 {
        let known = self.places.iter().zip(bytes).map(|(place, byte)| place.with(rates, *byte));
        // Whatever may follow a word is most of what there is.
        known.product::<f32>() * next.map_or(1.0, |_| 0.9) - self.rate()
    }

    fn add(&mut self, rates: &Rates, bytes: &[u8], next: Option<Next>) {
        self.places.iter_mut().zip(bytes).for_each(|(place, byte)| place.add(rates, *byte));
        if let (Some(next), Some(place)) = (next, self.places.last_mut()) {
            next.bytes().for_each(|byte| place.add(rates, byte));
        }
    }
}

impl Place {
    fn has(&self, (high, low): (usize, usize)) -> (bool, bool) {
        (self.high >> high & 1 == 1, self.low >> low & 1 == 1)
    }

    fn with(&self, rates: &Rates, byte: u8) -> f32 {
        let (high, low) = halves(byte);
        self.rate
            + match self.has((high, low)) {
                (true, true) => 0.0,
                (true, false) => self.by_low[low],
                (false, true) => self.by_high[high],
                (false, false) => self.by_low[low] + self.by_high[high] + rates[high][low],
            }
    }

    fn add(&mut self, rates: &Rates, byte: u8) {
        self.rate = self.with(rates, byte);
        let (high, low) = halves(byte);
        let (has_high, has_low) = self.has((high, low));
        if !has_low {
            self.low |= 1 << low;
            self.by_high.iter_mut().zip(rates).for_each(|(by_high, row)| *by_high += row[low]);
        }
        if !has_high {
            self.high |= 1 << high;
            self.by_low.iter_mut().zip(&rates[high]).for_each(|(by_low, rate)| *by_low += rate);
        }
    }
}

const _: () = assert!(PART == HALVES, "a table has an entry for each half");
