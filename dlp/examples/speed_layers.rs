//! How fast bodies of every kind pass with rules and layers on: `cargo run --release -p dlp --example speed_layers`.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dlp::{FingerprintKey, Inspector, KnownValue, KnownValues, RuleSet, Sought, Verdict};
use std::time::Instant;

const CHUNK: usize = 64 * 1024;
const BODY: usize = 1 << 20;
const ROUNDS: usize = 12;

fn known() -> KnownValues {
    let value = KnownValue {
        rule: "known-secret".into(),
        name: "T".into(),
        replacement: "ghp_x".into(),
        value: b"ghp_9f1c0e7a55b2d6384c1e0f9a7b6d5c4e3f2a",
    };
    KnownValues::new(&[value]).0
}

fn cycled(unit: &str) -> Vec<u8> {
    unit.bytes().cycle().take(BODY).collect()
}

/// Bytes that never repeat the same way.
fn random(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

fn digests() -> Vec<u8> {
    let hex: Vec<String> = random(BODY / 3)
        .chunks(32)
        .map(|digest| digest.iter().map(|b| format!("{b:02x}")).collect())
        .collect();
    let line =
        |digest: &String| format!("name = \"some-crate\"\nversion = \"1.0.0\"\nchecksum = \"{digest}\"\n\n");
    hex.iter().map(line).collect::<String>().into_bytes()
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let code =
        "fn main() { let total: u64 = items.iter().map(|item| item.size).sum(); println!(\"{total}\"); }\n";
    let json = "{\"role\":\"user\",\"content\":\"Some words, \\\"quoted\\\" and more\\nin the next line of this long message.\"},";
    let minified = "!function(t,e){\"use strict\";var n=/[a-z]+/g;return t&&e?n:\"\\/\"}(window,document),a=b?c(d,1e3):null;";
    let text = "The quick brown fox jumps over 13 lazy dogs. Pack my box with five dozen liquor jugs.\n";
    let russian = "\u{421}\u{44a}\u{435}\u{448}\u{44c} \u{435}\u{449}\u{451} \u{44d}\u{442}\u{438}\u{445} \u{43c}\u{44f}\u{433}\u{43a}\u{438}\u{445} \u{431}\u{443}\u{43b}\u{43e}\u{43a}. ";
    vec![
        ("prose", cycled(text)),
        ("source code", cycled(code)),
        ("json of a conversation", cycled(json)),
        ("minified code", cycled(minified)),
        ("russian prose", cycled(russian)),
        ("lock file with digests", digests()),
        ("random bytes", random(BODY)),
        ("base64 of random bytes", STANDARD.encode(random(BODY * 3 / 4)).into_bytes()),
        ("base64 of prose", STANDARD.encode(cycled(text)).into_bytes()),
        ("base64 of json", STANDARD.encode(cycled(json)).into_bytes()),
    ]
}

/// The best of several rounds: on a busy machine the others measure its neighbours.
fn mb_per_second(length: usize, mut pass: impl FnMut()) -> f64 {
    let mut round = || {
        let begun = Instant::now();
        pass();
        length as f64 / begun.elapsed().as_secs_f64() / 1e6
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}

fn main() {
    let sought = Sought::new(known(), RuleSet::built_in(), FingerprintKey::new([7; 32]));
    let mut out = Vec::with_capacity(BODY * 2);
    for (name, body) in bodies() {
        let copy = mb_per_second(body.len(), || {
            out.clear();
            out.extend_from_slice(std::hint::black_box(&body));
        });
        let search = mb_per_second(body.len(), || {
            assert!(memchr::memmem::find(std::hint::black_box(&body), b"ghp_9f1c").is_none());
        });
        let inspected = mb_per_second(body.len(), || {
            out.clear();
            let mut inspector = Inspector::new(sought.clone());
            for chunk in body.chunks(CHUNK) {
                assert!(inspector.push(chunk, &mut out, &mut |_| Verdict::Stop).is_ok(), "{name}");
            }
            assert!(inspector.finish(&mut out, &mut |_| Verdict::Stop).is_ok(), "{name}");
        });
        println!(
            "{name:24} {inspected:6.0} MB/s; a copy takes {:4.1} %, memmem {:4.1} % of the time",
            100.0 * inspected / copy,
            100.0 * inspected / search
        );
    }
}
