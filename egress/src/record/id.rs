//! Names of exchanges.
use rand::Rng;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Builder;

/// A UUID of version 7, in the order of time: behind the milliseconds stands their fraction in twelve bits (RFC 9562 section 6.2,
/// method 3). The rest is of the thread's own generator, which the kernel's seeds: no system call for each exchange.
pub(super) fn id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = u64::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let mut bytes: [u8; 10] = rand::rng().random();
    let [.., high, low] = fraction.to_be_bytes();
    bytes[..2].copy_from_slice(&[high, low]);
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_in_the_order_of_time_and_never_the_same() {
        let mut before = String::new();
        for _ in 0..1000 {
            let id = id();
            let read = uuid::Uuid::parse_str(&id).expect("a UUID");
            assert_eq!((read.get_version_num(), read.get_variant()), (7, uuid::Variant::RFC4122), "{id}");
            // Two of one quarter of a microsecond may stand in any order.
            assert!(id != before && id[..17] >= before[..before.len().min(17)], "{before} {id}");
            before = id;
        }
    }
}
