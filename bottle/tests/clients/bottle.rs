//! A bottle around a shell script, as a user would run it.
use crate::tokens;
use crate::world::{self, HOSTS, Seen, World};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A workspace with its manifest, and what the launcher is told besides.
pub(crate) struct Bottle {
    name: String,
    folder: tempfile::TempDir,
    preset: Option<&'static str>,
    egress: String,
    port: u16,
    passes_through: bool,
}

/// How it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Standard output, then standard error.
    pub(crate) said: String,
}

/// Credentials by host, as the manifest writes them; those of the model providers are their presets' own.
const ROUTES: [(&str, &str); 3] = [
    (world::ECHO, "{ scheme: bearer, token: { env: REAL_ECHO } }"),
    (world::PACKAGES, "{ scheme: bearer, token: { env: REAL_PACKAGES } }"),
    (world::GIT, "{ scheme: basic, username: x-access-token, token: { env: REAL_GIT } }"),
];

impl Bottle {
    pub(crate) fn new(name: &str) -> Bottle {
        let folder =
            tempfile::Builder::new().prefix("bottle-client.").tempdir_in("/var/tmp").expect("a workspace");
        let (egress, port, passes_through) = (String::new(), 443, false);
        Bottle { name: name.into(), folder, preset: None, egress, port, passes_through }
    }

    /// More lines of the manifest below `egress`.
    pub(crate) fn egress(mut self, lines: &str) -> Bottle {
        self.egress = lines.into();
        self
    }

    /// The world's hosts at another port than 443.
    pub(crate) fn on_port(mut self, port: u16) -> Bottle {
        self.port = port;
        self
    }

    /// The package index with its TLS unopened and no credential.
    pub(crate) fn passing_through(mut self) -> Bottle {
        self.passes_through = true;
        self
    }

    /// An agent's preset, with its routes and variables.
    pub(crate) fn preset(mut self, preset: &'static str) -> Bottle {
        self.preset = Some(preset);
        self
    }

    /// A file of the workspace, put there before the bottle starts.
    pub(crate) fn file(self, name: &str, content: &str) -> Bottle {
        let path = self.workspace().join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the workspace")).expect("a folder");
        std::fs::write(path, content).expect("a file of the workspace");
        self
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Runs `sh -c SCRIPT` in the bottle.
    pub(crate) fn run(&self, script: &str) -> Ran {
        std::fs::create_dir_all(self.workspace()).expect("a workspace");
        let manifest = self.folder.path().join("bottle.yaml");
        std::fs::write(&manifest, self.manifest(world::world())).expect("a manifest");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bottle"));
        command.args(["run", "--quiet", "--no-tty", "--manifest"]).arg(manifest);
        // A client that hangs is a failure of its own test, not the end of all.
        command
            .args(["--", "timeout", "100", "/bin/sh", "-c", script])
            .envs(tokens::ALL)
            .stdin(Stdio::null());
        for name in ["XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
            command.env(name, self.private(name));
        }
        Ran::from(&command.output().expect("`bottle` was built"))
    }

    fn private(&self, name: &str) -> PathBuf {
        use std::os::unix::fs::DirBuilderExt;
        let folder = self.folder.path().join(name);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder");
        folder
    }

    fn manifest(&self, world: &World) -> String {
        let mut yaml = format!("name: {}\nworkspace: {}\n", self.name, self.workspace().display());
        let _ = writeln!(yaml, "mounts:");
        for folder in [cache(), scripts()] {
            let _ = writeln!(yaml, "  - {{ path: {}, mode: ro, optional: true }}", folder.display());
        }
        yaml.push_str("agent:\n  env:\n    TESTED: \"yes\"\n");
        if let Some(preset) = self.preset {
            let _ = writeln!(yaml, "  preset: {preset}");
        }
        yaml.push_str("egress:\n  routes:\n");
        for (host, auth) in ROUTES {
            let more = if self.passes_through && host == world::PACKAGES {
                "tls: passthrough".into()
            } else {
                format!("auth: {auth}")
            };
            let _ = writeln!(yaml, "    - {{ host: {host}, port: {}, {more} }}", self.port);
        }
        yaml.push_str("    - { host: plain.test, scheme: http }\n");
        let _ = writeln!(yaml, "  upstream_roots: [{}]\n  resolve:", world.root.display());
        for host in HOSTS {
            let _ = writeln!(yaml, "    {host}: \"127.0.0.1:{}\"", world.port);
        }
        yaml.push_str(&self.egress);
        yaml
    }
}

impl Ran {
    fn from(output: &Output) -> Ran {
        let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        Ran { code: output.status.code(), said }
    }

    /// The exit code, and that no real value was ever shown.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self.without_secrets()
    }

    #[track_caller]
    pub(crate) fn without_secrets(self) -> Ran {
        for (name, value) in tokens::ALL {
            assert!(!self.said.contains(value), "the value of {name} is inside:\n{}", self.said);
        }
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Ran {
        assert!(self.said.contains(text), "no `{text}` in:\n{}", self.said);
        self
    }

    /// The refusal's sentence for this host, as the engine words it.
    #[track_caller]
    pub(crate) fn refused(self, host: &str) -> Ran {
        self.says(&format!("no route of this bottle allows the host `{host}`"))
    }
}

/// One request arrived, and with this header: the client sent a placeholder or nothing.
#[track_caller]
pub(crate) fn arrived(host: &str, path: &str, header: &str, value: &str) -> Seen {
    let seen = world::world().seen(host, path);
    let last = seen.last().unwrap_or_else(|| panic!("{host} saw nothing of {path}"));
    assert_eq!(last.header(header), value, "{host} {path} arrived without the real value");
    last.clone()
}

/// Where `tests/setup` puts clients.
pub(crate) fn cache() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-clients");
    let set = std::env::var_os("BOTTLE_TEST_CACHE").filter(|set| !set.is_empty());
    let cache = set.map_or_else(default, PathBuf::from);
    cache.canonicalize().unwrap_or(cache)
}

/// The clients' programs of this repository.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/scripts")
}

/// The path of a client below the cache or on the path; without it the test is listed as skipped, by this name.
pub(crate) fn client(name: &str) -> Option<String> {
    let in_cache = cache().join(name);
    let on_path = ["/usr/local/go/bin", "/usr/local/bin", "/usr/bin", "/bin"]
        .map(|folder| Path::new(folder).join(name));
    let found = [in_cache].into_iter().chain(on_path).find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("client {name} (tests/setup could not install it)"));
    }
    found.map(|path| path.display().to_string())
}

fn skip(line: &str) {
    eprintln!("skipped: {line}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips is written");
    }
}

/// Runs the script with `$URL` and `$REFUSED` set and checks both halves of what every client must do.
#[track_caller]
pub(crate) fn allowed_and_refused(name: &str, script: &str) -> Ran {
    allowed_and_refused_with(&Bottle::new(name), name, script)
}

/// As [`allowed_and_refused`], in this bottle.
#[track_caller]
pub(crate) fn allowed_and_refused_with(bottle: &Bottle, name: &str, script: &str) -> Ran {
    let urls =
        format!("URL='https://{}/headers?{name}' REFUSED='https://refused.test/{name}'\n", world::ECHO);
    let ran = bottle.run(&format!("{urls}{script}")).ended(0);
    arrived(world::ECHO, &format!("/headers?{name}"), "authorization", &format!("Bearer {}", tokens::ECHO));
    ran.says("/headers").refused("refused.test")
}
