//! How fast clean bytes pass: `cargo run --release -p dlp --example speed`.
//!
//! Each in MB (a million bytes) for each second of one core, and as a share of `memchr` over the same bytes and of a plain copy.
use dlp::{FingerprintKey, Hit, Inspector, KnownValue, KnownValues, RuleSet, Scrubber, Sought, Verdict};
use std::hint::black_box;
use std::time::Instant;

/// What reads and writes on a connection usually have.
const CHUNK: usize = 64 * 1024;
const BODY: usize = 1 << 20;
const ROUNDS: usize = 40;
const KNOWN: u32 = 10;

fn main() {
    for (name, body) in
        [("conversation", conversation()), ("code", code()), ("base64", base64()), ("hex", hex())]
    {
        let memchr = speed(&body, |chunk| {
            black_box(memchr::memchr(0xFF, chunk));
        });
        let mut copied = Vec::with_capacity(CHUNK);
        let copy = speed(&body, |chunk| {
            copied.clear();
            copied.extend_from_slice(chunk);
            black_box(&copied);
        });
        println!("{name}: memchr {memchr:.0} MB/s, copy {copy:.0} MB/s");
        for (what, known, rules) in [
            ("known values", known(KNOWN), RuleSet::none()),
            ("rules", known(0), RuleSet::built_in()),
            ("both", known(KNOWN), RuleSet::built_in()),
        ] {
            let speed = inspect(&Sought::new(known, rules, FingerprintKey::new([1; 32])), &body);
            println!(
                "  {what:14} {speed:6.0} MB/s  {:.3} of memchr, {:.3} of a copy",
                speed / memchr,
                speed / copy
            );
        }
        let mut scrubber = Scrubber::new(known(KNOWN));
        let mut out = Vec::with_capacity(2 * CHUNK);
        let scrub = speed(&body, |chunk| {
            out.clear();
            assert_eq!(scrubber.push(chunk, &mut out), 0);
        });
        println!("  {:14} {scrub:6.0} MB/s", "scrubber");
    }
    small_chunks();
}

/// Of every chunk the best of several rounds: on a busy machine the others measure its neighbours.
fn speed(body: &[u8], mut pass: impl FnMut(&[u8])) -> f64 {
    let mut best = vec![f64::MAX; body.len().div_ceil(CHUNK)];
    for _ in 0..ROUNDS {
        for (best, chunk) in best.iter_mut().zip(body.chunks(CHUNK)) {
            let begun = Instant::now();
            pass(black_box(chunk));
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    body.len() as f64 / best.iter().sum::<f64>() / 1e6
}

fn inspect(sought: &Sought, body: &[u8]) -> f64 {
    let mut inspector = Inspector::new(sought.clone());
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut found = |hit: &Hit| -> Verdict { panic!("a clean body holds {hit:?}") };
    speed(body, |chunk| {
        out.clear();
        assert!(inspector.push(chunk, &mut out, &mut found).is_ok());
    })
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
}

fn known(count: u32) -> KnownValues {
    let texts: Vec<String> = (0..count).map(token).collect();
    let known = |text| KnownValue {
        rule: "known-secret".into(),
        name: "T".into(),
        replacement: "ghp_x".into(),
        value: String::as_bytes(text),
    };
    KnownValues::new(&texts.iter().map(known).collect::<Vec<_>>()).0
}

fn token(number: u32) -> String {
    let mixed = (0..5).map(|n| format!("{:08x}", (number + 1).wrapping_mul(0x9E37_79B1).rotate_left(n * 5)));
    format!("ghp_{}", mixed.collect::<String>())
}

/// Messages with prose, code in strings, calls of tools and their output, as they are sent to a model.
fn conversation() -> Vec<u8> {
    let words = "please look at the test that fails and tell me why it does so then change the function in the module that reads \\
                 the configuration so that an empty file is no mistake and write a note about it in the changelog for the next release";
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut random = random(7);
    let mut body = String::from("{\"model\":\"a-model\",\"messages\":[");
    while body.len() < BODY {
        let prose: Vec<&str> = (0..60).map(|_| words[random() % words.len()]).collect();
        body += &format!(
            "{{\"role\":\"user\",\"content\":[{{\"type\":\"text\",\"text\":\"{}.\\n\\n",
            prose.join(" ")
        );
        for line in code_lines(&mut random, 12) {
            body += &line.replace('\\', "\\\\").replace('"', "\\\"");
            body += "\\n";
        }
        body += &format!(
            "\"}}]}},{{\"role\":\"assistant\",\"id\":\"msg_{:x}\",\"content\":\"{}\"}},",
            random(),
            prose.join(" ")
        );
    }
    body.into_bytes().into_iter().take(BODY).collect()
}

fn code() -> Vec<u8> {
    let mut random = random(11);
    let mut body = String::new();
    while body.len() < BODY {
        body += &code_lines(&mut random, 40).join("\n");
    }
    body.into_bytes().into_iter().take(BODY).collect()
}

fn code_lines(random: &mut impl FnMut() -> usize, count: usize) -> Vec<String> {
    let names = [
        "total", "items", "request", "config", "path", "buffer", "index", "result", "node", "state", "key",
        "token",
    ];
    let line = |random: &mut dyn FnMut() -> usize| {
        let mut name = || names[random() % names.len()];
        let (a, b, c, d) = (name(), name(), name(), name());
        match random() % 6 {
            0 => format!("    let {a}_{b}: u64 = self.{c}.iter().map(|{d}| {d}.size).sum();"),
            1 => format!("    if {a}.{b} != {c} {{ return Err(Error::{d}(\"{a} has no {b}\")); }}"),
            2 => format!("fn {a}_{b}({c}: &str, {d}: usize) -> Option<String> {{"),
            3 => format!("    // The {a} is read before the {b}, see https://docs.acme.io/{c}/{d}.html"),
            4 => "}".to_owned(),
            _ => format!("    assert_eq!({a}.{b}(\"{c}\"), {});", random() % 100_000),
        }
    };
    (0..count).map(|_| line(random)).collect()
}

fn base64() -> Vec<u8> {
    letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

/// Digests in lines, as in a lock file.
fn hex() -> Vec<u8> {
    let digits = letters(b"0123456789abcdef");
    digits.chunks(64).flat_map(|line| [line, b"\n"].concat()).take(BODY).collect()
}

fn letters(alphabet: &[u8]) -> Vec<u8> {
    let mut random = random(3);
    (0..BODY).map(|_| alphabet[random() % alphabet.len()]).collect()
}

fn random(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    }
}
