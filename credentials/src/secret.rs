//! Bytes that cannot be printed.

/// A secret value: zeroed on drop, no `Display`, `Debug` prints `[secret]`; the bytes are reachable inside this crate
/// and through [`Secret::dangerous_expose`].
#[derive(Clone)]
pub struct Secret(std::sync::Arc<zeroize::Zeroizing<Vec<u8>>>);

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: Vec<u8>) -> Secret {
        Secret(std::sync::Arc::new(zeroize::Zeroizing::new(bytes)))
    }
    /// The bytes. Never for anything but the wire and the scanner.
    pub fn dangerous_expose(&self) -> &[u8] {
        &self.0
    }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
