//! How fast clean bytes pass: `cargo run --release -p dlp --example speed`.
//!
//! Each in MB (a million bytes) for each second of one core, and as a share of `memchr` over the same bytes and of a plain copy.
//! Behind `--`: names of bodies, and of ways (`both`), when only those are wanted; `rounds=N` for how often.
mod bodies;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bodies::BODY;
use dlp::fragments::{Collector, Fragments};
use dlp::{FingerprintKey, Hit, Inspector, KnownValue, KnownValues, RuleSet, Scrubber, Sought, Verdict};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What reads and writes on a connection usually have.
const CHUNK: usize = 64 * 1024;
static ROUNDS: AtomicUsize = AtomicUsize::new(40);
const KNOWN: u32 = 10;

fn main() {
    let (rounds, only): (Vec<String>, _) =
        std::env::args().skip(1).partition(|word| word.starts_with("rounds="));
    if let Some(rounds) = rounds.first().and_then(|word| word.strip_prefix("rounds=")?.parse().ok()) {
        ROUNDS.store(rounds, Ordering::Relaxed);
    }
    let bodies = [
        ("conversation", bodies::conversation()),
        ("turns", bodies::turns()),
        ("code", bodies::code()),
        ("prose", bodies::prose()),
        ("lock file", bodies::lock_file()),
        ("hex", bodies::hex()),
        ("base64", STANDARD.encode(bodies::noise(BODY * 3 / 4)).into_bytes()),
        ("noise", bodies::noise(BODY)),
    ];
    let ways: Vec<&str> = WAYS.into_iter().filter(|way| only.iter().any(|only| only == way)).collect();
    for (name, body) in &bodies {
        if only.is_empty() || only.iter().any(|only| only == name) {
            measure(name, body, if ways.is_empty() { &WAYS } else { &ways });
        }
    }
    if only.is_empty() {
        compressed(&bodies[0].1);
        small_chunks();
    }
    if only.is_empty() || only.iter().any(|only| only == "short") {
        short();
    }
}

/// What is sought, or done with the bytes.
const WAYS: [&str; 5] = ["known values", "rules", "both", "scrubber", "pieces"];

fn measure(name: &str, body: &[u8], ways: &[&str]) {
    let memchr = speed(body, |chunk| {
        black_box(memchr::memchr(0xFF, chunk));
    });
    let mut copied = Vec::with_capacity(CHUNK);
    let copy = speed(body, |chunk| {
        copied.clear();
        copied.extend_from_slice(chunk);
        black_box(&copied);
    });
    println!("{name}: memchr {memchr:.0} MB/s, copy {copy:.0} MB/s");
    for way in ways {
        let speed = match *way {
            "known values" => inspect(known(KNOWN), RuleSet::none(), body),
            "rules" => inspect(known(0), RuleSet::built_in(), body),
            "both" => inspect(known(KNOWN), RuleSet::built_in(), body),
            "scrubber" => scrub(body),
            _ => pieces(body),
        };
        let (of_memchr, of_copy) = (speed / memchr, speed / copy);
        println!("  {way:14} {speed:6.0} MB/s  {of_memchr:.4} of memchr, {of_copy:.4} of a copy");
    }
}

fn rounds() -> usize {
    ROUNDS.load(Ordering::Relaxed)
}

fn scrub(body: &[u8]) -> f64 {
    let mut scrubber = Scrubber::new(known(KNOWN));
    let mut out = Vec::with_capacity(2 * CHUNK);
    speed(body, |chunk| {
        out.clear();
        assert_eq!(scrubber.push(chunk, &mut out), 0);
    })
}

/// What looks for values that are cut in pieces.
fn pieces(body: &[u8]) -> f64 {
    let texts: Vec<String> = (0..KNOWN).map(token).collect();
    let values: Vec<KnownValue<'_>> = texts.iter().map(sought).collect();
    let mut flow = Collector::new(Fragments::new(&values, &FingerprintKey::new([1; 32]))).flow();
    speed(body, |chunk| assert!(flow.push(chunk).is_none()))
}

