//! Spellings of paths, and what patterns cover.
use percent_encoding::percent_decode_str;
use policy::{NormalPath, PathPattern};
use proptest::prelude::*;

fn normal(raw: &str) -> String {
    NormalPath::parse(raw).map_or_else(|why| format!("refused: {why}"), |path| path.as_str().to_owned())
}

fn covers(pattern: &str, path: &str) -> bool {
    PathPattern::parse(pattern).unwrap().matches(&NormalPath::parse(path).unwrap())
}

/// Threat 15.
#[test]
fn paths_that_origins_read_differently_are_refused() {
    for raw in [
        "/a/../b",
        "/..",
        "/.",
        "/a/.",
        "/a/..",
        "/./a",
        "/%2e%2e/b",
        "/%2E./b",
        "/.%2e/b",
        "/a/%2e",
        "/%252e%252e/b",
        "/%25%32%65",
        "/%25252e",
        "/..;/b",
        "/..;x=1/b",
        "/.;/b",
        "/..%3Bx/b",
        "/%2e%2e%3b/b",
        "/a%2F..%2Fb",
        "/a%2f%2e%2e",
        "/..%2Fb",
        "/a%2F.",
        "/..%3Fb",
        "/.%23",
        "/..%20/b",
        "/%20../b",
        "/.../b",
        "/..../b",
        "/..%C2%A0/b",
        "/%EF%BC%8E%EF%BC%8E/b",
        "/.%ef%bc%8e/b",
        "/%E2%80%A5/b",
        "/a%EF%BC%8F..%EF%BC%8Fb",
        "/a%EF%BC%BC%E2%80%A4%E2%80%A4",
        "/..%EF%BC%9Bx/b",
        "/a\\b",
        "/a%5Cb",
        "/a%5c..%5cb",
        "/a%00b",
        "/a%0d%0ab",
        "/a%7f",
        "/a\nb",
        "/a b",
        "/a\0b",
        "/a\u{7f}",
        "/é",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%u002e",
        "/%c0%af",
        "/%c0%ae%c0%ae/",
        "/%e0%80%ae",
        "/%ff",
        "/%ed%a0%80",
        "",
        "a",
        "*",
        "//..",
        "/a?b",
        "/a#b",
    ] {
        assert!(NormalPath::parse(raw).is_err(), "{raw:?} became {}", normal(raw));
    }
}

/// What real clients send must pass.
#[test]
fn ordinary_paths_have_a_normal_form() {
    for (raw, form) in [
        ("/", "/"),
        ("/v1/messages", "/v1/messages"),
        ("/a/", "/a/"),
        ("/@scope%2fname", "/@scope%2Fname"),
        ("/%40scope%2Fname", "/@scope%2Fname"),
        ("/api/v4/projects/group%2Fproject/issues", "/api/v4/projects/group%2Fproject/issues"),
        ("//maven//repo/x.jar", "//maven//repo/x.jar"),
        ("/%7Euser/%61", "/~user/a"),
        ("/a%20b/%e2%82%ac", "/a%20b/%E2%82%AC"),
        ("/compare/main...feature", "/compare/main...feature"),
        ("/.well-known/x", "/.well-known/x"),
        ("/..a/a../.a.", "/..a/a../.a."),
        ("/wait%E2%80%A6/v1%EF%BC%8E2", "/wait%E2%80%A6/v1%EF%BC%8E2"),
        ("/c++/c%2B%2B", "/c++/c%2B%2B"),
        ("/100%25", "/100%25"),
        ("/a|b{c}\"<>^`[d]", "/a%7Cb%7Bc%7D%22%3C%3E%5E%60%5Bd%5D"),
        ("/crates/s/er/serde;v=1", "/crates/s/er/serde;v=1"),
        ("/upload:start,now(1)!$&'=", "/upload:start,now(1)!$&'="),
        ("/a*b", "/a%2Ab"),
        ("/sumdb/sum.golang.example/!azure", "/sumdb/sum.golang.example/!azure"),
    ] {
        assert_eq!(normal(raw), form, "{raw}");
    }
}

