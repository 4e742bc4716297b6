//! The machine's memory at its first instruction: busybox, the binary under test, modules of the kernel, scenes.
use crate::scene::Played;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nordinary:x:1000:1000:ordinary:/home/ordinary:/bin/sh\n";
const GROUP: &str = "root:x:0:\nordinary:x:1000:\n";

/// Puts all of it below a folder and packs it, as the kernel wants it (`newc`); gives the archive.
pub(crate) fn pack(folder: &Path, kernel: &Path, scenes: &[Played], seconds: u64) -> io::Result<PathBuf> {
    let root = folder.join("root");
    for part in ["bin", "etc", "scenes", "modules"] {
        fs::create_dir_all(root.join(part))?;
    }
    fs::copy(busybox().ok_or(io::ErrorKind::NotFound)?, root.join("bin/busybox"))?;
    symlink("busybox", root.join("bin/sh"))?;
    without_symbols(Path::new(env!("CARGO_BIN_EXE_bottle")), &root.join("bin/bottle"))?;
    fs::write(root.join("etc/passwd"), PASSWD)?;
    fs::write(root.join("etc/group"), GROUP)?;
    fs::write(root.join("init"), include_str!("init.sh"))?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))?;
    for module in fs::read_dir(kernel.join("modules"))?.flatten() {
        fs::copy(module.path(), root.join("modules").join(module.file_name()))?;
    }
    fs::write(root.join("scenes/seconds"), seconds.to_string())?;
    scenes.iter().enumerate().try_for_each(|(number, one)| one.write(&root.join("scenes"), number))?;
    let archive = folder.join("initramfs");
    let mut packing = Command::new("sh");
    packing.args(["-c", "find . | busybox cpio -o -H newc"]).current_dir(&root);
    let packed = packing.stdout(fs::File::create(&archive)?).stderr(Stdio::null()).status()?;
    if packed.success() { Ok(archive) } else { Err(io::Error::other("busybox could not pack the archive")) }
}

/// A static one, of Debian's `busybox-static`.
pub(crate) fn busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from).into_iter().find(|path| path.is_file())
}

/// The emulated processor has to copy every byte of it.
fn without_symbols(from: &Path, to: &Path) -> io::Result<()> {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(from, to)?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))
}
