//! The demonstration's folder: workspace, manifest, credential, state. Gone when it is dropped.
use super::ALLOWED;
use crate::failure::Failure;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn make() -> Result<Folder, Failure> {
        let root = std::env::temp_dir().join(format!("bottle-demo-{:016x}", rand::random::<u64>()));
        fs::DirBuilder::new().mode(0o700).create(&root).map_err(|error| {
            Failure::new(format!("cannot make the folder `{}`: {error}", root.display()))
                .help("set `TMPDIR` to a folder of yours")
        })?;
        let folder = Folder { root: root.canonicalize()? };
        fs::create_dir(folder.workspace())?;
        Ok(folder)
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub(super) fn audit(&self) -> PathBuf {
        self.state().join("bottle/demo/audit.jsonl")
    }

    pub(super) fn manifest_file(&self) -> PathBuf {
        self.workspace().join("bottle.yaml")
    }

    pub(super) fn manifest(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.manifest_file())?)
    }

    /// Writes what the bottle needs. The credential lies outside the workspace: the agent does not see that file.
    pub(super) fn furnish(&self, root_pem: &str, port: u16, token: &str) -> Result<(), Failure> {
        let (credential, roots) = (self.root.join("credential"), self.root.join("root.pem"));
        private(&credential, token)?;
        private(&roots, root_pem)?;
        private(&self.manifest_file(), &manifest(&std::env::current_exe()?, &credential, &roots, port)?)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.root);
    }
}

fn private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

fn manifest(binary: &Path, credential: &Path, roots: &Path, port: u16) -> Result<String, Failure> {
    let text = |path: &Path| serde_json::to_string(&path.display().to_string());
    Ok(format!(
        "\
name: demo
workspace: .
mounts:
  - {{ path: {binary}, mode: ro }}          # the program inside is this one again
egress:
  routes:
    - host: {ALLOWED}
      auth: {{ scheme: bearer, token: {{ file: {credential} }}, placeholder_env: [API_TOKEN] }}
  resolve: {{ \"{ALLOWED}\": \"127.0.0.1:{port}\" }}
  upstream_roots: [{roots}]
",
        binary = text(binary)?,
        credential = text(credential)?,
        roots = text(roots)?,
    ))
}
