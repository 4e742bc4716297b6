//! Files below a folder.
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

/// What git keeps of other times is compressed and would not be read; `git log -p | bottle scan -` looks at it.
const LEFT_OUT: &str = ".git";

/// Something to look at, or a folder that cannot be looked into.
pub type Step = Result<PathBuf, (PathBuf, io::Error)>;

/// Every file below a folder, in the order of their names. No link is followed, and what is no file (a socket, a device) is left
/// out.
pub fn files(folder: &Path) -> impl Iterator<Item = Step> {
    let mut waiting = vec![Waiting { path: folder.to_owned(), is_folder: true }];
    std::iter::from_fn(move || {
        loop {
            let next = waiting.pop()?;
            if !next.is_folder {
                return Some(Ok(next.path));
            }
            match inside(&next.path) {
                Ok(mut below) => {
                    below.sort_by(|one, other| other.path.cmp(&one.path));
                    waiting.extend(below);
                }
                Err(error) => return Some(Err((next.path, error))),
            }
        }
    })
}

struct Waiting {
    path: PathBuf,
    is_folder: bool,
}

fn inside(folder: &Path) -> io::Result<Vec<Waiting>> {
    let entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<DirEntry>>>()?;
    let entries = entries.into_iter().filter(|entry| entry.file_name() != LEFT_OUT);
    let all = entries.map(|entry| {
        let kind = entry.file_type()?;
        let wanted = kind.is_dir() || kind.is_file();
        Ok(wanted.then(|| Waiting { path: entry.path(), is_folder: kind.is_dir() }))
    });
    Ok(all.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_order_and_no_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["b", "a", "a/deep", ".git", "outside"] {
            std::fs::create_dir(at(name)).expect("made");
        }
        for name in ["b/2.txt", "b/1.txt", "a/deep/x", "a/z", "c.txt", ".git/config", "outside/hidden"] {
            std::fs::write(at(name), "x").expect("written");
        }
        std::os::unix::fs::symlink(at("outside"), at("a/link")).expect("linked");
        std::fs::remove_dir_all(at("b/1.txt")).expect_err("it is a file");
        let seen: Vec<PathBuf> =
            files(&at("a")).chain(files(&at("b"))).map(|step| step.expect("a file")).collect();
        assert_eq!(seen, [at("a/deep/x"), at("a/z"), at("b/1.txt"), at("b/2.txt")]);
        let all = files(folder.path()).map(|step| step.expect("a file"));
        assert!(all.into_iter().all(|path| !path.starts_with(at(".git"))));
        let (path, _) = files(&at("nowhere")).next().expect("one").expect_err("it is not there");
        assert_eq!(path, at("nowhere"));
    }
}
