//! `examples/compose`: an egress as a service beside an agent's container, by every `compose` that this machine has.
use crate::engine::skip;
use crate::ground::{Copy, EGRESS_USER, Ground, OVERRIDE, TOKEN, done, ground};
use crate::images::ALPINE;
use crate::origin::HOST;
use std::collections::BTreeMap;
use std::process::{Command, Output};

/// A project that is up; taken down at the end.
struct Project<'a> {
    ground: &'a Ground,
    copy: Copy,
    compose: &'static [&'static str],
    name: String,
}

/// What this machine has; none is listed as skipped.
fn composes() -> Vec<&'static [&'static str]> {
    let known: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
    let works = |words: &&[&str]| {
        let version = Command::new(words[0]).args(&words[1..]).arg("version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found: Vec<_> = known.into_iter().filter(works).collect();
    if found.is_empty() {
        skip("docker compose (not installed)");
    }
    found
}

impl Project<'_> {
    fn up<'a>(ground: &'a Ground, compose: &'static [&'static str]) -> Project<'a> {
        let copy = Copy::of(ground, "compose", "bottle.yaml", EGRESS_USER);
        copy.write("test.yaml", OVERRIDE);
        let name = format!("beside{}", compose.len());
        let project = Project { ground, copy, compose, name };
        done(&project.compose(&["up", "-d"]));
        project
    }

    fn compose(&self, arguments: &[&str]) -> Output {
        let mut command = self.ground.command(self.compose[0]);
        command.args(&self.compose[1..]).args(["-p", &self.name, "-f", "compose.yaml", "-f", "test.yaml"]);
        command.env("AGENT_IMAGE", ALPINE).env("GITHUB_TOKEN_FILE", self.copy.token());
        command.args(arguments).current_dir(self.copy.path("")).output().expect("compose starts")
    }

    /// What a shell in the agent's container says, with the variables that programs there have.
    fn agent(&self, script: &str) -> Output {
        let agent = self.container("agent");
        self.ground
            .engine
            .client()
            .args(["exec", &agent, "sh", "-c", script])
            .output()
            .expect("docker starts")
    }

    fn container(&self, service: &str) -> String {
        self.ground.container(&self.name, service)
    }

    fn health(&self) -> String {
        self.ground.engine.ask(&[
            "inspect",
            "--format",
            "{{.State.Health.Status}}",
            &self.container("egress"),
        ])
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        let _gone = self.compose(&["down", "--volumes", "--timeout", "0"]);
    }
}

fn with_each(story: impl Fn(&Project)) {
    let Some(ground) = ground() else { return };
    for compose in composes() {
        story(&Project::up(ground, compose));
    }
}

#[test]
fn an_agent_beside_the_egress_reaches_what_is_allowed_and_holds_no_secret() {
    with_each(|project| {
        assert_eq!(project.health(), "healthy", "the agent started before its egress");
        allowed(project);
        refused(project);
        no_way_around(project);
        nothing_shows_the_secret(project);
        variables_are_those_of_the_egress(project);
        a_probe_of_nothing_fails(project);
        the_audit_is_kept(project);
    });
}

fn allowed(project: &Project) {
    let ask = format!("curl -sS -H \"Authorization: Bearer $GH_TOKEN\" https://{HOST}/user");
    // The main program has the placeholder by the entry point; what is executed later reads it.
    let run = project.compose(&["run", "--rm", "-T", "agent", "sh", "-c", &format!("echo $GH_TOKEN; {ask}")]);
    for said in [done(&run), done(&project.agent(&format!(". /trust/env.sh; echo $GH_TOKEN; {ask}")))] {
        assert!(said.starts_with("ghp_") && said.contains("GET /user HTTP/1.1"), "{said}");
        assert!(!said.contains(TOKEN), "the agent saw the token: {said}");
    }
    let heads = project.ground.origin.heads("/user");
    let injected = format!("authorization: bearer {TOKEN}");
    assert!(
        heads.len() >= 2 && heads.iter().all(|head| head.to_lowercase().contains(&injected)),
        "{heads:?}"
    );
}

