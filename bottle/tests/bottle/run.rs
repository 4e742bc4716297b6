//! `bottle run`: exit codes, environment, preflight and summary, credentials, refusals.
use crate::stage::{Stage, as_every_user};
use std::process::Stdio;

const SECRET: &str = "real-secret-value-0123456789";
const ROUTE_WITH_TOKEN: &str =
    "egress:\n  routes:\n    - host: api.test\n      auth: { scheme: bearer, token: { env: API_TOKEN } }\n";

#[test]
fn the_exit_code_is_the_agents_own() {
    as_every_user(|stage| {
        for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
            stage.run(&["run", "--quiet", "--", "sh", "-c", script]).ended_with(code);
        }
    });
}

#[test]
fn a_program_that_cannot_run_has_a_shells_exit_code() {
    as_every_user(|stage| {
        let missing = stage.run(&["run", "--quiet", "--", "no-such-program"]).ended_with(127);
        assert!(
            missing.err.contains("`no-such-program`") && missing.err.contains("help:"),
            "{}",
            missing.err
        );
        stage.run(&["run", "--quiet", "--", "/etc/passwd"]).ended_with(126);
        assert!(stage.slugs().is_empty());
    });
}

#[test]
fn standard_input_and_output_pass_through_untouched() {
    as_every_user(|stage| {
        let mut command = stage.bottle(&["run", "--quiet", "--", "sh", "-c", "cat; echo oops >&2"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let sent: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let mut input = child.stdin.take().expect("piped");
        let copy = sent.clone();
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &copy));
        let output = child.wait_with_output().expect("ends");
        writer.join().expect("joined").expect("written");
        assert!(output.stdout == sent, "{} bytes came back", output.stdout.len());
        assert_eq!(output.stderr, b"oops\n");
    });
}

#[test]
fn the_agent_holds_a_placeholder_and_nothing_of_the_launchers_environment() {
    as_every_user(|stage| {
        stage.manifest(ROUTE_WITH_TOKEN);
        let mut command = stage.bottle(&["run", "--quiet", "-e", "EXTRA=1", "--", "env"]);
        let output = command.env("API_TOKEN", SECRET).env("OTHER_TOKEN", "other").output().expect("runs");
        let out = String::from_utf8(output.stdout).expect("text");
        let token = out.lines().find_map(|line| line.strip_prefix("API_TOKEN=")).expect("a placeholder");
        assert!(token.len() > 20 && !out.contains(SECRET), "{out}");
        assert!(!out.contains("OTHER_TOKEN"), "{out}");
        for expected in ["EXTRA=1", "BOTTLE=dev", "HTTPS_PROXY=http://egress:9099", "NODE_EXTRA_CA_CERTS="] {
            assert!(out.contains(expected), "`{expected}` is not in {out}");
        }
    });
}

#[test]
fn a_secret_does_not_get_in_by_another_variable_or_an_argument() {
    let stage = Stage::ordinary();
    stage.manifest(ROUTE_WITH_TOKEN);
    let leaks: [&[&str]; 2] = [
        &["run", "--quiet", "-e", "COPY=x-real-secret-value-0123456789", "--", "env"],
        &["run", "--quiet", "--", "echo", "real-secret-value-0123456789"],
    ];
    for arguments in leaks {
        let output = stage.bottle(arguments).env("API_TOKEN", SECRET).output().expect("runs");
        let err = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(125), &b""[..]), "{err}");
        assert!(err.contains("EGRESS_TOKEN_0") && !err.contains(SECRET), "{err}");
    }
}

#[test]
fn all_credentials_that_cannot_be_had_are_in_one_message() {
    let stage = Stage::ordinary();
    stage.manifest(
        "egress:\n  routes:\n    - host: a.test\n      auth: { scheme: bearer, token: { env: UNSET_ONE } }\n    \
         - host: b.test\n      auth: { scheme: bearer, token: { file: /nonexistent/token } }\n",
    );
    let ran = stage.run(&["run", "--", "true"]).ended_with(125);
    assert!(ran.err.contains("`UNSET_ONE`") && ran.err.contains("`/nonexistent/token`"), "{}", ran.err);
    assert!(stage.slugs().is_empty());
}

