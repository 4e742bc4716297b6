//! Clean bodies as agents send them, a megabyte each, made of this repository's own texts: no line of them is made up to be fast.
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const BODY: usize = 1 << 20;

/// Crates whose sources are taken; this one's and their tests hold what is sought.
const CRATES: [&str; 7] = ["policy", "credentials", "audit", "manifest", "egress", "sandbox", "bottle"];
const DOCUMENTS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below with this ending, in the order of names.
fn texts(place: &Path, ending: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(place) else { return fs::read_to_string(place).into_iter().collect() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let wanted = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|end| end == ending);
    paths.iter().filter(|path| wanted(path)).flat_map(|path| texts(path, ending)).collect()
}

/// Source files.
pub(crate) fn sources() -> Vec<String> {
    CRATES.iter().flat_map(|name| texts(&root().join(name).join("src"), "rs")).collect()
}

/// Paragraphs of prose, with lists, tables and pieces of code.
fn paragraphs() -> Vec<String> {
    let documents = DOCUMENTS.iter().flat_map(|name| texts(&root().join(name), "md"));
    documents.flat_map(|text| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// As much as a body has.
fn cut(text: Vec<u8>) -> Vec<u8> {
    assert!(text.len() >= BODY, "the repository's texts are too few: {}", text.len());
    text.into_iter().take(BODY).collect()
}

/// Source files, one behind the other.
pub(crate) fn code() -> Vec<u8> {
    cut(sources().concat().into_bytes())
}

/// What stands in the documents, over and over: there is less than a megabyte.
pub(crate) fn prose() -> Vec<u8> {
    paragraphs().join("\n\n").into_bytes().into_iter().cycle().take(BODY).collect()
}

/// Messages as they are sent to a model: prose, calls of tools, and whole files with line numbers that tools have read.
pub(crate) fn conversation() -> Vec<u8> {
    let mut random = random(7);
    let paragraphs = paragraphs();
    let mut prose = paragraphs.iter().cycle();
    let mut messages = Vec::new();
    for (number, source) in sources().iter().enumerate() {
        let id = format!("toolu_01{:016x}{:06x}", random() << 20 ^ random(), random() & 0xFF_FFFF);
        let mut words = |count: usize| prose.by_ref().take(count).cloned().collect::<Vec<_>>().join("\n\n");
        let lines = source.lines().enumerate().map(|(at, line)| format!("{:6}\u{2192}{line}\n", at + 1));
        let file: String = lines.collect();
        messages.push(serde_json::json!({ "role": "user", "content": words(1 + number % 3) }));
        messages.push(serde_json::json!({ "role": "assistant", "content": [
            { "type": "text", "text": words(1 + number % 2) },
            { "type": "tool_use", "id": id, "name": "Read", "input": { "file_path": format!("/home/me/project/src/part_{number}.rs"), "limit": 2000 } },
        ]}));
        messages.push(serde_json::json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "is_error": false, "content": [{ "type": "text", "text": file }] },
        ]}));
    }
    let body = serde_json::json!({ "model": "a-model-of-today", "max_tokens": 32000, "stream": true, "messages": messages });
    cut(body.to_string().into_bytes())
}

/// A conversation of short turns: words, a few lines of a program, and identifiers, as a benchmark of the whole path sends them.
pub(crate) fn turns() -> Vec<u8> {
    let words: Vec<&str> = "a request goes out when the table says so and its answer is read as it comes with nothing kept that was \
                            not asked for while the next one waits for its place in the line".split(' ').collect();
    let mut random = random(5);
    let mut body = String::from("{\"model\":\"some-model\",\"messages\":[");
    while body.len() < BODY {
        let prose: Vec<&str> = (0..60).map(|_| words[random() % words.len()]).collect();
        let (line, commit, id) = (random() % 400, random() << 32 ^ random(), random() << 20 ^ random());
        let text = format!(
            "{}\n\n```rust\nfn sum_{line}(parts: &[Part]) -> u64 {{\n    parts.iter().map(|part| part.length).sum()\n}}\n```\n\
             Seen at {commit:016x}, request 6ba7b810-9dad-11d1-80b4-{id:012x}, line {line}.",
            prose.join(" ")
        );
        body += &serde_json::json!({ "role": "user", "content": text }).to_string();
        body.push(',');
    }
    cut(body.into_bytes())
}

/// Bytes that never repeat the same way.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut random = random(3);
    (0..count).map(|_| random().to_le_bytes()[1]).collect()
}

/// Digests in lines, as in a list of checksums.
pub(crate) fn hex() -> Vec<u8> {
    let line = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    cut(noise(BODY / 2).chunks(32).map(line).collect::<String>().into_bytes())
}

/// Packages with versions and checksums.
pub(crate) fn lock_file() -> Vec<u8> {
    let mut random = random(5);
    let names: Vec<String> = sources()
        .concat()
        .split(|sign: char| !sign.is_ascii_alphabetic())
        .filter(|name| name.len() > 4)
        .take(4096)
        .map(str::to_lowercase)
        .collect();
    let mut package = |digest: &[u8]| {
        let mut name = || &names[random() % names.len()];
        let (name, other, needed) = (name(), name(), name());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "[[package]]\nname = \"{name}-{other}\"\nversion = \"1.{}.{}\"\nsource = \"registry+https://packages.example.com/index\"\nchecksum = \"{hex}\"\ndependencies = [\n \"{needed}\",\n]\n\n",
            random() % 40,
            random() % 20
        )
    };
    cut(noise(BODY / 4).chunks(32).map(&mut package).collect::<String>().into_bytes())
}

fn random(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    }
}
