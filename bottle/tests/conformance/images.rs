//! Images for agents, made without a registry.
use crate::engine::Engine;
use std::io::Write;
use std::path::Path;

/// A shell and the usual small programs: what most scenarios run in.
pub(crate) const BUSYBOX: &str = "busybox:test";
/// Names under which busybox does what the scenarios need.
const APPLETS: &[&str] = &[
    "sh", "cat", "env", "true", "false", "id", "sleep", "echo", "ls", "kill", "stat", "head", "touch",
    "mkdir", "mv", "rm", "ln", "ip", "ps", "wc", "mount", "nslookup", "printf", "grep", "stty", "md5sum",
    "od",
];

/// An archive of a root file system.
pub(crate) struct Root<W: Write>(tar::Builder<W>);

impl<W: Write> Root<W> {
    pub(crate) fn new(out: W) -> Root<W> {
        let mut archive = tar::Builder::new(out);
        // Docker 20.10 does not know the format's entries for files with holes.
        archive.sparse(false);
        archive.follow_symlinks(false);
        Root(archive)
    }

    pub(crate) fn folder(&mut self, path: &str, mode: u32) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        self.0.append_data(&mut header, path, std::io::empty()).expect("a folder");
    }

    pub(crate) fn text(&mut self, path: &str, text: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        self.0.append_data(&mut header, path, text.as_bytes()).expect("a text");
    }

    /// A file of this machine, behind any links.
    pub(crate) fn file(&mut self, from: &Path, at: &str) {
        let from = from.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        self.0.append_path_with_name(from, at).expect("a file");
    }

    pub(crate) fn link(&mut self, to: &str, at: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        self.0.append_link(&mut header, at, to).expect("a link");
    }

    /// Busybox and its names.
    pub(crate) fn busybox(&mut self) {
        self.folder("bin", 0o755);
        self.file(Path::new("/usr/bin/busybox"), "bin/busybox");
        for applet in APPLETS {
            self.link("busybox", &format!("bin/{applet}"));
        }
        self.folder("tmp", 0o1777);
    }

    pub(crate) fn end(self) {
        self.0.into_inner().expect("the archive's end").flush().expect("written");
    }
}

/// Imports a root file system as an image.
pub(crate) fn import(engine: &Engine, name: &str, fill: impl FnOnce(&mut Root<&mut dyn Write>)) {
    engine.feed(&["import", "-", name], |pipe| {
        let mut root = Root::new(pipe);
        fill(&mut root);
        root.end();
    });
}

pub(crate) fn busybox(engine: &Engine) {
    import(engine, BUSYBOX, |root| root.busybox());
}
