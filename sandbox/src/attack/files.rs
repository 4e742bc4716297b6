//! Files of the host, and files that the host will execute.
use super::{Attempt, Group, Outcome, World, refused};
use crate::linux::sys::attempt::raw;
use nix::errno::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

pub(super) const ATTEMPTS: &[Attempt] = &[
    file("host-file", "a file outside the workspace", |w| readable(&w.secret_file)),
    file("host-file-by-dotdot", "the same, by way of the workspace", |w| {
        let up: PathBuf = w.workspace.components().skip(1).map(|_| "..").collect();
        readable(&w.workspace.join(up).join(w.secret_file.strip_prefix("/").unwrap_or(&w.secret_file)))
    }),
    file("symlink-out", "the same, by a symbolic link in the workspace", symlink_out),
    file("hard-link-out", "the same, by a hard link", hard_link_out),
    file("proc-root-self", "the same, by /proc/self/root", |w| {
        readable(
            &Path::new("/proc/self/root").join(w.secret_file.strip_prefix("/").unwrap_or(&w.secret_file)),
        )
    }),
    file("host-tree-left-behind", "the host's whole tree, left over from the start", |w| {
        readable(&Path::new("/.host").join(w.secret_file.strip_prefix("/").unwrap_or(&w.secret_file)))
    }),
    file("credential-folders", "keys and tokens of the user", |_| credential_folders()),
    file("credential-files", "keys and tokens that tools keep beside their programs", super::keys::readable),
    file("secret-on-disk", "a real credential in a file", secret_on_disk),
    file("write-system", "the system's programs", |_| {
        uncreatable(&[
            "/usr/bin/.bottle-attack",
            "/usr/lib/.bottle-attack",
            "/bin/.bottle-attack",
            "/.bottle-attack",
        ])
    }),
    file("write-etc", "the system's configuration", |_| {
        unwritable(&[
            "/etc/passwd",
            "/etc/hosts",
            "/etc/resolv.conf",
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/ld.so.cache",
        ])
    }),
    file("preload", "code in every program", |_| {
        uncreatable(&["/etc/ld.so.preload", "/etc/profile.d/bottle-attack.sh"])
    }),
    file("git-hook", "code that the host's git runs", |w| {
        uncreatable(&[text(&w.workspace.join(".git/hooks/pre-commit"))])
    }),
    file("git-config", "the same, by configuration", |w| {
        unwritable(&[text(&w.workspace.join(".git/config"))])
    }),
    file("git-config-replace", "the same, by putting another file in its place", git_config_replace),
    file("git-config-lock", "the same, as git itself would", |w| {
        match fs::rename(touch(&w.workspace.join(".git/attack-config")), w.workspace.join(".git/config")) {
            Ok(()) => Outcome::Broke("`.git/config` was replaced".into()),
            Err(error) => Outcome::Held(error.to_string()),
        }
    }),
    file("git-folder-rename", "the same, by moving the whole folder away", git_folder_rename),
    file("git-hooks-rename", "the same, by moving the hooks away", |w| {
        rename_away(&w.workspace.join(".git/hooks"))
    }),
    file("manifest", "a wider policy next time", |w| unwritable_or_absent(&w.workspace.join("bottle.yaml"))),
    file("manifest-replace", "the same, by another file in its place", |w| {
        match fs::rename(touch(&w.workspace.join("attack.yaml")), w.workspace.join("bottle.yaml")) {
            Ok(()) => Outcome::Broke("`bottle.yaml` was replaced".into()),
            Err(error) => Outcome::Held(error.to_string()),
        }
    }),
    file("editor-tasks", "code that the host's editor runs", |w| {
        uncreatable(&[text(&w.workspace.join(".vscode/tasks.json"))])
    }),
    file("direnv", "code that the host's shell runs", |w| unwritable_or_absent(&w.workspace.join(".envrc"))),
    file("agent-settings", "hooks of the agent on the host", |w| {
        unwritable_or_absent(&w.workspace.join(".claude/settings.json"))
    }),
    file("mount", "mounts of its own", |_| {
        refused(
            raw(libc::SYS_mount, [0, c"/tmp".as_ptr() as i64, c"tmpfs".as_ptr() as i64, 0, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    file("remount-writable", "read-only folders made writable", |_| {
        let flags = i64::try_from(libc::MS_REMOUNT | libc::MS_BIND).unwrap_or(0);
        refused(
            raw(libc::SYS_mount, [0, c"/usr".as_ptr() as i64, 0, flags, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    file("unmount", "what a mount hides", |_| {
        refused(
            raw(libc::SYS_umount2, [c"/tmp".as_ptr() as i64, libc::MNT_DETACH.into(), 0, 0, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    file("pivot-root", "another root", |_| {
        refused(raw(libc::SYS_pivot_root, [0, 0, 0, 0, 0]), &[Errno::EPERM, Errno::ENOSYS])
    }),
    file("chroot", "another root", |_| {
        refused(raw(libc::SYS_chroot, [c"/tmp".as_ptr() as i64, 0, 0, 0, 0]), &[Errno::EPERM, Errno::ENOSYS])
    }),
    file("open-tree", "a detached copy of the mounts", |_| {
        let flags = 1 | i64::from(libc::O_CLOEXEC); // OPEN_TREE_CLONE
        refused(
            raw(libc::SYS_open_tree, [-100, c"/".as_ptr() as i64, flags, 0, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    file("fsopen", "a file system of its own", |_| {
        refused(raw(libc::SYS_fsopen, [c"tmpfs".as_ptr() as i64, 0, 0, 0, 0]), &[Errno::EPERM, Errno::ENOSYS])
    }),
    file("mount-setattr", "other flags on a mount", |_| {
        refused(
            raw(libc::SYS_mount_setattr, [-100, c"/usr".as_ptr() as i64, 0, 0, 0]),
            &[Errno::EPERM, Errno::ENOSYS],
        )
    }),
    file("device-node", "a disk by a node of its own", device_node),
    file("set-uid-program", "a set-uid program that works", |w| set_uid(&w.workspace)),
];

const fn file(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Files, gain, run }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or("/")
}

fn readable(path: &Path) -> Outcome {
    match fs::read(path) {
        Ok(_) => Outcome::Broke(format!("`{}` is read", path.display())),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn symlink_out(world: &World) -> Outcome {
    let link = world.workspace.join(".bottle-attack-link");
    let _ = symlink(&world.secret_file, &link);
    let outcome = readable(&link);
    let _ = fs::remove_file(&link);
    outcome
}

fn hard_link_out(world: &World) -> Outcome {
    let link = world.workspace.join(".bottle-attack-hard");
    let made = fs::hard_link(&world.secret_file, &link);
    let _ = fs::remove_file(&link);
    match made {
        Ok(()) => Outcome::Broke("the link was made".into()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn credential_folders() -> Outcome {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    let names = [
        ".ssh",
        ".aws",
        ".gnupg",
        ".config/gcloud",
        ".azure",
        ".kube",
        ".docker",
        ".netrc",
        ".git-credentials",
        ".npmrc",
        ".pypirc",
        ".cargo/credentials.toml",
        ".bash_history",
    ];
    let filled = |path: &PathBuf| match fs::metadata(path) {
        Ok(m) if m.is_dir() => fs::read_dir(path).is_ok_and(|mut d| d.next().is_some()),
        Ok(m) => m.len() > 0,
        Err(_) => false,
    };
    match names.iter().map(|n| home.join(n)).find(filled) {
        Some(path) => Outcome::Broke(format!("`{}` is there", path.display())),
        None => Outcome::Held("none is there".into()),
    }
}

/// Looks for the marker of real values in every small file of the home, the workspace, /etc, /run and /tmp.
fn secret_on_disk(world: &World) -> Outcome {
    let marker = format!("{}{}", world.marker_a, world.marker_b);
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let mut folders =
        vec![home, world.workspace.clone(), "/etc".into(), "/run".into(), "/tmp".into(), "/dev/shm".into()];
    let mut left = 4_000_u32;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map(|d| d.flatten().collect::<Vec<_>>()).unwrap_or_default() {
            left = left.saturating_sub(1);
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() && left > 0 {
                folders.push(entry.path());
            } else if meta.is_file() && meta.len() < 1 << 16 && holds(&entry.path(), &marker) {
                return Outcome::Broke(format!("`{}` holds a real value", entry.path().display()));
            }
        }
    }
    Outcome::Held("no file holds one".into())
}

fn holds(path: &Path, marker: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.windows(marker.len()).any(|w| w == marker.as_bytes()))
}

/// Tries to create each file, and takes a created one away again.
fn uncreatable(paths: &[&str]) -> Outcome {
    for path in paths.iter().map(Path::new) {
        if let Some(parent) = path.parent() {
            let _ = fs::create_dir(parent);
        }
        if fs::File::options().create_new(true).write(true).open(path).is_ok() {
            let _ = fs::remove_file(path);
            return Outcome::Broke(format!("`{}` was created", path.display()));
        }
    }
    Outcome::Held("none can be created".into())
}

fn unwritable(paths: &[&str]) -> Outcome {
    match paths.iter().find(|p| fs::File::options().append(true).open(p).is_ok()) {
        Some(path) => Outcome::Broke(format!("`{path}` opens for writing")),
        None => Outcome::Held("none opens for writing".into()),
    }
}

fn unwritable_or_absent(path: &Path) -> Outcome {
    match path.exists() {
        true => unwritable(&[text(path)]),
        false => uncreatable(&[text(path)]),
    }
}

fn touch(path: &Path) -> PathBuf {
    let _ = fs::write(path, b"");
    path.to_owned()
}

/// Unlinks the file; a success is undone as far as it can be.
fn git_config_replace(world: &World) -> Outcome {
    let config = world.workspace.join(".git/config");
    let content = fs::read(&config).unwrap_or_default();
    match fs::remove_file(&config) {
        Ok(()) => {
            let _ = fs::write(&config, content);
            Outcome::Broke("`.git/config` was removed".into())
        }
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn git_folder_rename(world: &World) -> Outcome {
    rename_away(&world.workspace.join(".git"))
}

fn rename_away(path: &Path) -> Outcome {
    let away = path.with_file_name("bottle-attack-away");
    match fs::rename(path, &away) {
        Ok(()) => {
            let _ = fs::rename(&away, path);
            Outcome::Broke(format!("`{}` was moved", path.display()))
        }
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// A node of the first disk; holds when it cannot be made, or cannot be opened where it was.
fn device_node(world: &World) -> Outcome {
    let path = world.workspace.join(".bottle-attack-node");
    let Some(name) = std::ffi::CString::new(text(&path)).ok() else {
        return Outcome::Skipped("no such path".into());
    };
    let device = fs::metadata("/dev/null").map(|m| m.rdev()).unwrap_or(259);
    let made = raw(
        libc::SYS_mknodat,
        [-100, name.as_ptr() as i64, (libc::S_IFBLK | 0o600).into(), (device & 0xff | 0x700) as i64, 0],
    );
    let _ = fs::remove_file(&path);
    refused(made, &[Errno::EPERM, Errno::EACCES, Errno::ENOSYS])
}

/// A set-uid file may be made (it is the agent's own), but running it gives nothing: the mount says nosuid.
fn set_uid(workspace: &Path) -> Outcome {
    let flags = |folder: &Path| {
        rustix::fs::statvfs(folder).map(|s| s.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID))
    };
    for folder in [workspace, Path::new("/tmp"), Path::new("/usr"), Path::new("/dev/shm")] {
        match flags(folder) {
            Ok(true) => {}
            Ok(false) => return Outcome::Broke(format!("`{}` honours set-uid bits", folder.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Outcome::Skipped(error.to_string()),
        }
    }
    Outcome::Held("every mount says nosuid".into())
}
