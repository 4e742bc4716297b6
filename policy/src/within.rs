//! Whether a proposal asks for no more than another one.
use crate::{NormalPath, PathPattern, Proposal};

impl Proposal {
    /// Whether everything that this covers is covered by the other one too. Where that cannot be seen from the words, the
    /// answer is no: `/a*b` within `/a*`.
    pub fn is_within(&self, other: &Proposal) -> bool {
        let destination = |proposal: &Proposal| {
            (proposal.host.clone(), proposal.port, proposal.scheme, proposal.protocol, proposal.tls)
        };
        destination(self) == destination(other)
            && all_within(self.methods.as_deref(), other.methods.as_deref(), |one, other| one == other)
            && all_within(self.paths.as_deref(), other.paths.as_deref(), path_within)
    }
}

/// `None` is everything.
fn all_within<T>(all: Option<&[T]>, others: Option<&[T]>, within: impl Fn(&T, &T) -> bool) -> bool {
    match (all, others) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(all), Some(others)) => all.iter().all(|one| others.iter().any(|other| within(one, other))),
    }
}

fn path_within(one: &PathPattern, other: &PathPattern) -> bool {
    one == other || literal_within(one, other) || below(one, other) || segments_within(one, other)
}

/// A pattern without wildcards is one path.
fn literal_within(one: &PathPattern, other: &PathPattern) -> bool {
    let text = one.as_str();
    !text.contains('*')
        && NormalPath::parse(text).is_ok_and(|path| one.matches(&path) && other.matches(&path))
}

/// `/a/*/c` is below `/a/**`.
fn below(one: &PathPattern, other: &PathPattern) -> bool {
    let above = other.as_str().strip_suffix("**");
    above.is_some_and(|above| !above.contains('*') && one.as_str().starts_with(above))
}

/// `/a/x*/c` is within `/a/*/c`: segment by segment, none of them `**`.
fn segments_within(one: &PathPattern, other: &PathPattern) -> bool {
    let (one, other) = (one.as_str(), other.as_str());
    let same_length = one.split('/').count() == other.split('/').count();
    let open = |text: &str| text.split('/').any(|segment| segment == "**");
    same_length
        && !open(one)
        && !open(other)
        && one.split('/').zip(other.split('/')).all(|(one, other)| segment_within(one, other))
}

/// A lone `*` covers no segment that can be read in two ways; what has an escape or a parameter may be one.
fn segment_within(one: &str, other: &str) -> bool {
    one == other || (other == "*" && !one.is_empty() && !one.contains(['%', ';']) && one.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, Request};

    fn proposal(methods: Option<&[&str]>, paths: Option<&[&str]>) -> Proposal {
        let request = Request::from_url("GET", "https://a.example/").unwrap();
        Proposal {
            methods: methods.map(|all| all.iter().map(|one| Method::parse(one).unwrap()).collect()),
            paths: paths.map(|all| all.iter().map(|one| PathPattern::parse(one).unwrap()).collect()),
            ..Proposal::of(&request)
        }
    }

    fn path_in(one: &str, other: &str) -> bool {
        proposal(None, Some(&[one])).is_within(&proposal(None, Some(&[other])))
    }

    #[test]
    fn narrower_is_within_and_wider_is_not() {
        let narrow = proposal(Some(&["GET"]), Some(&["/a/b"]));
        let wide = proposal(Some(&["GET", "POST"]), Some(&["/a/**", "/c"]));
        let all = proposal(None, None);
        for (one, other) in [(&narrow, &wide), (&narrow, &all), (&wide, &all)] {
            assert!(one.is_within(other), "{one} within {other}");
            assert!(!other.is_within(one), "{other} within {one}");
            assert!(one.is_within(one));
        }
        let elsewhere = Proposal { port: 8443, ..narrow.clone() };
        assert!(!elsewhere.is_within(&all), "another port");
    }

    #[test]
    fn patterns_of_paths_are_compared_by_what_they_cover() {
        for (one, other) in [
            ("/a/b", "/a/*"),
            ("/a/b/c", "/a/**"),
            ("/a/", "/a/**"),
            ("/a/*/c", "/a/**"),
            ("/a/x*", "/a/*"),
            ("/a/**", "/**"),
            ("/a/%62", "/a/b"),
            ("/a/*", "/a/*"),
        ] {
            assert!(path_in(one, other), "{one} within {other}");
        }
        for (one, other) in [
            ("/a", "/a/**"),
            ("/ab", "/a/**"),
            ("/a/*", "/a/b"),
            ("/a/**", "/a/*"),
            ("/**", "/a/**"),
            ("/a/b/c", "/a/*"),
            ("/b", "/a"),
            ("/a/x%2Fy", "/a/*"),
            ("/a/x;*", "/a/*"),
            ("/*/b", "/a/**"),
        ] {
            assert!(!path_in(one, other), "{one} not within {other}");
        }
    }

    /// Whatever is called within covers nothing that the other does not cover.
    #[test]
    fn within_never_covers_more() {
        let segments = ["a", "b", "ab", "*", "a*", "**", "%61", "x;y", "a%2Fb", ""];
        let mut patterns = Vec::new();
        for first in segments {
            patterns.extend(PathPattern::parse(&format!("/{first}")));
            for second in segments {
                patterns.extend(PathPattern::parse(&format!("/{first}/{second}")));
            }
        }
        let plain = ["a", "b", "ab", "x;y", "a%2Fb", "", "aa"];
        let pairs = plain.iter().flat_map(|one| plain.map(|other| format!("/{one}/{other}")));
        let paths: Vec<NormalPath> = plain
            .iter()
            .map(|one| format!("/{one}"))
            .chain(pairs)
            .map(|path| NormalPath::parse(&path).unwrap())
            .collect();
        let mut within = 0;
        for one in &patterns {
            for other in &patterns {
                if path_within(one, other) {
                    within += 1;
                    let astray = paths.iter().find(|path| one.matches(path) && !other.matches(path));
                    assert_eq!(astray, None, "{} within {}", one.as_str(), other.as_str());
                }
            }
        }
        assert!(within > patterns.len(), "more than each in itself");
    }
}
