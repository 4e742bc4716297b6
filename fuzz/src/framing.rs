//! Heads and bodies of HTTP/1 and frames of WebSockets.
use egress::framing::Framing;
use egress::websocket::frames;

const HEAD: usize = 4096;

/// The first byte says where to cut, which must not matter. What was let through is what came in, and the parser behind
/// reads a head where a head was seen.
pub fn framing(bytes: &[u8]) {
    let _head = frames::head(bytes);
    let Some((cut, input)) = bytes.split_first() else { return };
    let (whole, error) = pass(input, input.len());
    let (parts, same_error) = pass(input, usize::from(*cut));
    assert_eq!(error, same_error);
    assert!(whole == parts || error, "cut at {cut}: {whole:?} became {parts:?}");
    assert!(is_within(&whole, input));
    if !error && !whole.is_empty() {
        assert_head(&whole);
    }
}

fn pass(input: &[u8], cut: usize) -> (Vec<u8>, bool) {
    let (mut framing, mut out) = (Framing::new(HEAD), Vec::new());
    let failed = input.chunks(cut.max(1)).any(|chunk| framing.push(chunk, &mut out).is_err());
    (out, failed)
}

/// Nothing is added, changed or moved.
fn is_within(out: &[u8], input: &[u8]) -> bool {
    let mut input = input.iter();
    out.iter().all(|byte| input.any(|from| from == byte))
}

fn assert_head(out: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut headers);
    assert!(
        request.parse(out).is_ok_and(|status| status.is_complete()),
        "{:?}",
        String::from_utf8_lossy(out)
    );
}