/// Of every chunk the best of several rounds: on a busy machine the others measure its neighbours.
fn speed(body: &[u8], mut pass: impl FnMut(&[u8])) -> f64 {
    let mut best = vec![f64::MAX; body.len().div_ceil(CHUNK)];
    for _ in 0..rounds() {
        for (best, chunk) in best.iter_mut().zip(body.chunks(CHUNK)) {
            let begun = Instant::now();
            pass(black_box(chunk));
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    body.len() as f64 / best.iter().sum::<f64>() / 1e6
}

fn inspect(known: KnownValues, rules: RuleSet, body: &[u8]) -> f64 {
    let mut inspector = Inspector::new(Sought::new(known, rules, FingerprintKey::new([1; 32])));
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut found = |hit: &Hit| -> Verdict { panic!("a clean body holds {hit:?}") };
    speed(body, |chunk| {
        out.clear();
        assert!(inspector.push(chunk, &mut out, &mut found).is_ok());
    })
}

/// A body that travels as gzip: read as its receiver reads it, and searched. Bytes are those behind the decoder.
fn compressed(body: &[u8]) {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let packed = packer.write_all(body).and_then(|()| packer.finish()).unwrap_or_default();
    let mut plain = vec![0; CHUNK];
    let mut read = |seen: &mut dyn FnMut(&[u8])| {
        let mut best = f64::MAX;
        for _ in 0..rounds() {
            let begun = Instant::now();
            let mut decoder = flate2::read::GzDecoder::new(packed.as_slice());
            while let Ok(count @ 1..) = decoder.read(&mut plain) {
                seen(&plain[..count]);
            }
            best = best.min(begun.elapsed().as_secs_f64());
        }
        body.len() as f64 / best / 1e6
    };
    let decoded = read(&mut |bytes| {
        black_box(bytes);
    });
    let sought = Sought::new(known(KNOWN), RuleSet::built_in(), FingerprintKey::new([1; 32]));
    let mut inspector = Inspector::new(sought);
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut found = |hit: &Hit| -> Verdict { panic!("a clean body holds {hit:?}") };
    let both = read(&mut |bytes| {
        out.clear();
        assert!(inspector.push(bytes, &mut out, &mut found).is_ok());
    });
    println!(
        "gzip of the conversation ({} bytes): decoded {decoded:.0} MB/s, decoded and searched {both:.0} MB/s",
        packed.len()
    );
}

/// What an event of a stream costs.
fn small_chunks() {
    let sought = Sought::new(known(KNOWN), RuleSet::built_in(), FingerprintKey::new([1; 32]));
    let mut inspector = Inspector::new(sought);
    let mut out = Vec::with_capacity(1 << 16);
    let mut pass = |_: &Hit| Verdict::Pass;
    for event in [
        "data: {\"type\":\"delta\",\"text\":\" some words\"}\n\n",
        "and a part of a sentence that ends in a wor",
    ] {
        let begun = Instant::now();
        for _ in 0..10_000 {
            out.clear();
            assert!(inspector.push(event.as_bytes(), &mut out, &mut pass).is_ok());
        }
        println!("an event of {} bytes: {:.2} µs", event.len(), begun.elapsed().as_secs_f64() * 100.0);
    }
    first_byte();
}

/// A head of a request, or the first event of an answer, seen for the first time by a stream of its own.
fn first_byte() {
    let sought = Sought::new(known(KNOWN), RuleSet::built_in(), FingerprintKey::new([1; 32]));
    let mut out = Vec::with_capacity(1 << 16);
    let body = bodies::conversation();
    for size in [64, 1024, 16 * 1024] {
        let mut best = f64::MAX;
        for begin in body.chunks(size).take(400) {
            out.clear();
            let begun = Instant::now();
            let mut inspector = Inspector::new(sought.clone());
            assert!(inspector.push(begin, &mut out, &mut |_| Verdict::Pass).is_ok());
            best = best.min(begun.elapsed().as_secs_f64());
        }
        println!("the first {size} bytes of a stream: {:.2} µs", best * 1e6);
    }
}

/// What is searched whole: the lines of a head, one header, a name of a host; and answers of a KiB that values are taken out of.
fn short() {
    let sought = Sought::new(known(KNOWN), RuleSet::built_in(), FingerprintKey::new([1; 32]));
    let texts: Vec<String> = (0..KNOWN).map(token).collect();
    let values: Vec<KnownValue<'_>> = texts.iter().map(self::sought).collect();
    let collector = Collector::new(Fragments::new(&values, &FingerprintKey::new([1; 32])));
    for text in [HEAD, &HEAD[..200], &HEAD[..60], "api.example.com"] {
        let size = text.len();
        micros(&format!("{size} bytes, all"), || {
            assert!(sought.find_all(black_box(text.as_bytes())).is_empty())
        });
        micros(&format!("{size} bytes, pieces"), || {
            assert!(collector.see(black_box(text.as_bytes())).is_none())
        });
    }
    let body = bodies::conversation();
    let mut out = Vec::with_capacity(4096);
    let known = known(KNOWN);
    for size in [128, 1024] {
        let chunk = &body[4096..4096 + size];
        micros(&format!("a body of {size} bytes, searched"), || {
            out.clear();
            let mut inspector = Inspector::new(sought.clone());
            let pass = &mut |_: &Hit| Verdict::Pass;
            assert!(inspector.push(black_box(chunk), &mut out, pass).is_ok());
            assert!(inspector.finish(&mut out, pass).is_ok());
        });
        micros(&format!("a body of {size} bytes, known to be all"), || {
            out.clear();
            let mut inspector = Inspector::new(sought.clone());
            assert!(inspector.last(black_box(chunk), &mut out, &mut |_| Verdict::Pass).is_ok());
        });
        micros(&format!("an answer of {size} bytes, scrubbed"), || {
            out.clear();
            let mut scrubber = Scrubber::new(known.clone());
            assert_eq!(scrubber.push(black_box(chunk), &mut out) + scrubber.finish(&mut out), 0);
        });
    }
}

/// The head of a request as an SDK sends it.
const HEAD: &str = "/v1/messages?beta=true \n host: api.example.com \n accept: application/json \n accept-encoding: gzip, deflate \n \
    content-type: application/json \n user-agent: Example/JS 0.60.0 \n x-sdk-lang: js \n x-sdk-os: Linux \n x-sdk-arch: x64 \n \
    x-sdk-runtime: node \n x-sdk-runtime-version: v22.11.0 \n x-sdk-retry-count: 0 \n x-sdk-timeout: 600 \n \
    authorization: Bearer placeholder-placeholder-placeholder \n content-length: 1024";

/// The best of some rounds.
fn micros(what: &str, mut turn: impl FnMut()) {
    const TURNS: u32 = 100;
    let mut best = f64::MAX;
    for _ in 0..rounds() {
        let begun = Instant::now();
        (0..TURNS).for_each(|_| turn());
        best = best.min(begun.elapsed().as_secs_f64());
    }
    println!("{what}: {:.2} µs", best * 1e6 / f64::from(TURNS));
}

fn known(count: u32) -> KnownValues {
    let texts: Vec<String> = (0..count).map(token).collect();
    KnownValues::new(&texts.iter().map(sought).collect::<Vec<_>>()).0
}

fn sought(text: &String) -> KnownValue<'_> {
    let (rule, name, replacement) = ("known-secret".into(), "T".into(), "ghp_x".into());
    KnownValue { rule, name, replacement, value: text.as_bytes() }
}

fn token(number: u32) -> String {
    let mixed = (0..5).map(|n| format!("{:08x}", (number + 1).wrapping_mul(0x9E37_79B1).rotate_left(n * 5)));
    format!("ghp_{}", mixed.collect::<String>())
}
