//! What people read before anything runs.
use crate::stage::Stage;

#[test]
fn every_command_has_help_with_examples_or_says_what_it_does() {
    let stage = Stage::new(None);
    let help = stage.run(&["--help"]).ended_with(0).out;
    for command in [
        "run", "check", "explain", "egress", "image", "init", "ps", "stop", "logs", "prune", "doctor",
        "demo", "audit",
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

#[test]
fn words_of_later_issues_are_not_there() {
    let stage = Stage::new(None);
    for command in ["watch", "allow", "refuse", "learn", "mcp"] {
        stage.run(&[command]).ended_with(2);
    }
}
