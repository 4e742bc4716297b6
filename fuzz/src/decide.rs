//! Routes and a request into a verdict.
use policy::{
    HostPattern, PathPattern, Policy, Protocol, Request, Route, RouteId, Scheme, TlsMode, decide as judge,
    open,
};
use std::collections::BTreeMap;

/// Lines: `METHOD URL`, then a route each, `host-pattern path-pattern`. The verdict is that of a walk through all routes,
/// and a plan that was read back gives the same.
pub fn decide(text: &str) {
    let [method, url, rest] = split(text);
    let routes: Vec<Route> = (0..).zip(rest.split('\n')).filter_map(|(id, line)| route(id, line)).collect();
    let policy = Policy::new(routes, BTreeMap::new());
    let Ok(request) = Request::from_url(method, url) else { return };
    let verdict = id(&policy, request.clone());
    let plain = policy.routes().iter().find(|route| covers(route, &request)).map(|route| route.id);
    assert_eq!(verdict, plain);
    let again: Policy =
        serde_json::from_str(&serde_json::to_string(&policy).expect("a plan")).expect("the same plan");
    assert_eq!(id(&again, request.clone()), verdict);
    let _opening = open(&policy, &request.host, request.port);
}

fn split(text: &str) -> [&str; 3] {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (method, url) = first.split_once(' ').unwrap_or(("GET", first));
    [method, url, rest]
}

/// `host path`
fn route(id: u32, line: &str) -> Option<Route> {
    let (host, path) = line.split_once(' ').unwrap_or((line, "/**"));
    Some(Route {
        id: RouteId(id),
        name: line.to_owned(),
        host: HostPattern::parse(host).ok()?,
        port: 443,
        scheme: Scheme::Https,
        protocol: Protocol::Http,
        tls: TlsMode::Open,
        methods: None,
        paths: Some(vec![PathPattern::parse(path).ok()?]),
        allow_private: false,
    })
}

fn id(policy: &Policy, request: Request) -> Option<RouteId> {
    judge(policy, request).ok().map(|permitted| permitted.route().id)
}

/// The definition, without any index.
fn covers(route: &Route, request: &Request) -> bool {
    let path = route.paths.as_ref().is_none_or(|paths| paths.iter().any(|path| path.matches(&request.path)));
    route.host.matches(&request.host) && route.port == request.port && route.scheme == request.scheme && path
}
