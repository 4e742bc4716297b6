//! `/metrics`, for Prometheus. Nothing here can be changed, and nothing is told to who comes by a name that is made to lead here
//! (DNS rebinding): `Host` has to be an address, `localhost`, or a name that the operator gave.
use super::{Shared, prometheus};
use crate::doorway;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use policy::Host;
use policy::host::Authority;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch as stop;

/// Connections at once.
const CONNECTIONS: usize = 16;

type Reply = Response<Full<Bytes>>;

/// By which hosts it may be asked.
pub(super) struct Gate {
    pub(super) port: u16,
    /// Who comes by any address of this machine is let in, not by loopback alone.
    pub(super) exposed: bool,
    /// More names.
    pub(super) called: Vec<Host>,
}

impl Gate {
    fn lets_in<B>(&self, request: &Request<B>) -> bool {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let Some(host) = host.filter(|_| hosts.next().is_none()) else { return false };
        let same = request.uri().authority().is_none_or(|authority| authority.as_str() == host);
        let Ok(Authority { host, port }) = Authority::parse(host) else { return false };
        // Behind a mapped port (a container's) it is another one; a name that was given is enough there.
        let ours = match &host {
            host if self.called.contains(host) => true,
            Host::Ip(ip) if self.exposed => !ip.is_unspecified(),
            Host::Ip(ip) => ip.is_loopback() && port.unwrap_or(80) == self.port,
            Host::Name(name) => name.to_string() == "localhost" && port.unwrap_or(80) == self.port,
        };
        same && ours
    }
}

/// Serves until the end.
pub(super) async fn accept(listener: TcpListener, gate: Gate, ledger: Shared, stopped: stop::Receiver<bool>) {
    let gate = Arc::new(gate);
    let answering = move |request: Request<Incoming>| {
        let reply = guarded(answer(&request, &gate, &ledger));
        async move { reply }
    };
    doorway::accept(listener, CONNECTIONS, stopped, answering).await;
}

fn answer<B>(request: &Request<B>, gate: &Gate, ledger: &Shared) -> Reply {
    if !gate.lets_in(request) {
        let why = "this answers to addresses, `localhost` and the names given with `--called`\n";
        return said(StatusCode::MISDIRECTED_REQUEST, why);
    }
    if request.uri().path() != "/metrics" {
        return said(StatusCode::NOT_FOUND, "there is nothing here but /metrics\n");
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut reply = said(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n");
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    let text = prometheus::text(super::lock(ledger).sheet());
    let mut reply = Response::new(Full::new(text.into()));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(prometheus::KIND));
    reply
}

fn guarded(mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

fn said(status: StatusCode, what: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from_static(what.as_bytes())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(exposed: bool, hosts: &[&str]) -> bool {
        let called = vec![Host::parse("egress-metrics").expect("a host")];
        let mut request = Request::get("/metrics");
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Gate { port: 9464, exposed, called }.lets_in(&request.body(()).expect("a request"))
    }

    /// A page elsewhere makes its own name lead here; an address it cannot take.
    #[test]
    fn a_name_that_was_made_to_lead_here_is_not_ours() {
        for exposed in [false, true] {
            for host in ["127.0.0.1:9464", "[::1]:9464", "localhost:9464", "egress-metrics:80"] {
                assert!(lets_in(exposed, &[host]), "`{host}`");
            }
            for host in
                ["evil.example:9464", "127.0.0.1.evil.example:9464", "localhost:1", "", "0.0.0.0:9464"]
            {
                assert!(!lets_in(exposed, &[host]), "`{host}`");
            }
            assert!(!lets_in(exposed, &[]), "none");
            assert!(!lets_in(exposed, &["127.0.0.1:9464", "127.0.0.1:9464"]), "two");
            assert_eq!(lets_in(exposed, &["192.0.2.7:9464"]), exposed);
        }
        let absolute = Request::get("http://evil.example/metrics").header(HOST, "127.0.0.1:9464");
        let gate = Gate { port: 9464, exposed: true, called: Vec::new() };
        assert!(!gate.lets_in(&absolute.body(()).expect("a request")));
    }
}
