//! What agents send all day, with everything on: nothing is found, and every byte comes out as it went in.
//!
//! `DLP_CORPUS=all` looks at 64 MiB of random bytes for each seed and at every file that the machine has of a kind; otherwise
//! at some of each. What the machine does not have is made.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dlp::packed::UNREADABLE;
use dlp::{
    Collector, FingerprintKey, Fragments, Hit, Inspector, KnownValue, KnownValues, RuleSet, Sought, Verdict,
};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const VALUES: [&str; 4] = [
    "npm_kX82bQz61LmWvT4cRd97YsJeHu3GaF50NpKi",
    "Zk9/pX+2vQ~m:L5tRw8yB.e3\"Hn",
    "postgres://app:s3cr3t-W0rd@db.example:5432/main",
    "AKCNRY5QX7ZT2WM4LPHD",
];

fn known() -> Vec<KnownValue<'static>> {
    let known = |value: &&'static str| KnownValue {
        rule: "known-secret".into(),
        name: "NAME".into(),
        replacement: "stand-in".into(),
        value: value.as_bytes(),
    };
    VALUES.iter().map(known).collect()
}

fn key() -> FingerprintKey {
    FingerprintKey::new([1; 32])
}

/// Without the bytes: what was found must not stand in the log of a test run either.
fn place(hit: &Hit) -> String {
    format!("{} ({}) at {}, {} bytes, {}", hit.rule, hit.name, hit.offset, hit.length, hit.layer)
}

fn passes(name: &str, body: &[u8]) {
    let hits = told(name, body);
    assert!(hits.is_empty(), "{name}: {:?}", hits.iter().map(place).collect::<Vec<_>>());
}

/// What is told of a body that passes. Nobody may change it or hold a part of it to be a piece of a secret.
fn told(name: &str, body: &[u8]) -> Vec<Hit> {
    let sought = Sought::new(KnownValues::new(&known()).0, RuleSet::built_in(), key());
    let mut inspector = Inspector::new(sought);
    let collector = Collector::new(Fragments::new(&known(), &key()));
    let mut flow = collector.flow();
    let (mut out, mut hits) = (Vec::with_capacity(body.len()), Vec::new());
    let mut judge = |hit: &Hit| {
        hits.push(hit.clone());
        Verdict::Pass
    };
    let mut pieces = None;
    for chunk in body.chunks(61_007) {
        inspector.push(chunk, &mut out, &mut judge).unwrap();
        pieces = pieces.or(flow.push(chunk));
    }
    inspector.finish(&mut out, &mut judge).unwrap();
    assert!(pieces.or(flow.finish()).is_none(), "{name}");
    assert!(out == body, "{name} was changed");
    hits
}

fn all() -> bool {
    std::env::var("DLP_CORPUS").is_ok_and(|corpus| corpus == "all")
}

/// Numbers that never repeat the same way.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
    fn hex(&mut self, count: usize) -> String {
        self.bytes(count).iter().map(|byte| format!("{byte:02x}")).collect()
    }
    fn word(&mut self) -> &'static str {
        const WORDS: &str = "the a request body token stream value secret key password route host of in is and to for \
             function return let match error result config server client header path query async await test data user \
             access api public private auth bearer account id name version update module import from build run file";
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
    fn sentence(&mut self, words: u64) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
    fn uuid(&mut self) -> String {
        let hex = self.hex(16);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}

