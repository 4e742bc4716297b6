//! The archive that `docker load` reads: one layer, its configuration, and the list of both (Docker image
//! specification 1.2). Same binary, same bytes: no time, no name of a user or a machine is in it.
use super::super::plan::PROGRAM;
use super::binary::{Binary, hex};
use super::{BINARY_LABEL, EGRESS_USER, HANDOVER, REPOSITORY, VERSION_LABEL, architecture_of};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use tar::{Builder, EntryType, Header};

/// What lasts of an engine of the user's own: its audit.
const STATE: &str = "/state";
/// What runs in a container of it.
pub(super) const ENTRYPOINT: &str = "/bottle";
const LAYER: &str = "layer.tar";
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// A tar archive is made of blocks, and ends with two empty ones.
const BLOCK: u64 = 512;
const END: u64 = 2 * BLOCK;

/// A file or folder of the image.
struct Entry<'a> {
    path: &'a str,
    kind: EntryType,
    mode: u32,
    owner: (u32, u32),
    size: u64,
    content: Box<dyn io::Read + 'a>,
}

/// Writes the archive in one pass: the layer first, for the rest names its digest.
pub(super) fn write(binary: &Binary, out: &mut dyn Write) -> io::Result<()> {
    let (passwd, group) = (passwd(), group());
    let layer = entries(binary, &passwd, &group);
    let size: u64 = layer.iter().map(|entry| BLOCK + entry.size.next_multiple_of(BLOCK)).sum::<u64>() + END;
    out.write_all(header(LAYER, EntryType::Regular, 0o644, (0, 0), size)?.as_bytes())?;
    let mut hashing = Hashing { out, hasher: Sha256::new() };
    write_layer(layer, &mut hashing)?;
    let diff = hex(&hashing.hasher.finalize());
    let configuration = configuration(binary, &diff);
    let name = format!("{}.json", hex(&Sha256::digest(&configuration)));
    let mut rest = Builder::new(out);
    append(&mut rest, &name, configuration.as_bytes())?;
    append(&mut rest, "manifest.json", manifest(binary, &name).as_bytes())?;
    rest.finish()
}

/// The layer's digest alone, by which engines know its content.
pub(super) fn layer_digest(binary: &Binary) -> io::Result<String> {
    let (passwd, group) = (passwd(), group());
    let mut hashing = Hashing { out: &mut io::sink(), hasher: Sha256::new() };
    write_layer(entries(binary, &passwd, &group), &mut hashing)?;
    Ok(hex(&hashing.hasher.finalize()))
}

/// Nobody makes it root by forgetting to say who.
pub(super) fn user() -> String {
    format!("{EGRESS_USER}:{EGRESS_USER}")
}

pub(super) fn environment() -> String {
    format!("XDG_STATE_HOME={STATE}")
}

fn write_layer(entries: Vec<Entry<'_>>, out: &mut dyn Write) -> io::Result<()> {
    let mut layer = Builder::new(out);
    for entry in entries {
        let header = header(entry.path, entry.kind, entry.mode, entry.owner, entry.size)?;
        layer.append(&header, entry.content)?;
    }
    layer.finish()
}

fn entries<'a>(binary: &'a Binary, passwd: &'a str, group: &'a str) -> Vec<Entry<'a>> {
    // Holder and egress are two users, both without capabilities; and an engine that maps users gives it to a third. Only
    // who has the volume comes there.
    let handover = Entry { owner: (EGRESS_USER, 0), ..folder(&HANDOVER[1..], 0o1777) };
    vec![
        Entry { mode: 0o755, ..file("bottle", binary.size(), binary.content()) },
        folder("etc", 0o755),
        file("etc/group", group.len() as u64, group.as_bytes()),
        file("etc/passwd", passwd.len() as u64, passwd.as_bytes()),
        handover,
        // The same file by another name, in a folder of its own, which a volume can be filled from.
        folder(&PROGRAM[1..], 0o755),
        Entry { mode: 0o755, kind: EntryType::Link, ..file("program/bottle", 0, io::empty()) },
        // For an engine of the user's own (`bottle egress`): new volumes take owner and mode from here, and whoever the
        // user says that it runs as may write to them.
        Entry { owner: (EGRESS_USER, EGRESS_USER), ..folder(&STATE[1..], 0o1777) },
        folder("tmp", 0o1777),
        Entry { owner: (EGRESS_USER, EGRESS_USER), ..folder("trust", 0o1777) },
    ]
}

fn file<'a>(path: &'a str, size: u64, content: impl io::Read + 'a) -> Entry<'a> {
    Entry { path, kind: EntryType::Regular, mode: 0o644, owner: (0, 0), size, content: Box::new(content) }
}

fn folder(path: &str, mode: u32) -> Entry<'_> {
    Entry { path, kind: EntryType::Directory, mode, owner: (0, 0), size: 0, content: Box::new(io::empty()) }
}

