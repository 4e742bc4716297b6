//! What the search costs end to end, with TLS on both legs: `cargo run --release -p egress --example searching`.
//!
//! Two engines in this process, one that seeks everything and one that seeks nothing, take turns, so that a busy machine
//! slows both; each turn gives a ratio of the two. Printed: the median of the ratios with their quartiles, for a body that goes up
//! and for one that comes down, and the time to the first byte of an answer.
#[allow(dead_code, reason = "the tests' world, of which a part is used here")]
#[path = "../tests/egress/world.rs"]
mod world;

use dlp::RuleSet;
use egress::{DlpTerms, RuleAction};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{HOST, Io, Origin, Setup, World, everywhere};

/// Bytes of a body.
const BODY: usize = 10 * 1024 * 1024;
const TURNS: usize = 21;
const REQUESTS: usize = 1000;

/// A conversation with a model, as JSON: prose, code, digests and identifiers, no two turns alike.
static CONVERSATION: LazyLock<Arc<[u8]>> = LazyLock::new(|| {
    let words = "the parser reads each line and keeps what it cannot place until the next pass when all names are known so \
                 that errors are told in the order of the file and never twice";
    let words: Vec<&str> = words.split(' ').collect();
    let (mut text, mut state) = (String::from("{\"model\":\"some-model\",\"messages\":[\n"), 7_u64);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    while text.len() < BODY {
        text.push_str("{\"role\":\"user\",\"content\":\"");
        for _ in 0..60 {
            text.push_str(words[usize::try_from(next() % words.len() as u64).unwrap_or(0)]);
            text.push(' ');
        }
        let (one, two) = (next(), next());
        let _infallible = writeln!(
            text,
            "\\n\\n```rust\\nfn total_{}(items: &[Item]) -> u64 {{\\n    items.iter().map(|item| item.size).sum()\\n}}\\n```\\n\
             The commit is {one:016x}{two:016x}{:08x}, the request 550e8400-e29b-41d4-a716-{:012x}.\"}},",
            one % 1000,
            next() >> 32,
            next() >> 16,
        );
    }
    text.truncate(BODY);
    text.into_bytes().into()
});

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

/// Reads each request to its end, and says `ok`, or the whole conversation to who asks for it.
async fn serve(mut stream: Io) {
    let mut reader = Reader::default();
    while let Some(head) = reader.message(&mut stream).await {
        let body = if head.starts_with("get /down") { &CONVERSATION[..] } else { b"ok" };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if write(&mut stream, &head, body).await.is_err() {
            return;
        }
    }
}

/// As one: two small writes would wait for each other (Nagle's algorithm and delayed acknowledgements, 40 ms).
async fn write(stream: &mut Io, head: &str, body: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await
}

/// Reads heads, and bodies to their end without keeping them.
struct Reader {
    buffer: Vec<u8>,
    left: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { buffer: vec![0; 256 * 1024], left: Vec::new() }
    }
}

impl Reader {
    /// The head of the next message, in small letters, once its body was read; `None` at the end of the stream.
    async fn message(&mut self, stream: &mut Io) -> Option<String> {
        let head = self.head(stream).await?;
        let length =
            head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        match length {
            Some(length) => self.counted(stream, length).await?,
            None if head.contains("transfer-encoding: chunked") => self.chunks(stream).await?,
            None => {}
        }
        Some(head)
    }

    async fn more(&mut self, stream: &mut Io) -> Option<()> {
        let Ok(read @ 1..) = stream.read(&mut self.buffer).await else { return None };
        self.left.extend_from_slice(&self.buffer[..read]);
        Some(())
    }

    async fn head(&mut self, stream: &mut Io) -> Option<String> {
        loop {
            if let Some(end) = self.left.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.left.drain(..end + 4).collect();
                return Some(String::from_utf8_lossy(&head).to_lowercase());
            }
            self.more(stream).await?;
        }
    }

    async fn counted(&mut self, stream: &mut Io, mut length: usize) -> Option<()> {
        loop {
            let taken = length.min(self.left.len());
            self.left.drain(..taken);
            length -= taken;
            if length == 0 {
                return Some(());
            }
            self.more(stream).await?;
        }
    }

    async fn chunks(&mut self, stream: &mut Io) -> Option<()> {
        loop {
            let size = loop {
                if let Some(end) = self.left.windows(2).position(|window| window == b"\r\n") {
                    let line: Vec<u8> = self.left.drain(..end + 2).collect();
                    break usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
                }
                self.more(stream).await?;
            };
            self.counted(stream, size + 2).await?;
            if size == 0 {
                return Some(());
            }
        }
    }
}

