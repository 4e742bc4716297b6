//! Paths as written → absolute ones.
use super::Lower;
use crate::at::At;
use std::path::{Component, Path, PathBuf};

impl Lower<'_> {
    /// `~` is the home folder, relative paths start at the manifest's folder; `.` and `..` are worked out on the text.
    pub(super) fn path(&mut self, written: &At<String>) -> Option<PathBuf> {
        if written.is_empty() || written.contains('\0') {
            self.error(written.span, "a path cannot be empty");
            return None;
        }
        if written.starts_with('$') || written.starts_with("~") && !is_home(written) {
            let message = format!("`{}` is not a path", written.value);
            self.error_hint(
                written.span,
                message,
                "variables and other users' homes are not looked up; write it out",
            );
            return None;
        }
        let path = match written.strip_prefix('~') {
            Some(rest) => self.host.home().join(rest.trim_start_matches('/')),
            None => self.place.folder.join(&written.value),
        };
        Some(clean(&path))
    }

    /// A path of something that must be there.
    pub(super) fn existing(&mut self, written: &At<String>, what: &str) -> Option<PathBuf> {
        let path = self.path(written)?;
        if !self.host.exists(&path) {
            self.error(written.span, format!("{what} `{}` does not exist", path.display()));
            return None;
        }
        Some(path)
    }
}

fn is_home(text: &str) -> bool {
    text == "~" || text.starts_with("~/")
}

/// Without `.` and `..`.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
