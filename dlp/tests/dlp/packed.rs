//! What is compressed inside of what is sent: found however it is packed and cut, and passed when it is harmless.
use crate::inspect::sought;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use dlp::{Hit, Inspector, Verdict};
use std::io::{Read as _, Write as _};

const TOKEN: &str = "glpat-3Kd9sLq0Zx7Vb2Nw5Ty8";
const RULE: &str = "gitlab-personal-token";

/// A file as agents send it, with this in its middle.
fn file(value: &str) -> Vec<u8> {
    let lines =
        |from: u32| (from..from + 40).map(|n| format!("setting_{n} = {}\n", n * 7919)).collect::<String>();
    format!("{}token = {value}\n{}", lines(0), lines(100)).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::GzBuilder::new().filename("a file").write(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// An archive of two files (APPNOTE 4.3), of which the second one is meant.
fn zip(bytes: &[u8]) -> Vec<u8> {
    let entry = |name: &str, bytes: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        let data = encoder.finish().unwrap();
        let size = |of: &[u8]| u32::try_from(of.len()).unwrap().to_le_bytes();
        let head =
            [b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0".as_slice(), &[0; 4], &size(&data), &size(bytes)].concat();
        let names = [u8::try_from(name.len()).unwrap(), 0, 4, 0];
        [head.as_slice(), &names, name.as_bytes(), b"\x01\x02\0\0", &data].concat()
    };
    [entry("first.txt", &file("none")), entry("second.txt", bytes)].concat()
}

type Way = (&'static str, fn(&[u8]) -> Vec<u8>);

const PACKERS: [Way; 4] = [("gzip", gzip), ("zlib", zlib), ("zstd", zstd), ("zip", zip)];

const SPELLINGS: [Way; 11] = [
    ("as it is", <[u8]>::to_vec),
    ("a part", |bytes| {
        around("--b\r\nContent-Type: application/octet-stream\r\n\r\n", bytes, "\r\n--b--\r\n")
    }),
    ("base64", |bytes| STANDARD.encode(bytes).into()),
    ("base64 of a text with it", |bytes| STANDARD.encode([b"x", bytes].concat()).into()),
    ("base64 of more before it", |bytes| STANDARD.encode([b"data: ab", bytes].concat()).into()),
    ("base64url in a query", |bytes| around("/path?data=", URL_SAFE_NO_PAD.encode(bytes).as_bytes(), "&x=1")),
    ("base64 in a form", |bytes| {
        let escaped = STANDARD.encode(bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        around("a=1&data=", escaped.as_bytes(), "&b=2")
    }),
    ("base64 in JSON", |bytes| around("{\"data\":\"", STANDARD.encode(bytes).as_bytes(), "\"}")),
    ("base64 in lines in JSON", |bytes| {
        let lines: Vec<String> = STANDARD
            .encode(bytes)
            .as_bytes()
            .chunks(76)
            .map(|line| String::from_utf8_lossy(line).into())
            .collect();
        around("{\"data\":\"", lines.join("\\n").as_bytes(), "\"}")
    }),
    ("base64 without padding, its slashes escaped", |bytes| {
        around("{\"data\":\"", STANDARD_NO_PAD.encode(bytes).replace('/', "\\/").as_bytes(), "\"}")
    }),
    ("hex", |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
];

fn around(before: &str, value: &[u8], behind: &str) -> Vec<u8> {
    [before.as_bytes(), value, behind.as_bytes()].concat()
}

/// zlib shows itself only where letters begin with it; zstd and zip in base64 only at their beginning.
fn is_noticed(packer: &str, spelling: &str) -> bool {
    match packer {
        "gzip" => true,
        "zlib" => spelling.contains("base64") && !spelling.contains(" of "),
        "zip" => !spelling.contains(" of ") && spelling != "hex",
        _ => !spelling.contains(" of "),
    }
}

struct Outcome {
    hits: Vec<Hit>,
    out: Vec<u8>,
    stopped: bool,
}

fn inspected(body: &[u8], size: usize, verdict: Verdict) -> Outcome {
    let mut inspector = Inspector::new(sought());
    let (mut out, mut hits) = (Vec::new(), Vec::new());
    let mut judge = |hit: &Hit| {
        hits.push(hit.clone());
        verdict
    };
    let passed = body.chunks(size).all(|chunk| inspector.push(chunk, &mut out, &mut judge).is_ok());
    let stopped = !passed || inspector.finish(&mut out, &mut judge).is_err();
    Outcome { hits, out, stopped }
}

#[test]
fn what_is_packed_is_found_in_every_spelling_and_its_twin_passes() {
    let mut cases = 0;
    for (packer, pack) in PACKERS {
        for (spelling, spell) in SPELLINGS {
            if !is_noticed(packer, spelling) {
                continue;
            }
            let name = format!("{packer}, {spelling}");
            let (body, twin) =
                (spell(&pack(&file(TOKEN))), spell(&pack(&file("glpot-3Kd9sLq0Zx7Vb2Nw5Ty8"))));
            let hits = sought().find_all(&body);
            assert!(
                hits.iter().any(|hit| &*hit.rule == RULE && hit.packed && hit.layer.contains(packer)),
                "{name}: {hits:?}"
            );
            assert_eq!(sought().find_all(&twin), [], "{name}");
            for size in [1, 7, 100, 512, 4096] {
                let found = inspected(&body, size, Verdict::Stop);
                assert!(found.stopped, "{name} in chunks of {size}");
                assert!(body.starts_with(&found.out), "{name}");
                let twin_outcome = inspected(&twin, size, Verdict::Stop);
                assert_eq!((twin_outcome.hits, twin_outcome.out == twin), (vec![], true), "{name}");
            }
            cases += 1;
        }
    }
    assert!(cases >= 30, "{cases}");
}

#[test]
fn a_stop_comes_before_the_value_can_be_unfolded() {
    for level in [0, 1, 9] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(&file(TOKEN)).unwrap();
        let body = encoder.finish().unwrap();
        for size in [1, 3, 64, 1000] {
            let given = inspected(&body, size, Verdict::Stop).out;
            let mut unfolded = Vec::new();
            // It breaks off in the middle; what was read until then counts.
            let _broken_off = flate2::read::GzDecoder::new(&given[..]).read_to_end(&mut unfolded);
            let text = String::from_utf8_lossy(&unfolded);
            assert!(!text.contains(TOKEN), "level {level}, chunks of {size}: {text}");
        }
    }
}

#[test]
fn packed_things_in_packed_things_are_found() {
    let inner = STANDARD.encode(gzip(&file(TOKEN)));
    let body = STANDARD.encode(gzip(format!("{{\"archive\":\"{inner}\"}}").as_bytes()));
    let hits = sought().find_all(body.as_bytes());
    assert!(hits.iter().any(|hit| hit.layer.starts_with("base64 gzip base64 gzip")), "{hits:?}");
    let known = sought().find_all(&gzip(&file("hunter2-but-longer")));
    assert!(known.iter().any(|hit| &*hit.rule == "known-secret" && hit.packed), "{known:?}");
}

#[test]
fn several_files_behind_each_other_are_all_looked_at() {
    let body =
        [gzip(&file("none")), b"between".to_vec(), gzip(&file("nothing")), gzip(&file(TOKEN))].concat();
    for size in [1, 100, 1 << 20] {
        assert!(inspected(&body, size, Verdict::Stop).stopped, "{size}");
    }
}

#[test]
fn nothing_is_put_in_the_place_of_what_is_packed() {
    let body = gzip(&file(TOKEN));
    assert!(inspected(&body, 4096, Verdict::Redact).stopped);
    let passed = inspected(&body, 64, Verdict::Pass);
    assert_eq!(passed.out, body);
    assert_eq!(
        passed.hits.iter().filter(|hit| &*hit.rule == RULE).count(),
        1,
        "told once: {:?}",
        passed.hits
    );
}

#[test]
fn a_bomb_is_unreadable_and_told_in_time() {
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let found = inspected(&bomb, 4096, Verdict::Stop);
    assert_eq!(found.hits.iter().map(|hit| &*hit.rule).collect::<Vec<_>>(), [dlp::packed::UNREADABLE]);
    assert!(found.stopped);
    // Many beginnings in one another are as bad.
    let begins: Vec<u8> =
        (0..100).flat_map(|_| [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x00\xff\xff\0\0"[..]].concat()).collect();
    let body = [begins, vec![b' '; 70_000]].concat();
    assert!(
        inspected(&body, 1 << 20, Verdict::Stop).hits.iter().any(|hit| &*hit.rule == dlp::packed::UNREADABLE)
    );
}

/// xorshift64*, which is no text.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_only_looks_packed_passes_at_once() {
    let mut noise = noise(300_000);
    for at in (0..noise.len() - 8).step_by(20_011) {
        noise[at..at + 3].copy_from_slice(b"\x1f\x8b\x08");
    }
    let letters = STANDARD.encode(&noise);
    for body in [noise, letters.into_bytes()] {
        let passed = inspected(&body, 1460, Verdict::Stop);
        assert_eq!((passed.hits, passed.out == body), (vec![], true));
    }
}
