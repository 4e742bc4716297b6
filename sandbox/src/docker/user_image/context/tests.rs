use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with a Dockerfile and these files.
    fn with(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        folder.put("Dockerfile", "FROM x\n");
        files.iter().for_each(|(path, content)| folder.put(path, content));
        folder
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("context").join(path)
    }

    fn put(&self, path: &str, content: &str) {
        std::fs::create_dir_all(self.at(path).parent().expect("a parent")).expect("its folder");
        std::fs::write(self.at(path), content).expect(path);
    }

    fn plan(&self, dockerfile: &str) -> BuildPlan {
        BuildPlan { context: self.at(""), dockerfile: dockerfile.into(), target: None, args: BTreeMap::new() }
    }

    fn open(&self) -> Result<Context, SandboxError> {
        Context::open(&self.plan("Dockerfile"))
    }

    fn packed(&self) -> Archive {
        packed(&self.open().expect("a context")).expect("packed")
    }
}

/// Path → kind and content (or where a link leads).
type Archive = BTreeMap<String, (EntryType, String)>;

fn packed(context: &Context) -> Result<Archive, String> {
    let mut archive = Vec::new();
    context.write(&mut archive).map_err(|unsent| format!("{unsent:?}"))?;
    let mut entries = Archive::new();
    for entry in tar::Archive::new(&archive[..]).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("its content");
        if let Some(target) = entry.link_name().expect("a link") {
            content = target.to_string_lossy().into_owned();
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        entries.insert(path, (entry.header().entry_type(), content));
    }
    Ok(entries)
}

fn paths(archive: &Archive) -> Vec<&str> {
    archive.keys().map(String::as_str).collect()
}

#[test]
fn everything_goes_along_with_its_mode_and_without_its_owner() {
    let folder = Folder::with(&[("a/b.txt", "b"), (".hidden", "h")]);
    std::fs::set_permissions(folder.at("a/b.txt"), std::fs::Permissions::from_mode(0o751)).expect("a mode");
    let mut archive = Vec::new();
    folder.open().expect("a context").write(&mut archive).expect("packed");
    let mut seen = Vec::new();
    for entry in tar::Archive::new(&archive[..]).entries().expect("an archive") {
        let entry = entry.expect("an entry");
        let header = entry.header();
        assert_eq!((header.uid().expect("uid"), header.gid().expect("gid")), (0, 0));
        seen.push((entry.path().expect("a path").into_owned(), header.mode().expect("a mode") & 0o777));
    }
    let names: Vec<&Path> = seen.iter().map(|(path, _)| path.as_path()).collect();
    assert_eq!(names, [".hidden", "Dockerfile", "a", "a/b.txt"].map(Path::new));
    assert_eq!(seen[3].1, 0o751);
}

#[test]
fn a_link_is_sent_as_a_link_and_nothing_outside_is_read() {
    let folder = Folder::with(&[("inside", "i")]);
    std::fs::create_dir(folder.0.path().join("outside")).expect("a folder");
    std::fs::write(folder.0.path().join("outside/secret"), "SECRET").expect("a secret");
    symlink("../outside/secret", folder.at("file")).expect("a link");
    symlink("../outside", folder.at("folder")).expect("a link");
    symlink("/etc", folder.at("absolute")).expect("a link");
    symlink("nowhere", folder.at("dangling")).expect("a link");
    let archive = folder.packed();
    assert_eq!(paths(&archive), ["Dockerfile", "absolute", "dangling", "file", "folder", "inside"]);
    for (path, target) in [("file", "../outside/secret"), ("folder", "../outside"), ("absolute", "/etc")] {
        assert_eq!(archive[path], (EntryType::Symlink, target.to_owned()));
    }
    assert!(archive.values().all(|(_, content)| !content.contains("SECRET")));
}

