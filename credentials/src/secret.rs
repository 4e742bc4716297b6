//! Bytes that cannot be printed.
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A secret value: zeroed on drop, no `Display`, `Debug` prints `[secret]`; the bytes are reachable inside this crate
/// and through [`Secret::dangerous_expose`].
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<Vec<u8>>>);

/// A shorter value would be found everywhere: no scanner seeks it and no scrubber takes it out of an answer. In bytes.
pub const SHORTEST_SOUGHT: usize = 8;

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(Arc::new(Zeroizing::new(bytes)))
    }

    /// The bytes. Never for anything but the wire and the scanner.
    pub fn dangerous_expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is long enough to be sought in what leaves and taken out of what comes.
    pub fn is_sought(&self) -> bool {
        self.0.len() >= SHORTEST_SOUGHT
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