#[test]
fn lock_files() {
    let mut random = Random(1);
    let mut cargo = String::new();
    let mut npm = String::from("{\n  \"lockfileVersion\": 3,\n  \"packages\": {\n");
    let (mut yarn, mut go, mut pip) = (String::new(), String::new(), String::new());
    for number in 0..400 {
        let name = format!("{}-{}-{number}", random.word(), random.word());
        let (minor, patch) = (random.below(20), random.below(30));
        let sri = STANDARD.encode(random.bytes(64));
        let (sha1, sha256) = (random.hex(20), random.hex(32));
        let version = format!("1.{minor}.{patch}");
        writeln!(cargo, "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nchecksum = \"{sha256}\"\n")
            .unwrap();
        writeln!(
            npm,
            "    \"node_modules/@scope/{name}\": {{\n      \"version\": \"{version}\",\n      \"resolved\": \"https://packages.example/{name}/-/{name}-{version}.tgz\",\n      \"integrity\": \"sha512-{sri}\",\n      \"license\": \"MIT\"\n    }},"
        )
        .unwrap();
        writeln!(yarn, "{name}@^1.0.0:\n  version \"{version}\"\n  resolved \"https://packages.example/{name}-{version}.tgz#{sha1}\"\n  integrity sha512-{sri}\n").unwrap();
        let sum = STANDARD.encode(random.bytes(32));
        writeln!(
            go,
            "code.example/{name} v{version} h1:{sum}\ncode.example/{name} v{version}/go.mod h1:{sum}"
        )
        .unwrap();
        writeln!(
            pip,
            "{name}=={version} \\\n    --hash=sha256:{sha256} \\\n    --hash=sha256:{}",
            random.hex(32)
        )
        .unwrap();
    }
    for (name, body) in [
        ("Cargo.lock", cargo),
        ("package-lock", npm),
        ("yarn.lock", yarn),
        ("go.sum", go),
        ("requirements", pip),
    ] {
        passes(name, body.as_bytes());
        let in_json = serde_json::to_vec(&serde_json::json!({"role": "user", "content": body})).unwrap();
        passes(&format!("{name} in JSON"), &in_json);
    }
}

#[test]
fn identifiers_and_digests() {
    let mut random = Random(2);
    let mut body = String::new();
    for number in 0..1500 {
        let (hex, bytes) = (random.hex(64), random.bytes(64));
        let base64 = STANDARD.encode(&bytes);
        writeln!(body, "{} {number} {}", random.uuid(), random.uuid().to_uppercase()).unwrap();
        writeln!(body, "md5 {} sha1 {} sha256 {} sha512 {hex}", &hex[..32], &hex[..40], &hex[..64]).unwrap();
        writeln!(
            body,
            "sha256-{} sha384-{} sha512-{base64}",
            STANDARD.encode(&bytes[..32]),
            STANDARD.encode(&bytes[..48])
        )
        .unwrap();
        writeln!(body, "{}:{} W/\"{}\"", &hex[..12], &hex[20..52], &hex[..16]).unwrap();
        writeln!(
            body,
            "trace {}-{}-01 etag {} id {}",
            &hex[..32],
            &hex[..16],
            URL_SAFE_NO_PAD.encode(&bytes[..18]),
            random.next()
        )
        .unwrap();
        writeln!(body, "commit {}\nindex {}..{} 100644", &hex[..40], &hex[40..47], &hex[50..57]).unwrap();
    }
    passes("identifiers", body.as_bytes());
}

#[test]
fn images_fonts_and_archives_in_base64() {
    for seed in 3..6 {
        let mut random = Random(seed);
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08\x06\0\0\0".to_vec();
        png.extend(random.bytes(300_000));
        png.extend(b"\0\0\0\0IEND\xaeB`\x82");
        let code = STANDARD.encode(&png);
        let lines: Vec<&str> =
            code.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        for (name, body) in [
            (
                "an image for a model",
                format!(
                    "{{\"type\":\"image\",\"source\":{{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"{code}\"}}}}"
                ),
            ),
            ("a data address", format!(".a{{background:url(data:image/png;base64,{code})}}")),
            ("mail", format!("Content-Transfer-Encoding: base64\r\n\r\n{}\r\n", lines.join("\r\n"))),
            (
                "a blob of a code host",
                format!("{{\"content\":\"{}\\n\",\"encoding\":\"base64\"}}", lines.join("\\n")),
            ),
            ("base64url", URL_SAFE_NO_PAD.encode(&png)),
            ("hex", png.iter().map(|byte| format!("{byte:02x}")).collect()),
        ] {
            passes(name, body.as_bytes());
        }
    }
}

