//! Which requests routes allow.
use crate::policy::made::{get, methods, paths, policy, request, route};
use policy::{
    DenialCode, Host, Opening, Policy, Protocol, Request, Route, RouteId, Scheme, TlsMode, decide, open,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn allowed(policy: &Policy, request: Request) -> Option<u32> {
    decide(policy, request).ok().map(|permitted| permitted.route().id.0)
}

fn code(policy: &Policy, request: Request) -> DenialCode {
    decide(policy, request).unwrap_err().code
}

/// Threat 9.
#[test]
fn no_routes_allow_nothing() {
    for empty in [
        Policy::default(),
        policy(Vec::new()),
        serde_json::from_str(r#"{"routes":[],"resolve":{}}"#).unwrap(),
    ] {
        assert_eq!(code(&empty, get("https://example.com/")), DenialCode::HostNotAllowed);
        assert_eq!(code(&empty, get("http://127.0.0.1/")), DenialCode::HostNotAllowed);
        assert!(matches!(open(&empty, &Host::parse("example.com").unwrap(), 443), Opening::Inspect));
    }
}

/// Threat 9: a plan without the key is no plan.
#[test]
fn a_policy_without_its_keys_is_not_read() {
    for text in [
        "{}",
        "null",
        r#"{"routes":[]}"#,
        r#"{"routes":null,"resolve":{}}"#,
        r#"{"routes":[],"resolve":{},"allow":"all"}"#,
    ] {
        assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
    }
}

/// Threat 9: empty lists are lists, not wildcards.
#[test]
fn empty_methods_and_paths_allow_nothing() {
    let none = policy(vec![
        Route { methods: Some(Vec::new()), ..route(0, "a.example") },
        Route { paths: Some(Vec::new()), ..route(1, "b.example") },
    ]);
    assert_eq!(code(&none, get("https://a.example/")), DenialCode::MethodNotAllowed);
    assert_eq!(code(&none, get("https://b.example/")), DenialCode::PathNotAllowed);
}

/// Threat 12.
#[test]
fn port_scheme_method_and_path_must_all_be_allowed() {
    let one = policy(vec![Route {
        methods: methods(&["GET"]),
        paths: paths(&["/acme/**"]),
        ..route(7, "example.com")
    }]);
    assert_eq!(allowed(&one, get("https://example.com/acme/x?any=thing")), Some(7));
    assert_eq!(allowed(&one, get("https://EXAMPLE.com.:443/acme/x")), Some(7));
    assert_eq!(code(&one, get("https://example.com:8443/acme/x")), DenialCode::PortNotAllowed);
    assert_eq!(code(&one, get("http://example.com/acme/x")), DenialCode::SchemeNotAllowed);
    assert_eq!(code(&one, get("http://example.com:443/acme/x")), DenialCode::SchemeNotAllowed);
    assert_eq!(code(&one, get("http://example.com:8080/acme/x")), DenialCode::PortNotAllowed);
    assert_eq!(code(&one, request("POST", "https://example.com/acme/x")), DenialCode::MethodNotAllowed);
    assert_eq!(code(&one, get("https://example.com/other")), DenialCode::PathNotAllowed);
    assert_eq!(code(&one, get("https://example.org/acme/x")), DenialCode::HostNotAllowed);
    assert_eq!(code(&one, get("https://a.example.com/acme/x")), DenialCode::HostNotAllowed);
    assert_eq!(code(&one, get("https://1.2.3.4/acme/x")), DenialCode::HostNotAllowed);
}

#[test]
fn the_first_route_of_the_plan_that_covers_wins() {
    let order = policy(vec![
        Route { paths: paths(&["/first/**"]), ..route(3, "*.example.com") },
        route(1, "a.example.com"),
        route(2, "*.a.example.com"),
        route(0, "*.example.com"),
    ]);
    assert_eq!(allowed(&order, get("https://a.example.com/first/x")), Some(3));
    assert_eq!(allowed(&order, get("https://a.example.com/x")), Some(1));
    assert_eq!(allowed(&order, get("https://b.a.example.com/x")), Some(2));
    assert_eq!(allowed(&order, get("https://b.example.com/x")), Some(0));
    assert_eq!(code(&order, get("https://example.com/x")), DenialCode::HostNotAllowed);
    assert_eq!(order.route(RouteId(2)).unwrap().name, "*.a.example.com");
    assert!(order.route(RouteId(9)).is_none());
}

/// Two routes with one id would share a credential.
#[test]
fn two_routes_never_have_one_id() {
    let (a, b) = (route(0, "a.example"), route(0, "b.example"));
    assert!(Policy::compile([a.clone().into(), b.clone().into()], BTreeMap::new()).is_err());
    let text = serde_json::json!({ "routes": [a.clone(), b.clone()], "resolve": {} }).to_string();
    assert!(serde_json::from_str::<Policy>(&text).is_err());
    let lenient = Policy::new(vec![a, b], BTreeMap::new());
    assert_eq!(allowed(&lenient, get("https://a.example/")), Some(0));
    assert_eq!(allowed(&lenient, get("https://b.example/")), None);
}

#[test]
fn a_policy_survives_its_plan() {
    let resolve = BTreeMap::from([("api.test".to_owned(), "127.0.0.1:8443".parse().unwrap())]);
    let routes =
        vec![Route { methods: methods(&["GET"]), paths: paths(&["/a/**"]), ..route(4, "*.example.com") }];
    let before = Policy::new(routes, resolve);
    let after: Policy = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    assert_eq!(after.routes(), before.routes());
    assert_eq!(allowed(&after, get("https://x.example.com/a/b")), Some(4));
    assert!(after.pinned(&Host::parse("api.test").unwrap(), 443).is_some());
}

#[test]
fn the_operators_table_is_by_host_and_port_first() {
    let table = BTreeMap::from([
        ("api.test".to_owned(), "127.0.0.1:1".parse().unwrap()),
        ("API.test:8443".to_owned(), "127.0.0.1:2".parse().unwrap()),
    ]);
    let pinned = Policy::compile([], table).unwrap();
    let at =
        |host: &str, port| pinned.pinned(&Host::parse(host).unwrap(), port).map(|address| address.port());
    assert_eq!(
        (at("api.test", 443), at("api.test", 8443), at("a.api.test", 443), at("127.0.0.1", 443)),
        (Some(1), Some(2), None, None)
    );
    let bad = BTreeMap::from([("0x7f.1".to_owned(), "127.0.0.1:1".parse().unwrap())]);
    assert!(Policy::compile([], bad).is_err());
}

#[test]
fn raw_and_passed_through_routes_open_connections_and_permit_no_request() {
    let tunnels = policy(vec![
        Route { port: 5432, protocol: Protocol::Tcp, ..route(0, "db.example.com") },
        Route { tls: TlsMode::Passthrough, ..route(1, "pinned.example.com") },
        route(2, "web.example.com"),
    ]);
    let opening = |host: &str, port| open(&tunnels, &Host::parse(host).unwrap(), port);
    assert!(
        matches!(opening("db.example.com", 5432), Opening::Raw(tunnel) if tunnel.route().id.0 == 0 && tunnel.port() == 5432)
    );
    assert!(
        matches!(opening("pinned.example.com", 443), Opening::Passthrough(tunnel) if tunnel.host().name() == Some("pinned.example.com"))
    );
    for (host, port) in [
        ("db.example.com", 443),
        ("pinned.example.com", 80),
        ("web.example.com", 443),
        ("unknown.example", 5432),
    ] {
        assert!(matches!(opening(host, port), Opening::Inspect), "{host} {port}");
    }
    assert_eq!(code(&tunnels, get("https://pinned.example.com/")), DenialCode::ProtocolNotAllowed);
    assert_eq!(code(&tunnels, get("https://db.example.com:5432/")), DenialCode::ProtocolNotAllowed);
}

#[test]
fn a_permit_vets_by_its_route() {
    let routes = policy(vec![route(0, "a.example"), Route { allow_private: true, ..route(1, "b.example") }]);
    let private = ["10.0.0.1".parse().unwrap()];
    assert!(decide(&routes, get("https://a.example/")).unwrap().vet(&private).is_err());
    assert!(decide(&routes, get("https://b.example/")).unwrap().vet(&private).is_ok());
    assert!(
        decide(&routes, get("https://b.example/")).unwrap().vet(&["127.0.0.1".parse().unwrap()]).is_err()
    );
}

/// Threat 7: the cost of a decision is that of the routes for its host.
#[test]
fn ten_thousand_routes_cost_what_ten_cost() {
    let many = |count: u32| {
        policy(
            (0..count)
                .map(|n| route(n, &format!("{}h{n}.example.com", if n % 2 == 0 { "*." } else { "" })))
                .collect(),
        )
    };
    let (few, full) = (many(10), many(10_000));
    let time = |policy: &Policy| {
        let begin = std::time::Instant::now();
        for _ in 0..2000 {
            assert!(decide(policy, get("https://a.b.c.h8.example.com/x")).is_ok());
            assert!(decide(policy, get("https://a.b.c.none.example.com/x")).is_err());
        }
        begin.elapsed()
    };
    let (fast, slow) =
        ((0..5).map(|_| time(&few)).min().unwrap(), (0..5).map(|_| time(&full)).min().unwrap());
    assert!(slow < fast * 5, "{fast:?} with ten routes, {slow:?} with ten thousand");
}

fn plain_decide(routes: &[Route], request: &Request) -> Option<u32> {
    let covers = |route: &&Route| {
        route.host.matches(&request.host)
            && route.port == request.port
            && route.scheme == request.scheme
            && route.methods.as_ref().is_none_or(|methods| methods.contains(&request.method))
            && route.paths.as_ref().is_none_or(|paths| paths.iter().any(|path| path.matches(&request.path)))
    };
    routes.iter().find(covers).map(|route| route.id.0)
}

prop_compose! {
    fn any_route()(host in prop::sample::select(vec!["a.example.com", "*.example.com", "*.a.example.com", "example.com", "1.2.3.4"]),
        port in prop::sample::select(vec![443_u16, 80, 8443]), plain in any::<bool>(), only_get in any::<bool>(), some_paths in any::<bool>()) -> Route {
        Route {
            port,
            scheme: if plain { Scheme::Http } else { Scheme::Https },
            methods: only_get.then(|| methods(&["GET"]).unwrap()),
            paths: some_paths.then(|| paths(&["/acme/**"]).unwrap()),
            ..route(0, host)
        }
    }
}

proptest! {
    /// The index finds what a walk through all routes finds.
    #[test]
    fn the_index_agrees_with_the_plain_definition(
        mut routes in prop::collection::vec(any_route(), 0..12),
        host in prop::sample::select(vec!["a.example.com", "b.a.example.com", "c.example.com", "example.com", "1.2.3.4", "other.org"]),
        port in prop::sample::select(vec!["", ":80", ":443", ":8443"]),
        scheme in prop::sample::select(vec!["http", "https"]),
        method in prop::sample::select(vec!["GET", "POST"]),
        path in prop::sample::select(vec!["/acme/x", "/other"]),
    ) {
        (0..).zip(&mut routes).for_each(|(id, route)| route.id = RouteId(id));
        let request = request(method, &format!("{scheme}://{host}{port}{path}"));
        let plain = plain_decide(&routes, &request);
        prop_assert_eq!(allowed(&policy(routes), request), plain);
    }
}
