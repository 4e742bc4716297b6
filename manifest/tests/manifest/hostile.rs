//! Manifests that were written to do harm to whoever reads them.
use crate::support::{load_here, problems};
use std::time::{Duration, Instant};

/// Told, and told soon.
fn soon(text: &str) -> String {
    let begun = Instant::now();
    let told = problems(text);
    assert!(begun.elapsed() < Duration::from_secs(10), "took {:?}", begun.elapsed());
    told
}

#[test]
fn alias_bombs_end_before_they_unfold() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, of) in ('b'..='j').zip('a'..='i') {
        let aliases = vec![format!("*{of}"); 9].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{aliases}]\n"));
    }
    let told = soon(&bomb);
    assert!(told.contains("not readable as YAML"), "{}", &told[..told.len().min(500)]);
}

#[test]
fn a_manifest_has_at_most_a_mebibyte() {
    let long = format!("# {}\nname: x\n", "a".repeat(1024 * 1024));
    assert!(soon(&long).contains("bytes long"));
    assert!(load_here(&format!("# {}\nname: x\n", "a".repeat(1024 * 1000))).is_ok());
}

#[test]
fn ten_thousand_routes_are_read() {
    let mut text = String::from("egress:\n  routes:\n");
    for number in 0..10_000 {
        text.push_str(&format!(
            "    - {{ host: h{number}.test, methods: [GET, POST], paths: [/v1/*, /v2/*] }}\n"
        ));
    }
    let loaded = load_here(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.plan.egress.policy.routes().len(), 10_000);
    let many = format!("agent: {{ command: [{}] }}\n", "a,".repeat(400_000));
    assert!(soon(&many).contains("more than a manifest may be"));
}

#[test]
fn deep_nesting_ends() {
    let deep = format!("agent: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(soon(&deep).contains("not readable as YAML"));
    let deep: String = (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth % 100))).collect();
    soon(&deep);
}

#[test]
fn several_documents_are_refused() {
    assert!(soon("name: a\n---\nname: b\n").contains("not readable as YAML"));
}

#[test]
fn merge_keys_are_no_way_around_the_check_of_keys() {
    let text = "egress:\n  routes:\n    - &a { host: a.test }\n    - { <<: *a, host: b.test }\n";
    assert!(soon(text).contains("no key `<<`"));
}

#[test]
fn what_a_manifest_says_does_not_drive_the_terminal() {
    let told = soon("\"na\\eme\": x\nname: \"\u{9b}31m\\e]0;owned\\a\"\n");
    assert!(!told.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{told:?}");
}

#[test]
fn no_text_makes_it_panic() {
    let alphabet = [
        "egress:", "routes:", " ", "\n", "- ", "host: ", "*", "&a", "*a", "{", "}", "[", "]", "\"", "'", ":",
        "é", "\t", "~", "|", ">", "!!", "%", "\0", "\u{feff}", "auth:", "1", "#",
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..(state % 40) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(alphabet[usize::try_from(state >> 33).unwrap_or(0) % alphabet.len()]);
        }
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        if let Err(problems) = load_here(&text) {
            assert!(problems.has_errors());
            assert_eq!(problems.reports().len(), problems.list.len());
            let _ = problems.to_string();
        }
    }
}
