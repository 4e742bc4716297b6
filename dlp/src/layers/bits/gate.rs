//! Whether a short run of letters may be a code at all, for all codes and alignments at once: names and paths are none.
use super::{BASE16, BASE32, BITS, Code, Digits, LEAST, Lower, Upper};
use crate::blocks::{Between, Simd, Whole, bits_at, dispatch, level, long_runs};
use std::ops::Range;

/// Runs of so many letters are names and paths more often than they are codes.
pub(super) const WORD_MOST: usize = 1024;

/// Whether anything that is read of a run may begin in it. Whatever tells that has [`LEAST`] letters at most, so one of these
/// windows holds all of it.
pub(super) fn may_be_text(text: &[u8], run: &Range<usize>) -> bool {
    run.clone().step_by(BITS + 1 - LEAST).any(|begin| {
        let here = (run.end - begin).min(BITS);
        let inside = u64::MAX >> (BITS - here);
        may_be_base64(text, begin, inside) || here >= LEAST && may_be_parts(text, begin, inside)
    })
}

/// Three groups in a row that are ASCII: their bytes' highest bits are the sixth bit of the first letter, the fourth one of the second, and
/// the second one of the third.
fn may_be_base64(text: &[u8], begin: usize, inside: u64) -> bool {
    let [sixth, fourth, second] = bits_of_values(text, begin);
    // All four letters of each group are there.
    let outside = !inside | !inside >> 1 | !inside >> 2 | !inside >> 3 | !(u64::MAX >> 3);
    let high = sixth | fourth >> 1 | second >> 2 | outside;
    let three = high | high >> 4 | high >> 8 | !(u64::MAX >> 8);
    three != u64::MAX
}

/// Letters enough of base32 or base16, and first letters of groups of text among them.
fn may_be_parts(text: &[u8], begin: usize, inside: u64) -> bool {
    let may_be = |letters: u64, firsts: u64, code: &Code| {
        let rows = |all, group| all & firsts >> (group * code.group);
        long_runs(letters & inside, LEAST) != 0 && (1..code.groups_least).fold(firsts, rows) & inside != 0
    };
    let digits = bits_at(text, begin, Digits);
    may_be(digits, bits_at(text, begin, Between::<b'0', b'7'>), &BASE16)
        || may_be(bits_at(text, begin, Lower), bits_at(text, begin, Between::<b'a', b'p'>), &BASE32)
        || may_be(bits_at(text, begin, Upper), bits_at(text, begin, Between::<b'A', b'P'>), &BASE32)
}

/// The sixth, the fourth and the second bit of what each letter of base64 stands for.
fn bits_of_values(text: &[u8], begin: usize) -> [u64; 3] {
    let rest = &text[begin..];
    let mut last = [0; BITS];
    let block: &[u8; BITS] = match rest.first_chunk() {
        Some(block) => block,
        None => {
            last[..rest.len()].copy_from_slice(rest);
            &last
        }
    };
    dispatch!(level(), simd => of_values(Whole::of(simd, block)))
}

#[inline(always)]
fn of_values<S: Simd>(letters: Whole<S>) -> [u64; 3] {
    let values = values_of(letters);
    [values.have(0x20).bits(), values.have(0x08).bits(), values.have(0x02).bits()]
}

/// What each letter stands for; both signs are 62, which has these three bits as 63 has them.
#[inline(always)]
fn values_of<S: Simd>(letters: Whole<S>) -> Whole<S> {
    let upper = letters.between(b'A', b'Z');
    let lower = letters.between(b'a', b'z');
    let digit = letters.between(b'0', b'9');
    let value = upper.of(letters.plus(b'A'.wrapping_neg()))
        | lower.of(letters.plus((b'a' - 26).wrapping_neg()))
        | digit.of(letters.plus(4));
    value | (!(upper | lower | digit)).of(letters.set_to(62))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::bits::{each_within, in_base64};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]
        /// Where nothing may be, a look at everything reads nothing; and for base64 the other way round too.
        #[test]
        fn what_is_read_passes(
            parts in prop::collection::vec(
                prop_oneof!["[a-zA-Z0-9+/_-]{1,40}", "[a-p2-7]{10,50}", "[A-P2-7]{10,50}", "[0-7a-f]{10,50}", "(dG9rZW4gaXMg|ZXhhbXBsZSB0)[a-z]{0,3}", "[ZY][Wm][F0-9][zQ]"], 1..5),
            before in "[ .]{0,3}", behind in "[ .a-z]{0,3}",
        ) {
            let letters = parts.concat();
            let text = format!("{before}{letters}{behind}").into_bytes();
            let run = before.len()..before.len() + letters.len();
            let (mut read, mut begins) = (false, false);
            each_within(&text, run.clone(), false, &mut |_| read = true);
            in_base64(&text[run.clone()], |_| begins = true);
            let passes = may_be_text(&text, &run);
            prop_assert!(passes || !read && !begins);
            let base64 = run.clone().step_by(BITS + 1 - LEAST).any(|begin| {
                may_be_base64(&text, begin, u64::MAX >> (BITS - (run.end - begin).min(BITS)))
            });
            prop_assert_eq!(base64, begins);
        }
    }
}
