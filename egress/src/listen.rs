//! From an accepted connection to what it is: where it was meant to go, and what it speaks.
//!
//! A captured connection knows its destination from the kernel. The name behind a synthetic address is the host that
//! is judged; SNI, Host and CONNECT target must agree with it. A connection to a bare address is judged as that
//! address, whatever name its TLS asks for.
use crate::cut;
use crate::engine::Shared;
use crate::inbound::{self, Site};
use crate::names::EGRESS_NAME;
use crate::record::Ledger;
use crate::screen::{Exempt, Watch};
use crate::sniff::{ClientHello, Prefixed, Speech, sniff};
use crate::socket::Socket;
use crate::tunnel::{self, Carries, Eyes};
use nix::sys::socket::{getsockopt, sockopt};
use policy::{Denial, DenialCode, Host, Opening, PermittedTunnel, Scheme, open};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Any byte stream that a client may be on the other side of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// After an accept that failed for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until the engine ends. A connection over the limit is closed: those that are there go on unharmed.
pub(crate) async fn accept(engine: Arc<Shared>, listener: TcpListener, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(engine.limits.connections));
    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let engine = Arc::clone(&engine);
            tasks.spawn(async move {
                let cut = engine.cut.child_token();
                cut::cuttable(cut, connection(engine, stream)).await;
                drop(place);
            });
        }
    };
    engine.end.run_until_cancelled(accepting).await;
}

async fn connection(engine: Arc<Shared>, stream: TcpStream) {
    // Without it first answers wait for a delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = Socket::new(stream, engine.limits.stream_idle_time, cut::here());
    match destination(&engine, stream.tcp()) {
        Some((host, port)) => towards(engine, Box::new(stream), host, port, None).await,
        None => Box::pin(explicit(engine, stream)).await,
    }
}

/// Where a captured connection was meant to go; `None`: to the egress itself, as a proxy.
fn destination(engine: &Shared, stream: &TcpStream) -> Option<(Host, u16)> {
    if !engine.captured {
        return None;
    }
    let local = stream.local_addr().ok()?;
    let original = original_destination(stream, local);
    let ip = original.ip().to_canonical();
    if original == local && ip.is_loopback() {
        return None;
    }
    let host = engine.names.host_of(ip).unwrap_or(Host::Ip(ip));
    (host.name() != Some(EGRESS_NAME)).then_some((host, original.port()))
}

/// As the kernel's connection tracking has it; where nothing was translated, the local address is the one dialled.
fn original_destination(stream: &TcpStream, local: SocketAddr) -> SocketAddr {
    match local.ip() {
        IpAddr::V4(_) => getsockopt(stream, sockopt::OriginalDst).map_or(local, |found| {
            let ip = Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr));
            SocketAddr::new(ip.into(), u16::from_be(found.sin_port))
        }),
        IpAddr::V6(_) => getsockopt(stream, sockopt::Ip6tOriginalDst).map_or(local, |found| {
            let ip = Ipv6Addr::from(found.sin6_addr.s6_addr);
            SocketAddr::new(ip.into(), u16::from_be(found.sin6_port))
        }),
    }
}

/// A client that speaks to the egress as its proxy.
async fn explicit(engine: Arc<Shared>, stream: Socket) {
    let (speech, stream) = listen(&engine, stream).await;
    match speech {
        Speech::Http1 => Box::pin(inbound::proxy(engine, stream)).await,
        Speech::Nothing => {}
        _ => refuse_quietly(&engine, None, "a proxy is spoken to in HTTP/1.1"),
    }
}

/// A connection to a host and port, captured or asked for by CONNECT (then with the ledger of that). Boxed: what is
/// inspected may hold another CONNECT, to any depth that the client pays for.
pub(crate) fn towards(
    engine: Arc<Shared>,
    stream: Box<dyn Stream>,
    host: Host,
    port: u16,
    connect: Option<Ledger>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let engine = engine.now();
        let opening = open(&engine.policy, &host, port);
        match opening {
            // Boxed, each: what is inspected carries none of what the others need, for as long as it is open.
            Opening::Raw(tunnel) => {
                Box::pin(carry(&engine, tunnel, Carries::Tcp, stream, connect)).await;
            }
            Opening::Passthrough(tunnel) => {
                Box::pin(passthrough(&engine, tunnel, stream, connect)).await;
            }
            Opening::Inspect => inspect(engine, stream, host, port).await,
        }
    })
}

async fn carry(
    engine: &Arc<Shared>,
    permitted: PermittedTunnel,
    carries: Carries,
    stream: impl Stream,
    connect: Option<Ledger>,
) {
    if engine.records().is_err() {
        return;
    }
    let ledger = Ledger::open(&engine.scribe, carries.protocol());
    let watch = Watch::of(&engine.terms, permitted.route(), Exempt::default(), &ledger);
    let seen = watch.host(permitted.host());
    ledger.tunnels(permitted.host(), permitted.port(), &permitted.route().name);
    if let Err(denial) = seen.and_then(|()| still_holds(engine, &permitted)) {
        let denial = denial.with_destination(permitted.host().clone(), permitted.port());
        ledger.deny(&denial);
        return engine.remember(&ledger, &denial);
    }
    let inspect = engine.terms.reads(permitted.route().id) && carries == Carries::Tcp;
    ledger.silence();
    let id = connect.map_or_else(|| ledger.id(), |connect| connect.id());
    let watched = inspect.then(|| tunnel::Watched::new(&watch, ledger.clone()));
    let (tunnels, eyes) = (&engine.tunnels, Eyes { watched, ledger: Some(&ledger) });
    let mut exchange = tunnel::run_watched(tunnels, permitted, carries, id, stream, eyes).await;
    exchange.policy = Some(engine.scribe.policy().to_string()).filter(|policy| !policy.is_empty());
    engine.scribe.write(exchange);
}

