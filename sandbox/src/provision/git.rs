//! ssh URLs of code hosts become https, where the egress can see and credential them.
//!
//! By variables, not by a file: `GIT_CONFIG_GLOBAL` would hide the user's own name and aliases.
use std::collections::BTreeMap;

/// `GIT_CONFIG_COUNT` and its pairs, after those that are there already.
pub(super) fn rewrites(hosts: &[String], env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let start = already(env);
    let pairs: Vec<_> = hosts.iter().flat_map(|host| spellings(host)).collect();
    if pairs.is_empty() {
        return BTreeMap::new();
    }
    let mut set = BTreeMap::from([("GIT_CONFIG_COUNT".into(), (start + pairs.len()).to_string())]);
    for (number, (key, value)) in (start..).zip(pairs) {
        set.insert(format!("GIT_CONFIG_KEY_{number}"), key);
        set.insert(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    set
}

fn already(env: &BTreeMap<String, String>) -> usize {
    env.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn spellings(host: &str) -> [(String, String); 3] {
    let key = format!("url.https://{host}/.insteadOf");
    [format!("ssh://git@{host}/"), format!("git@{host}:"), format!("ssh://{host}/")]
        .map(|url| (key.clone(), url))
}
