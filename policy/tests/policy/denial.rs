//! What a refusal says.
use crate::policy::made::{get, methods, paths, policy, request, route};
use policy::{DenialCode, Request, Route, RouteId, decide};

const POLICY: &str = "; this is the operator's policy and not to be worked around, http://_egress.local/ shows what is allowed";

fn sentence(routes: Vec<Route>, request: Request) -> String {
    let sentence = decide(&policy(routes), request).unwrap_err().sentence;
    sentence.strip_suffix(POLICY).unwrap_or_else(|| panic!("no word of the policy: {sentence}")).to_owned()
}

#[test]
fn a_refusal_names_what_by_which_rule_and_what_would_be_allowed() {
    let github = || Route {
        name: "github /acme/**".to_owned(),
        methods: methods(&["GET", "HEAD"]),
        paths: paths(&["/acme/**", "/x"]),
        ..route(0, "github.com")
    };
    let one = |request| sentence(vec![github()], request);
    assert_eq!(
        sentence(vec![github()], get("https://evil.com/")),
        "no route of this bottle allows the host `evil.com`"
    );
    assert_eq!(
        one(get("https://github.com/evil/repo?secret=1")),
        "`GET https://github.com/evil/repo` is not allowed: route `github /acme/**` allows this host only for `/acme/**`, `/x`"
    );
    assert_eq!(
        one(request("POST", "https://github.com/acme/repo")),
        "`POST https://github.com/acme/repo` is not allowed: route `github /acme/**` allows this host only with GET, HEAD"
    );
    assert_eq!(
        one(get("http://github.com/acme/repo")),
        "`GET http://github.com/acme/repo` is not allowed: route `github /acme/**` allows this host only by https"
    );
    assert_eq!(
        one(request("POST", "https://github.com:22/other")),
        "`POST https://github.com:22/other` is not allowed: route `github /acme/**` allows this host only on port 443 and only with GET, \
         HEAD and only for `/acme/**`, `/x`"
    );
}

#[test]
fn the_nearest_route_is_named_and_others_say_what_differs() {
    let routes = || {
        vec![
            Route { port: 8443, ..route(0, "*.example.com") },
            Route { name: "posts".to_owned(), methods: methods(&["POST"]), ..route(1, "a.example.com") },
            Route { name: "reads".to_owned(), paths: paths(&["/pub/**"]), ..route(2, "a.example.com") },
        ]
    };
    assert_eq!(
        sentence(routes(), get("https://a.example.com/x")),
        "`GET https://a.example.com/x` is not allowed: route `*.example.com` allows this host only on port 8443, route `posts` only with \
         POST, route `reads` only for `/pub/**`"
    );
}

#[test]
fn the_bare_apex_is_explained() {
    assert_eq!(
        sentence(vec![route(0, "*.example.com")], get("https://example.com/")),
        "no route of this bottle allows the host `example.com` (`*.example.com` is allowed, which covers only names below it)"
    );
}

#[test]
fn long_lists_and_long_paths_are_cut() {
    let patterns: Vec<String> = (0..50).map(|n| format!("/p{n}/**")).collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let said = sentence(
        vec![Route { paths: paths(&patterns), ..route(0, "a.example") }],
        get(&format!("https://a.example/{}", "x".repeat(5000))),
    );
    assert!(said.ends_with("`/p4/**` and 45 more") && said.contains("…`") && said.len() < 800, "{said}");
}

/// Threat 22: nothing in a refusal moves a cursor or closes its quotes.
#[test]
fn a_refusal_holds_no_teeth_of_the_agent() {
    let evil =
        Route { name: "a\u{1b}[2J`\u{202e}".to_owned(), methods: methods(&["PUT"]), ..route(0, "a.example") };
    let said = sentence(vec![evil], get("https://a.example/``"));
    assert!(said.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{said}");
    assert_eq!(said.matches('`').count(), 4, "{said}");
    for url in ["https://a\u{1b}[2J.com/", "\u{1b}]0;title\u{7}://x/", "https://a`b/"] {
        let said = Request::from_url("GET", url).unwrap_err().sentence;
        assert!(
            said.chars().all(|c| !c.is_control()) && said.matches('`').count().is_multiple_of(2),
            "{said}"
        );
    }
}

#[test]
fn the_denial_holds_the_request_and_its_destination() {
    let denial = decide(&policy(Vec::new()), get("https://evil.com:8443/x")).unwrap_err();
    assert_eq!(denial.request.as_deref(), Some(&get("https://evil.com:8443/x")));
    assert_eq!((denial.host.unwrap().to_string().as_str(), denial.port), ("evil.com", Some(8443)));
}

/// `code=` and the audit use the same word.
#[test]
fn the_text_of_a_code_is_what_is_serialised() {
    use DenialCode::*;
    for code in [
        HostNotAllowed,
        PortNotAllowed,
        SchemeNotAllowed,
        MethodNotAllowed,
        PathNotAllowed,
        MalformedRequest,
        AuthorityMismatch,
        AddressNotAllowed,
        NameNotResolved,
        ProtocolNotAllowed,
        CredentialUnavailable,
        CredentialNeedsTls,
        SecretInRequest,
        LimitExceeded,
        Unreadable,
        UpstreamCertificate,
        UpstreamUnreachable,
        UpstreamTimeout,
        UpstreamProxy,
        EgressFailure,
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert!(
            ![401, 404, 407, 429].contains(&code.status()),
            "{} provokes retries or logins",
            code.as_str()
        );
    }
    assert_eq!(
        (HostNotAllowed.status(), MalformedRequest.status(), UpstreamTimeout.status()),
        (403, 400, 504)
    );
}

#[test]
fn route_ids_in_the_audit_are_stable_numbers() {
    assert_eq!(serde_json::to_string(&RouteId(7)).unwrap(), "7");
}
