//! What a new manifest changes, and whether it weakens.
use crate::support::{Paper, load_on};
use manifest::diff::{Change, Kind, between};
use manifest::{Plan, policy_hash};

fn plan(text: &str) -> Plan {
    let machine = Paper {
        variables: vec!["T", "U", "P"],
        files: vec![
            "/home/ada/project/.env",
            "/home/ada/project/corp.pem",
            "/home/ada/data",
            "/home/ada/project/r.toml",
        ],
        programs: vec!["/usr/bin/secret-tool"],
        ..Paper::default()
    };
    load_on(text, &machine).unwrap_or_else(|problems| panic!("{problems}")).plan
}

/// `!+ route `x`: …`: weakens, was added; `*`: needs a new start.
fn line(change: &Change) -> String {
    let sign = match change.kind {
        Kind::Added => '+',
        Kind::Removed => '-',
        Kind::Changed => '~',
    };
    let mark = |on: bool, mark: &'static str| if on { mark } else { "" };
    format!(
        "{}{}{sign} {}: {}",
        mark(change.weakens, "!"),
        mark(change.restart, "*"),
        change.item,
        change.detail
    )
}

fn diff(old: &str, new: &str) -> Vec<String> {
    between(&plan(old), &plan(new)).iter().map(line).collect()
}

/// Without the files of the workspace that are write-protected because the manifest relies on them.
fn diff_unprotected(old: &str, new: &str) -> Vec<String> {
    diff(old, new).into_iter().filter(|line| !line.contains(" protect.")).collect()
}

fn routes(list: &str) -> String {
    format!("egress:\n  routes:\n{list}")
}

#[test]
fn the_same_is_no_change_however_it_is_written() {
    let text = routes("    - { host: a.test, methods: [GET] }\n    - host: b.test\n");
    assert!(diff(&text, &format!("# other\n{text}")).is_empty());
    assert_eq!(policy_hash(&plan(&text).egress), policy_hash(&plan(&format!("name: other\n{text}")).egress));
}

#[test]
fn routes_are_told_by_what_they_let_through() {
    let old = routes("    - { host: a.test, methods: [GET], paths: [\"/x/**\"] }\n    - host: gone.test\n");
    let new = routes(
        "    - { host: a.test, methods: [GET, POST], paths: [\"/x/y\"] }\n    - { host: new.test, port: 8443, allow_private: true }\n",
    );
    assert_eq!(
        diff(&old, &new),
        [
            "- route `gone.test`: any method https://gone.test/**",
            "~ route `a.test /x/y`: called a.test /x/** → a.test /x/y",
            "!~ route `a.test /x/y`: methods GET → GET, POST",
            "~ route `a.test /x/y`: paths /x/** → /x/y",
            "!+ route `new.test:8443`: any method https://new.test:8443/**, may be private",
        ]
    );
    let back = diff(&new, &old);
    assert!(back.contains(&"~ route `a.test /x/**`: methods GET, POST → GET".to_owned()), "{back:?}");
    assert!(back.contains(&"!~ route `a.test /x/**`: paths /x/y → /x/**".to_owned()), "{back:?}");
}

