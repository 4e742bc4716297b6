//! Spellings of hosts.
use policy::{Authority, Host, HostPattern};
use proptest::prelude::*;
use std::net::IpAddr;

fn parsed(text: &str) -> String {
    Host::parse(text).map_or_else(|error| format!("refused: {}", error.why), |host| host.to_string())
}

fn refused(text: &str) -> bool {
    Host::parse(text).is_err()
}

/// Threat 10.
#[test]
fn one_name_has_one_form() {
    for (text, form) in [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("EXAMPLE。com", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("_egress.local", "_egress.local"),
        ("my_bucket.s3.example.com", "my_bucket.s3.example.com"),
        ("r3---sn-4g5e.example.com", "r3---sn-4g5e.example.com"),
        ("localhost", "localhost"),
        ("1password.com", "1password.com"),
        ("a.0xyz", "a.0xyz"),
    ] {
        assert_eq!(parsed(text), form, "{text}");
    }
}

/// Threat 10.
#[test]
fn trailing_dots_are_cut_once_and_empty_labels_refused() {
    for text in ["", ".", "..", "example.com..", ".example.com", "example..com", "example.com。."] {
        assert!(refused(text), "{text}");
    }
}

/// Threat 10: every spelling by which some resolver reads an IPv4 address.
#[test]
fn odd_ipv4_spellings_are_refused() {
    for text in [
        "0x7f.1",
        "0x7f000001",
        "0X7F.0.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "0x",
        "0x.0x",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.4.",
        "１２７.0.0.1",
        "127。0。0。1",
        "①.1.1.1",
        "foo.0x1",
        "foo.1",
        "example.com.127",
        "4294967296",
        "127.0.0.1 ",
        " 127.0.0.1",
        "+1.2.3.4",
        "1.2.3.4%eth0",
        "0",
        "08.1.1.1",
        "1e3.1.1.1",
    ] {
        assert!(refused(text), "{text} became {}", parsed(text));
    }
    assert_eq!(parsed("127.0.0.1"), "127.0.0.1");
}

/// Threat 10.
#[test]
fn ipv6_has_one_form_without_zone_and_mapped_is_ipv4() {
    for (text, form) in [
        ("[::1]", "[::1]"),
        ("::1", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::ffff:7f00:1]", "127.0.0.1"),
        ("[0:0:0:0:0:ffff:7f00:0001]", "127.0.0.1"),
    ] {
        assert_eq!(parsed(text), form, "{text}");
    }
    for text in [
        "[fe80::1%eth0]",
        "fe80::1%25eth0",
        "[::1",
        "::1]",
        "[::1]:443",
        "[127.0.0.1]",
        "[example.com]",
        "[]",
        "[v1.x]",
    ] {
        assert!(refused(text), "{text}");
    }
    let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
    assert_eq!(Host::from(mapped), Host::parse("10.0.0.1").unwrap());
}

#[test]
fn what_is_no_host_is_refused() {
    let long = format!("{}.com", "a".repeat(64));
    let longer = format!("{}com", "abcdefg.".repeat(32));
    for text in [
        long.as_str(),
        longer.as_str(),
        "a b.com",
        "a/b",
        "a\\b",
        "user@example.com",
        "example.com:443",
        "a?b",
        "a#b",
        "a%41.com",
        "exa\0mple.com",
        "exam\nple.com",
        "*.example.com",
        "xn--a",
        "xn--zzzzzz99999.com",
        "a\u{202e}b.com",
        "a`b.com",
        "<a>.com",
    ] {
        assert!(refused(text), "{text:?} became {}", parsed(text));
    }
}

#[test]
fn the_refusal_shows_the_text_without_its_teeth() {
    let error = Host::parse(&format!("evil\u{1b}[2J`{}", "x".repeat(500))).unwrap_err().to_string();
    assert!(!error.contains('\u{1b}') && error.contains("\\u{1b}[2J'") && error.len() < 250, "{error}");
}

/// Threat 10: what looks like `apple.com` is not covered by a rule for it.
#[test]
fn homographs_are_other_hosts() {
    let rule = HostPattern::parse("apple.com").unwrap();
    for lookalike in ["аpple.com", "aррle.com", "ɑpple.com", "xn--pple-43d.com"] {
        let host = Host::parse(lookalike).unwrap();
        assert!(host.name().unwrap().starts_with("xn--"), "{lookalike}");
        assert!(!rule.matches(&host), "{lookalike}");
    }
}

#[test]
fn a_pattern_covers_names_below_and_never_the_apex() {
    let below = HostPattern::parse("*.Example.com").unwrap();
    for (host, covered) in [
        ("a.example.com", true),
        ("a.b.example.com", true),
        ("example.com", false),
        ("notexample.com", false),
        ("example.com.evil.org", false),
        ("a.example.org", false),
        ("1.2.3.4", false),
    ] {
        assert_eq!(below.matches(&Host::parse(host).unwrap()), covered, "{host}");
    }
    assert_eq!(below.to_string(), "*.example.com");
}

#[test]
fn patterns_that_mean_too_much_or_nothing_are_refused() {
    for text in [
        "*",
        "*.com",
        "*.",
        "a.*.com",
        "*a.com",
        "*.*.com",
        "**.example.com",
        "*.1.2.3.4",
        "*.[::1]",
        "",
        "example.com/*",
    ] {
        assert!(HostPattern::parse(text).is_err(), "{text}");
    }
}

/// Threat 10.
#[test]
fn an_authority_is_host_and_port_and_nothing_else() {
    for (text, host, port) in [
        ("example.com", "example.com", None),
        ("Example.com:443", "example.com", Some(443)),
        ("[::1]:443", "[::1]", Some(443)),
        ("[::1]", "[::1]", None),
        ("1.2.3.4:80", "1.2.3.4", Some(80)),
    ] {
        let authority = Authority::parse(text).unwrap();
        assert_eq!((authority.host.to_string().as_str(), authority.port), (host, port), "{text}");
    }
    for text in [
        "example.com:",
        "example.com:0",
        "example.com:+443",
        "example.com:0443",
        "example.com:65536",
        "example.com:4 3",
        "::1",
        "::1:443",
        "user@example.com",
        "user:password@example.com:443",
        "example.com:443:443",
        "[::1]443",
        ":443",
        "",
        "example.com, evil.com",
        "example.com:４４３",
    ] {
        assert!(Authority::parse(text).is_err(), "{text}");
    }
}

proptest! {
    /// What was parsed is in normal form: it parses to itself, and nothing in it needs care.
    #[test]
    fn a_parsed_host_is_a_fixed_point(text in "\\PC{0,80}") {
        if let Ok(host) = Host::parse(&text) {
            let form = host.to_string();
            prop_assert_eq!(Host::parse(&form).unwrap(), host);
            prop_assert!(form.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'[' | b']')));
        }
    }

    /// A rule for a name covers no other one, whatever is put around it.
    #[test]
    fn an_exact_rule_covers_one_host(text in "[a-z0-9.ａｂаеох_-]{0,12}(example\\.com)?[a-z.]{0,4}") {
        let rule = HostPattern::parse("example.com").unwrap();
        if let Ok(host) = Host::parse(&text) {
            prop_assert_eq!(rule.matches(&host), text.trim_end_matches('.') == "example.com");
        }
    }
}
