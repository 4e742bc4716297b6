//! Small requests through an engine, with everything on: `requests one NAME COUNT`, for `bench/loops`, which counts instructions,
//! and for profilers.
//!
//! Sixteen agents' connections on one thread, COUNT requests on each, one after the other; the upstream (HTTP/2; with a name that
//! ends with `HTTP/1.1`, that) and the agents are in the same process, so that each request is counted from end to end.
#[allow(dead_code, reason = "the tests' world, of which a part is used here")]
#[path = "../tests/egress/world.rs"]
mod world;

use bytes::Bytes;
use dlp::RuleSet;
use egress::{DlpTerms, RuleAction};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{HOST, Io, Origin, Setup, World};

const CONNECTIONS: usize = 16;

fn body() -> Bytes {
    let line = "{\"id\":4711,\"name\":\"a thing\",\"url\":\"https://api.test/v1/things/4711\",\"tags\":[\"one\",\"two\"]},\n";
    Bytes::from(line.repeat(1024 / line.len() + 1)[..1024].to_owned())
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("server", "test")
        .header("date", "Sat, 28 Nov 2026 09:00:00 GMT");
    Ok(answer.body(Full::new(body())).unwrap())
}

async fn serve(stream: Io) {
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _gone = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn ask(mut stream: Io, count: usize) {
    let request = format!(
        "GET /v1/things/4711?page=2&size=50 HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: some-client/1.2.3 (linux; x86_64)\r\nAccept: \
         application/json\r\nAccept-Encoding: gzip, br\r\nX-Request-Id: 7b1e8c52-6c1b-4f6e-9a53-0f6c1f2a9b3d\r\n\r\n"
    );
    let mut buffer = vec![0; 16 * 1024];
    for _ in 0..count {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let (mut read, mut whole) = (0, usize::MAX);
        while read < whole {
            read += stream.read(&mut buffer[read..]).await.unwrap();
            let end = buffer[..read].windows(4).position(|window| window == b"\r\n\r\n");
            whole = end.map_or(usize::MAX, |end| end + 4 + 1024 + extra(&buffer[..end]));
            if buffer[..read].ends_with(b"0\r\n\r\n") {
                whole = read;
            }
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
    }
}

/// A body in chunks ends with one of none.
fn extra(head: &[u8]) -> usize {
    if String::from_utf8_lossy(head).to_lowercase().contains("chunked") { usize::MAX / 2 } else { 0 }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, _, name, count] = arguments.as_slice() else { panic!("usage: requests one NAME COUNT") };
    let count: usize = count.parse().expect("a number of requests");
    let alpn: &[u8] = if name.ends_with("HTTP/1.1") { b"http/1.1" } else { b"h2" };
    let origin = Origin::tls(&[alpn], serve).await;
    let terms =
        DlpTerms { rules: RuleSet::built_in(), prompt_injection: RuleAction::Warn, ..DlpTerms::default() };
    let setup = Setup {
        auth: Some(credentials::AuthScheme::Bearer),
        secrets: vec![("own", "own-secret-4711-abcdefghijkl")],
        terms,
        ..Setup::default()
    };
    let world = World::new(&origin, setup).await;
    let mut agents = Vec::new();
    for _ in 0..CONNECTIONS {
        agents.push(world.tls(HOST).await);
    }
    let began = Instant::now();
    let asking = agents.into_iter().map(|agent| tokio::spawn(ask(agent, count)));
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    let all = (count * CONNECTIONS) as f64;
    let each = began.elapsed().as_secs_f64() * 1e6 / all;
    println!("{each:.1} µs for each of {all} requests, upstream and agents included");
}