#[test]
fn code_and_conversations() {
    let mut random = Random(7);
    let mut minified = String::from("!function(e,t){\"use strict\";");
    let mut mappings = String::new();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for number in 0..6000_u64 {
        let (one, two) = (random.word(), random.word());
        write!(
            minified,
            "var _{number}=e.{one}&&t[\"{two}\"]||/^[\\w%-]+$/g.test({one}.{two}),a=x=10,b=c=fa;"
        )
        .unwrap();
        for _ in 0..4 {
            mappings.push(letters[usize::try_from(random.below(64)).unwrap()] as char);
        }
        mappings.push(if number % 9 == 0 { ';' } else { ',' });
    }
    minified.push_str("}(window,document);");
    passes("minified code", minified.as_bytes());
    let map = serde_json::json!({"version": 3, "sources": ["a.ts"], "sourcesContent": [minified], "mappings": mappings});
    passes("a source map", map.to_string().as_bytes());

    let mut messages = Vec::new();
    while messages.iter().map(|message: &serde_json::Value| message.to_string().len()).sum::<usize>()
        < 200_000
    {
        let code = (0..30)
            .map(|_| {
                format!(
                    "    let {} = self.{}(\"{}\")?; // {}\n",
                    random.word(),
                    random.word(),
                    random.word(),
                    random.sentence(5)
                )
            })
            .collect::<String>();
        let text = format!(
            "{}\n```rust\nfn {}() {{\n{code}}}\n```\n{} caf\u{e9} \u{201c}quoted\u{201d} \u{4e2d}\u{6587} \u{440}\u{443}\u{441}\u{441}\u{43a}\u{438}\u{439} \u{1f980}",
            random.sentence(60),
            random.word(),
            random.sentence(80)
        );
        messages.push(serde_json::json!({"role": "user", "content": [{"type": "text", "text": text}]}));
        messages.push(serde_json::json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("toolu_{}", random.hex(12)), "name": "bash", "input": {"command": format!("grep -rn \"{}\" src | head -{}", random.word(), random.below(50))}}]}));
    }
    let body = serde_json::json!({"model": "m", "max_tokens": 4096, "messages": messages}).to_string();
    passes("a conversation", body.as_bytes());
    passes("a conversation in JSON", serde_json::Value::String(body).to_string().as_bytes());
}

#[test]
fn tables_pages_and_logs() {
    let mut random = Random(8);
    let (mut csv, mut log, mut sql) =
        (String::from("id,when,name,mail,amount,phone\n"), String::new(), String::from("BEGIN;\n"));
    let mut html =
        String::from("<!doctype html><html><head><style>a:hover{color:#1a2b3c}</style></head><body>\n");
    for number in 0..1500 {
        let (id, cents, hour) = (random.uuid(), random.below(100), random.below(24));
        let (one, two) = (random.word(), random.word());
        writeln!(csv, "{number},2026-11-{:02}T{hour:02}:00:00Z,\"{one}, {two}\",{one}.{two}@example.org,{number}.{cents:02},+49 30 {:07}", number % 28 + 1, random.below(10_000_000)).unwrap();
        writeln!(log, "2026-11-27T{hour:02}:12:45.{:06}Z INFO http{{id={id}}} GET /v1/{one}/{number}?page={cents}&token_type={two} 200 {}ms {}", random.below(1_000_000), random.below(900), random.next()).unwrap();
        writeln!(sql, "INSERT INTO \"{one}s\" VALUES ({number}, '{id}', '{two} ''{one}''', {}.{cents:02}, '\\\\x{}', NULL);", random.below(100_000), random.hex(24)).unwrap();
        writeln!(html, "<p class=\"{one}-{two}\" style='width:{cents}%'>{} &amp; &#8212; &nbsp;<a href=\"/{one}?a={number}&amp;b=%C3%A9\">{two}</a><svg viewBox=\"0 0 24 24\"><path d=\"M{cents}.5 {hour}.25c0-1.1.9-2 2-2h{number}v{cents}l-4.59-4.58z\"/></svg></p>", random.sentence(9)).unwrap();
    }
    for (name, body) in [("csv", csv), ("a log", log), ("a dump", sql), ("a page", html)] {
        passes(name, body.as_bytes());
    }
    passes("discovery", serde_json::json!({
        "issuer": "https://login.example", "authorization_endpoint": "https://login.example/oauth2/v1/authorize",
        "token_endpoint": "https://login.example/oauth2/v1/token", "jwks_uri": "https://login.example/oauth2/v1/keys",
        "response_types_supported": ["code", "token", "id_token"], "scopes_supported": ["openid", "profile", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "keys": [{"kty": "RSA", "kid": random.hex(20), "use": "sig", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(random.bytes(256))}],
    }).to_string().as_bytes());
}

#[test]
fn random_bytes() {
    let size = if all() { 64 << 20 } else { 1 << 20 };
    for seed in 10..14 {
        let body = Random(seed).bytes(size);
        passes(&format!("random bytes of seed {seed}"), &body);
        let most = &body[..size / 4 * 3];
        passes(&format!("base64 of seed {seed}"), STANDARD.encode(most).as_bytes());
        passes(&format!("base64url of seed {seed}"), URL_SAFE_NO_PAD.encode(most).as_bytes());
    }
}

/// Some files below a folder, the biggest ones of the kind left out.
fn files(folder: &Path, kind: &str, most: usize) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() && !path.is_symlink() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == kind) && found.len() < most {
                found.push(path);
            }
        }
    }
    found
}