#[test]
fn patterns_cover_what_the_documentation_says() {
    for (pattern, path, covered) in [
        ("/acme/v1", "/acme/v1", true),
        ("/acme/v1", "/acme/v1/", false),
        ("/acme/v1", "/acme/V1", false),
        ("/acme/**", "/acme", false),
        ("/acme/**", "/acme/", true),
        ("/acme/**", "/acme/a", true),
        ("/acme/**", "/acme/a/b/", true),
        ("/acme/**", "/acmeevil/a", false),
        ("/acme/**", "/x/acme/a", false),
        ("/**", "/", true),
        ("/**", "/a/b", true),
        ("/*", "/a", true),
        ("/*", "/", false),
        ("/*", "/a/b", false),
        ("/*/b", "/a/b", true),
        ("/v*/x", "/v2/x", true),
        ("/v*/x", "/v/x", true),
        ("/v*/x", "/w2/x", false),
        ("/a*b*c", "/abc", true),
        ("/a*b*c", "/aXbYc", true),
        ("/a*b*c", "/ac", false),
        ("/a*a", "/a", false),
        ("/*.json", "/x.json", true),
        ("/*.json", "/x.jsonp", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/a/x/y/b", true),
        ("/a/**/b", "/a/x/y/c", false),
        ("/a/**/b/**/c", "/a/b/x/b/c", true),
        ("/a/**/b/*/c", "/a/b/b/b/c", true),
        ("/a/**/b/c/**", "/a/b/b/c/", true),
        ("/a/**/b/c/**", "/a/b/b/c", false),
        ("/**/b", "/b", true),
        ("/", "/", true),
        ("/a/", "/a/", true),
        ("/a/", "/a", false),
        ("/grüße", "/gr%C3%BC%c3%9fe", true),
        ("/a b", "/a%20b", true),
        ("/%7euser", "/~user", true),
        ("/@acme/**", "/%40acme/x", true),
        ("/a%2Ab", "/a*b", true),
        ("/a*b", "/aXb", true),
    ] {
        assert_eq!(covers(pattern, path), covered, "{pattern} {path}");
    }
}

/// Threat 15: segments that origins disagree about are for a last `**`, or for a pattern that writes them.
#[test]
fn wildcards_do_not_stand_for_what_can_be_read_twice() {
    for (pattern, path, covered) in [
        ("/pub/*", "/pub/a%2Fsecret", false),
        ("/pub/*.json", "/pub/secret;.json", false),
        ("/pub/*.json", "/pub/secret%3F.json", false),
        ("/pub/*.json", "/pub/secret%23.json", false),
        ("/pub/*.json", "/pub/secret%3b.json", false),
        ("/a/*/c", "/a//c", false),
        ("/a/**/c", "/a//c", false),
        ("/a/**/c", "/a/x;y/c", false),
        ("/a/**/c", "/a/x%3F/c", false),
        ("/a*2F", "/a%2F", false),
        ("/a*F", "/a%2F", false),
        ("/*2f", "/%2f", false),
        ("/a/**", "/a//c", true),
        ("/a/**", "/a/b%2Fc;d", true),
        ("/@acme%2F*", "/@acme%2fname", true),
        ("/@acme%2F*", "/@acme%2fname%2Fother", false),
        ("/@acme%2F*", "/@acme/name", false),
        ("/@acme/*", "/@acme%2Fname", false),
        ("/projects/*%2F*/issues", "/projects/group%2Fname/issues", true),
        ("/x;v=*", "/x;v=1", true),
    ] {
        assert_eq!(covers(pattern, path), covered, "{pattern} {path}");
    }
}

#[test]
fn patterns_that_could_never_be_covered_are_refused() {
    let many = "/a".repeat(65);
    let long = format!("/{}", "a".repeat(1024));
    for text in [
        "",
        "a",
        "acme/**",
        "/a**",
        "/**a",
        "/a//b",
        "//",
        "/a?b",
        "/a#b",
        "/../a",
        "/a/%2e%2e",
        "/a/./b",
        "/%zz",
        "/a\\b",
        "/%00",
        "/a%2",
        "/a%2*",
        "/%252e",
        "/***",
        &many,
        &long,
    ] {
        assert!(PathPattern::parse(text).is_err(), "{text}");
    }
}

/// Threat 7: the worst pattern over a long path is a matter of milliseconds; the bound leaves room for a busy machine, and
/// none for trying every way to place the wildcards.
#[test]
fn matching_is_bounded() {
    let path = NormalPath::parse(&"/a".repeat(8 * 1024)).unwrap();
    let long = NormalPath::parse(&format!("/{}", "a".repeat(64 * 1024))).unwrap();
    let deep = PathPattern::parse(&format!("/**{}/**/b", "/a/**".repeat(20))).unwrap();
    let block = PathPattern::parse(&format!("/**{}/b/**", "/*a*".repeat(60))).unwrap();
    let wide = PathPattern::parse(&format!("/{}b", "a*".repeat(500))).unwrap();
    let begin = std::time::Instant::now();
    assert!(!deep.matches(&path) && !block.matches(&path) && !wide.matches(&long));
    assert!(begin.elapsed() < std::time::Duration::from_secs(60), "{:?}", begin.elapsed());
}

fn decoded(path: &str) -> Vec<u8> {
    percent_decode_str(path).collect()
}

/// How some origin or other reads a path that was not refused.
fn readings(normal: &str) -> Vec<String> {
    let split = normal.replace("%2F", "/");
    let cut = |path: &str| {
        path.split('/').map(|s| s.split(';').next().unwrap().to_owned()).collect::<Vec<_>>().join("/")
    };
    let parameters = |path: &str| cut(&path.replace("%3B", ";"));
    let merged = |path: &str| {
        let mut path = path.to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        path
    };
    let ended = |path: &str, sign: &str| path.split(sign).next().unwrap().to_owned();
    let mut all = vec![
        normal.to_owned(),
        split.clone(),
        cut(normal),
        parameters(normal),
        parameters(&split),
        cut(&split),
    ];
    all.extend(["%3F", "%23"].map(|sign| ended(normal, sign)));
    all.extend(all.clone().iter().map(|path| merged(path)));
    all
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", "a", "b", "acme", "x", ".", "..", "%2e", "%2E", "%2F", "%2f", "%5c", "%25", "%252e",
        ";", "%3B", ";v=1", "%3F", "%23", "%20", "*", "%2A", "@", "%40", "~", "%7e", "%61", "|", "%7C",
        "%c3%a9", "%C0%AF", "%", "é", "\\", "+", "%2B", "json",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Threat 15, invariant 3: the normal form means what the wire form means.
    #[test]
    fn the_normal_form_decodes_to_the_same_bytes(raw in pieces()) {
        if let Ok(path) = NormalPath::parse(&raw) {
            prop_assert_eq!(decoded(path.as_str()), decoded(&raw));
            prop_assert_eq!(raw.matches('/').count(), path.as_str().matches('/').count());
        }
    }

    #[test]
    fn the_normal_form_is_a_fixed_point(raw in pieces()) {
        if let Ok(path) = NormalPath::parse(&raw) {
            prop_assert_eq!(&NormalPath::parse(path.as_str()).unwrap(), &path);
        }
    }

    /// Threat 15: no reading of a path that was let through climbs.
    #[test]
    fn no_reading_has_a_dot_segment(raw in pieces()) {
        if let Ok(path) = NormalPath::parse(&raw) {
            for reading in readings(path.as_str()) {
                let plain = String::from_utf8(decoded(&reading)).unwrap();
                prop_assert!(!plain.split('/').any(|s| s == "." || s == ".."), "{} read as {}", raw, plain);
            }
        }
    }

    /// Threat 15: what a pattern without odd signs of its own covers, it covers in every reading.
    #[test]
    fn every_reading_of_a_covered_path_is_covered(raw in pieces(), pattern in prop::sample::select(vec![
        "/acme/**", "/a/**", "/a/*", "/a*", "/*", "/**", "/a/**/b", "/**/b", "/*/b", "/a*b", "/*json", "/a/*/b/**", "/acme", "/x/", "/*a*b*",
    ])) {
        let pattern = PathPattern::parse(pattern).unwrap();
        let Ok(path) = NormalPath::parse(&raw) else { return Ok(()) };
        if pattern.matches(&path) {
            for reading in readings(path.as_str()) {
                let read = NormalPath::parse(&reading).unwrap();
                prop_assert!(pattern.matches(&read), "{:?} covers {} but not its reading {}", pattern.as_str(), raw, reading);
            }
        }
    }

    /// A glob without odd signs agrees with a plain, slow definition of it.
    #[test]
    fn globs_agree_with_their_definition(pattern in "/[ab*]{1,6}(/[ab*]{1,3}){0,2}", path in "(/[ab]{1,4}){1,3}") {
        let pattern = pattern.replace("**", "*").replace("**", "*").replace("**", "*");
        let fast = covers(&pattern, &path);
        let slow = pattern.split('/').count() == path.split('/').count()
            && pattern.split('/').zip(path.split('/')).all(|(glob, segment)| slow_glob(glob.as_bytes(), segment.as_bytes()));
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn nothing_panics(raw in "\\PC{0,60}", pattern in "\\PC{0,60}") {
        if let (Ok(path), Ok(pattern)) = (NormalPath::parse(&format!("/{raw}")), PathPattern::parse(&format!("/{pattern}"))) {
            pattern.matches(&path);
        }
    }
}

fn slow_glob(glob: &[u8], segment: &[u8]) -> bool {
    match glob {
        [] => segment.is_empty(),
        [b'*', rest @ ..] => (0..=segment.len()).any(|at| slow_glob(rest, &segment[at..])),
        [byte, rest @ ..] => segment.first() == Some(byte) && slow_glob(rest, &segment[1..]),
    }
}
