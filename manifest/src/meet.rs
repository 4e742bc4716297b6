//! Whether two routes may say something about the same connection or request.
use policy::{HostPattern, PathPattern, Protocol, Route, TlsMode};

/// Both may cover one host and port.
pub(crate) fn connections(one: &Route, other: &Route) -> bool {
    one.port == other.port && hosts(&one.host, &other.host)
}

/// Both may cover one request; in doubt they do. Where nothing is opened, every request of a connection is meant.
pub(crate) fn requests(one: &Route, other: &Route) -> bool {
    let unread = |route: &Route| route.protocol == Protocol::Tcp || route.tls == TlsMode::Passthrough;
    if !connections(one, other) {
        return false;
    }
    unread(one) || unread(other) || (one.scheme == other.scheme && methods(one, other) && paths(one, other))
}

fn hosts(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::Exact(host), pattern) | (pattern, HostPattern::Exact(host)) => pattern.matches(host),
        (HostPattern::Below(one), HostPattern::Below(other)) => {
            let below =
                |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.ends_with('.'));
            one == other || below(one, other) || below(other, one)
        }
    }
}

fn methods(one: &Route, other: &Route) -> bool {
    match (&one.methods, &other.methods) {
        (Some(one), Some(other)) => one.iter().any(|method| other.contains(method)),
        _ => true,
    }
}

fn paths(one: &Route, other: &Route) -> bool {
    match (&one.paths, &other.paths) {
        (Some(one), Some(other)) => one.iter().any(|a| other.iter().any(|b| patterns(a, b))),
        _ => true,
    }
}

/// Whether some path may be covered by both; in doubt it is.
fn patterns(one: &PathPattern, other: &PathPattern) -> bool {
    let segments =
        |pattern: &PathPattern| pattern.as_str().split('/').skip(1).map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (segments(one), segments(other));
    // What is left of `one` from its i-th segment on, against every rest of `other`; filled from the ends.
    let mut rests = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let below = std::mem::replace(&mut rests, vec![false; other.len() + 1]);
        for j in (0..=other.len()).rev() {
            let next = rests.get(j + 1).copied().unwrap_or(false);
            let both = below.get(j + 1).copied().unwrap_or(false);
            rests[j] = match (one.get(i).map(String::as_str), other.get(j).map(String::as_str)) {
                (None, None) => true,
                (Some("**"), Some("**")) => below[j] || next || both,
                (Some("**"), _) => below[j] || next,
                (_, Some("**")) => next || (i < one.len() && below[j]),
                (Some(a), Some(b)) => both && (a == b || a.contains('*') || b.contains('*')),
                _ => false,
            };
        }
    }
    rests[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_where_a_path_is_in_both() {
        let meet = |a: &str, b: &str| {
            let (a, b) = (PathPattern::parse(a).expect("one"), PathPattern::parse(b).expect("one"));
            assert_eq!(patterns(&a, &b), patterns(&b, &a), "{a:?} {b:?}");
            patterns(&a, &b)
        };
        assert!(
            meet("/a/**", "/a/b/c")
                && meet("/**", "/x")
                && meet("/a/*/c", "/a/b/*")
                && meet("/**/z", "/a/**")
        );
        assert!(!meet("/a/**", "/b/c") && !meet("/a/*", "/a/b/c") && !meet("/a", "/b"));
    }
}
