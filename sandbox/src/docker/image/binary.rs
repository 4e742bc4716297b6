//! The binary that becomes an image: one that can run where there is nothing else.
use super::REPOSITORY;
use crate::SandboxError;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A static executable of Linux, open: what was looked at is what is packed, even when the file is replaced meanwhile.
#[derive(Debug)]
pub struct Binary {
    file: File,
    size: u64,
    digest: String,
    machine: &'static str,
}

/// ELF header, System V ABI chapter 4: class, byte order, machine, and the place of the program headers.
const ELF_HEADER: usize = 64;
const MAGIC_64_LITTLE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
const PROGRAM_HEADER: usize = 56;
/// The program header that names a dynamic loader (PT_INTERP).
const INTERPRETER: u32 = 3;
/// No linker writes more of them.
const MOST_PROGRAM_HEADERS: usize = 1024;

impl Binary {
    /// The running one.
    /// # Errors
    /// When it cannot be read, or is linked dynamically.
    pub fn running() -> Result<Binary, SandboxError> {
        Binary::at(Path::new("/proc/self/exe"))
    }

    /// The one in this file.
    /// # Errors
    /// As [`Binary::running`].
    pub fn at(path: &Path) -> Result<Binary, SandboxError> {
        let unreadable = |error: io::Error| {
            SandboxError::new(format!("cannot read the program `{}`: {error}", path.display()))
        };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let machine = static_machine(&file).map_err(unreadable)?.map_err(|what| unfit(path, what))?;
        let digest = digest(&file).map_err(unreadable)?;
        Ok(Binary { file, size, digest, machine })
    }

    /// SHA-256, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The machine it is for, as the kernel names it.
    #[must_use]
    pub fn machine(&self) -> &'static str {
        self.machine
    }

    /// The name of its image: `bottle-egress:` and the first twelve digits of the digest.
    #[must_use]
    pub fn image_name(&self) -> String {
        format!("{REPOSITORY}:{}", &self.digest[..12])
    }

    /// From the beginning, whatever was read before.
    pub(super) fn content(&self) -> impl io::Read + '_ {
        FromStart { file: &self.file, at: 0 }.take(self.size)
    }

    pub(super) fn try_clone(&self) -> Result<Binary, SandboxError> {
        let file = self.file.try_clone().map_err(|error| super::cannot_read(&error))?;
        Ok(Binary { file, size: self.size, digest: self.digest.clone(), machine: self.machine })
    }
}

struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl io::Read for FromStart<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn digest(file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut from = FromStart { file, at: 0 };
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The machine of a static executable, or what keeps it from being one.
fn static_machine(file: &File) -> io::Result<Result<&'static str, &'static str>> {
    let mut header = [0; ELF_HEADER];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Err("is no executable of Linux"));
        }
        other => other?,
    }
    let Some(layout) = Layout::of(&header) else {
        return Ok(Err("is no executable of Linux for a known machine"));
    };
    if layout.count > MOST_PROGRAM_HEADERS || layout.each < PROGRAM_HEADER {
        return Ok(Err("has program headers that cannot be read"));
    }
    let mut program = vec![0; layout.each * layout.count];
    file.read_exact_at(&mut program, layout.at)?;
    let mut kinds = program.chunks_exact(layout.each).filter_map(|one| one.first_chunk()).copied();
    Ok(match kinds.any(|kind| u32::from_le_bytes(kind) == INTERPRETER) {
        true => Err("is linked dynamically, and would find no libraries in an empty image"),
        false => Ok(layout.machine),
    })
}

/// What of the header counts here.
struct Layout {
    machine: &'static str,
    at: u64,
    each: usize,
    count: usize,
}

impl Layout {
    fn of(header: &[u8; ELF_HEADER]) -> Option<Layout> {
        let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let machine = match short(18) {
            62 => "x86_64",
            183 => "aarch64",
            _ => return None,
        };
        let at = u64::from_le_bytes(*header[32..].first_chunk()?);
        let layout = Layout { machine, at, each: usize::from(short(54)), count: usize::from(short(56)) };
        header.starts_with(&MAGIC_64_LITTLE).then_some(layout)
    }
}

fn unfit(path: &Path, what: &str) -> SandboxError {
    SandboxError::new(format!("the program `{}` {what}", path.display())).with_hint(
        "an image needs the static binary: build with the repository's own .cargo/config.toml (`crt-static`), or take a \
         release",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// An executable with program headers of these kinds.
    fn elf(machine: u16, kinds: &[u32]) -> tempfile::NamedTempFile {
        let mut bytes = vec![0; ELF_HEADER];
        bytes[..6].copy_from_slice(&MAGIC_64_LITTLE);
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&(ELF_HEADER as u64).to_le_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(kinds.len()).expect("few").to_le_bytes());
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 52]);
        }
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("written");
        file
    }

    #[test]
    fn a_static_program_is_taken_and_its_machine_known() {
        let arm = elf(183, &[1, 1, 2]);
        let binary = Binary::at(arm.path()).expect("static");
        assert_eq!(binary.machine(), "aarch64");
        let content = std::fs::read(arm.path()).expect("read");
        assert_eq!(binary.digest(), hex(&Sha256::digest(content)));
        assert_eq!(binary.image_name(), format!("bottle-egress:{}", &binary.digest()[..12]));
        assert!(Binary::running().is_ok(), "this test is built as the product is");
    }

    #[test]
    fn what_needs_a_loader_or_is_no_program_is_refused() {
        let refused = |file: &Path| Binary::at(file).expect_err("refused").what;
        assert!(refused(elf(62, &[1, 3, 1]).path()).contains("linked dynamically"));
        assert!(refused(Path::new("/bin/sh")).contains("linked dynamically"), "a real one");
        assert!(refused(elf(8, &[1]).path()).contains("known machine"));
        assert!(refused(Path::new("/dev/null")).contains("no executable"));
        let script = elf(62, &[]);
        std::fs::write(script.path(), "#!/bin/sh\n".repeat(10)).expect("written");
        assert!(refused(script.path()).contains("no executable"));
    }
}
