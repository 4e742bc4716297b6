//! `examples/dev-container`, by the reference implementation of dev containers (`@devcontainers/cli`).
use crate::engine::{on_path, skip};
use crate::ground::{Copy, Ground, OVERRIDE, TOKEN, done, ground};
use crate::images::{ALPINE, DEBIAN};
use crate::origin::HOST;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

/// Somebody whose secret is nobody else's to read: whom the egress runs as here.
const CALLER: u32 = 54_321;
const CONFIGURATION: &str = ".devcontainer/devcontainer.json";

/// The reference implementation, where `tests/setup` put it; listed as skipped without it or one of its needs.
fn cli() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-clients");
    let set = std::env::var_os("BOTTLE_TEST_CACHE").filter(|set| !set.is_empty());
    let cache = set.map_or_else(default, PathBuf::from);
    let cli = cache.join("devcontainer/node_modules/@devcontainers/cli/devcontainer.js");
    let found = cli.canonicalize().ok().filter(|_| on_path("node") && on_path("docker-compose"));
    if found.is_none() {
        skip(
            "dev containers (tests/setup could not install their CLI, or there is no node or docker-compose)",
        );
    }
    found
}

/// A dev container that is up; removed at the end.
struct DevContainer<'a> {
    ground: &'a Ground,
    copy: Copy,
    cli: PathBuf,
    image: &'static str,
    project: String,
}

impl DevContainer<'_> {
    fn up<'a>(ground: &'a Ground, cli: PathBuf, image: &'static str) -> DevContainer<'a> {
        let copy = Copy::of(ground, "dev-container", ".devcontainer/bottle.yaml", CALLER);
        copy.write(".devcontainer/test.yaml", OVERRIDE);
        let example = std::fs::read_to_string(copy.path(CONFIGURATION)).expect("the example");
        let both = example.replace("\"compose.yaml\"", "[\"compose.yaml\", \"test.yaml\"]");
        assert_ne!(both, example);
        copy.write(CONFIGURATION, &both);
        let mut container = DevContainer { ground, copy, cli, image, project: String::new() };
        // Without BuildKit, which Debian's Docker lacks.
        let said = done(&container.cli("up", &["--buildkit", "never"]));
        let result: serde_json::Value =
            serde_json::from_str(said.lines().last().unwrap_or("")).expect("JSON");
        assert_eq!(result["outcome"], "success", "{said}");
        container.project = result["composeProjectName"].as_str().expect("a name").to_owned();
        container
    }

    /// In a network without a way out: nothing is fetched from anywhere.
    fn cli(&self, verb: &str, arguments: &[&str]) -> Output {
        let mut command = self.ground.cut_off("node");
        command.arg(&self.cli).arg(verb).arg("--workspace-folder").arg(self.copy.path(""));
        command.args(["--docker-path", "docker", "--docker-compose-path", "docker-compose"]);
        command.arg("--user-data-folder").arg(self.copy.token().with_file_name("data"));
        command
            .env("EGRESS_USER", format!("{CALLER}:{CALLER}"))
            .env("DEV_IMAGE", self.image)
            .env("GITHUB_TOKEN_FILE", self.copy.token());
        command.args(arguments).output().expect("node starts")
    }

    /// What a shell in the dev container says, started as an editor starts its own.
    fn exec(&self, script: &str) -> Output {
        self.cli("exec", &["sh", "-c", script])
    }

    /// As [`Self::exec`] by the engine's client: quicker, and without what login shells read.
    fn plainly(&self, script: &str) -> Output {
        let mut client = self.ground.engine.client();
        client.args(["exec", &self.container("dev"), "sh", "-c", script]).output().expect("docker starts")
    }

    fn container(&self, service: &str) -> String {
        self.ground.container(&self.project, service)
    }

    /// Of the engine, about one of the containers.
    fn inspect(&self, service: &str, format: &str) -> String {
        self.ground.engine.ask(&["inspect", "--format", format, &self.container(service)])
    }
}

impl Drop for DevContainer<'_> {
    fn drop(&mut self) {
        if !self.project.is_empty() {
            self.ground.engine.ask(&["rm", "-f", "-v", &self.container("dev"), &self.container("egress")]);
        }
    }
}

fn behind_the_egress(image: &'static str, more: fn(&DevContainer)) {
    let Some(ground) = ground() else { return };
    let Some(cli) = cli() else { return };
    let container = DevContainer::up(ground, cli, image);
    allowed_and_refused(&container);
    the_systems_roots_alone_do(&container);
    a_new_certificate_takes_the_place_of_the_old(&container);
    more(&container);
}

