//! Where the attack plays: a workspace with a git repository, a manifest, a file outside, a marked credential.
use super::witness::{Witness, host_addresses};
use crate::failure::Failure;
use sandbox::attack::World;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of one attack; taken away when dropped.
pub(super) struct Stage {
    root: PathBuf,
    marker: (String, String),
}

impl Stage {
    /// Makes the folder (0700, below the user's home so that it is no place that a bottle knows anyway).
    pub(super) fn new() -> Result<Stage, Failure> {
        let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
        let root = home.join(format!(".bottle-attack-{:016x}", rand::random::<u64>()));
        fs::DirBuilder::new().mode(0o700).create(&root).map_err(|error| {
            Failure::new(format!("cannot make the folder `{}`: {error}", root.display()))
                .help("set `HOME` to a folder of yours")
        })?;
        let half = || format!("mark{:08x}", rand::random::<u32>());
        let stage = Stage { root: fs::canonicalize(root)?, marker: (half(), half()) };
        stage.furnish()?;
        Ok(stage)
    }

    fn furnish(&self) -> Result<(), Failure> {
        let git = self.workspace().join(".git");
        for folder in
            [git.join("hooks"), git.join("objects"), git.join("refs/heads"), self.outside(), self.state()]
        {
            fs::create_dir_all(folder)?;
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
        fs::write(git.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = false\n")?;
        fs::write(self.outside().join("secret"), "a file of the host\n")?;
        fs::write(self.workspace().join("bottle.yaml"), self.manifest()?)?;
        Ok(())
    }

    /// One route with a credential whose value begins with the marker; nothing else is allowed.
    fn manifest(&self) -> Result<String, Failure> {
        let binary = super::this_binary()?;
        let text = |path: &Path| serde_json::to_string(&path.display().to_string());
        Ok(format!(
            "name: attack\nworkspace: .\nmounts:\n  - {{ path: {binary}, mode: ro }}\negress:\n  routes:\n    \
             - host: allowed.test\n      auth: {{ scheme: bearer, token: {{ env: {VALUE} }} }}\naudit: {{ file: {audit} }}\n",
            binary = text(&binary)?,
            audit = text(&self.state().join("audit.jsonl"))?,
        ))
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// A folder that the bottle does not mount.
    pub(super) fn outside(&self) -> PathBuf {
        self.root.join("outside")
    }

    fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// `bottle run` of this binary inside, with arguments.
    pub(super) fn bottle(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let binary = super::this_binary()?;
        let mut command = super::command_of(&binary);
        command.args(["run", "--quiet", "--manifest"]).arg(self.workspace().join("bottle.yaml")).arg("--");
        command.arg(&binary).args(arguments).current_dir(self.workspace());
        command.env("XDG_STATE_HOME", self.state());
        let (a, b) = &self.marker;
        command.env(VALUE, format!("{a}{b}{:032x}", rand::random::<u128>()));
        Ok(command)
    }

    /// What the hostile program is told.
    pub(super) fn world(&self, witness: &Witness) -> Result<World, Failure> {
        Ok(World {
            witness_port: witness.tcp_port,
            witness_udp_port: witness.udp_port,
            greeting: witness.greeting.to_string(),
            host_addresses: host_addresses(),
            abstract_socket: witness.abstract_name.clone(),
            unix_socket: witness.unix_path.clone(),
            secret_file: self.outside().join("secret"),
            marker_a: self.marker.0.clone(),
            marker_b: self.marker.1.clone(),
            launcher_pid: i32::try_from(std::process::id())?,
            workspace: self.workspace(),
            proxy: sandbox::attack::PROXY,
            refused_name: "refused.test".into(),
        })
    }
}

/// The variable that holds the marked credential.
const VALUE: &str = "BOTTLE_ATTACK_CREDENTIAL";

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