/// Time has passed since the connection was looked at, and it is noted now: whoever changes the policy sees it, or is seen.
fn still_holds(engine: &Arc<Shared>, permitted: &PermittedTunnel) -> Result<(), Box<Denial>> {
    let now = engine.now();
    now.unlocked()?;
    match open(&now.policy, permitted.host(), permitted.port()) {
        Opening::Inspect => {
            let sentence = "the operator took back what allowed this connection";
            Err(Box::new(Denial::new(DenialCode::Revoked, sentence)))
        }
        Opening::Passthrough(_) | Opening::Raw(_) => Ok(()),
    }
}

/// TLS that is not opened: its SNI is the host, or nothing passes.
async fn passthrough(
    engine: &Arc<Shared>,
    permitted: PermittedTunnel,
    stream: impl Stream,
    connect: Option<Ledger>,
) {
    let (speech, stream) = listen(engine, stream).await;
    let place = Some((permitted.host().clone(), permitted.port()));
    match speech {
        Speech::Tls(hello) if asks_for(&hello, permitted.host()) => {
            Box::pin(carry(engine, permitted, Carries::Tls, stream, connect)).await;
        }
        Speech::Tls(_) => {
            let sentence =
                format!("the TLS server name is not `{}`, where the connection goes", permitted.host());
            record_denial(engine, Denial::new(DenialCode::AuthorityMismatch, sentence), place);
        }
        Speech::Nothing => {}
        _ => refuse_quietly(engine, place, "the route passes TLS through, and this is no TLS"),
    }
}

/// Names must be asked for; an address cannot be (RFC 6066 section 3).
fn asks_for(hello: &ClientHello, host: &Host) -> bool {
    match hello.host() {
        Ok(Some(asked)) => asked == *host,
        Ok(None) => host.name().is_none(),
        Err(_) => false,
    }
}

/// What is spoken. Boxed here and below, step by step: a connection that is open for hours keeps the room of no step before
/// the last one.
async fn listen<S: Stream>(engine: &Shared, stream: S) -> (Speech, Prefixed<S>) {
    Box::pin(sniff(stream, engine.limits.sniff_bytes, engine.limits.sniff_time)).await
}

async fn inspect(engine: Arc<Shared>, stream: impl Stream + 'static, host: Host, port: u16) {
    let (speech, stream) = listen(&engine, stream).await;
    match speech {
        Speech::Tls(hello) => Box::pin(open_tls(engine, stream, hello, host, port)).await,
        Speech::Http1 => Box::pin(inbound::http1(engine, stream, Site::plain(host, port))).await,
        Speech::Http2 => Box::pin(inbound::http2(engine, stream, Site::plain(host, port))).await,
        Speech::Nothing => {}
        Speech::Other => {
            let what =
                "this is neither TLS nor HTTP, and no route with `protocol: tcp` names this host and port";
            refuse_quietly(&engine, Some((host, port)), what);
        }
    }
}

/// Opens TLS with a leaf for the name that the client asks for, also where everything inside will be refused: a
/// refusal is read only inside.
async fn open_tls(
    engine: Arc<Shared>,
    stream: Prefixed<impl Stream + 'static>,
    hello: ClientHello,
    host: Host,
    port: u16,
) {
    let Ok(asked) = hello.host() else {
        return refuse_quietly(&engine, Some((host, port)), "the TLS server name is no host name");
    };
    let leaf = asked.clone().unwrap_or_else(|| host.clone());
    let mismatch = asked.filter(|asked| *asked != host).map(|asked| mismatch(&asked, &host, port));
    let Ok(config) = engine.ca.server_config(&leaf) else {
        return refuse_quietly(&engine, Some((host, port)), "no certificate can be made for this name");
    };
    let shaking = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    let shaking = Box::pin(tokio::time::timeout(engine.limits.handshake_time, shaking));
    let Ok(Ok(stream)) = shaking.await else {
        return refuse_quietly(
            &engine,
            Some((host, port)),
            "the TLS handshake failed; does the client trust the bottle's CA?",
        );
    };
    let site = Site { scheme: Scheme::Https, host, port, mismatch };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Box::pin(inbound::http2(engine, stream, site)).await,
        _ => Box::pin(inbound::http1(engine, stream, site)).await,
    }
}

fn mismatch(asked: &Host, host: &Host, port: u16) -> Box<Denial> {
    let sentence = format!("the TLS server name `{asked}` is not `{host}`, where the connection goes");
    Box::new(Denial::new(DenialCode::AuthorityMismatch, sentence).with_destination(host.clone(), port))
}

/// Ends a connection that speaks nothing in which a refusal could be said.
fn refuse_quietly(engine: &Shared, place: Option<(Host, u16)>, what: &str) {
    record_denial(engine, Denial::new(DenialCode::ProtocolNotAllowed, what), place);
}

fn record_denial(engine: &Shared, denial: Denial, place: Option<(Host, u16)>) {
    let denial = match place {
        Some((host, port)) => denial.with_destination(host, port),
        None => denial,
    };
    let ledger = Ledger::open(&engine.scribe, "tcp");
    ledger.deny(&denial);
    engine.remember(&ledger, &denial);
}