#[test]
fn the_preflight_says_what_is_reached_bound_and_seen() {
    let stage = Stage::ordinary();
    stage.manifest(ROUTE_WITH_TOKEN);
    let output = stage.bottle(&["run", "--", "true"]).env("API_TOKEN", SECRET).output().expect("runs");
    let err = String::from_utf8(output.stderr).expect("text");
    for words in [
        "api.test",
        "variable `API_TOKEN` as bearer token",
        "and nothing else",
        "read-write",
        "exited with 0",
    ] {
        assert!(err.contains(words), "`{words}` is not in:\n{err}");
    }
    assert!(err.contains(stage.workspace().to_str().expect("text")) && !err.contains(SECRET), "{err}");
    let quiet =
        stage.bottle(&["run", "--quiet", "--", "true"]).env("API_TOKEN", SECRET).output().expect("runs");
    assert_eq!(String::from_utf8(quiet.stderr).expect("text"), "");
}

#[test]
fn a_refused_host_is_explained_summed_up_and_written_down() {
    as_every_user(|stage| {
        let ran = stage.run(&["run", "--", "curl", "-sS", "-i", "https://refused.test/path"]).ended_with(0);
        assert!(ran.out.contains("bottle-decision: denied; code=host-not-allowed"), "{}", ran.out);
        assert!(ran.err.contains("refused.test  1 × host-not-allowed"), "{}", ran.err);
        let slug = ran
            .err
            .lines()
            .find_map(|line| line.strip_prefix("bottle work"))
            .map(|_| "work")
            .expect("its name");
        let logs = stage.run(&["logs", slug]).ended_with(0).out;
        assert!(logs.contains("denied") && logs.contains("GET refused.test/path"), "{logs}");
        assert!(stage.run(&["audit", "verify", slug]).ended_with(0).out.contains("is whole"));
    });
}

#[test]
fn an_audit_file_that_was_changed_is_found_out() {
    let stage = Stage::ordinary();
    stage.run(&["run", "--quiet", "--", "true"]).ended_with(0);
    let file = stage.path("state/bottle/work/audit.jsonl");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, text.replacen("agent-started", "agent-stopped", 1)).expect("written");
    assert!(stage.run(&["audit", "verify", "work"]).ended_with(1).err.contains("line "));
}

#[test]
fn a_time_limit_ends_an_agent_that_does_not_want_to() {
    let stage = Stage::ordinary();
    stage.manifest("time_limit: 1s\n");
    let begun = std::time::Instant::now();
    let ran = stage.run(&["run", "--", "sh", "-c", "sleep 100"]).ended_with(124);
    assert!(ran.err.contains("was stopped by its time limit"), "{}", ran.err);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn a_published_port_reaches_a_server_inside_and_only_through_loopback() {
    let stage = Stage::ordinary();
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address").port();
    stage.manifest(&format!("ports: [\"{port}:3000\"]\n"));
    let server = "perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalAddr => \"127.0.0.1:3000\") \
                  or die; while ($c = $s->accept) { print $c \"from inside: \" . <$c>; close $c }'";
    let launcher = stage.start("dev", server);
    let ask = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        std::io::Write::write_all(&mut stream, b"hello\n")?;
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).map(|_| answer)
    };
    crate::stage::eventually("the server inside", || {
        ask().is_ok_and(|answer| answer == "from inside: hello\n")
    });
    let taken = stage.run(&["run", "--", "true"]).ended_with(125);
    assert!(taken.err.contains(&format!("127.0.0.1:{port}")), "{}", taken.err);
    launcher.signal(rustix::process::Signal::TERM);
    launcher.end().ended_with(143);
}

#[test]
fn a_manifest_that_an_agent_planted_below_the_users_own_is_not_followed() {
    let stage = Stage::ordinary();
    stage.manifest("");
    stage.folder("sub");
    std::fs::write(stage.path("work/sub/bottle.yaml"), "name: planted\n").expect("written");
    let output =
        stage.bottle(&["run", "--", "true"]).current_dir(stage.path("work/sub")).output().expect("runs");
    let err = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(125) && err.contains("--manifest"), "{err}");
}

#[test]
fn name_and_workspace_of_the_command_line_win() {
    as_every_user(|stage| {
        stage.manifest("");
        stage.folder("other");
        let other = stage.workspace().join("other");
        let ran = stage.run(&["run", "--name", "another", "--workspace", "other", "--", "pwd"]).ended_with(0);
        assert_eq!(ran.out.trim_end(), other.to_str().expect("text"));
        assert!(ran.err.contains("bottle another"), "{}", ran.err);
        assert!(stage.path("state/bottle/another/audit.jsonl").exists());
    });
}

#[test]
fn a_backend_that_is_not_built_is_refused_as_such() {
    let stage = Stage::ordinary();
    for backend in ["docker", "kubernetes", "linxu"] {
        let ran = stage.run(&["run", "--backend", backend, "--", "true"]).ended_with(125);
        assert!(ran.err.contains(&format!("`{backend}`")), "{}", ran.err);
    }
}