/// What a folder is replaced by between being looked at and being opened.
#[test]
fn a_folder_or_file_that_turns_into_a_link_is_not_followed() {
    let folder = Folder::with(&[("sub/x", "x")]);
    let outside = folder.0.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("secret"), "SECRET").expect("a secret");
    let context = folder.open().expect("a context");
    symlink(&outside, folder.at("to-folder")).expect("a link");
    symlink(outside.join("secret"), folder.at("to-file")).expect("a link");
    let mut out = Vec::new();
    let mut packer = Packer { context: &context, archive: Builder::new(&mut out), untold: vec![], depth: 0 };
    let (name, matched) = (OsStr::new("to-folder"), Matched::default());
    let followed = packer.subfolder(&context.root, name, Path::new("sub"), false, &matched);
    assert!(matches!(followed, Err(Failed::Here(_))), "a link was taken for a folder");
    packer
        .file(&context.root, OsStr::new("to-file"), Path::new("x"))
        .expect_err("a link was taken for a file");
    drop(packer);
    assert!(!String::from_utf8_lossy(&out).contains("SECRET"));
}

#[test]
fn sockets_and_pipes_stay_at_home_and_nobody_waits_for_them() {
    let folder = Folder::with(&[]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.at("socket")).expect("a socket");
    rustix::fs::mknodat(CWD, folder.at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0)
        .expect("a pipe");
    let context = folder.open().expect("a context");
    assert_eq!(paths(&packed(&context).expect("packed")), ["Dockerfile"]);
    let mut out = Vec::new();
    let mut packer = Packer { context: &context, archive: Builder::new(&mut out), untold: vec![], depth: 0 };
    packer
        .file(&context.root, OsStr::new("pipe"), Path::new("pipe"))
        .expect_err("a pipe was taken for a file");
}

#[test]
fn what_is_ignored_stays_at_home_and_the_dockerfile_does_not() {
    let folder = Folder::with(&[
        (".dockerignore", "*\n!src\n**/*.key\n!src/keep/public.key\nsrc/old\n!src/old/one\n"),
        (".env", "SECRET"),
        ("src/main", ""),
        ("src/a.key", "SECRET"),
        ("src/keep/public.key", ""),
        ("src/old/two", "SECRET"),
        ("src/old/deep/three", "SECRET"),
        ("src/old/one", ""),
    ]);
    let archive = folder.packed();
    let expected = [
        ".dockerignore",
        "Dockerfile",
        "src",
        "src/keep",
        "src/keep/public.key",
        "src/main",
        "src/old",
        "src/old/one",
    ];
    assert_eq!(paths(&archive), expected);
}

#[test]
fn folders_left_out_for_their_whole_content_are_not_even_opened() {
    let folder = Folder::with(&[(".dockerignore", "node_modules\n!src")]);
    // To go down here would be an error.
    std::fs::create_dir_all(folder.at("node_modules").join("d/".repeat(DEEPEST + 5))).expect("folders");
    let archive = folder.packed();
    assert_eq!(paths(&archive), [".dockerignore", "Dockerfile"]);
}

#[test]
fn the_dockerfiles_own_ignore_file_counts_before_the_folders() {
    let folder = Folder::with(&[
        ("x.Dockerfile", "FROM y"),
        ("x.Dockerfile.dockerignore", "a"),
        (".dockerignore", "b\nDockerfile*"),
        ("a", ""),
        ("b", ""),
    ]);
    assert_eq!(
        paths(&folder.packed()),
        [".dockerignore", "Dockerfile", "a", "x.Dockerfile", "x.Dockerfile.dockerignore"]
    );
    let context = Context::open(&folder.plan("x.Dockerfile")).expect("a context");
    let archive = packed(&context).expect("packed");
    assert!(archive.contains_key("b") && !archive.contains_key("a"));
}

#[test]
fn an_ignore_file_that_cannot_be_read_is_no_empty_one() {
    let folder = Folder::with(&[(".env", "SECRET")]);
    std::fs::create_dir(folder.at(".dockerignore")).expect("a folder");
    let error = folder.open().expect_err("a folder is no list");
    assert!(error.what.contains(".dockerignore"), "{error}");
    std::fs::remove_dir(folder.at(".dockerignore")).expect("removed");
    std::fs::write(folder.at(".dockerignore"), vec![b'#'; 1024 * 1024 + 1]).expect("a long list");
    assert!(folder.open().expect_err("too long").what.contains("more than 1 MiB"));
    // The agent's link to a file of the user's: half of its lines would come out in messages.
    std::fs::remove_file(folder.at(".dockerignore")).expect("removed");
    std::fs::write(folder.0.path().join("outside"), "[id_rsa").expect("a file");
    symlink("../outside", folder.at(".dockerignore")).expect("a link");
    let error = folder.open().expect_err("a link is followed");
    assert!(error.what.contains("symbolic link") && !error.what.contains("id_rsa"), "{error}");
}

