//! From wire facts to a verdict.
use policy::{
    Host, HostPattern, Method, PathPattern, Policy, Protocol, Request, Route, RouteId, Scheme, TlsMode,
    decide,
};
use std::collections::BTreeMap;
use std::hint::black_box;

pub(crate) fn normalise(count: u32) {
    requests(count, "/repos/acme/widgets/contents/src/main.rs?ref=main&page=2");
}

pub(crate) fn normalise_escaped(count: u32) {
    requests(count, "/repos/acme/wid%67ets/contents/src/%7Euser/caf%C3%A9%20au%20lait.txt?ref=main&q=a%20b");
}

fn requests(count: u32, target: &str) {
    let host = Host::parse("api.example.com").expect("a host");
    for _ in 0..count {
        black_box(request(&host, black_box(target)));
    }
}

fn request(host: &Host, target: &str) -> Request {
    Request::new(Scheme::Https, host.clone(), 443, "GET", target).expect("a clear request")
}

pub(crate) fn among_10(count: u32) {
    decide_among(10, count);
}

pub(crate) fn among_10_000(count: u32) {
    decide_among(10_000, count);
}

/// The request is made once and copied, for it is decided by value.
fn decide_among(routes: u32, count: u32) {
    let policy = Policy::new((0..routes).map(route).collect(), BTreeMap::new());
    let host = format!("host-{}.example.com", routes / 2);
    let host = Host::parse(&host).expect("a host");
    let request = request(&host, "/repos/acme/widgets/contents/src/main.rs?ref=main&page=2");
    for _ in 0..count {
        assert!(black_box(decide(&policy, black_box(&request).clone())).is_ok());
    }
}

fn route(number: u32) -> Route {
    let host = format!("host-{number}.example.com");
    let paths = ["/user", "/repos/acme/*/issues/**", "/repos/acme/*/contents/**"];
    Route {
        id: RouteId(number),
        name: host.clone(),
        host: HostPattern::parse(&host).expect("a host"),
        port: 443,
        scheme: Scheme::Https,
        protocol: Protocol::Http,
        tls: TlsMode::Open,
        methods: Some(["GET", "POST"].map(|method| Method::parse(method).expect("a method")).to_vec()),
        paths: Some(paths.map(|path| PathPattern::parse(path).expect("a pattern")).to_vec()),
        allow_private: false,
    }
}
