//! What is made of an audit, mostly afterwards: logs, archives, pages, manifests.
use crate::stage::{Ran, Stage};

/// Lines of two runs.
fn audit() -> String {
    let mut seq = 0;
    let mut line = |time: &str, rest: &str| {
        seq += 1;
        format!(
            "{{\"v\":1,\"seq\":{seq},\"time\":\"2026-01-01T{time}Z\",\"bottle\":\"dev\",{rest},\"prev\":\"0\"}}\n"
        )
    };
    let step = |step: &str| format!("\"event\":\"lifecycle\",\"step\":\"{step}\"");
    let exchange = |decision: &str, code: &str, what: &str| {
        let (method, url) = what.split_once(' ').expect("method and URL");
        let (host, path) = url.split_once('/').expect("host and path");
        let code =
            if code.is_empty() { String::new() } else { format!("\"code\":\"{code}\",\"reason\":\"why\",") };
        format!(
            "\"event\":\"exchange\",\"id\":\"i\",\"decision\":\"{decision}\",{code}\"protocol\":\"h1\",\"scheme\":\"https\",\
             \"method\":\"{method}\",\"host\":\"{host}\",\"port\":443,\"path\":\"/{path}\",\"bytes_up\":1,\"bytes_down\":2,\"duration_ms\":3"
        )
    };
    let found =
        ",\"findings\":[{\"rule\":\"canary\",\"place\":\"body\",\"name\":\"aws\",\"action\":\"block\"}]";
    [
        line("10:00:00", &step("bottle-started")),
        line("10:00:01", &exchange("denied", "host-not-allowed", "GET old.test/x")),
        line("12:00:00", &step("bottle-started")),
        line("12:00:01", &exchange("allowed", "", "GET known.test/a")),
        line("12:00:02", &exchange("denied", "host-not-allowed", "GET new.test/v1/users")),
        line("12:00:03", &exchange("denied", "host-not-allowed", "POST new.test/v1/users")),
        line(
            "12:00:04",
            &format!("{}{found}", exchange("denied", "secret-in-request", "POST known.test/up")),
        ),
        line("12:00:05", &exchange("denied", "address-not-allowed", "GET metadata.test/latest")),
    ]
    .concat()
}

const MANIFEST: &str = "egress:\n  # what it needs\n  routes:\n    - host: known.test   # the first\n";

fn stage() -> Stage {
    let stage = Stage::ordinary();
    stage.manifest(MANIFEST);
    stage.write("audit.jsonl", &audit());
    stage
}

fn lines(ran: &Ran) -> Vec<String> {
    ran.out.lines().map(str::to_owned).collect()
}

