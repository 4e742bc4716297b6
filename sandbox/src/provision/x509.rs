//! The little of X.509 that trust stores need: certificates out of PEM, and OpenSSL's name for a subject.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 0x0C;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;
const VISIBLE: u8 = 0x1A;
const EXPLICIT_VERSION: u8 = 0xA0;

/// Every certificate of a PEM text (DER); blocks that are no certificates or no base64 are left out.
pub(super) fn certificates(pem: &str) -> Vec<Vec<u8>> {
    let mut letters = Vec::new();
    pem.split(BEGIN).skip(1).filter_map(|rest| decode(rest.split_once(END)?.0, &mut letters)).collect()
}

/// `letters` is room that one can leave to the next.
fn decode(body: &str, letters: &mut Vec<u8>) -> Option<Vec<u8>> {
    letters.clear();
    body.split_ascii_whitespace().for_each(|line| letters.extend_from_slice(line.as_bytes()));
    STANDARD.decode(letters).ok()
}

/// The file name, without its number, under which OpenSSL looks for a root in a folder. `None` when the certificate
/// cannot be read or its subject uses a text form that OpenSSL would convert and we do not.
pub(super) fn subject_hash(der: &[u8]) -> Option<String> {
    let digest = Sha1::digest(canonical_name(subject(der)?)?);
    let first: [u8; 4] = digest[..4].try_into().ok()?;
    Some(format!("{:08x}", u32::from_le_bytes(first)))
}

/// The content of the subject's outer sequence.
fn subject(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = expect(SEQUENCE, der)?;
    let (mut body, _) = expect(SEQUENCE, certificate)?;
    if body.first() == Some(&EXPLICIT_VERSION) {
        body = element(body)?.2;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        body = element(body)?.2;
    }
    Some(expect(SEQUENCE, body)?.0)
}

/// OpenSSL compares names without case and with single spaces; the hash is over that form.
fn canonical_name(mut name: &[u8]) -> Option<Vec<u8>> {
    let mut canonical = Vec::new();
    while !name.is_empty() {
        let (relative, rest) = expect(SET, name)?;
        canonical.extend(wrap(SET, &canonical_relative(relative)?)?);
        name = rest;
    }
    Some(canonical)
}

fn canonical_relative(mut relative: &[u8]) -> Option<Vec<u8>> {
    let mut canonical = Vec::new();
    while !relative.is_empty() {
        let (attribute, rest) = expect(SEQUENCE, relative)?;
        canonical.extend(wrap(SEQUENCE, &canonical_attribute(attribute)?)?);
        relative = rest;
    }
    Some(canonical)
}

fn canonical_attribute(attribute: &[u8]) -> Option<Vec<u8>> {
    let (_, _, value) = element(attribute)?;
    let kind = &attribute[..attribute.len() - value.len()];
    let (tag, text, _) = element(value)?;
    if ![UTF8, PRINTABLE, IA5, VISIBLE].contains(&tag) {
        return None;
    }
    let words: Vec<_> = std::str::from_utf8(text).ok()?.split_ascii_whitespace().collect();
    let text = wrap(UTF8, words.join(" ").to_ascii_lowercase().as_bytes())?;
    Some([kind, &text].concat())
}

fn expect(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content and what follows of the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (length, rest) = length(rest)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = der.split_first()?;
    if first < 0x80 {
        return Some((first.into(), rest));
    }
    let count = usize::from(first & 0x7F);
    if count == 0 || count > 4 {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(count)?;
    Some((bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest))
}

fn wrap(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let mut element = vec![tag];
    match content.len() {
        length @ 0..0x80 => element.push(u8::try_from(length).ok()?),
        length @ 0x80..0x100 => element.extend([0x81, u8::try_from(length).ok()?]),
        length => {
            let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
            element.extend([0x82, high, low]);
        }
    }
    element.extend(content);
    Some(element)
}
