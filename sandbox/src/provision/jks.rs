//! A Java trust store in the oldest of its formats, which every JDK reads whatever its default type is.
//!
//! The digest at its end is an integrity check of Java's with a fixed salt and a well-known password; nothing of the
//! bottle's safety hangs on it, for the file is read-only inside.
use sha1::{Digest, Sha1};

/// The password that every distribution gives its trust store.
pub(super) const PASSWORD: &str = "changeit";

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
const SALT: &[u8] = b"Mighty Aphrodite";

/// The store that trusts these certificates (DER).
pub(super) fn trust_store(certificates: &[Vec<u8>]) -> Vec<u8> {
    let certificates: Vec<_> = certificates.iter().filter_map(|der| Some((length(der)?, der))).collect();
    let mut store = Vec::with_capacity(certificates.iter().map(|(_, der)| der.len() + 64).sum());
    store.extend(MAGIC.to_be_bytes());
    store.extend(VERSION.to_be_bytes());
    store.extend(length(&certificates).unwrap_or(0).to_be_bytes());
    for (number, (length, der)) in certificates.iter().enumerate() {
        entry(&mut store, number, *length, der);
    }
    let digest = digest(&store);
    store.extend(digest);
    store
}

fn entry(store: &mut Vec<u8>, number: usize, length: u32, der: &[u8]) {
    store.extend(TRUSTED_CERTIFICATE.to_be_bytes());
    text(store, &format!("root-{number}"));
    // The date of creation means nothing here; a fixed one makes equal stores equal bytes.
    store.extend(0_u64.to_be_bytes());
    text(store, "X.509");
    store.extend(length.to_be_bytes());
    store.extend(der);
}

/// Java's own string form; ours are short and plain ASCII.
fn text(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    store.extend(text.as_bytes());
}

fn digest(store: &[u8]) -> [u8; 20] {
    let mut sha = Sha1::new();
    for unit in PASSWORD.encode_utf16() {
        sha.update(unit.to_be_bytes());
    }
    sha.update(SALT);
    sha.update(store);
    sha.finalize().into()
}

fn length<T>(list: &[T]) -> Option<u32> {
    u32::try_from(list.len()).ok()
}