#[test]
fn a_dev_container_made_as_alpine_is_stands_behind_the_egress() {
    behind_the_egress(ALPINE, without_a_way_to_write_it_still_starts);
}

#[test]
fn a_dev_container_made_as_debian_is_stands_behind_the_egress() {
    behind_the_egress(DEBIAN, held);
}

fn allowed_and_refused(container: &DevContainer) {
    let path = container.image;
    let said = done(&container.exec(&format!(
        "echo $GH_TOKEN; curl -sS -H \"Authorization: Bearer $GH_TOKEN\" https://{HOST}/{path}; curl -sS https://other.test/"
    )));
    assert!(
        said.starts_with("ghp_") && said.contains(&format!("GET /{path}")) && !said.contains(TOKEN),
        "{said}"
    );
    assert!(said.contains("no route of this bottle allows the host `other.test`"), "{said}");
    let heads = container.ground.origin.heads(path);
    assert!(heads.concat().to_lowercase().contains(&format!("authorization: bearer {TOKEN}")), "{heads:?}");
}

/// A program that reads no variable for its roots finds the certificate where the distribution keeps them.
fn the_systems_roots_alone_do(container: &DevContainer) {
    let curl = format!("curl -sS -x http://egress:9099 https://{HOST}/system");
    let said = done(&container.plainly(&format!("env -i PATH=$PATH {curl}")));
    assert!(said.contains("GET /system"), "{said}");
    let none = container.plainly(&format!("env -i PATH=$PATH {curl}-less --cacert /etc/os-release"));
    assert!(!none.status.success(), "any roots do");
}

fn held(container: &DevContainer) {
    let ground = container.ground;
    let network = |name: &str| format!("{}_{name}", container.project);
    ground.has_no_way_around(&container.container("dev"), &network("inside"), &network("outside"));
    let said = done(&container.plainly(
        "touch /workspace/.devcontainer/devcontainer.json 2>&1 || echo held; touch /trust/x 2>&1 || echo held; touch /workspace/x; ls /run/secrets 2>&1 || true",
    ));
    assert!(said.matches("held").count() == 2 && said.contains("No such file"), "{said}");
    assert!(container.copy.path("x").exists(), "the workspace is writable");
    assert_eq!(container.inspect("egress", "{{.State.Health.Status}}"), "healthy");
    ["egress", "dev"].iter().for_each(|service| ground.shows_no_secret(&container.container(service)));
    assert!(ground.disk_holds("bot-bottle"), "a search that finds nothing shows nothing");
    assert!(!ground.disk_holds(TOKEN), "the token lies on the engine's disk");
}

/// As another user, and where nothing is mounted, the feature says what it cannot do and lets the container start.
fn without_a_way_to_write_it_still_starts(container: &DevContainer) {
    let format = "{{range .Mounts}}{{if eq .Destination \"/trust\"}}{{.Name}}{{end}}{{end}}";
    let volume = format!("{}:/trust:ro", container.inspect("dev", format));
    let image = container.inspect("dev", "{{.Image}}");
    let start = ["--network=none", "--entrypoint=/usr/local/share/bottle-egress/start", &image];
    let said = |options: &[&str]| {
        let mut client = container.ground.engine.client();
        let output = client.args(["run", "--rm"]).args(options).args(start).output().expect("docker starts");
        done(&output);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other = said(&["--user=1000:1000", "--volume", &volume]);
    assert!(other.contains("/etc/ssl/certs/ca-certificates.crt is not ours to write"), "{other}");
    let unmounted = said(&[]);
    assert!(unmounted.contains("/trust/ca.pem is not there"), "{unmounted}");
}

fn a_new_certificate_takes_the_place_of_the_old(container: &DevContainer) {
    let read = || done(&container.plainly("cat /etc/ssl/certs/ca-certificates.crt"));
    let before = read();
    for service in ["egress", "dev"] {
        container.ground.engine.ask(&["restart", "--time=1", &container.container(service)]);
        let deadline = Instant::now() + Duration::from_secs(20);
        while container.inspect("egress", "{{.State.Health.Status}}") != "healthy" {
            assert!(Instant::now() < deadline, "the egress is not healthy again");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let after = read();
    assert_ne!(before, after);
    for text in [&before, &after] {
        // The image's own root and ours.
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
    }
    the_systems_roots_alone_do(container);
}
