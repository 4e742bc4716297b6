//! Routes and requests to judge.
use policy::{HostPattern, Method, PathPattern, Policy, Protocol, Request, Route, RouteId, Scheme, TlsMode};
use std::collections::BTreeMap;

/// `https` to the default port, everything allowed.
pub(crate) fn route(id: u32, host: &str) -> Route {
    Route {
        id: RouteId(id),
        name: host.to_owned(),
        host: HostPattern::parse(host).unwrap(),
        port: 443,
        scheme: Scheme::Https,
        protocol: Protocol::Http,
        tls: TlsMode::Open,
        methods: None,
        paths: None,
        allow_private: false,
    }
}

pub(crate) fn methods(names: &[&str]) -> Option<Vec<Method>> {
    Some(names.iter().map(|name| Method::parse(name).unwrap()).collect())
}

pub(crate) fn paths(patterns: &[&str]) -> Option<Vec<PathPattern>> {
    Some(patterns.iter().map(|pattern| PathPattern::parse(pattern).unwrap()).collect())
}

pub(crate) fn policy(routes: Vec<Route>) -> Policy {
    Policy::compile(routes.into_iter().map(Into::into), BTreeMap::new()).unwrap()
}

pub(crate) fn get(url: &str) -> Request {
    Request::from_url("GET", url).unwrap()
}

pub(crate) fn request(method: &str, url: &str) -> Request {
    Request::from_url(method, url).unwrap()
}
