//! What both examples stand on: an engine, the egress's image, an upstream, and a folder with a copy of an example.
use crate::engine::{self, Kind, TestEngine};
use crate::origin::{self, HOST, Origin};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The secret of both examples; nothing but the egress and the upstream may see it.
pub(crate) const TOKEN: &str = "real-token-0123456789-abcdefgh";
/// Whom the egress's image runs as.
pub(crate) const EGRESS_USER: u32 = 65_532;

pub(crate) struct Ground {
    pub(crate) engine: &'static TestEngine,
    pub(crate) origin: Origin,
    /// A service of the engine's machine.
    neighbour: u16,
}

/// One for all tests.
pub(crate) fn ground() -> Option<&'static Ground> {
    static GROUND: OnceLock<Option<Ground>> = OnceLock::new();
    GROUND.get_or_init(|| engine::engine(Kind::Docker).map(Ground::on)).as_ref()
}

impl Ground {
    fn on(engine: &'static TestEngine) -> Ground {
        let origin = Origin::start(id_of(engine));
        crate::images::alpine(engine);
        crate::images::debian(engine);
        let neighbour = origin::neighbour(id_of(engine));
        let ground = Ground { engine, origin, neighbour };
        let built = ground.command(env!("CARGO_BIN_EXE_bottle")).args(["image", "build"]).output();
        done(&built.expect("bottle starts"));
        ground
    }

    /// A program of this machine that uses the engine, and sees nothing of this machine's own settings.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("DOCKER_HOST", self.engine.address()).env("HOME", self.folder());
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// As [`Self::command`], in the engine's network: no way to the world either.
    pub(crate) fn cut_off(&self, program: &str) -> Command {
        let mut command = self.command("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", id_of(self.engine))).arg(program);
        command
    }

    /// The engine's own, removed with it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.engine.socket().parent().expect("a folder").to_owned()
    }

    /// Whether a text lies anywhere on the engine's disk: images, containers, volumes, logs, networks.
    pub(crate) fn disk_holds(&self, text: &str) -> bool {
        let mut grep = Command::new("grep");
        grep.args(["-rqaF", "-D", "skip", text]).arg(self.folder().join("data")).env("LC_ALL", "C");
        let searched = grep.output().expect("grep");
        let complaints = String::from_utf8_lossy(&searched.stderr).into_owned();
        // Other tests' containers come and go meanwhile.
        let only_gone = complaints.lines().all(|line| line.ends_with(": No such file or directory"));
        match searched.status.code() {
            Some(0) => true,
            Some(1) => false,
            Some(2) if only_gone => false,
            other => panic!("grep ended with {other:?}: {complaints}"),
        }
    }

    /// A container of a service, whether it runs or not; none that `compose run` made.
    pub(crate) fn container(&self, project: &str, service: &str) -> String {
        let labels = [format!("project={project}"), format!("service={service}"), "oneoff=False".into()];
        let filters = labels.map(|of| format!("--filter=label=com.docker.compose.{of}"));
        let [project, service, oneoff] = &filters;
        self.engine.ask(&["ps", "-aq", project, service, oneoff])
    }

    /// Asks the upstream past every proxy: what the client says.
    fn directly(&self, path: &str) -> String {
        let at = self.origin.at;
        format!(
            "curl -k -sS --noproxy '*' --connect-timeout 2 --max-time 20 -H 'Host: {HOST}' https://{at}/{path}"
        )
    }

    /// Asks the service of the engine's machine at the gateway of a network and at another address: what the client says.
    fn asks_the_neighbour(&self, network: &str) -> String {
        let gateway = self.engine.ask(&[
            "network",
            "inspect",
            "--format",
            "{{(index .IPAM.Config 0).Gateway}}",
            network,
        ]);
        let port = self.neighbour;
        let ask = |at: &str| {
            format!("curl -sS --noproxy '*' --connect-timeout 2 --max-time 20 http://{at}:{port}/")
        };
        format!("{}; {}", ask(gateway.split('/').next().unwrap_or_default()), ask(origin::THERE))
    }

    /// From a network of this engine that leads outward, both the upstream and the engine's machine are reached past every
    /// proxy; from `inside`, in the container, neither is.
    #[track_caller]
    pub(crate) fn has_no_way_around(&self, container: &str, inside: &str, outside: &str) {
        let sh = |command: &[&str], script: &str| {
            let mut client = self.engine.client();
            let output = client.args(command).args(["sh", "-c", script]).output().expect("docker starts");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let (beside, within) =
            (["run", "--rm", "--network", outside, crate::images::ALPINE], ["exec", container]);
        let upstream = self.directly(&format!("around-{container}"));
        assert_eq!(sh(&within, &upstream), "", "there is a way around the egress");
        assert_eq!(self.origin.heads(container), Vec::<String>::new());
        assert!(sh(&beside, &upstream).contains("GET /around"), "nobody reaches the upstream");
        assert_eq!(self.origin.heads(container).len(), 1);
        assert_eq!(sh(&within, &self.asks_the_neighbour(inside)), "", "the engine's machine is reached");
        let heard = sh(&beside, &self.asks_the_neighbour(outside));
        assert_eq!(heard, "neighbourneighbour", "nobody reaches the engine's machine");
    }

    /// What the engine knows of a container must not hold the secret.
    #[track_caller]
    pub(crate) fn shows_no_secret(&self, container: &str) {
        let shown = self.engine.ask(&["inspect", container]);
        assert!(shown.contains("\"Config\"") && !shown.contains(TOKEN), "{shown}");
    }
}

