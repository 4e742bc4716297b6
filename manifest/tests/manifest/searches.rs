//! Budgets, rules, allowances, canaries: what they mean, and what is told about those that mean nothing.
use crate::support::{Paper, load_here, load_on, problems};
use manifest::Plan;
use manifest::plan::{Canary, DlpAction, DlpSecret, RatePlan, RuleAction, RuleActions};
use policy::RouteId;
use std::path::PathBuf;

const EVERYTHING: &str = r#"
egress:
  budget: { bytes_up: 10MiB/min, requests: 600/h, connections: 1000/run }
  routes:
    - host: a.test
      name: the api
      budget: { requests: 5/s }
      dlp: { action: warn, rules: { gitlab-personal-token: off }, entropy: off, responses: { prompt_injection: off } }
    - { host: db.test, port: 5432, protocol: tcp, dlp: { inspect: true } }
  dlp:
    action: redact
    rules: { known-secret: block, acme-key: { out: warn, in: redact }, gitlab-personal-token: { in: warn } }
    rule_files: [rules.toml]
    own_rules:
      - { id: acme-key, pattern: "acme_[a-z0-9]{32}", entropy: 3.5, action: block }
      - { id: acme-id, pattern: "id=(acme[0-9]+)", group: 1, stop_words: [acme000], except: ["0$"], action: off }
    allow:
      - { route: the api, rule: acme-key, fingerprint: 0123456789abcdef, reason: its public demo key }
      - { rule: known-secret, fingerprint: fedcba9876543210, reason: printed on the box }
    canaries: [netrc, aws, aws]
    secrets: [{ file: .env, keys: [DB_PASSWORD] }, { command: [pass, show, db] }, { env: OTHER }]
    entropy: block
    responses: { prompt_injection: block }
"#;

fn machine() -> Paper {
    Paper {
        programs: vec!["/usr/bin/pass"],
        files: vec!["/home/ada/project/.env", "/home/ada/project/rules.toml"],
        ..Paper::default()
    }
}

fn plan(text: &str) -> Plan {
    load_on(text, &machine()).unwrap_or_else(|problems| panic!("{problems}")).plan
}

#[test]
fn budgets_mean_amounts_within_a_time() {
    let egress = plan(EVERYTHING).egress;
    let rate = |amount, per_secs| Some(RatePlan { amount, per_secs });
    assert_eq!(egress.budget.bytes_up, rate(10 << 20, Some(60)));
    assert_eq!(egress.budget.requests, rate(600, Some(3600)));
    assert_eq!(egress.budget.connections, rate(1000, None));
    assert_eq!(egress.route_budgets[&RouteId(0)].requests, rate(5, Some(1)));
    assert_eq!(egress.route_budgets.len(), 1);
    assert_eq!(
        egress.budget.lines(),
        ["bytes_up 10MiB/min", "requests 600/h", "connections 1000/run"],
        "as the manifest writes it"
    );
}