fn header(path: &str, kind: EntryType, mode: u32, owner: (u32, u32), size: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(if kind == EntryType::Directory { format!("{path}/") } else { path.to_owned() })?;
    header.set_mode(mode);
    header.set_uid(owner.0.into());
    header.set_gid(owner.1.into());
    header.set_mtime(0);
    header.set_size(size);
    if kind == EntryType::Link {
        header.set_link_name(&ENTRYPOINT[1..])?;
    }
    header.set_cksum();
    Ok(header)
}

fn append(archive: &mut Builder<&mut dyn Write>, path: &str, content: &[u8]) -> io::Result<()> {
    archive.append(&header(path, EntryType::Regular, 0o644, (0, 0), content.len() as u64)?, content)
}

fn passwd() -> String {
    format!("root:x:0:0:root:/:/bottle\nbottle:x:{EGRESS_USER}:{EGRESS_USER}:bottle:/:/bottle\n")
}

fn group() -> String {
    format!("root:x:0:\nbottle:x:{EGRESS_USER}:\n")
}

/// The configuration; its digest is the image's identity in most engines.
fn configuration(binary: &Binary, diff: &str) -> String {
    json!({
        "architecture": architecture_of(binary.machine()),
        "os": "linux",
        "created": EPOCH,
        "config": {
            "Entrypoint": [ENTRYPOINT],
            "User": user(),
            "Env": [environment()],
            "WorkingDir": "/",
            "Labels": { (VERSION_LABEL): env!("CARGO_PKG_VERSION"), (BINARY_LABEL): binary.digest() },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
        "history": [{ "created": EPOCH, "created_by": "bottle image" }],
    })
    .to_string()
}

fn manifest(binary: &Binary, configuration: &str) -> String {
    let names = [binary.image_name(), format!("{REPOSITORY}:latest")];
    json!([{ "Config": configuration, "RepoTags": names, "Layers": [LAYER] }]).to_string()
}

/// Passes bytes on and counts them in.
struct Hashing<'a> {
    out: &'a mut dyn Write,
    hasher: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read as _;

    fn written(binary: &Binary) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(binary, &mut bytes).expect("written to memory");
        bytes
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let mut files = BTreeMap::new();
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            files.insert(path, content);
        }
        files
    }

    #[test]
    fn the_same_binary_gives_the_same_bytes_and_nothing_tells_when_or_by_whom() {
        let binary = Binary::running().expect("static");
        let first = written(&binary);
        assert!(first == written(&binary), "two archives of one binary differ");
        let layer = &files(&first)[LAYER];
        for entry in tar::Archive::new(layer.as_slice()).entries().expect("an archive") {
            let entry = entry.expect("an entry");
            let header = entry.header();
            assert_eq!(header.mtime().expect("a time"), 0);
            assert_eq!(header.username().expect("text").unwrap_or_default(), "");
        }
    }

    #[test]
    fn every_part_is_named_by_its_digest() {
        let binary = Binary::running().expect("static");
        let parts = files(&written(&binary));
        let json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON");
        let manifest = json(&parts["manifest.json"]);
        assert_eq!(manifest[0]["RepoTags"], json!([binary.image_name(), "bottle-egress:latest"]));
        let name = manifest[0]["Config"].as_str().expect("a name");
        assert_eq!(name, format!("{}.json", hex(&Sha256::digest(&parts[name]))));
        let config = json(&parts[name]);
        let diff = hex(&Sha256::digest(&parts[LAYER]));
        assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{diff}")]));
        assert_eq!(layer_digest(&binary).expect("read"), diff);
        assert_eq!(config["config"]["Labels"][BINARY_LABEL], binary.digest());
        assert_eq!(config["config"]["Entrypoint"], json!(["/bottle"]));
        assert_eq!(config["config"]["User"], "65532:65532", "nobody makes it root by forgetting to say who");
    }

    #[test]
    fn the_layer_holds_the_binary_and_next_to_nothing_else() {
        let binary = Binary::running().expect("static");
        let parts = files(&written(&binary));
        let mut seen = Vec::new();
        for entry in tar::Archive::new(parts[LAYER].as_slice()).entries().expect("an archive") {
            let entry = entry.expect("an entry");
            let header = entry.header();
            let path = entry.path().expect("a path").display().to_string();
            let (uid, gid) = (header.uid().expect("a uid"), header.gid().expect("a gid"));
            seen.push(format!("{path} {:o} {uid}:{gid}", header.mode().expect("a mode")));
        }
        let wanted = [
            "bottle 755 0:0",
            "etc/ 755 0:0",
            "etc/group 644 0:0",
            "etc/passwd 644 0:0",
            "handover/ 1777 65532:0",
            "program/ 755 0:0",
            "program/bottle 755 0:0",
            "state/ 1777 65532:65532",
            "tmp/ 1777 0:0",
            "trust/ 1777 65532:65532",
        ];
        assert_eq!(seen, wanted);
        let running = std::fs::read("/proc/self/exe").expect("this program");
        assert!(files(&parts[LAYER])["bottle"] == running, "another binary is in the image");
    }
}
