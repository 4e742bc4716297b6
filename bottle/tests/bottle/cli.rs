//! What people read before anything runs.
use crate::stage::{Ran, Stage};
use std::process::Stdio;

#[test]
fn every_command_has_help_with_examples_or_says_what_it_does() {
    let stage = Stage::new(None);
    let help = stage.run(&["--help"]).ended_with(0).out;
    for command in [
        "run",
        "check",
        "explain",
        "egress",
        "image",
        "init",
        "ps",
        "stop",
        "logs",
        "prune",
        "doctor",
        "demo",
        "audit",
        "ca",
        "scan",
        "policy",
        "learn",
        "report",
        "export",
        "ui",
        "requests",
        "allow",
        "refuse",
        "watch",
        "reload",
        "kill-switch",
        "mcp",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "`{command}` is not in the help:\n{help}");
        let own = stage.run(&[command, "--help"]).ended_with(0).out;
        assert!(own.contains("Usage: bottle"), "{own}");
    }
}

#[test]
fn the_help_of_run_says_how_it_exits() {
    let help = Stage::new(None).run(&["run", "--help"]).ended_with(0).out;
    for words in ["124 when its time limit", "125 when", "126 when", "127 when", "reaches nothing at all"] {
        assert!(help.contains(words), "`{words}` is not in:\n{help}");
    }
}