#[test]
fn what_is_sought_and_done_about_it_stands_in_the_plan() {
    let dlp = plan(EVERYTHING).egress.dlp;
    assert_eq!(dlp.action, DlpAction::Redact);
    assert_eq!((dlp.action_on(RouteId(0)), dlp.action_on(RouteId(1))), (DlpAction::Warn, DlpAction::Redact));
    let out = |out| RuleActions { out: Some(out), inward: None };
    assert_eq!(dlp.rules["known-secret"], out(RuleAction::Block));
    assert_eq!(
        dlp.rules["acme-key"],
        RuleActions { out: Some(RuleAction::Warn), inward: Some(RuleAction::Redact) },
        "`rules` goes before the rule's own action"
    );
    assert_eq!(dlp.rules["acme-id"], out(RuleAction::Off));
    assert_eq!(dlp.rules["gitlab-personal-token"].inward, Some(RuleAction::Warn));
    assert_eq!(dlp.routes[&RouteId(0)].rules["gitlab-personal-token"], out(RuleAction::Off));
    assert_eq!(dlp.routes[&RouteId(0)].entropy, Some(RuleAction::Off));
    assert_eq!(dlp.routes[&RouteId(0)].prompt_injection, Some(RuleAction::Off));
    assert!(dlp.routes[&RouteId(1)].inspect);
    assert_eq!((dlp.entropy, dlp.prompt_injection), (Some(RuleAction::Block), RuleAction::Block));
    assert_eq!(dlp.canaries, [Canary::Aws, Canary::Netrc]);
    assert_eq!(dlp.own_rules[0].entropy_milli, Some(3500));
    assert_eq!(
        (dlp.own_rules[1].group, dlp.own_rules[1].stop_words.as_slice(), dlp.own_rules[1].except.as_slice()),
        (1, &["acme000".to_owned()][..], &["0$".to_owned()][..])
    );
    let taken = dlp.own_rules[1].rule();
    assert_eq!((taken.pattern.as_str(), taken.group, taken.entropy), ("id=(acme[0-9]+)", 1, 0.0));
    assert_eq!((taken.stop_words, taken.except), (vec!["acme000".to_owned()], vec!["0$".to_owned()]));
    assert_eq!(dlp.own_rules[0].rule().entropy.to_bits(), 3.5_f64.to_bits());
    let on_route = dlp.rules_on(RouteId(0));
    assert_eq!(on_route["gitlab-personal-token"].out, Some(RuleAction::Off), "the nearer word");
    assert_eq!(on_route["gitlab-personal-token"].inward, Some(RuleAction::Warn), "where it says nothing");
    assert_eq!((dlp.allow[0].route, dlp.allow[1].route), (Some(RouteId(0)), None));
    let file = PathBuf::from("/home/ada/project/.env");
    assert_eq!(dlp.secrets[0], DlpSecret::File { path: file, keys: Some(vec!["DB_PASSWORD".into()]) });
    let argv = ["/usr/bin/pass", "show", "db"].map(str::to_owned).to_vec();
    assert_eq!(dlp.secrets[1], DlpSecret::Command { argv });
}

/// Who could change what is looked for would be looked at by nobody.
#[test]
fn files_of_rules_are_write_protected() {
    let plan = plan(EVERYTHING);
    assert!(plan.sandbox.protect.contains(&PathBuf::from("/home/ada/project/rules.toml")));
    let mount = "mounts: [{ path: /rules, mode: rw }]\negress: { dlp: { rule_files: [/rules/x.toml] } }\n";
    let machine = Paper { files: vec!["/rules", "/rules/x.toml"], ..Paper::default() };
    let told = load_on(mount, &machine).expect_err("the agent writes there").to_string();
    assert!(told.contains("could change what is trusted"), "{told}");
}

#[test]
fn nothing_is_planted_and_nothing_is_limited_unless_it_is_said() {
    let loaded = load_here("").unwrap_or_else(|problems| panic!("{problems}"));
    let egress = loaded.plan.egress;
    assert!(egress.budget.is_empty() && egress.dlp.canaries.is_empty());
    assert_eq!((egress.dlp.entropy, egress.dlp.prompt_injection), (None, RuleAction::Warn));
    let all = plan("egress: { dlp: { canaries: true } }\n").egress.dlp.canaries;
    assert_eq!(all, [Canary::Aws, Canary::Env, Canary::Netrc]);
    assert!(plan("egress: { dlp: { canaries: false } }\n").egress.dlp.canaries.is_empty());
}

fn dlp(keys: &str) -> String {
    format!("egress: {{ routes: [{{ host: a.test, name: r }}], dlp: {{ {keys} }} }}\n")
}

fn allowance(keys: &str) -> String {
    dlp(&format!("allow: [{{ {keys} }}]"))
}

fn own(keys: &str) -> String {
    dlp(&format!("own_rules: [{{ {keys} }}]"))
}

