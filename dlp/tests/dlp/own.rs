//! Rules of the user's own, and files that were written for gitleaks.
use crate::inspect::key;
use dlp::{Hit, Inspector, KnownValues, OwnRule, RuleSet, Sought, Verdict};

fn sought(rules: RuleSet) -> Sought {
    Sought::new(KnownValues::new(&[]).0, rules, key())
}

fn own(id: &str, pattern: &str) -> OwnRule {
    OwnRule { id: id.into(), pattern: pattern.into(), ..OwnRule::default() }
}

fn seen(rules: &RuleSet, text: &str) -> Vec<String> {
    let hits = sought(rules.clone()).find_all(text.as_bytes());
    hits.iter()
        .map(|hit| format!("{} {}", hit.rule, &text[usize::try_from(hit.offset).unwrap()..][..hit.length]))
        .collect()
}

#[test]
fn a_rule_of_the_users_own_is_sought_beside_ours() {
    let rules = RuleSet::of_own(&[OwnRule {
        entropy: 2.0,
        stop_words: vec!["SAMPLE".into()],
        except: vec!["^0+$".into()],
        ..own("acme-key", "(?i)acme[_-]key[:=] ?([a-z0-9]{12})")
    }])
    .unwrap();
    let rules = RuleSet::built_in().with(&rules);
    assert_eq!(seen(&rules, "ACME_KEY=k3j4h5g6f7d8 "), ["acme-key k3j4h5g6f7d8"]);
    for miss in
        ["acme_key=aaaaaaaaaaaa", "acme_key=sample123456", "acme_key=000000000000", "acme=k3j4h5g6f7d8"]
    {
        assert!(seen(&rules, miss).is_empty(), "{miss}");
    }
    let replaced = RuleSet::built_in().with(&RuleSet::of_own(&[own("jwt", "never-seen-[0-9]{9}")]).unwrap());
    assert_eq!(replaced.rules().count(), RuleSet::built_in().rules().count(), "an id is one rule");
}

/// No word is in every match, or none that is near its beginning: such rules are tried everywhere.
#[test]
fn rules_without_words_are_found_too_and_in_any_cut() {
    let rules = RuleSet::of_own(&[
        own("digits", "\\b[0-9]{3}:[0-9]{9}\\b"),
        own("late", "[a-z]{3,90}=[0-9]{4}acme!"),
    ])
    .unwrap();
    assert!(rules.rules().any(dlp::Rule::is_slow));
    let body = b"no 12:123456789 but 123:123456789, and key=1234acme! too";
    let whole = sought(rules.clone()).find_all(body);
    assert_eq!(whole.iter().map(|hit| hit.offset).collect::<Vec<_>>(), [20, 39]);
    for size in 1..body.len() {
        let mut inspector = Inspector::new(sought(rules.clone()));
        let (mut out, mut hits) = (Vec::new(), Vec::new());
        let mut judge = |hit: &Hit| {
            hits.push(hit.clone());
            Verdict::Redact
        };
        for chunk in body.chunks(size) {
            inspector.push(chunk, &mut out, &mut judge).unwrap();
        }
        inspector.finish(&mut out, &mut judge).unwrap();
        assert_eq!(hits, whole, "{size}");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "no 12:123456789 but [redacted:digits], and [redacted:late] too"
        );
    }
}

#[test]
fn mistakes_in_rules_are_told_all_at_once() {
    let broken =
        [own("a", "a(b"), own("", "abcd"), own("c", "x*"), OwnRule { group: 2, ..own("d", "abcd(e)") }];
    let Err(errors) = RuleSet::of_own(&broken) else { panic!("none of them is a rule") };
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(errors[0].message.contains("unclosed group"), "{}", errors[0]);
}

const FILE: &str = r#"
title = "acme's rules"

[extend]
useDefault = true
disabledRules = ["jwt"]

