//! What is compressed, in each format and spelling.
use crate::inspect::{SECRET, SOUGHT, bits, run};
use dlp::Verdict;
use std::io::Write as _;

/// The first byte says how it is packed and spelled, the second where to cut. Whatever stands around, inside and outside, a value
/// in it is found, and what was given out before does not unfold to it.
pub fn packed(bytes: &[u8]) {
    let [which, cut, around @ ..] = bytes else { return };
    let (inside, outside) = around.split_at(around.len() / 2);
    let data = gzip(&[inside, b" \n", SECRET.as_bytes(), b"\n ", inside].concat(), which / 4);
    let code = match which % 4 {
        0 => data.clone(),
        1 => bits(&data, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6),
        2 => bits(&data, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6),
        _ => bits(&data, b"0123456789abcdef", 4),
    };
    let body = [outside, b" \n".as_slice(), &code, b"\n ", outside].concat();
    assert!(!SOUGHT.find_all(&body).is_empty());
    let (out, _, stopped) = run(&body, *cut, Verdict::Stop);
    assert!(stopped && body.starts_with(&out) && out.len() < body.len());
    let (out, hits, _) = run(&body, *cut, Verdict::Pass);
    assert!(out == body && !hits.is_empty());
}

fn gzip(bytes: &[u8], level: u8) -> Vec<u8> {
    let level = flate2::Compression::new(u32::from(level) % 10);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    match encoder.write_all(bytes).and_then(|()| encoder.finish()) {
        Ok(packed) => packed,
        Err(error) => unreachable!("memory takes everything: {error}"),
    }
}