#[test]
fn a_manifest_is_learned_from_an_audit_and_nothing_of_the_old_one_is_lost() {
    let stage = stage();
    let ran = stage.run(&["learn", "--from", "audit.jsonl"]).ended_with(0);
    let comments: String = ran.out.lines().filter(|line| line.contains("# not learned")).collect();
    assert!(ran.out.starts_with(&format!("name: dev\n{MANIFEST}    # learned 20")), "{}", ran.out);
    assert!(
        ran.out.contains("    - host: new.test\n      methods: [GET, POST]\n      paths: [\"/v1/users\"]\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("    - host: old.test\n      methods: [GET]\n      paths: [\"/x\"]\n"),
        "{}",
        ran.out
    );
    assert!(
        comments.contains("`canary` was found in body")
            && comments.contains("refused by `address-not-allowed`"),
        "{comments}"
    );
    assert!(
        ran.err.contains("--- bottle.yaml\n+++ bottle.learned.yaml\n")
            && ran.err.contains("+    - host: new.test"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("2 new routes explain 3 exchanges; 1 was allowed already"), "{}", ran.err);
    stage.write("bottle.yaml", &ran.out);
    stage.run(&["check"]).ended_with(0);
    stage.run(&["explain", "POST", "https://new.test/v1/users"]).ended_with(0);
    stage.run(&["explain", "DELETE", "https://new.test/v1/users"]).ended_with(1);
    let again = stage.run(&["learn", "--from", "audit.jsonl"]).ended_with(1);
    assert_eq!(again.out, "nothing new was learned\n");
}

#[test]
fn a_learned_manifest_is_written_beside_only_when_asked_and_never_over_another() {
    let stage = stage();
    stage.run(&["learn", "--from", "audit.jsonl"]).ended_with(0);
    assert!(!stage.workspace().join("bottle.learned.yaml").exists());
    let ran = stage.run(&["learn", "--from", "audit.jsonl", "--out"]).ended_with(0);
    assert!(ran.out.contains("bottle policy diff bottle.yaml "), "{}", ran.out);
    let file = stage.workspace().join("bottle.learned.yaml");
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(text.contains("- host: new.test"), "{text}");
    let ran = stage.run(&["learn", "--from", "audit.jsonl", "--out"]).ended_with(125);
    assert!(ran.err.contains("is there already\n  help: "), "{}", ran.err);
    let diff = stage.run(&["policy", "diff", "bottle.yaml", "bottle.learned.yaml"]).ended_with(1).out;
    assert!(diff.contains("! + route `new.test /v1/users`: GET|POST https://new.test/v1/users\n"), "{diff}");
    assert!(diff.contains("2 changes, 2 weaken (!); policy "), "{diff}");
}

#[test]
fn learning_answers_programs_too() {
    let stage = stage();
    let text = stage
        .run(&["learn", "--from", "audit.jsonl", "--since", "2026-01-01T11:00:00Z", "--json"])
        .ended_with(0)
        .out;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["routes"].as_array().map(Vec::len), Some(1), "the first run was before: {text}");
    assert_eq!((&answer["explained"], &answer["covered"]), (&2.into(), &1.into()));
    assert!(answer["manifest"].as_str().expect("text").contains("new.test"));
    stage.manifest("nonsense: 1\n");
    let text = stage.run(&["learn", "--from", "audit.jsonl", "--json"]).ended_with(2).out;
    assert!(text.contains("\"ok\": false") && text.contains("nonsense"), "{text}");
    let ran = stage.run(&["learn", "--from", "nowhere"]).ended_with(125);
    assert!(ran.err.contains("cannot read the audit file `nowhere`"), "{}", ran.err);
    stage.run(&["learn"]).ended_with(2);
}

#[test]
fn logs_are_filtered() {
    let stage = stage();
    for (arguments, wanted) in [
        ("", 6),
        ("--all", 8),
        ("--decision denied", 4),
        ("--decision denied --host new.test", 2),
        ("--code address-not-allowed --code secret-in-request", 2),
        ("--findings", 1),
        ("--method POST", 2),
        ("--since 2026-01-01T12:00:04Z", 2),
        ("--decision denied --limit 1", 1),
        ("--decision denied --tail 3 --limit 2", 2),
        ("--limit 0", 0),
        ("--host nobody.test", 0),
    ] {
        let words: Vec<&str> =
            ["logs", "--from", "audit.jsonl"].into_iter().chain(arguments.split_whitespace()).collect();
        let shown = lines(&stage.run(&words).ended_with(0));
        assert_eq!(shown.len(), wanted, "{arguments}: {shown:#?}");
        let raw = lines(&stage.run(&[&words[..], &["--json"]].concat()).ended_with(0));
        assert!(
            raw.len() == wanted && raw.iter().all(|line| line.starts_with("{\"v\":1,")),
            "{arguments}: {raw:#?}"
        );
    }
    stage.run(&["logs", "dev", "--engine", "--host", "a.test"]).ended_with(2);
    stage.run(&["logs", "--from", "audit.jsonl", "--since", "yesterday"]).ended_with(2);
}

#[test]
fn an_archive_is_read_by_our_own_scanner() {
    let stage = stage();
    let archive =
        stage.run(&["logs", "--from", "audit.jsonl", "--har", "--decision", "denied"]).ended_with(0).out;
    let value: serde_json::Value = serde_json::from_str(&archive).expect("JSON");
    assert_eq!(value["log"]["entries"].as_array().map(Vec::len), Some(4));
    stage.write("run.har", &archive);
    stage.run(&["scan", "--har", "run.har", "--quiet"]).ended_with(0);
}

#[test]
fn a_page_is_written_where_it_is_wanted() {
    let stage = stage();
    let out = stage.run(&["report", "--from", "audit.jsonl", "--out", "-"]).ended_with(0).out;
    assert!(out.starts_with("<!DOCTYPE html>") && out.contains("POST https://known.test/up"), "{out}");
    assert!(!out.contains("old.test"), "the last run only");
    let ran = stage.run(&["report", "--from", "audit.jsonl", "--all", "--out", "run.html"]).ended_with(0);
    assert_eq!(ran.out, "run.html\n");
    assert!(
        std::fs::read_to_string(stage.workspace().join("run.html")).expect("written").contains("old.test")
    );
    let usual = stage.run(&["report", "--from", "audit.jsonl"]).ended_with(0).out;
    let name = stage.path("state").join("bottle/reports/dev-2026-01-01T120000.html");
    assert_eq!(usual.trim_end(), name.display().to_string());
    assert_eq!(std::fs::read_to_string(name).expect("written"), out);
    stage.write("empty.jsonl", "");
    let ran = stage.run(&["report", "--from", "empty.jsonl"]).ended_with(125);
    assert!(ran.err.contains("holds no audit line\n  help: "), "{}", ran.err);
}

#[test]
fn policies_are_shown_and_compared() {
    let stage = stage();
    let shown = stage.run(&["policy", "show"]).ended_with(0).out;
    let json: serde_json::Value =
        serde_json::from_str(&stage.run(&["policy", "show", "--json"]).ended_with(0).out).expect("JSON");
    let hash = json["hash"].as_str().expect("a hash");
    assert!(
        shown.starts_with(&format!("policy {hash}\n")) && shown.contains("https://known.test"),
        "{shown}"
    );
    stage.folder("elsewhere");
    stage.write("elsewhere/same.yaml", &format!("# other words\n{MANIFEST}name: dev\n"));
    stage.write("b.yaml", "name: dev\negress: { routes: [{ host: known.test, tls: passthrough }] }\n");
    stage.write("wrong.yaml", "name: dev\nnonsense: 1\n");
    let same = stage.run(&["policy", "diff", "elsewhere/same.yaml", "bottle.yaml"]).ended_with(0).out;
    assert_eq!(same, format!("nothing changes: policy {hash}\n"));
    let text = stage.run(&["policy", "diff", "bottle.yaml", "b.yaml", "--json"]).ended_with(1).out;
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let changes = json["comparisons"][0]["changes"].as_array().expect("changes");
    assert!(
        changes.iter().any(|c| c["detail"] == "tls open → passthrough" && c["weakens"] == true),
        "{text}"
    );
    assert_eq!(json["comparisons"][0]["old"], hash);
    let ran = stage.run(&["policy", "diff", "bottle.yaml", "wrong.yaml"]).ended_with(2);
    assert!(ran.err.contains("has no key `nonsense`"), "{}", ran.err);
    let text = stage.run(&["policy", "diff", "bottle.yaml", "nowhere.yaml", "--json"]).ended_with(2).out;
    assert!(text.contains("\"ok\": false"), "{text}");
}

#[test]
fn a_followed_log_is_filtered_and_ends_when_there_was_enough() {
    let stage = Stage::ordinary();
    let script = "sleep 1; for i in 1 2 3; do curl -s https://late$i.test/; done; sleep 60";
    let launcher = stage.start("work", script);
    let arguments = ["logs", "work", "--follow", "--decision", "denied", "--host", "*.test", "--limit", "2"];
    let logs = lines(&stage.run(&arguments).ended_with(0));
    assert_eq!(logs.len(), 2, "{logs:#?}");
    assert!(logs.iter().all(|line| line.contains("denied") && line.contains("GET late")), "{logs:#?}");
    assert_eq!(stage.slugs(), ["work"], "it ended before the bottle did");
    stage.run(&["stop", "--all", "--time", "1"]).ended_with(0);
    launcher.end();
}

/// `bottle::keep` writes a manifest in place where a bottle sees it: the file stays mounted read-only inside.
#[test]
fn a_manifest_that_is_written_in_place_stays_out_of_the_agents_reach() {
    let stage = Stage::ordinary();
    stage.manifest(MANIFEST);
    let script = "while [ ! -e go ]; do sleep 0.05; done; grep -c later bottle.yaml; echo x >> bottle.yaml && echo written";
    let launcher = stage.start("dev", script);
    let manifest = stage.workspace().join("bottle.yaml");
    std::fs::write(&manifest, format!("# later\nname: dev\n{MANIFEST}")).expect("written in place");
    stage.write("go", "");
    let ran = launcher.end();
    assert_eq!(ran.out, "1\n", "{ran:?}");
    assert!(std::fs::read_to_string(&manifest).expect("read").ends_with("# the first\n"));
}