#[test]
fn every_shell_gets_completions() {
    let stage = Stage::new(None);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stage.run(&["completions", shell]).ended_with(0).out;
        assert!(script.contains("explain") && script.contains("workspace"), "{shell}: {script}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let stage = Stage::new(None);
    let folder = stage.path("man");
    stage.run(&["man", "--out", folder.to_str().expect("text")]).ended_with(0);
    for page in ["bottle", "bottle-run", "bottle-audit-verify", "bottle-doctor"] {
        let text = std::fs::read_to_string(folder.join(format!("{page}.1"))).expect(page);
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
}

#[test]
fn errors_have_one_shape() {
    let stage = Stage::new(None);
    let ran = stage.run(&["run"]).ended_with(125);
    assert!(ran.err.contains("bottle: error: no program to run\n  help: "), "{}", ran.err);
    let ran = stage.run(&["audit", "verify", "nowhere"]).ended_with(125);
    assert!(ran.err.starts_with("bottle: error: `nowhere` is neither"), "{}", ran.err);
}

/// A pipe whose reader has gone.
fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// `bottle … | head` and closed terminals: the answer is the exit code, and nothing panics.
#[test]
fn a_reader_that_goes_is_no_failure() {
    let stage = Stage::ordinary();
    stage.run(&["run", "--quiet", "--", "true"]).ended_with(0);
    for (arguments, code) in [
        ("--help", 0),
        ("nonsense", 2),
        ("run", 125),
        ("run --nonsense", 125),
        ("run -- true", 0),
        ("check", 0),
        ("check --json", 0),
        ("check --schema", 0),
        ("explain GET https://x.test/", 1),
        ("explain --json GET https://x.test/", 1),
        ("init --stdout", 0),
        ("ps", 0),
        ("ps --json", 0),
        ("stop nothing", 0),
        ("logs work", 0),
        ("logs work --json", 0),
        ("logs nothing", 125),
        ("prune", 0),
        ("audit verify work", 0),
        ("audit verify nothing", 125),
        ("egress --listen 0.0.0.0:1", 125),
        ("doctor", 0),
        ("doctor --json", 0),
        ("completions bash", 0),
        ("completions zsh", 0),
        ("completions fish", 0),
        ("man", 0),
        ("demo", 0),
    ] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let listening = stage.bottle(&words).stdout(nobody()).stderr(Stdio::piped()).output().expect("runs");
        let ran = Ran::of(listening).ended_with(code);
        assert!(!ran.err.contains("panicked"), "{arguments}: {}", ran.err);
        let deaf = stage.bottle(&words).stdout(nobody()).stderr(nobody()).status().expect("runs");
        assert_eq!(deaf.code(), Some(code), "{arguments}, with nobody at either end");
    }
}

/// An option that is not there must not become the program: the bottle would run without what was meant.
#[test]
fn a_misspelt_option_is_no_program() {
    let stage = Stage::ordinary();
    let ran = stage.run(&["run", "--mnaifest", "x.yaml", "--", "true"]).ended_with(125);
    assert!(ran.err.contains("--mnaifest") && ran.err.contains("--manifest"), "{}", ran.err);
    assert!(!stage.path("state/bottle").exists(), "nothing was started");
    let ran = stage.run(&["run", "--quiet", "sh", "-c", "echo $0 $1", "--quiet", "--", "-x"]).ended_with(0);
    assert_eq!(ran.out, "--quiet --\n", "what follows the program is its own");
    stage.run(&["chekc"]).ended_with(2);
}

#[test]
fn what_is_not_text_is_refused_and_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let stage = Stage::ordinary();
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff");
    let output = stage.bottle(&["run", "--"]).arg(odd).output().expect("runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(125) && told.contains("UTF-8"), "{told}");
    let folder = stage.workspace().join(odd);
    std::fs::create_dir(&folder).expect("made");
    for arguments in [&["run", "--", "true"][..], &["check"]] {
        let output = stage.bottle(arguments).current_dir(&folder).output().expect("runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("has a name that is not UTF-8 text\n  help: "), "{told}");
    }
}

/// What is wrong with the folder one stands in, or with an option, is no line of a manifest.
#[test]
fn mistakes_without_a_manifest_are_one_sentence_and_a_way_out() {
    let stage = Stage::ordinary();
    let home = stage.path("home");
    let at_home = stage.bottle(&["run", "--", "true"]).current_dir(&home).output().expect("runs");
    let told = Ran::of(at_home).ended_with(125).err;
    let wanted = format!(
        "bottle: error: the workspace `{}` would show more than a project\n  help: ",
        home.canonicalize().expect("there").display()
    );
    assert!(told.starts_with(&wanted), "{told}");
    for (arguments, wanted) in [
        (["-w", "/nowhere"], "bottle: error: the workspace `/nowhere` does not exist\n  help: "),
        (["--name", "No Name"], "bottle: error: `No Name` is not a name for a bottle\n  help: "),
        (["--preset", "nonsense"], "there is no preset `nonsense`"),
    ] {
        let ran = stage.run(&[&["run"], &arguments[..], &["--", "true"]].concat()).ended_with(125);
        assert!(ran.err.contains(wanted), "{}", ran.err);
        assert!(!ran.err.contains("no route"), "one thing at a time: {}", ran.err);
    }
}

#[test]
fn a_workspace_that_cannot_be_used_is_told_with_a_way_out() {
    let stage = Stage::ordinary();
    stage.write("file", "");
    let ran = stage.run(&["run", "-w", "file", "--", "true"]).ended_with(125);
    assert!(ran.err.contains("is not a folder\n  help: "), "{}", ran.err);
    stage.folder("theirs");
    let theirs = stage.workspace().join("theirs");
    std::fs::set_permissions(&theirs, std::os::unix::fs::PermissionsExt::from_mode(0o555)).expect("set");
    let ran = stage.run(&["run", "-w", "theirs", "--", "true"]).ended_with(125);
    assert!(ran.err.contains("you may not read and write the workspace"), "{}", ran.err);
}

#[test]
fn an_audit_that_cannot_be_read_is_not_called_broken() {
    let stage = Stage::ordinary();
    let ran = stage.run(&["audit", "verify", "."]).ended_with(125);
    assert!(ran.err.contains("cannot read the audit file `.`: it is no file"), "{}", ran.err);
    stage.write("empty.jsonl", "");
    let told = stage.run(&["audit", "verify", "empty.jsonl"]).ended_with(0).out;
    assert!(told.contains("holds no line") && !told.contains("whole"), "{told}");
}

/// A state folder that is full or not ours.
#[test]
fn a_state_folder_that_cannot_be_written_is_named_with_a_way_out() {
    let stage = Stage::ordinary();
    std::fs::set_permissions(stage.path("state"), std::os::unix::fs::PermissionsExt::from_mode(0o555))
        .expect("set");
    let ran = stage.run(&["run", "--", "true"]).ended_with(125);
    assert!(ran.err.contains("cannot use the folder") && ran.err.contains("XDG_STATE_HOME"), "{}", ran.err);
}

/// A PIN is injected like any token, and nobody can look for it: the operator is to know.
#[test]
fn secrets_too_short_to_be_looked_for_are_named_and_never_shown() {
    let stage = Stage::ordinary();
    stage.write("pins", "DOOR_PIN=4711\nDB_PASSWORD=long-enough-1\n");
    stage.manifest(
        "egress:\n  routes:\n    - host: api.test\n      auth: { scheme: bearer, token: { env: API_PIN } }\n  \
         dlp: { secrets: [{ file: pins }] }\n",
    );
    for arguments in [&["run", "--", "true"][..], &["check"], &["check", "--json"]] {
        let output = stage.bottle(arguments).env("API_PIN", "0815-x").output().expect("runs");
        let ran = Ran::of(output).ended_with(0);
        let all = format!("{}{}", ran.out, ran.err);
        for name in ["EGRESS_TOKEN_0 (variable `API_PIN`)", "`pins:DOOR_PIN`"] {
            assert!(all.contains(name), "`{name}` is not in {arguments:?}:\n{all}");
        }
        assert!(!all.contains("pins:DB_PASSWORD") && !all.contains("4711") && !all.contains("0815"), "{all}");
    }
}

/// Who is logged in and holds no key is told which variable takes its place.
#[test]
fn an_agent_without_its_key_is_told_what_to_set() {
    let stage = Stage::ordinary();
    for (preset, wanted) in [
        ("claude-code", "`claude setup-token`"),
        ("codex", "OPENAI_API_KEY"),
        ("gemini-cli", "GEMINI_API_KEY"),
    ] {
        let ran = stage.run(&["run", "--preset", preset, "--", "true"]).ended_with(125);
        assert!(ran.err.contains(wanted) && ran.err.contains("bottle: error: "), "{}", ran.err);
    }
    for preset in ["opencode", "aider", "pi"] {
        let told = stage.run(&["check", "--preset", preset]).ended_with(0).err;
        assert!(told.contains("is at hand") && told.contains("OPENAI_API_KEY"), "{told}");
    }
    let mut command = stage.bottle(&["run", "--quiet", "--preset", "claude-code", "--", "env"]);
    let token = "sk-ant-oat01-real-0123456789";
    let ran = Ran::of(command.env("CLAUDE_CODE_OAUTH_TOKEN", token).output().expect("runs")).ended_with(0);
    assert!(
        ran.out.contains("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-") && !ran.out.contains(token),
        "{}",
        ran.out
    );
}

/// The scripts do what they are for: bash completes by its own means.
#[test]
fn bash_completes_commands_options_and_shells() {
    let stage = Stage::ordinary();
    let script = stage.run(&["completions", "bash"]).ended_with(0).out;
    let completed = |words: &str, number: usize| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={number}; \
             _bottle bottle \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        Ran::of(stage.command("bash").args(["-c", &ask]).output().expect("bash runs")).ended_with(0).out
    };
    assert_eq!(completed("bottle expl", 1), "explain\n");
    assert!(completed("bottle run --wo", 2).contains("--workspace"));
    assert_eq!(completed("bottle audit ver", 2), "verify\n");
}