fn refused(project: &Project) {
    let said = done(&project.agent("curl -sS -i https://other.test/"));
    assert!(said.contains("403") && said.contains("code=host-not-allowed"), "{said}");
    assert!(said.contains("no route of this bottle allows the host `other.test`"), "{said}");
    let said = done(&project.agent(&format!("curl -sS -i -X DELETE https://{HOST}/user-deleted")));
    assert!(said.contains("code=method-not-allowed"), "{said}");
    assert_eq!(project.ground.origin.heads("/user-deleted"), Vec::<String>::new());
}

/// Neither to the upstream nor to the engine's machine.
fn no_way_around(project: &Project) {
    let network = |name: &str| format!("{}_{name}", project.name);
    project.ground.has_no_way_around(&project.container("agent"), &network("inside"), &network("outside"));
    let routes = done(&project.agent("ip route add 203.0.113.0/24 dev eth0 2>&1 || echo held"));
    assert!(routes.contains("held"), "the agent may change its network: {routes}");
}

fn nothing_shows_the_secret(project: &Project) {
    for service in ["egress", "agent"] {
        project.ground.shows_no_secret(&project.container(service));
        let logs = project.ground.engine.client().args(["logs", &project.container(service)]).output();
        let logs = logs.expect("logs");
        let all = [logs.stdout, logs.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(TOKEN));
    }
    assert!(project.ground.disk_holds("bot-bottle"), "a search that finds nothing shows nothing");
    assert!(!project.ground.disk_holds(TOKEN), "the token lies on the engine's disk");
    // In the agent's container neither; what it may not do to the shared files either.
    let said = done(
        &project.agent("ls /run/secrets 2>&1; cat /trust/* | grep -c KEY; touch /trust/x 2>&1 || echo held"),
    );
    assert!(said.contains("No such file") && said.contains("\n0\n") && said.ends_with("held"), "{said}");
}

/// What the example writes down for programs that are executed later is what the egress itself says.
fn variables_are_those_of_the_egress(project: &Project) {
    let said = done(&project.agent("env"));
    let has: BTreeMap<&str, &str> = said.lines().filter_map(|line| line.split_once('=')).collect();
    let exports = done(&project.agent("cat /trust/env.sh"));
    let mut told: BTreeMap<&str, &str> = exports
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.strip_suffix('\'')?.split_once("='"))
        .collect();
    assert!(told.remove("GH_TOKEN").is_some(), "{exports}");
    assert!(told.len() >= 15, "{told:?}");
    for (name, value) in told {
        assert_eq!(has.get(name), Some(&value), "`{name}` of the example");
    }
}

fn a_probe_of_nothing_fails(project: &Project) {
    let egress = project.container("egress");
    let probe = |address: &str| {
        let mut client = project.ground.engine.client();
        client
            .args(["exec", &egress, "/bottle", "egress", "--probe", address])
            .output()
            .expect("docker starts")
    };
    assert_eq!(probe("127.0.0.1:9099").status.code(), Some(0));
    let nobody = probe("127.0.0.1:9098");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no egress answers at `127.0.0.1:9098`"));
}

/// Whole after the egress has ended, in its volume.
fn the_audit_is_kept(project: &Project) {
    let egress = project.container("egress");
    done(&project.compose(&["stop", "egress"]));
    assert_eq!(project.ground.engine.ask(&["inspect", "--format", "{{.State.ExitCode}}", &egress]), "0");
    let volume = format!("{}_state:/state:ro", project.name);
    let audit = project.ground.engine.ask(&[
        "run",
        "--rm",
        "--network=none",
        "-v",
        &volume,
        "bottle-egress:latest",
        "audit",
        "verify",
        "/state/bottle/compose/audit.jsonl",
    ]);
    assert!(audit.contains("whole"), "{audit}");
    let lines = project.ground.engine.ask(&[
        "run",
        "--rm",
        "--network=none",
        "-v",
        &volume,
        ALPINE,
        "cat",
        "/state/bottle/compose/audit.jsonl",
    ]);
    assert!(
        lines.contains("\"credential\":\"EGRESS_TOKEN_0\"") && lines.contains("host-not-allowed"),
        "{lines}"
    );
    assert!(!lines.contains(TOKEN));
}
