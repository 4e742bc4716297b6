//! Sixty-four bytes at a time: which of them are of a kind, as one bit each.
mod whole;

use std::ops::Range;
pub(crate) use whole::{Between, Kind, Simd, Those, Whole, dispatch, kind, level};

/// Bytes that are looked at at once.
pub(crate) const BLOCK: usize = 64;

/// Bytes that even the narrowest registers hold.
pub(crate) const PART: usize = 16;

/// The first one of the bytes that go on a character of several (RFC 3629).
pub(crate) const CONTINUES: u8 = 0x80;

kind!(
    /// What base64, base64url, base32 and base16 are made of.
    pub(crate) Letters: |bytes| {
        let either_case = bytes.with(0x20).between(b'a', b'z');
        // `+` and `/` differ in one bit.
        either_case | bytes.between(b'0', b'9') | bytes.with(4).is(b'/') | bytes.is_any(*b"-_")
    }
);

/// One bit for each byte of a block: the lowest for the first one.
#[inline(always)]
pub(crate) fn bits_of(block: &[u8; BLOCK], kind: impl Kind) -> u64 {
    dispatch!(level(), simd => kind.those(Whole::of(simd, block)).bits())
}

/// The block that begins here; bytes behind the end are of no kind.
#[inline(always)]
pub(crate) fn bits_at(bytes: &[u8], begin: usize, kind: impl Kind) -> u64 {
    let rest = bytes.get(begin..).unwrap_or_default();
    match rest.first_chunk::<BLOCK>() {
        Some(block) => bits_of(block, kind),
        None => bits_of(&padded(rest), kind) & !(u64::MAX << rest.len()),
    }
}

/// As many bits as there are bytes, up to a block of them.
#[inline(always)]
pub(crate) fn first_bits(bytes: usize) -> u64 {
    if bytes < BLOCK { !(u64::MAX << bytes) } else { u64::MAX }
}

#[cold]
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0_u8; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// Fewer bytes than a block has, with zeros behind them: what follows is not known, and may go on a character.
#[cold]
pub(crate) fn open(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = padded(rest);
    block[rest.len()] = CONTINUES;
    block
}

/// So many bytes of a kind these begin with.
pub(crate) fn beginning(bytes: &[u8], kind: impl Kind) -> usize {
    let mut at = 0;
    loop {
        let count = bits_at(bytes, at, kind).trailing_ones() as usize;
        at += count;
        if count < BLOCK {
            return at;
        }
    }
}

/// So many bytes of a kind these end with, those before `from` not counted.
pub(crate) fn ending(bytes: &[u8], from: usize, kind: impl Kind) -> usize {
    let mut left = bytes;
    while left.len() > from {
        let bits = match left.last_chunk() {
            Some(block) => bits_of(block, kind),
            // Nothing of the kind is behind them: their bits are moved there.
            None => bits_at(left, 0, kind) << (BLOCK - left.len()),
        };
        let count = bits.leading_ones() as usize;
        left = &left[..left.len() - count];
        if count < BLOCK {
            break;
        }
    }
    bytes.len() - left.len().max(from)
}

/// Whether all bytes of this part are of a kind.
pub(crate) fn are_all(bytes: &[u8], mut part: Range<usize>, kind: impl Kind) -> bool {
    while part.start < part.end {
        let count = bits_at(bytes, part.start, kind).trailing_ones() as usize;
        part.start += count;
        if count < BLOCK {
            break;
        }
    }
    part.start >= part.end
}

/// The places of bits that are set, the lowest first.
pub(crate) struct Bits(pub(crate) u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let at = (self.0 != 0).then(|| self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        at
    }
}

/// Runs of at least so many bytes of a kind (no more than [`BLOCK`] of them), left to right.
pub(crate) struct Runs<'a, K, const LEAST: usize> {
    bytes: &'a [u8],
    /// Nothing behind it counts.
    end: usize,
    kind: K,
    /// Where the last run ended; behind it stands something else.
    done: usize,
    /// The block that is looked at, and what the one before had.
    begin: usize,
    before: u64,
}

impl<'a, K: Kind, const LEAST: usize> Runs<'a, K, LEAST> {
    pub(crate) fn new(bytes: &'a [u8], within: Range<usize>, kind: K) -> Runs<'a, K, LEAST> {
        // What is behind is looked at where a block has it, which is less work than to cut the block.
        let bytes = &bytes[..bytes.len().min(within.end + BLOCK)];
        Runs { bytes, end: within.end, kind, done: within.start, begin: within.start, before: 0 }
    }

    /// The whole run in which this is the place where it was long enough.
    fn around(&mut self, place: usize) -> Range<usize> {
        let surely = place + 1 - LEAST;
        let start = surely - ending(&self.bytes[..surely], self.done, self.kind);
        let end = place + 1 + beginning(&self.bytes[place + 1..], self.kind);
        start..end.min(self.end)
    }
}

impl<K: Kind, const LEAST: usize> Iterator for Runs<'_, K, LEAST> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        while self.begin < self.end {
            let mut bits = bits_at(self.bytes, self.begin, self.kind) & first_bits(self.end - self.begin);
            if self.done > self.begin {
                bits &= u64::MAX << (self.done - self.begin);
            }
            let ends = run_ends(self.before, bits, LEAST);
            if ends != 0 {
                let run = self.around(self.begin + ends.trailing_zeros() as usize);
                self.done = run.end;
                self.begin += (run.end - self.begin) / BLOCK * BLOCK;
                self.before = 0;
                return Some(run);
            }
            self.before = bits;
            self.begin += BLOCK;
        }
        None
    }
}