[[rules]]
id = "acme-token"
description = "a token of acme's"
regex = '''(?i)[\w.-]{0,20}?(?:acme)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}([a-z0-9]{16})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 3
keywords = ["acme"]
path = '''\.py$'''

[[rules.allowlists]]
regexTarget = "match"
regexes = ['''acme_public''']
stopwords = ["sample"]

[[rules]]
id = "corp-id"
regex = '''corp-(id|key)-([A-Z]{8}{x})\z'''
secretGroup = 2

[allowlist]
paths = ['''vendor/''']
regexes = ['''^nothing$''']
"#;

#[test]
fn a_file_for_gitleaks_is_loaded_as_it_is() {
    let loaded = RuleSet::from_gitleaks(FILE).unwrap();
    let rules = loaded.rules;
    assert_eq!(seen(&rules, "my_acme_key = \"k3j4h5g6f7d8s9a0\"\n"), ["acme-token k3j4h5g6f7d8s9a0"]);
    assert_eq!(seen(&rules, "corp-key-ABCDEFGH{x}"), ["corp-id ABCDEFGH{x}"]);
    for miss in ["acme_public = k3j4h5g6f7d8s9a0\n", "acme = sample6f7d8s9a0k\n", "acme = aaaabbbbaaaabbbb\n"]
    {
        assert!(seen(&rules, miss).is_empty(), "{miss}");
    }
    assert!(rules.rules().any(|rule| rule.id() == "npm-token"), "ours are there");
    assert!(rules.rules().all(|rule| rule.id() != "jwt"), "but the one that is left out");
    let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.starts_with("14:8: `path` of `acme-token` is not used")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|note| note.contains("by path or commit")), "{notes:?}");
}

#[test]
fn mistakes_in_a_file_have_their_places() {
    for (text, place, message) in [
        ("[[rules]\nid = 1", "1:", "expected"),
        ("[[rules]]\nid = \"a\"\nregex = '''a(b'''", "3:9:", "unclosed group"),
        ("[[rules]]\nid = 7\nregex = 'abcd'", "2:6:", "`id` is no text"),
        ("[extend]\npath = \"x.toml\"", "2:8:", "is not followed"),
        ("[rules]\nid = \"a\"", "1:", "`rules` is no list"),
        ("[[rules]]\nid = \"a\"\nregex = 'abcd'\nentropy = 'x'", "4:11:", "no number"),
    ] {
        let Err(errors) = RuleSet::from_gitleaks(text) else { panic!("{text}") };
        let told = errors[0].to_string();
        assert!(told.starts_with(place) && told.contains(message), "{text}: {told}");
    }
}

/// Found by three letters, whatever follows them and wherever they stand.
#[test]
fn words_of_three_letters_are_found_before_anything() {
    let rules = RuleSet::of_own(&[own("short", r"abc[\W_]{1,3}[0-9]{8}")]).unwrap();
    assert!(!rules.rules().any(dlp::Rule::is_slow));
    for before in ["", " ", "\u{1}x"] {
        for sign in ["=", ": ", "\0", "\" \"", "\u{e9}"] {
            let body = format!("{before}abc{sign}12345678 ");
            assert_eq!(sought(rules.clone()).find_all(body.as_bytes()).len(), 1, "{body:?}");
        }
    }
}

/// The end of a line may be where the value goes on, or not: whatever stands behind it, the value has one fingerprint.
#[test]
fn what_follows_a_line_makes_no_difference_to_a_fingerprint() {
    let sought = sought(RuleSet::of_own(&[own("acme-key", "acme_[a-zA-Z0-9]{20,40}")]).unwrap());
    let token = "acme_k3j4h5g6f7d8s9a0q1w2";
    let alone = sought.find_all(token.as_bytes());
    for next in ["words", "Other9 words", ""] {
        let text = format!("{token}\n{next}");
        let hits = sought.find_all(text.as_bytes());
        assert_eq!(hits.len(), 1, "{text}");
        assert_eq!(hits[0].fingerprint, alone[0].fingerprint, "{text}");
        let longer = token.len() + if next.is_empty() { 0 } else { 1 + next.find(' ').unwrap_or(next.len()) };
        assert_eq!(hits[0].length, longer, "what may belong to it does not go on: {text}");
    }
}

#[test]
fn ids_are_told_without_the_rules() {
    let rules = RuleSet::built_in();
    assert!(RuleSet::built_in_ids().eq(rules.rules().map(dlp::Rule::id)));
}
