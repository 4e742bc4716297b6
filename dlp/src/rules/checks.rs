//! What is looked at besides the shape: checksums, inner structure, how random a value is.

/// A match, as a check sees it.
pub(crate) struct Evidence<'a> {
    pub(crate) value: &'a [u8],
    /// The whole match.
    pub(crate) whole: &'a [u8],
}

/// Whether a match is a real one.
pub(crate) type Check = fn(&Evidence<'_>) -> bool;

/// Shannon's entropy, in bits for each byte.
pub(crate) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}