/// Where so many bits in a row are set, all of them here.
#[inline(always)]
pub(crate) fn long_runs(bits: u64, least: usize) -> u64 {
    let (mut all, mut width) = (bits, 1);
    while width < least && all != 0 {
        let more = width.min(least - width);
        all &= all >> more;
        width += more;
    }
    all
}

/// The places of this block where at least so many bits in a row are set, those up to the place itself; what stands before the
/// block counts. No more than [`BLOCK`] are asked for.
#[inline(always)]
pub(crate) fn run_ends(before: u64, bits: u64, least: usize) -> u64 {
    let (mut all, mut width) = (u128::from(bits) << BLOCK | u128::from(before), 1);
    while width < least && all >> BLOCK != 0 {
        let more = width.min(least - width);
        all &= all << more;
        width += more;
    }
    (all >> BLOCK) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slowly(bytes: &[u8], from: usize, least: usize) -> Vec<Range<usize>> {
        let (mut runs, mut at) = (Vec::new(), from);
        while at < bytes.len() {
            let run = bytes[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            if run >= least {
                runs.push(at..at + run);
            }
            at += run + 1;
        }
        runs
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn runs_are_those_that_a_slow_look_finds(
            parts in prop::collection::vec(prop_oneof!["[a-z]{0,30}", "[a-z]{50,140}", "[ A-Z]{0,3}", "[ A-Z]{40,90}"], 0..12),
            from in 0_usize..80, short in 0_usize..70,
        ) {
            let text = parts.concat().into_bytes();
            let from = from.min(text.len());
            let end = from.max(text.len().saturating_sub(short));
            fn fast<const LEAST: usize>(text: &[u8], within: Range<usize>) -> Vec<Range<usize>> {
                Runs::<_, LEAST>::new(text, within, Between::<b'a', b'z'>).collect()
            }
            prop_assert_eq!(fast::<1>(&text, from..end), slowly(&text[..end], from, 1));
            prop_assert_eq!(fast::<20>(&text, from..end), slowly(&text[..end], from, 20));
            prop_assert_eq!(fast::<63>(&text, from..end), slowly(&text[..end], from, 63));
        }

        #[test]
        fn runs_at_either_end_are_counted(bytes in "[a-z]{0,200}[ A-Z]{0,2}[a-z]{0,200}", from in 0_usize..300) {
            let (bytes, letter) = (bytes.as_bytes(), |byte: &&u8| byte.is_ascii_lowercase());
            let kind = Between::<b'a', b'z'>;
            prop_assert_eq!(beginning(bytes, kind), bytes.iter().take_while(letter).count());
            let count = bytes.iter().rev().take_while(letter).count();
            prop_assert_eq!(ending(bytes, 0, kind), count);
            let from = from.min(bytes.len());
            prop_assert_eq!(are_all(bytes, from..bytes.len(), kind), count >= bytes.len() - from);
            prop_assert_eq!(ending(bytes, from, kind), count.min(bytes.len() - from));
        }

        #[test]
        fn runs_across_blocks_end_where_they_do(bytes in prop::collection::vec(prop::sample::select(&b"aaaaaaaaaaaab"[..]), 128), least in 1_usize..64) {
            let kind = Between::<b'a', b'a'>;
            let ends = run_ends(bits_at(&bytes, 0, kind), bits_at(&bytes, BLOCK, kind), least);
            for at in 0..BLOCK {
                let run = bytes[..=BLOCK + at].iter().rev().take_while(|byte| **byte == b'a').count();
                prop_assert_eq!(ends >> at & 1 == 1, run >= least, "{}", at);
            }
        }

        #[test]
        fn each_byte_has_its_bit(bytes in prop::collection::vec(any::<u8>(), 0..150), begin in 0_usize..160) {
            let bits = bits_at(&bytes, begin, Between::<0x81, 0xFF>);
            let rest = bytes.get(begin..).unwrap_or_default();
            for at in 0..BLOCK {
                prop_assert_eq!(bits >> at & 1 == 1, rest.get(at).is_some_and(|byte| *byte > 0x80));
            }
            let high = |byte: &&u8| **byte > 0x80;
            prop_assert_eq!(beginning(rest, Between::<0x81, 0xFF>), rest.iter().take_while(high).count());
            let set = (0..BLOCK).filter(|at| bits >> at & 1 == 1);
            prop_assert_eq!(Bits(bits).collect::<Vec<_>>(), set.collect::<Vec<_>>());
        }
    }
}
