//! What the alphabets are made of, sixteen letters at once.
use crate::blocks::{between, is};
use wide::u8x16;

#[inline(always)]
fn is_any<const SIGNS: usize>(bytes: u8x16, signs: [u8; SIGNS]) -> u8x16 {
    signs.into_iter().fold(u8x16::splat(0), |any, sign| any | is(bytes, sign))
}

#[inline(always)]
pub(super) fn are_of_adobe(bytes: u8x16) -> u8x16 {
    between(bytes, b'!', b'u')
}

#[inline(always)]
pub(super) fn are_of_rfc_1924(bytes: u8x16) -> u8x16 {
    between(bytes, b'!', b'~') & !is_any(bytes, *b"\"',./:[\\]")
}

#[inline(always)]
pub(super) fn are_of_zero_mq(bytes: u8x16) -> u8x16 {
    between(bytes, b'!', b'~') & !is_any(bytes, *b"\"',;\\_`|~")
}

/// The letters of the first values, up to `FIRSTS` and one more.
#[inline(always)]
pub(super) fn are_firsts_of_adobe(bytes: u8x16) -> u8x16 {
    between(bytes, b'!', b'J')
}

#[inline(always)]
pub(super) fn are_firsts_of_rfc_1924(bytes: u8x16) -> u8x16 {
    between(bytes, b'0', b'9') | between(bytes, b'A', b'Z') | between(bytes, b'a', b'f')
}

#[inline(always)]
pub(super) fn are_firsts_of_zero_mq(bytes: u8x16) -> u8x16 {
    between(bytes, b'0', b'9') | between(bytes, b'a', b'z') | between(bytes, b'A', b'F')
}
