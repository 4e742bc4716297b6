//! Wire facts and URLs into requests.
use crate::policy::made::get;
use policy::{DenialCode, Host, Request, Scheme};
use proptest::prelude::*;

fn new(method: &str, target: &str) -> Result<Request, DenialCode> {
    let host = Host::parse("example.com").unwrap();
    Request::new(Scheme::Https, host, 443, method, target).map_err(|denial| denial.code)
}

fn from_url(url: &str) -> Result<Request, DenialCode> {
    Request::from_url("GET", url).map_err(|denial| denial.code)
}

#[test]
fn a_request_keeps_its_target_and_holds_the_normal_path() {
    let request = new("POST", "/%7Euser/@a%2fb?q=%zz|é").unwrap();
    assert_eq!(&*request.target, "/%7Euser/@a%2fb?q=%zz|é");
    assert_eq!(request.path.as_str(), "/~user/@a%2Fb");
    assert_eq!(request.query.as_deref(), Some("q=%zz|é"));
    assert_eq!(new("GET", "/?").unwrap().query.as_deref(), Some(""));
    assert_eq!(new("GET", "/").unwrap().query, None);
}

#[test]
fn targets_that_are_not_clear_are_refused() {
    for target in [
        "",
        "a",
        "http://evil.com/",
        "/a b",
        "/a?b c",
        "/a?b#c",
        "/a#b",
        "/a?b\r\nHost: evil",
        "/a?\0",
        "/../x",
        "*",
        "example.com:443",
    ] {
        assert_eq!(new("GET", target), Err(DenialCode::MalformedRequest), "{target}");
    }
}

/// Threat 3: nothing is cut.
#[test]
fn a_target_over_the_limit_is_refused_whole() {
    let fits = format!("/{}", "a".repeat(64 * 1024 - 1));
    assert_eq!(&*new("GET", &fits).unwrap().target, fits);
    assert_eq!(new("GET", &(fits + "a")), Err(DenialCode::LimitExceeded));
}

/// Threat 4: CONNECT inside.
#[test]
fn methods_are_upper_case_words_and_connect_is_none_of_them() {
    for method in ["GET", "M-SEARCH", "PROPFIND", "X2"] {
        assert!(new(method, "/").is_ok(), "{method}");
    }
    let long = "A".repeat(33);
    for method in ["get", "Get", "", "GE T", "GET\r\n", "-A", "2A", "GÉT", "CONNECT", long.as_str()] {
        assert_eq!(new(method, "/"), Err(DenialCode::MalformedRequest), "{method}");
    }
}

#[test]
fn the_asterisk_is_for_options_and_covered_by_no_pattern() {
    let request = new("OPTIONS", "*").unwrap();
    assert_eq!(&*request.target, "*");
    assert!(!policy::PathPattern::parse("/**").unwrap().matches(&request.path));
    assert_eq!(request.display_url(), "https://example.com");
}

/// Threats 8 and 10.
#[test]
fn host_header_and_connection_must_agree() {
    let request = get("https://example.com:8443/");
    for authority in ["example.com:8443", "EXAMPLE.com.:8443", "example.com"] {
        assert_eq!(request.agree(authority), Ok(()), "{authority}");
    }
    for authority in ["evil.com", "example.com:443", "example.com.evil.com:8443", "a.example.com", "1.2.3.4"]
    {
        assert_eq!(request.agree(authority).unwrap_err().code, DenialCode::AuthorityMismatch, "{authority}");
    }
    for authority in
        ["", "example.com:", "user@example.com", "example.com, evil.com", "example.com\0", "[::1", "0x7f.1"]
    {
        assert_eq!(request.agree(authority).unwrap_err().code, DenialCode::MalformedRequest, "{authority}");
    }
    assert_eq!(get("https://[::ffff:1.2.3.4]/").agree("1.2.3.4:443"), Ok(()));
}

#[test]
fn urls_become_requests_without_repair() {
    for (url, shown, target) in [
        ("https://Example.com", "https://example.com/", "/"),
        ("HTTPS://example.com:443/a", "https://example.com/a", "/a"),
        ("http://example.com:443/a", "http://example.com:443/a", "/a"),
        ("https://example.com?q=/", "https://example.com/", "/?q=/"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a", "/a"),
        ("wss://example.com/s", "https://example.com/s", "/s"),
    ] {
        let request = from_url(url).unwrap();
        assert_eq!((request.display_url().as_str(), &*request.target), (shown, target), "{url}");
    }
}

/// Threat 10: the ways in which URL parsers disagree.
#[test]
fn urls_that_parsers_read_differently_are_refused() {
    for url in [
        "https://user@example.com/",
        "https://a:b@example.com/",
        "https://example.com@evil.com/",
        "https://example.com\\@evil.com/",
        "https://example.com#@evil.com/",
        "https://example.com/#f",
        "https:/example.com/",
        "https:example.com",
        "//example.com/",
        "ftp://example.com/",
        "https://",
        "https:///a",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://example.com:/",
        "https://example.com/a/../b",
        " https://example.com/",
        "https://example.com\t/",
        "https://0x7f.1/",
        "https://2130706433/",
        "file:///etc/passwd",
    ] {
        assert_eq!(from_url(url), Err(DenialCode::MalformedRequest), "{url}");
    }
}

proptest! {
    #[test]
    fn whatever_is_made_holds_the_target_as_sent(target in "/[!-~é]{0,60}") {
        if let Ok(request) = new("GET", &target) {
            prop_assert_eq!(&*request.target, target.as_str());
            let path = target.split('?').next().unwrap();
            let decode = |text| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
            prop_assert_eq!(decode(path), decode(request.path.as_str()));
        }
    }

    #[test]
    fn no_url_panics(url in "\\PC{0,80}", scheme in "(https?://)?") {
        let _either = from_url(&format!("{scheme}{url}"));
    }

    /// What was made from a URL is made again from what it shows.
    #[test]
    fn a_shown_url_leads_to_the_same_place(url in "https?://[a-zA-Z0-9.:\\[\\]-]{1,20}/[a-z%0-9/.;]{0,20}") {
        if let Ok(request) = from_url(&url) {
            let again = from_url(&request.display_url()).unwrap();
            prop_assert_eq!((again.scheme, again.host, again.port, again.path), (request.scheme, request.host, request.port, request.path));
        }
    }
}