#[test]
fn every_facet_of_a_route_says_whether_it_weakens() {
    let one = |rest: &str| routes(&format!("    - {{ name: r, host: a.test{rest} }}\n"));
    for (old, new, wanted) in [
        ("", ", tls: passthrough", "!~ route `r`: tls open → passthrough"),
        (", tls: passthrough", "", "~ route `r`: tls passthrough → open"),
        ("", ", scheme: http, port: 443", "!~ route `r`: scheme https → http"),
        ("", ", port: 8443", "!~ route `r`: port 443 → 8443"),
        ("", ", allow_private: true", "!~ route `r`: allow_private false → true"),
        (", allow_private: true", "", "~ route `r`: allow_private true → false"),
        ("", ", port: 5432, protocol: tcp", "!~ route `r`: protocol http → tcp"),
        ("", ", dlp: { action: warn }", "!~ route `r`, what is found: block → warn"),
        (", dlp: { action: warn }", "", "~ route `r`, what is found: warn → block"),
        ("", ", budget: { requests: 5/min }", "+ route `r`: requests 5/min"),
        (
            ", budget: { requests: 5/min }",
            ", budget: { requests: 4/min }",
            "~ route `r`: requests 5/min → requests 4/min",
        ),
        (
            ", budget: { requests: 5/min }",
            ", budget: { requests: 5/s }",
            "!~ route `r`: requests 5/min → requests 5/s",
        ),
        (", budget: { requests: 5/min }", "", "!- route `r`: requests 5/min"),
    ] {
        let lines = diff(&one(old), &one(new));
        assert!(lines.contains(&wanted.to_owned()), "{wanted}\n{lines:#?}");
        assert_ne!(policy_hash(&plan(&one(old)).egress), policy_hash(&plan(&one(new)).egress), "{wanted}");
    }
    let below = diff(&one(""), &routes("    - { name: r, host: \"*.a.test\" }\n"));
    assert_eq!(below, ["!~ route `r`: host a.test → *.a.test"]);
}

#[test]
fn credentials_are_told_by_their_source_and_never_shown() {
    let with = |auth: &str| routes(&format!("    - {{ host: a.test{auth} }}\n"));
    let bearer = with(", auth: { scheme: bearer, token: { env: T } }");
    let command = with(", auth: { scheme: header, header: x-key, token: { command: [secret-tool, hush] } }");
    assert_eq!(
        diff(&with(""), &bearer),
        ["!+ route `a.test`: credential variable `T` as bearer", "!*+ variable `T`: placeholder in T",]
    );
    let lines = diff(&bearer, &command);
    assert!(
        lines[0].starts_with(
            "!~ route `a.test`: credential variable `T` as bearer → command `/usr/bin/secret-tool`"
        ),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| !line.contains("hush")), "arguments may be anything: {lines:?}");
    assert_eq!(
        diff(&bearer, &with("")),
        ["- route `a.test`: credential variable `T` as bearer", "*- variable `T`: placeholder in T"]
    );
}

/// A route that goes, or stands elsewhere, leaves its requests to another one, with what that one says.
#[test]
fn what_another_route_inherits_weakens() {
    let strict = "    - { host: a.test, paths: [\"/x\"], budget: { requests: 1/min } }\n";
    let wide = "    - { host: a.test, dlp: { action: warn } }\n";
    let lines = diff(&routes(&format!("{strict}{wide}")), &routes(wide));
    assert_eq!(
        lines,
        ["!- route `a.test /x`: any method https://a.test/x; what it covered may go out by `a.test`"]
    );
    let narrow = |n: u8| {
        format!(
            "    - {{ host: a.test, paths: [\"/{n}/**\", \"/both\"], budget: {{ requests: {n}/min }} }}\n"
        )
    };
    let lines = diff(
        &routes(&format!("{}{}", narrow(1), narrow(2))),
        &routes(&format!("{}{}", narrow(2), narrow(1))),
    );
    assert_eq!(lines, ["!~ route `a.test /2/** …`: stands before `a.test /1/** …` now, which decided first"]);
}

