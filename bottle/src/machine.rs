//! What a manifest asks about this machine, answered.
use crate::detect;
use crate::failure::Failure;
use manifest::{Host, Registries};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// This machine, as the user who calls sees it.
#[derive(Debug, Clone)]
pub struct Machine {
    home: PathBuf,
    state: PathBuf,
}

impl Machine {
    /// Finds the user's folders.
    ///
    /// # Errors
    /// When `HOME` is no absolute path.
    pub fn this() -> Result<Machine, Failure> {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()).ok_or_else(
            || {
                Failure::new("`HOME` is not set to an absolute path")
                    .help("set it: paths with `~` and the bottle's own home need it")
            },
        )?;
        // `places` knows the folder of bottles; a manifest wants the one above it.
        let state = crate::places::state_root()?;
        let state = state.parent().map_or_else(|| state.clone(), Path::to_path_buf);
        Ok(Machine { home, state })
    }
}

impl Host for Machine {
    fn home(&self) -> PathBuf {
        self.home.clone()
    }
    fn state(&self) -> PathBuf {
        self.state.clone()
    }
    fn has_variable(&self, name: &str) -> bool {
        // A name with `=` or NUL in it cannot be asked for.
        !name.contains(['=', '\0']) && std::env::var_os(name).is_some_and(|value| !value.is_empty())
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }
    fn has_program(&self, name: &str) -> bool {
        program(name).is_some()
    }
    fn registries(&self, workspace: &Path) -> Registries {
        detect::registries(workspace)
    }
}

/// Where a program is, looked for as a shell would.
pub fn program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
