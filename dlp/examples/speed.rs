//! How fast clean bytes pass: `cargo run --release -p dlp --example speed`.
use dlp::{KnownValue, KnownValues, Scanner, Scrubber};
use std::time::Instant;

const CHUNK: usize = 64 * 1024;
const PASSES: usize = 20;
const ROUNDS: usize = 100;

fn values(count: u32) -> KnownValues {
    let texts: Vec<String> = (0..count).map(token).collect();
    let known =
        |text| KnownValue { name: "T".into(), replacement: "ghp_x".into(), value: String::as_bytes(text) };
    KnownValues::new(&texts.iter().map(known).collect::<Vec<_>>()).0
}

fn token(number: u32) -> String {
    let mixed = (0..5).map(|n| format!("{:08x}", (number + 1).wrapping_mul(0x9E37_79B1).rotate_left(n * 5)));
    format!("ghp_{}", mixed.collect::<String>())
}

fn body(kind: &str) -> Vec<u8> {
    let unit = match kind {
        "code" => {
            "fn main() { let total: u64 = items.iter().map(|item| item.size).sum(); println!(\"{total}\"); }\n"
        }
        "json" => "data: {\"type\":\"delta\",\"text\":\"some words, \\\"quoted\\\" and more\\n\"}\n\n",
        _ => "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIDEzIGxhenkgZG9ncy4gUGFjayBteSBib3g",
    };
    unit.bytes().cycle().take(CHUNK).collect()
}

/// The best of several rounds: on a busy machine the others measure its neighbours.
fn gib_per_second(mut pass: impl FnMut()) -> f64 {
    let mut round = || {
        let begun = Instant::now();
        (0..PASSES).for_each(|_| pass());
        (PASSES * CHUNK) as f64 / begun.elapsed().as_secs_f64() / f64::from(1 << 30)
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn main() {
    let mut out = Vec::with_capacity(2 * CHUNK);
    for kind in ["code", "json", "base64"] {
        let body = body(kind);
        let copy = gib_per_second(|| {
            out.clear();
            out.extend_from_slice(std::hint::black_box(&body));
        });
        for count in [1, 10, 50] {
            let values = values(count);
            let mut scanner = Scanner::new(values.clone());
            let scan = gib_per_second(|| {
                out.clear();
                assert!(scanner.push(&body, &mut out).is_ok());
            });
            let mut scrubber = Scrubber::new(values);
            let scrub = gib_per_second(|| {
                out.clear();
                assert_eq!(scrubber.push(&body, &mut out), 0);
            });
            println!(
                "{kind:6} {count:2} values: scan {scan:5.2} GiB/s, scrub {scrub:5.2} GiB/s, copy {copy:5.1} GiB/s"
            );
        }
    }
}
