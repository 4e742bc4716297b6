//! What a manifest asks about this machine, answered.
use crate::detect;
use crate::failure::Failure;
use manifest::{Host, Registries};
use std::ffi::OsStr;
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
        let home = std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute() && home.to_str().is_some())
            .ok_or_else(|| {
                Failure::new("`HOME` is not set to an absolute path of UTF-8 text")
                    .help("set it: paths with `~` and the bottle's own home need it")
            })?;
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
    fn runtime(&self) -> PathBuf {
        crate::places::runtime_path()
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
    fn program(&self, name: &str) -> Option<PathBuf> {
        program(name)
    }
    fn registries(&self, workspace: &Path) -> Registries {
        detect::registries(workspace)
    }
}

/// Where a program is, looked for as a shell would.
pub fn program(name: &str) -> Option<PathBuf> {
    program_outside(name, None)
}

/// The same, but not in the workspace: a virtual environment there comes first in many a `PATH`, and the agent writes
/// what is in it.
pub fn program_outside(name: &str, workspace: Option<&Path>) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    found_in(&std::env::var_os("PATH")?, name, workspace)
}

/// All of this name that a shell could mean, in the order of its search; for who learns only later what the workspace is.
pub fn programs(name: &str) -> Vec<PathBuf> {
    if name.contains('/') {
        return program(name).into_iter().collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    all_in(&path, name).collect()
}

/// Whether a program lies outside of the workspace, links followed.
pub fn is_outside(program: &Path, workspace: &Path) -> bool {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    !program.starts_with(workspace) && !real.starts_with(workspace)
}

fn found_in(path: &OsStr, name: &str, workspace: Option<&Path>) -> Option<PathBuf> {
    let outside = |program: &PathBuf| workspace.is_none_or(|workspace| is_outside(program, workspace));
    all_in(path, name).find(outside)
}

/// Folders that begin elsewhere each time (`.`, `node_modules/.bin`) are nothing to find a program in.
fn all_in(path: &OsStr, name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(move |folder| folder.join(name)).filter(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A virtual environment of the project is first in `PATH`, and holds what the agent put there.
    #[test]
    fn no_program_of_the_workspace_is_run() {
        let place = tempfile::tempdir().expect("a folder");
        let workspace = place.path().join("project");
        let make = |folder: &Path| {
            std::fs::create_dir_all(folder).expect("made");
            std::fs::write(folder.join("pip"), "").expect("written");
            std::fs::set_permissions(folder.join("pip"), std::fs::Permissions::from_mode(0o755))
                .expect("set");
        };
        let (venv, own) = (workspace.join(".venv/bin"), place.path().join("bin"));
        make(&venv);
        make(&own);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&venv, &link).expect("linked");
        let path = std::env::join_paths([Path::new("."), &link, &venv, &own]).expect("a list");
        assert_eq!(found_in(&path, "pip", Some(&workspace)), Some(own.join("pip")));
        assert_eq!(found_in(&path, "pip", None), Some(link.join("pip")));
    }
}