fn id_of(engine: &TestEngine) -> u32 {
    let id = fs::read_to_string(engine.socket().with_file_name("pid")).expect("the engine's own id");
    id.trim().parse().expect("a number")
}

/// A copy of an example, with the tests' upstream where the world is, and the secret.
pub(crate) struct Copy {
    /// Named as no other: the folder's name becomes the project's.
    example: tempfile::TempDir,
    secret: tempfile::TempDir,
}

impl Copy {
    /// `manifest` is the example's, as a path in its folder; `user` may read the secret.
    pub(crate) fn of(ground: &Ground, example: &str, manifest: &str, user: u32) -> Copy {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example);
        let made = || tempfile::Builder::new().prefix("example-").tempdir().expect("a folder");
        let copy = Copy { example: made(), secret: made() };
        let copied = Command::new("cp").arg("-R").arg(from.join(".")).arg(copy.path("")).status();
        assert!(copied.is_ok_and(|status| status.success()), "cp");
        // Keys of `egress`, which the examples end with.
        let more = format!(
            "  upstream_roots: [./origin.pem]\n  resolve: {{ \"{HOST}\": \"{}\" }}\n",
            ground.origin.at
        );
        let example = fs::read_to_string(copy.path(manifest)).expect("the example");
        copy.write(manifest, &format!("{example}{more}"));
        let certificate = copy.path(manifest).with_file_name("origin.pem");
        fs::write(certificate, &ground.origin.certificate).expect("written");
        fs::write(copy.token(), format!("{TOKEN}\n")).expect("written");
        fs::set_permissions(copy.token(), fs::Permissions::from_mode(0o400)).expect("set");
        chown(copy.token(), Some(user), Some(user)).expect("given");
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.example.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// The secret's own file, outside of the example.
    pub(crate) fn token(&self) -> PathBuf {
        self.secret.path().join("token")
    }
}

/// What the tests add to an example: where the upstream's certificate lies, and quick health checks.
pub(crate) const OVERRIDE: &str = "\
services:
  egress:
    volumes: [\"./origin.pem:/config/origin.pem:ro\"]
    healthcheck: { interval: 1s }
";

/// What a command said; it must have succeeded.
#[track_caller]
pub(crate) fn done(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.trim().to_owned()
}
