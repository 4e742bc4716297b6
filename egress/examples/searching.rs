//! What the search costs end to end, with TLS on both legs: `cargo run --release -p egress --example searching`.
//!
//! Two engines in this process, one that seeks everything and one that seeks nothing, take turns, so that a busy machine
//! slows both. Printed: bytes of an upload per second with each, their ratio, and the time to the first byte of an answer.
#[allow(dead_code, reason = "the tests' world, of which a part is used here")]
#[path = "../tests/egress/world.rs"]
mod world;

use dlp::RuleSet;
use egress::{DlpTerms, RuleAction};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{HOST, Io, Origin, Setup, World, everywhere};

const UPLOAD: usize = 32 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;
const TURNS: usize = 9;
const REQUESTS: usize = 400;

/// A conversation with a model, as JSON: prose, code, digests and identifiers.
fn conversation() -> Vec<u8> {
    let turn = "{\"role\":\"user\",\"content\":\"Please look at `src/main.rs`:\\n\\nfn total(items: &[Item]) -> u64 {\\n    items\
                .iter().map(|item| item.size).sum()\\n}\\n\\nThe commit is 9fceb02d0ae598e95dc970b74767f19372d61af8, the request \
                550e8400-e29b-41d4-a716-446655440000, and the tests say \\\"ok\\\".\"},\n";
    turn.bytes().cycle().take(CHUNK).collect()
}

fn seeking() -> Setup {
    let terms =
        DlpTerms { rules: RuleSet::built_in(), prompt_injection: RuleAction::Warn, ..DlpTerms::default() };
    Setup {
        auth: Some(everywhere()),
        secrets: vec![("own", "own-secret-4711-abcdefghijkl")],
        terms,
        ..Setup::default()
    }
}

/// Reads each request to its end and says `ok`.
async fn drain(mut stream: Io) {
    let mut buffer = vec![0; 256 * 1024];
    let mut head = Vec::new();
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        head.extend_from_slice(&buffer[..read]);
        let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
        let length =
            text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let chunked = text.contains("transfer-encoding: chunked");
        let mut left = length.unwrap_or(0_usize).saturating_sub(head.len() - end - 4);
        let mut last = head[end + 4..].to_vec();
        while left > 0 || chunked && !last.ends_with(b"0\r\n\r\n") {
            let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
            left = left.saturating_sub(read);
            last = buffer[read.saturating_sub(8)..read].to_vec();
        }
        head.clear();
        let answered = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        if answered.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn answer(stream: &mut Io) {
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read]));
}

/// Bytes per second of one upload.
async fn upload(stream: &mut Io, body: &[u8]) -> f64 {
    let began = Instant::now();
    let head = format!(
        "POST /v1 HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {UPLOAD}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..UPLOAD / CHUNK {
        stream.write_all(body).await.unwrap();
    }
    stream.flush().await.unwrap();
    answer(stream).await;
    UPLOAD as f64 / began.elapsed().as_secs_f64()
}

/// Time from a small request to the first byte of its answer.
async fn first_byte(stream: &mut Io, body: &[u8]) -> Duration {
    let head = format!(
        "POST /v1 HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: example/1.0\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let began = Instant::now();
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    stream.flush().await.unwrap();
    answer(stream).await;
    began.elapsed()
}

fn median<T: PartialOrd + Copy>(mut all: Vec<T>) -> T {
    all.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    all[all.len() / 2]
}

#[tokio::main]
async fn main() {
    let origin = Origin::tls(&[b"http/1.1"], drain).await;
    let (on, off) = (World::new(&origin, seeking()).await, World::new(&origin, Setup::default()).await);
    let (mut with, mut without) = (on.tls(HOST).await, off.tls(HOST).await);
    let body = conversation();
    let (mut fast, mut slow, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let (off, on) = (upload(&mut without, &body).await, upload(&mut with, &body).await);
        fast.push(off / 1e6);
        slow.push(on / 1e6);
        ratios.push(on / off);
    }
    println!(
        "upload: {:.0} MB/s without, {:.0} MB/s with the search; ratio {:.3} (median of {TURNS} turns)",
        median(fast),
        median(slow),
        median(ratios)
    );
    let small = &body[..600];
    let (mut before, mut after, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        let (off, on) = (first_byte(&mut without, small).await, first_byte(&mut with, small).await);
        before.push(off.as_secs_f64() * 1e6);
        after.push(on.as_secs_f64() * 1e6);
        added.push(on.as_secs_f64() * 1e6 - off.as_secs_f64() * 1e6);
    }
    println!(
        "first byte: {:.0} µs without, {:.0} µs with the search; {:.0} µs added (median of {REQUESTS} pairs)",
        median(before),
        median(after),
        median(added)
    );
}