fn home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        PathBuf::from,
    )
}

/// Packages that hold what a rule is for, in their tests or on their pages; keys say of themselves that they are some. Whoever
/// sends these has to let that rule pass.
const HOLDERS: [(&str, &str); 2] = [("bip39-", "seed-phrase"), ("url-", "http-basic-password")];

/// Nor do packages pass that hold what needs more memory to be unfolded than a stream has: each frame is told, once.
#[test]
fn package_uploads() {
    let most = if all() { usize::MAX } else { 12 };
    let mut wrong = Vec::new();
    for path in files(&home().join("registry/cache"), "crate", most) {
        let Ok(bytes) = fs::read(&path) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if bytes.len() < 2 << 20 || all() {
            let content = unfolded(&bytes);
            let (wide, mut rest): (Vec<Hit>, Vec<Hit>) =
                told(&name, &bytes).into_iter().partition(|hit| &*hit.rule == UNREADABLE);
            rest.retain(|hit| !is_held(&name, &content, hit));
            if wide.len() != wide_frames(&content) || !rest.is_empty() {
                wrong.push(format!("{name}: {:?}", wide.iter().chain(&rest).map(place).collect::<Vec<_>>()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_held(package: &str, content: &[u8], hit: &Hit) -> bool {
    let key = b"PRIVATE KEY-----";
    let holds_key = || content.windows(key.len()).any(|window| window == key);
    HOLDERS.iter().any(|(name, rule)| package.starts_with(name) && &*hit.rule == *rule)
        || hit.rule.starts_with("private-key-") && holds_key()
}

fn unfolded(package: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(package).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Frames of zstd that say in their heads that they need more than 8 MiB (RFC 8878, 3.1.1.1; RFC 9659 has nobody read those).
fn wide_frames(bytes: &[u8]) -> usize {
    const HEAD: usize = 6;
    let is_wide = |head: &[u8]| {
        let [descriptor, window] = [head[4], head[5]];
        let one_segment = descriptor & 0x20 != 0;
        let size = (1_u64 << (10 + (window >> 3))) / 8 * (8 + u64::from(window & 7));
        head.starts_with(b"\x28\xb5\x2f\xfd") && !one_segment && size > 8 << 20
    };
    bytes.windows(HEAD).filter(|head| is_wide(head)).count()
}

/// The repository's own files: documents, code without its tests (made-up credentials stand in them), and its packs.
#[test]
fn this_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    passes("Cargo.lock", &fs::read(root.join("Cargo.lock")).unwrap());
    let mut count = 0;
    for krate in ["policy", "sandbox", "audit"] {
        for path in files(&root.join(krate).join("src"), "rs", 200) {
            let code = fs::read_to_string(&path).unwrap();
            let shipped = code.split("#[cfg(test)]").next().unwrap_or_default();
            passes(&path.display().to_string(), shipped.as_bytes());
            count += 1;
        }
    }
    assert!(count > 20);
    for path in files(&root.join(".git"), "pack", 1) {
        let bytes = fs::read(&path).unwrap_or_default();
        let most = if all() { bytes.len() } else { 2 << 20 };
        passes(&path.display().to_string(), &bytes[..most.min(bytes.len())]);
    }
}

/// The machine's roots: certificates are public.
#[test]
fn certificates() {
    for path in ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"] {
        let Ok(bytes) = fs::read(path) else { continue };
        passes(path, &bytes);
    }
    let der = Random(20).bytes(900);
    let lines: Vec<Vec<u8>> = STANDARD.encode(der).as_bytes().chunks(64).map(<[u8]>::to_vec).collect();
    let pem = [
        b"-----BEGIN CERTIFICATE-----\n".as_slice(),
        &lines.join(b"\n".as_slice()),
        b"\n-----END CERTIFICATE-----\n",
    ];
    passes("a certificate", &pem.concat());
}