#[test]
fn the_dockerfile_lies_inside_behind_any_links() {
    let folder =
        Folder::with(&[("real/file", "FROM --platform=linux/amd64 Base:1 AS x\nfrom $Y\nRUN from z\n")]);
    std::fs::write(folder.0.path().join("outside"), "FROM x").expect("a file");
    symlink("real/file", folder.at("link")).expect("a link");
    symlink("../outside", folder.at("out")).expect("a link");
    let context = Context::open(&folder.plan("link")).expect("a link that stays inside");
    assert_eq!((context.dockerfile(), context.bases()), ("real/file", &["Base:1".to_owned()][..]));
    for (name, why) in [("out", "leads out"), ("real", "no file"), ("missing", "No such file")] {
        let error = Context::open(&folder.plan(name)).expect_err(name);
        assert!(error.what.contains(why) && error.hint.is_some(), "{error}");
    }
}

#[test]
fn long_paths_and_names_that_are_no_text_arrive_as_they_are() {
    let long = format!("{}/{}/f", "d".repeat(200), "e".repeat(200));
    let folder = Folder::with(&[(&long, "x")]);
    let odd = folder.at("").join(OsStr::from_bytes(b"odd\xff\nname"));
    std::fs::write(odd, "odd").expect("a file");
    symlink("t".repeat(300), folder.at("link")).expect("a link");
    let mut archive = Vec::new();
    folder.open().expect("a context").write(&mut archive).expect("packed");
    let mut seen = Vec::new();
    for entry in tar::Archive::new(&archive[..]).entries().expect("an archive") {
        let entry = entry.expect("an entry");
        seen.push((entry.path_bytes().into_owned(), entry.link_name_bytes().map(|link| link.len())));
    }
    assert!(seen.contains(&(long.into_bytes(), None)));
    assert!(seen.contains(&(b"odd\xff\nname".to_vec(), None)));
    assert!(seen.contains(&(b"link".to_vec(), Some(300))));
}

#[test]
fn a_file_that_grows_is_cut_and_one_that_shrinks_is_an_error() {
    let read = |content: &[u8], left: u64| {
        let mut out = Vec::new();
        Announced { inner: content, left }.read_to_end(&mut out).map(|_| out)
    };
    assert_eq!(read(b"12345", 3).expect("cut"), b"123");
    assert_eq!(read(b"", 0).expect("empty"), b"");
    assert!(read(b"12", 3).expect_err("short").to_string().contains("shorter"));
}

/// `/proc/self/stat` and its like announce nothing and have something: the entry must be empty, not the archive broken.
#[test]
fn a_file_that_lies_about_its_size_does_not_break_the_archive() {
    let folder = Folder::with(&[("z", "last")]);
    let context = folder.open().expect("a context");
    let mut out = Vec::new();
    let mut packer = Packer { context: &context, archive: Builder::new(&mut out), untold: vec![], depth: 0 };
    let proc = openat(CWD, "/proc/self", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("/proc");
    packer.file(&proc, OsStr::new("stat"), Path::new("stat")).expect("an empty file");
    packer.file(&context.root, OsStr::new("z"), Path::new("z")).expect("the next");
    packer.archive.finish().expect("the end");
    drop(packer);
    let mut archive = tar::Archive::new(&out[..]);
    let sizes: Vec<u64> =
        archive.entries().expect("an archive").map(|e| e.expect("an entry").size()).collect();
    assert_eq!(sizes, [0, 4]);
}

#[test]
fn a_folder_without_a_bottom_is_refused() {
    let folder = Folder::with(&[]);
    let deep = "d/".repeat(DEEPEST + 5);
    std::fs::create_dir_all(folder.at(&deep)).expect("folders");
    let error = packed(&folder.open().expect("a context")).expect_err("too deep");
    assert!(error.contains("folders deep"), "{error}");
}

#[test]
fn whoever_stops_reading_is_not_told_of_a_broken_pipe() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = Folder::with(&[]);
    let unsent = folder.open().expect("a context").write(&mut Gone).expect_err("gone");
    assert!(matches!(unsent, Unsent::NotWanted));
}
