//! What could be allowed: the narrowest rule that lets a request through. An agent asks for it, an operator grants it.
use crate::{
    Host, HostPattern, Method, NormalPath, PathPattern, Protocol, Request, Route, RouteId, Scheme, TlsMode,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rule without an id, a name or private addresses: what may be asked for. Who asks never gets more by it than an
/// operator's own rule of the same words would give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Which hosts.
    pub host: HostPattern,
    /// Which port.
    pub port: u16,
    /// Which scheme.
    pub scheme: Scheme,
    /// Raw or HTTP.
    pub protocol: Protocol,
    /// Opened or passed through.
    pub tls: TlsMode,
    /// Which methods; `None`: all.
    pub methods: Option<Vec<Method>>,
    /// Which paths; `None`: all.
    pub paths: Option<Vec<PathPattern>>,
}

impl Proposal {
    /// This very request: its host, port, scheme, method and path. A path that no pattern can spell (longer than a
    /// pattern may be) is asked for as any path.
    pub fn of(request: &Request) -> Proposal {
        Proposal {
            host: HostPattern::Exact(request.host.clone()),
            port: request.port,
            scheme: request.scheme,
            protocol: Protocol::Http,
            tls: TlsMode::Open,
            methods: Some(vec![request.method.clone()]),
            paths: literally(&request.path).map(|path| vec![path]),
        }
    }

    /// Raw bytes to one host and port.
    pub fn raw(host: Host, port: u16) -> Proposal {
        Proposal {
            host: HostPattern::Exact(host),
            port,
            scheme: Scheme::Https,
            protocol: Protocol::Tcp,
            tls: TlsMode::Open,
            methods: None,
            paths: None,
        }
    }

    /// What a rule lets through, without its name and what only the manifest can say.
    pub fn of_route(route: &Route) -> Proposal {
        Proposal {
            host: route.host.clone(),
            port: route.port,
            scheme: route.scheme,
            protocol: route.protocol,
            tls: route.tls,
            methods: route.methods.clone(),
            paths: route.paths.clone(),
        }
    }

    /// As a rule of a policy. Never to private addresses: only the manifest can say that.
    pub fn route(&self, id: RouteId, name: String) -> Route {
        Route {
            id,
            name,
            host: self.host.clone(),
            port: self.port,
            scheme: self.scheme,
            protocol: self.protocol,
            tls: self.tls,
            methods: self.methods.clone(),
            paths: self.paths.clone(),
            allow_private: false,
        }
    }

    /// Whether a request is covered.
    pub fn covers(&self, request: &Request) -> bool {
        self.route(RouteId(0), String::new()).covers(request)
    }
}

/// A pattern that covers this path and no other.
fn literally(path: &NormalPath) -> Option<PathPattern> {
    let escaped = path.as_str().replace('*', "%2A");
    PathPattern::parse(&escaped).ok().filter(|pattern| pattern.matches(path))
}

/// `GET https://api.example.com/v1/users`; what is not narrowed is said.
impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol, self.tls) {
            (Protocol::Tcp, _) => return write!(f, "raw TCP to {}:{}", self.host, self.port),
            (Protocol::Http, TlsMode::Passthrough) => {
                return write!(f, "unopened TLS to {}:{}", self.host, self.port);
            }
            (Protocol::Http, TlsMode::Open) => {}
        }
        match &self.methods {
            None => f.write_str("any method")?,
            Some(methods) => f.write_str(&join(methods.iter().map(Method::as_str), "|"))?,
        }
        write!(f, " {}://{}", self.scheme.as_str(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        match &self.paths {
            None => f.write_str("/**"),
            Some(paths) => f.write_str(&join(paths.iter().map(PathPattern::as_str), "|")),
        }
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str) -> Request {
        Request::from_url(method, url).unwrap()
    }

    #[test]
    fn a_proposal_covers_its_own_request_and_no_other() {
        for url in [
            "https://a.example/x/y",
            "http://a.example:81/",
            "https://a.example/a%20b/*/c",
            "https://10.0.0.1/x;y=1",
        ] {
            let asked = request("POST", url);
            let proposal = Proposal::of(&asked);
            assert!(proposal.covers(&asked), "{url}");
            assert!(!proposal.covers(&request("GET", url)), "{url}: another method");
            assert!(!proposal.covers(&request("POST", &format!("{url}z"))), "{url}: another path");
            let read: Proposal = serde_json::from_str(&serde_json::to_string(&proposal).unwrap()).unwrap();
            assert_eq!(read, proposal);
        }
        let star = Proposal::of(&request("GET", "https://a.example/*"));
        assert!(!star.covers(&request("GET", "https://a.example/b")), "a literal star is no wildcard");
    }

    #[test]
    fn people_read_all_of_it() {
        assert_eq!(
            Proposal::of(&request("GET", "https://a.example:8443/x")).to_string(),
            "GET https://a.example:8443/x"
        );
        assert_eq!(
            Proposal::raw(Host::parse("db.example").unwrap(), 5432).to_string(),
            "raw TCP to db.example:5432"
        );
        let wide =
            Proposal { methods: None, paths: None, ..Proposal::of(&request("GET", "https://a.example/")) };
        assert_eq!(wide.to_string(), "any method https://a.example/**");
    }
}
