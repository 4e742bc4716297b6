//! Rules of the user's own, and files of them.
use crate::inspect::run_with;
use dlp::{FingerprintKey, KnownValues, OwnRule, RuleSet, Sought, Verdict};

/// Up to the first zero a file of rules; behind it what they are tried on. Whatever is loaded finds in a stream what it finds in
/// the whole.
pub fn rule_file(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else { return };
    match RuleSet::from_gitleaks(text) {
        Ok(loaded) => tried(&loaded.rules, bytes.get(end + 1..).unwrap_or_default()),
        Err(errors) => assert!(!errors.is_empty() && errors.iter().all(|error| error.line > 0)),
    }
}

/// Up to the first zero a pattern; behind it what it is tried on.
pub fn own_rule(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let Ok(pattern) = std::str::from_utf8(&bytes[..end]) else { return };
    let rule = OwnRule { id: "own".into(), pattern: pattern.into(), ..OwnRule::default() };
    match RuleSet::of_own(&[rule]) {
        Ok(rules) => tried(&rules, bytes.get(end + 1..).unwrap_or_default()),
        Err(errors) => assert_eq!(errors.len(), 1),
    }
}

fn tried(rules: &RuleSet, body: &[u8]) {
    let sought = Sought::new(KnownValues::new(&[]).0, rules.clone(), FingerprintKey::new([5; 32]));
    let whole = sought.find_all(body);
    for cut in [1, 3, 64] {
        let (out, hits, _) = run_with(&sought, body, cut, Verdict::Pass);
        assert_eq!(out, body);
        assert_eq!(whole.is_empty(), hits.is_empty(), "{whole:?} {hits:?}");
    }
}