/// One agent's connection to an engine.
struct Agent {
    stream: Io,
    reader: Reader,
}

impl Agent {
    async fn of(world: &World) -> Agent {
        Agent { stream: world.tls(HOST).await, reader: Reader::default() }
    }

    /// Sends, and gives the time to the first byte and to the last byte of the answer.
    async fn ask(&mut self, head: &str, body: &[u8]) -> (Duration, Duration) {
        let began = Instant::now();
        write(&mut self.stream, head, body).await.unwrap();
        self.reader.more(&mut self.stream).await.expect("an answer");
        let first = began.elapsed();
        let answer = self.reader.message(&mut self.stream).await.expect("a whole answer");
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        (first, began.elapsed())
    }

    async fn up(&mut self, body: &[u8]) -> (Duration, Duration) {
        let head = format!(
            "POST /up HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: example/1.0\r\nAccept: application/json\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.ask(&head, body).await
    }

    async fn down(&mut self) -> (Duration, Duration) {
        self.ask(&format!("GET /down HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n\r\n"), b"")
            .await
    }
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| all[(all.len() - 1) * quarter / 4])
}

/// Times of both engines, in turns that begin with another one each time.
struct Pairs {
    on: Vec<f64>,
    off: Vec<f64>,
}

impl Pairs {
    fn of(pairs: &[(Duration, Duration)]) -> Pairs {
        let (on, off) = pairs.iter().map(|(on, off)| (on.as_secs_f64(), off.as_secs_f64())).unzip();
        Pairs { on, off }
    }

    fn throughput(&self, what: &str) {
        let ratios = self.on.iter().zip(&self.off).map(|(on, off)| off / on).collect();
        let [low, ratio, high] = quartiles(ratios);
        let rate = |times: &[f64]| BODY as f64 / 1e6 / quartiles(times.to_vec())[1];
        println!(
            "{what}: {ratio:.3} of the throughput without (quartiles {low:.3} and {high:.3}, {TURNS} turns); {:.0} MB/s with the \
             search, {:.0} without",
            rate(&self.on),
            rate(&self.off)
        );
    }

    fn latency(&self) {
        let added = self.on.iter().zip(&self.off).map(|(on, off)| (on - off) * 1e6).collect();
        let [low, median, high] = quartiles(added);
        let time = |times: &[f64]| quartiles(times.to_vec())[1] * 1e6;
        println!(
            "first byte: {median:.0} µs added (quartiles {low:.0} and {high:.0}, {REQUESTS} pairs); {:.0} µs with the search, \
             {:.0} without",
            time(&self.on),
            time(&self.off)
        );
    }
}

/// One turn: what `ask` measures with each, the second one first in every other turn.
macro_rules! turns {
    ($count:expr, $on:ident, $off:ident, $ask:expr) => {{
        let (ask, mut pairs) = ($ask, Vec::new());
        for turn in 0..$count {
            let pair = if turn % 2 == 0 {
                let on = ask(&mut $on).await;
                (on, ask(&mut $off).await)
            } else {
                let off = ask(&mut $off).await;
                (ask(&mut $on).await, off)
            };
            // The first turns warm caches and buffers up.
            if turn > 1 {
                pairs.push(pair);
            }
        }
        Pairs::of(&pairs)
    }};
}

#[tokio::main]
async fn main() {
    let origin = Origin::tls(&[b"http/1.1"], serve).await;
    let (seeks, idle) = (World::new(&origin, seeking()).await, World::new(&origin, Setup::default()).await);
    let (mut on, mut off) = (Agent::of(&seeks).await, Agent::of(&idle).await);
    let body = CONVERSATION.clone();
    turns!(TURNS + 2, on, off, async |agent: &mut Agent| agent.up(&body).await.1).throughput("upload");
    turns!(TURNS + 2, on, off, async |agent: &mut Agent| agent.down().await.1).throughput("download");
    turns!(REQUESTS + 2, on, off, async |agent: &mut Agent| agent.up(&body[..600]).await.0).latency();
}