#[test]
fn mistakes_are_told_with_their_way_out() {
    let route = |keys: &str| format!("egress: {{ routes: [{{ host: a.test, {keys} }}] }}\n");
    let table = [
        (route("budget: { requests: 5 }"), "`requests` must be text, found"),
        (route("budget: { requests: 5/week }"), "`5/week` is not an amount within a time"),
        (route("budget: { bytes_up: 10/min }"), "for example `10MiB/min`"),
        (route("budget: { bytes: 1 }"), "has no key `bytes`"),
        (route("dlp: {}"), "`dlp` says nothing"),
        (route("dlp: { inspect: true }"), "`inspect` is for routes with `protocol: tcp`"),
        (
            route("port: 1, protocol: tcp, dlp: { inspect: true, action: redact }"),
            "raw bytes cannot be redacted",
        ),
        (route("port: 1, protocol: tcp, dlp: { inspect: false }"), "`dlp` cannot be enforced"),
        (
            dlp("rules: { known-secret: deny }"),
            "must be one of `block`, `redact`, `warn`, `off`, found `deny`",
        ),
        (dlp("rules: { known-secret: { both: warn } }"), "has no key `both`"),
        (dlp("rules: { known-secret: {} }"), "nothing is said about `known-secret`"),
        (dlp("rules: { known-secrets: warn }"), "did you mean `known-secret`?"),
        (dlp("rules: { canary: warn }"), "a canary never leaves"),
        (dlp("rule_files: [missing.toml]"), "missing.toml` does not exist"),
        (dlp("canaries: [cat]"), "must be one of `aws`, `env`, `netrc`, found `cat`"),
        (dlp("canaries: []"), "is an empty list"),
        (dlp("canaries: 5"), "`canaries` must be `true` or `false` or a list, found"),
        (dlp("entropy: redact"), "must be one of `block`, `warn`, `off`"),
        (dlp("responses: { prompt_injection: redact }"), "must be one of `block`, `warn`, `off`"),
        (allowance("rule: known-secret, fingerprint: xyz, reason: r"), "`xyz` is not a fingerprint"),
        (
            allowance("rule: known-secret, fingerprint: \"0123456789ABCDEF\", reason: r"),
            "is not a fingerprint",
        ),
        (allowance("rule: known-secret, fingerprint: 0123456789abcdef, reason: \" \""), "needs its reason"),
        (allowance("rule: known-secret, fingerprint: 0123456789abcdef"), "needs the key `reason`"),
        (
            allowance("route: s, rule: known-secret, fingerprint: 0123456789abcdef, reason: r"),
            "no route is called `s`",
        ),
        (allowance("rule: canary, fingerprint: 0123456789abcdef, reason: r"), "a canary never leaves"),
        (allowance("rule: nothing, fingerprint: 0123456789abcdef, reason: r"), "there is no rule `nothing`"),
        (own("id: Acme, pattern: acme"), "`Acme` is not an id"),
        (own("id: canary, pattern: acme"), "there is a rule `canary` already"),
        (own("id: known-secret, pattern: acme"), "there is a rule `known-secret` already"),
        (own("id: random-text, pattern: acme"), "there is a rule `random-text` already"),
        (own("id: npm-token, pattern: acme"), "there is a rule `npm-token` already"),
        (own("id: acme, pattern: acme, words: [acme]"), "has no key `words`"),
        (
            own("id: acme, pattern: \"acme(\""),
            "the pattern of `acme` is no regular expression: unclosed group",
        ),
        (own("id: acme, pattern: \"(?=acme)\""), "the pattern of `acme` is no regular expression"),
        (own("id: acme, pattern: \"x*\""), "matches the empty text, which is everywhere"),
        (own("id: acme, pattern: acme, group: 1"), "`acme` has 0 groups, and group 1 is to be its value"),
        (own("id: acme, pattern: acme, except: [\"(\"]"), "the exception `(` is no regular expression"),
        (own("id: acme, pattern: acme, entropy: 9.5"), "between 0 and 8"),
        (
            dlp("own_rules: [{ id: acme, pattern: acme }, { id: acme, pattern: acme }]"),
            "two rules are called `acme`",
        ),
        (dlp("secrets: [{ env: A, keys: [B] }]"), "`keys` means something only beside `file`"),
        (dlp("secrets: [{ env: A, command: [b] }]"), "exactly one of the keys `env`, `file` and `command`"),
        (dlp("secrets: [{}]"), "exactly one of the keys `env`, `file` and `command`"),
    ];
    for (text, wanted) in table {
        let told = problems(&text);
        assert!(told.contains(wanted), "about\n{text}\nit says\n{told}\nand not {wanted:?}");
    }
}

#[test]
fn a_rule_that_is_tried_at_every_byte_is_told() {
    let told = |pattern: &str| {
        let text = own(&format!("id: acme, pattern: \"{pattern}\""));
        load_here(&text).unwrap_or_else(|problems| panic!("{problems}")).warnings.to_string()
    };
    assert!(told("[a-z]{32}").contains("the rule `acme` is tried at every byte"), "{}", told("[a-z]{32}"));
    assert!(!told("acme_[a-z]{32}").contains("every byte"));
}

/// Files may bring any id, and the lowering reads none of them: whoever does tells.
#[test]
fn ids_of_files_are_not_known_here() {
    let loaded = plan("egress: { dlp: { rule_files: [rules.toml], rules: { of-a-file: warn } } }\n");
    let named: Vec<&str> = loaded.egress.dlp.named_rules().collect();
    assert_eq!(named, ["of-a-file"]);
}
