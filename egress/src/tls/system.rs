//! The certificates that a system trusts, from where OpenSSL looks for them: a file of many and folders of single ones.
//!
//! Most of them stand there three times: in the file, in the folder, and in the folder again under the number by which OpenSSL
//! looks them up. What was seen is not decoded again, and a name for another file of the same folder is not opened.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::OFlag;
use rustls_pki_types::CertificateDer;
use std::collections::HashSet;
use std::env;
use std::fs::{DirEntry, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// All of them, each once. What cannot be read counts for nothing.
pub(super) fn certificates() -> Vec<CertificateDer<'static>> {
    let (file, folders) = places();
    read(file.as_deref(), &folders)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` alone, where one of them is set.
fn places() -> (Option<PathBuf>, Vec<PathBuf>) {
    let file = env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let folders = env::var_os("SSL_CERT_DIR").unwrap_or_default();
    let folders: Vec<PathBuf> =
        env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty()).collect();
    if file.is_some() || !folders.is_empty() {
        return (file, folders);
    }
    let usual = openssl_probe::probe();
    (usual.cert_file, usual.cert_dir)
}

fn read(file: Option<&Path>, folders: &[PathBuf]) -> Vec<CertificateDer<'static>> {
    let mut found = Found::default();
    if let Some(file) = file {
        found.file(file);
    }
    for folder in folders {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter(|entry| !is_second_name(entry)).for_each(|entry| found.file(&entry.path()));
    }
    found.certificates
}

/// A symbolic link to a name of the same folder, which is read by that name.
fn is_second_name(entry: &DirEntry) -> bool {
    if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
        return false;
    }
    std::fs::read_link(entry.path()).is_ok_and(|target| {
        let mut parts = target.components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    })
}

#[derive(Default)]
struct Found {
    /// Files that were read, by device and inode.
    files: HashSet<(u64, u64)>,
    /// What was decoded.
    texts: HashSet<Vec<u8>>,
    certificates: Vec<CertificateDer<'static>>,
    bytes: Vec<u8>,
}

impl Found {
    fn file(&mut self, path: &Path) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        if self.open(path).is_some_and(|mut file| file.read_to_end(&mut bytes).is_ok()) {
            self.text(&bytes);
        }
        self.bytes = bytes;
    }

    /// A regular file that was not read before. Without waiting: opening a pipe would.
    fn open(&mut self, path: &Path) -> Option<File> {
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()?;
        let kind = file.metadata().ok()?;
        (kind.is_file() && self.files.insert((kind.dev(), kind.ino()))).then_some(file)
    }

    fn text(&mut self, bytes: &[u8]) {
        let mut open = None;
        for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
            if line == BEGIN {
                open = Some(Vec::with_capacity(2048));
            } else if line == END {
                open.take().into_iter().for_each(|text| self.certificate(text));
            } else if let Some(text) = &mut open {
                text.extend_from_slice(line);
            }
        }
    }

    fn certificate(&mut self, text: Vec<u8>) {
        if self.texts.contains(&text) {
            return;
        }
        self.certificates.extend(STANDARD.decode(&text).ok().map(CertificateDer::from));
        self.texts.insert(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// As many certificates as numbers; nothing here looks into them.
    fn pem(numbers: std::ops::Range<u8>, line: &str) -> String {
        let one = |number: u8| {
            let text = STANDARD.encode([number; 100]);
            let (first, second) = text.split_at(64);
            format!(
                "of {number}{line}-----BEGIN CERTIFICATE-----{line}{first}{line}{second}{line}-----END CERTIFICATE-----{line}"
            )
        };
        numbers.map(one).collect()
    }

    fn sorted(mut certificates: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
        certificates.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        certificates
    }

    /// The library reads everything that it is shown, twice where it stands twice.
    #[test]
    fn what_the_library_finds_is_found() {
        let top = tempfile::tempdir().unwrap();
        let (folder, outside) = (top.path().join("certs"), top.path().join("outside"));
        std::fs::create_dir_all(folder.join("a-folder")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        let file = folder.join("bundle.crt");
        std::fs::write(&file, pem(0..9, "\n")).unwrap();
        std::fs::write(outside.join("three.crt"), pem(3..4, "\r\n")).unwrap();
        std::fs::write(outside.join("ten.crt"), pem(10..12, "\n")).unwrap();
        std::fs::write(folder.join("twelve.pem"), pem(12..13, "\r\n")).unwrap();
        std::fs::write(folder.join("no-pem"), [0x30, 0x82, 0, 1, 0xff]).unwrap();
        std::fs::write(folder.join("broken.pem"), pem(13..14, "\n").replace("==", "=")).unwrap();
        std::fs::write(folder.join("other.pem"), pem(14..15, "\n").replace("CERTIFICATE", "PRIVATE KEY"))
            .unwrap();
        symlink(outside.join("three.crt"), folder.join("three.pem")).unwrap();
        symlink("../outside/ten.crt", folder.join("ten.pem")).unwrap();
        symlink("ten.pem", folder.join("12345678.0")).unwrap();
        symlink("twelve.pem", folder.join("12345679.0")).unwrap();
        symlink("nowhere.pem", folder.join("12345680.0")).unwrap();
        symlink("itself.pem", folder.join("itself.pem")).unwrap();
        symlink("/nowhere", folder.join("nowhere-else.pem")).unwrap();
        let theirs = rustls_native_certs::load_certs_from_paths(Some(&file), Some(&folder)).certs;
        assert_eq!(theirs.len(), 12);
        assert_eq!(sorted(read(Some(&file), std::slice::from_ref(&folder))), sorted(theirs));
        assert_eq!(read(Some(&outside.join("ten.crt")), &[]).len(), 2);
        assert_eq!(read(None, &[outside]).len(), 3);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink(&pipe, folder.path().join("link")).unwrap();
        assert!(read(Some(&pipe), &[folder.path().to_owned()]).is_empty());
    }

    /// On any machine: what this one trusts.
    #[test]
    fn this_machines_are_the_same() {
        let mut ours = sorted(certificates());
        ours.dedup();
        assert_eq!(ours, sorted(rustls_native_certs::load_native_certs().certs));
    }
}
