//! Segments that name one thing among many.

/// How sure it is that another time another one stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A word: the place itself.
    Word,
    /// A number, a version, a short hash, a file with a version: one of many, or `/v1/`.
    Perhaps,
    /// A UUID, a hash, a long number.
    Surely,
}

pub(super) fn kind(segment: &str) -> Kind {
    if is_uuid(segment) || is_hash(segment) || is_long_number(segment) {
        return Kind::Surely;
    }
    let digits = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    if digits || is_short_hash(segment) || is_version(segment) || has_version(segment) {
        Kind::Perhaps
    } else {
        Kind::Word
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Sixteen hexadecimal digits with both kinds of signs in them, or twenty letters and digits that no word is made of; a prefix
/// (`sha256:`, `req_`) and an ending (`.tar.gz`) may stand around.
fn is_hash(text: &str) -> bool {
    let text = text.split_once(':').map_or(text, |(_, rest)| rest);
    let text = text.split('.').next().unwrap_or(text);
    let text = text.rsplit_once('_').map_or(text, |(_, rest)| rest);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let hex = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let mixed =
        text.len() >= 20 && text.bytes().all(|b| b.is_ascii_alphanumeric()) && digits * 8 >= text.len();
    digits > 0 && (hex || mixed)
}

/// As git shortens them.
fn is_short_hash(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (7..16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) && digits >= 2
}

fn is_long_number(text: &str) -> bool {
    text.len() >= 6 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `1.2.3`, `v1.2`, `2.0.0-rc.1`, `v3`.
fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let number = rest.split(['-', '+', '%']).next().unwrap_or(rest);
    let parts: Vec<&str> = number.split('.').collect();
    let numeric = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    numeric && (parts.len() >= 2 || rest.len() < text.len())
}

/// `left-pad-1.3.0.tgz`, `numpy-2.1.0-cp312-manylinux.whl`, `@v/v1.2.3.zip`: a part after a dash or the whole is one.
fn has_version(text: &str) -> bool {
    text.split(['-', '_', '@']).any(|part| {
        let dots = part.bytes().filter(|b| *b == b'.').count();
        let leading = part
            .strip_prefix('v')
            .unwrap_or(part)
            .split('.')
            .take_while(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        dots >= 1 && leading.count() >= 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_segments() {
        for id in [
            "123e4567-e89b-12d3-a456-426614174000",
            "d41d8cd98f00b204e9800998ecf8427e",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "a1b2c3d4e5f60718.tar.gz",
            "msg_01AbC2dEf3GhI4jKl5MnO6",
            "1234567",
        ] {
            assert_eq!(kind(id), Kind::Surely, "{id}");
        }
        for perhaps in [
            "1",
            "a1b2c3d",
            "2024",
            "v1",
            "1.2.3",
            "v1.2.3",
            "2.0.0-rc.1",
            "left-pad-1.3.0.tgz",
            "v1.2.3.zip",
            "numpy-2.1.0-cp312-manylinux.whl",
        ] {
            assert_eq!(kind(perhaps), Kind::Perhaps, "{perhaps}");
        }
        for word in [
            "users",
            "",
            "left-pad",
            "deadbeef",
            "effaced",
            "index.html",
            "info",
            "vscode",
            "a",
            "internationalization-and-more",
            "x86_64",
            "utf-8",
        ] {
            assert_eq!(kind(word), Kind::Word, "{word}");
        }
    }
}
