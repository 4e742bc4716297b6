//! Protected files that somebody on this machine replaces while an agent runs.
use crate::stage::{Stage, as_every_user, eventually};
use std::process::Command;

/// Waits until it is told to, tries, and waits to be ended.
const SCRIPT: &str = "while [ ! -e go ]; do sleep 0.05; done; \
    n=0; until grep -q '/.git/config ' /proc/self/mountinfo || [ $n = 100 ]; do n=$((n + 1)); sleep 0.05; done; \
    echo evil >> .git/config || echo held > tried; while [ -e go ]; do sleep 0.05; done";

fn git(stage: &Stage, arguments: &[&str]) {
    let done = stage.command("git").args(arguments).output().expect("git");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

#[test]
fn what_is_replaced_is_held_told_at_once_and_named_at_the_end() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    as_every_user(|stage| {
        stage.manifest("");
        git(stage, &["init", "-q", "."]);
        let mut command = stage.bottle(&["run", "--", "sh", "-c", SCRIPT]);
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
        let child = child.expect("bottle starts");
        eventually("the bottle to be listed", || stage.slugs().iter().any(|running| running == "dev"));
        git(stage, &["config", "user.name", "Ada"]);
        stage.write("go", "");
        eventually("the agent to try", || stage.path("work/tried").exists());
        let told = || stage.run(&["logs", "dev", "--json"]).ended_with(0).out;
        eventually("the audit to say so", || told().contains("protected-replaced"));
        std::fs::remove_file(stage.path("work/go")).expect("removed");
        let ran = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&ran.stderr);
        let review =
            said.split_once("replaced on this machine meanwhile").unwrap_or_else(|| panic!("{said}")).1;
        assert!(review.contains("  .git/config\n") && !review.contains("hooks"), "{said}");
        assert_eq!(told().matches("protected-replaced").count(), 1);
        let config = std::fs::read_to_string(stage.path("work/.git/config")).expect("there");
        assert!(config.contains("Ada") && !config.contains("evil"), "{config}");
        std::fs::remove_file(stage.path("work/tried")).expect("removed");
    });
}