#[test]
fn the_search_says_what_it_keeps_less_of() {
    let dlp = |rest: &str| format!("egress:\n  dlp: {{ {rest} }}\n");
    for (old, new, wanted) in [
        ("action: block", "action: redact", "!~ what is found: block → redact"),
        ("action: warn", "action: redact", "~ what is found: warn → redact"),
        ("", "secrets: [{ file: .env }]", "+ values to keep: file `/home/ada/project/.env`"),
        ("secrets: [{ file: .env }]", "", "!- values to keep: file `/home/ada/project/.env`"),
        ("", "rules: { github-personal-token: warn }", "!+ rule `github-personal-token`: warn"),
        (
            "rules: { github-personal-token: warn }",
            "rules: { github-personal-token: block }",
            "~ rule `github-personal-token`: warn → block",
        ),
        (
            "",
            "rules: { github-personal-token: { in: block } }",
            "+ rule `github-personal-token` in answers: block",
        ),
        (
            "rules: { github-personal-token: { in: block } }",
            "",
            "!- rule `github-personal-token` in answers: block",
        ),
        (
            "",
            "allow: [{ rule: github-personal-token, fingerprint: 0123456789abcdef, reason: known }]",
            "!+ allowance: `github-personal-token` 0123456789abcdef: known",
        ),
        ("canaries: [aws]", "", "!*- canary: aws"),
        ("", "rule_files: [r.toml]", "+ file of rules: `/home/ada/project/r.toml`"),
        ("entropy: block", "", "!- random text (`entropy`): block"),
        ("", "responses: { prompt_injection: block }", "~ text that speaks to an agent: warn → block"),
        ("", "responses: { prompt_injection: off }", "!~ text that speaks to an agent: warn → off"),
    ] {
        let wrap = |rest: &str| if rest.is_empty() { String::new() } else { dlp(rest) };
        let lines = diff_unprotected(&wrap(old), &wrap(new));
        assert_eq!(lines, [wanted]);
    }
}

#[test]
fn the_way_out_is_compared() {
    let base = "egress:\n  routes: [{ host: a.test }]\n";
    let with = |rest: &str| format!("{base}  {rest}\n");
    assert_eq!(diff(base, &with("resolve: { a.test: \"10.0.0.1:1\" }")), ["!+ `a.test`: 10.0.0.1:1"]);
    assert_eq!(
        diff_unprotected(base, &with("upstream_roots: [corp.pem]")),
        ["!*+ root that is trusted: `/home/ada/project/corp.pem`"]
    );
    let proxy = with("upstream_proxy: { url: \"http://p:1\", except: [b.test] }");
    assert_eq!(diff(&proxy, base), ["!*- upstream proxy: http://p:1"]);
    let other = with("upstream_proxy: { url: \"http://p:1\", except: [b.test, c.test] }");
    assert_eq!(diff(&proxy, &other), ["!*+ what goes around the proxy: c.test"]);
    assert_eq!(
        diff(base, &with("budget: { bytes_up: 1MiB/min }")),
        ["+ all routes together: bytes_up 1MiB/min"]
    );
    assert_eq!(
        policy_hash(&plan(&proxy).egress),
        policy_hash(&plan(base).egress),
        "the next hop judges nothing"
    );
}

#[test]
fn the_bottle_itself_needs_a_new_start() {
    let old = "name: dev\nagent: { command: [a, b], env: { KEY: one } }\nlimits: { memory: 1GiB }\nprotect: [scripts]\n";
    let new = "name: dev\nagent: { command: [a], env: { KEY: two }, pass_env: [MORE] }\nmounts: [{ path: ~/data, mode: rw }]\n";
    let lines = diff(old, new);
    for wanted in [
        "*- limits.memory: 1073741824",
        "*~ agent.command: [\"a\",\"b\"] → [\"a\"]",
        "*~ agent.env.KEY: its value is not shown",
        "!*+ agent.pass_env.`MORE`: MORE",
    ] {
        assert!(lines.contains(&wanted.to_owned()), "{wanted}\n{lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("!*+ mounts.`/home/ada/data`")), "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.starts_with("!*- protect.`/home/ada/project/scripts`")),
        "{lines:#?}"
    );
    assert!(lines.iter().all(|line| !line.contains("one") && !line.contains("two")), "{lines:#?}");
}

/// The hash is written into audits: it must not drift between releases for what is the same policy.
#[test]
fn the_hash_of_a_policy_stays() {
    let text = routes("    - { host: a.test, methods: [GET], paths: [\"/x/**\"] }\n");
    let hash = policy_hash(&plan(&text).egress);
    assert_eq!(hash.len(), 16);
    let copy: manifest::plan::EgressPlan =
        serde_json::from_str(&serde_json::to_string(&plan(&text).egress).expect("written")).expect("read");
    assert_eq!(policy_hash(&copy), hash);
    let other = routes("    - { host: a.test, methods: [GET], paths: [\"/y/**\"] }\n");
    assert_ne!(policy_hash(&plan(&other).egress), hash);
}
