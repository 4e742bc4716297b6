//! Names of hosts and parts of targets that look random: data that is carried out where no body is needed.

/// A part of a target this long may be something. Words, and what is made of them, vary less.
const LONG: usize = 32;
/// A label of a name has at most 63 characters, of which there are only 37.
const LONG_LABEL: usize = 24;
/// Bits for each character that letters of both cases and digits at random have, less what short texts lose.
const RANDOM: f64 = 4.4;
/// The same for labels, which have one case.
const RANDOM_LABEL: f64 = 3.9;

/// Whether a label of a host's name looks random. Digests and other numbers in hexadecimal do not count: what is stored by
/// its digest is named so everywhere.
pub(super) fn is_random_label(label: &str) -> bool {
    label.len() >= LONG_LABEL && !is_number(label) && has_digits(label) && bits(label) >= RANDOM_LABEL
}

/// Whether a part of a target does.
pub(super) fn is_random_part(part: &str) -> bool {
    let mixed = part.bytes().any(|b| b.is_ascii_uppercase()) && part.bytes().any(|b| b.is_ascii_lowercase());
    let one_word = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b));
    part.len() >= LONG && one_word && mixed && has_digits(part) && !is_number(part) && bits(part) >= RANDOM
}

fn has_digits(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Bits for each byte, by how often each one stands there.
fn bits(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f64;
    let of = |count: u32| {
        let share = f64::from(count) / length;
        -share * share.log2()
    };
    counts.into_iter().filter(|count| *count > 0).map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_random_is_seen_and_what_is_usual_is_not() {
        for random in ["q7Zx2LkP9vRt4WmY8sBn3HcJ6fGd1TaE", "dGhpcyBpcyBhIHNlY3JldCBtZXNzYWdlIDEyMzQ1Njc4OTA"]
        {
            assert!(is_random_part(random), "{random}");
        }
        for usual in [
            "550e8400-e29b-41d4-a716-446655440000",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "a-very-long-name-of-an-article-about-something-in-2026",
            "AbstractSingletonProxyFactoryBean2",
            "node_modules.tar.gz",
            "v1.2.3-linux-x86_64-unknown-gnu-static.tar.gz",
            "@babel/plugin-transform-typescript",
        ] {
            assert!(!is_random_part(usual), "{usual}");
        }
        assert!(is_random_label("mfrggzdfmztwq2lknnwg23tpobyxe43u"));
        for usual in ["registry-1", "a1b2c3d4e5f60718293a4b5c6d7e8f90", "my-bucket-with-a-long-name-eu-west"]
        {
            assert!(!is_random_label(usual), "{usual}");
        }
    }
}
