//! `/etc`: what programs need to run, by name. Whatever is not listed is not there: keys, password hashes, tokens of
//! package managers and services, connections. A caller who is root could read all of those.
use super::tree::Tree;
use crate::Spec;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const SHOWN: &[&str] = &[
    "ImageMagick-6",
    "ImageMagick-7",
    "R",
    "X11",
    "alternatives",
    "bash.bashrc",
    "bash_completion",
    "bash_completion.d",
    "bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "chromium",
    "chromium-browser",
    "chromium.d",
    "clang",
    "crypto-policies",
    "debian_version",
    "dpkg",
    "emacs",
    "environment.d",
    "ethertypes",
    "fedora-release",
    "fonts",
    "gai.conf",
    "gimp",
    "gnutls",
    "gprofng.rc",
    "gtk-2.0",
    "gtk-3.0",
    "host.conf",
    "init.d/functions",
    "inputrc",
    "issue",
    "java",
    "java-8-openjdk",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
    "jvm",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "libnl-3",
    "locale.alias",
    "locale.conf",
    "locale.gen",
    "localtime",
    "lsb-release",
    "lynx",
    "magic",
    "magic.mime",
    "mailcap",
    "mailcap.order",
    "manpath.config",
    "maven",
    "mime.types",
    "mke2fs.conf",
    "nanorc",
    "netconfig",
    "networks",
    "nsswitch.d",
    "openmpi",
    "os-release",
    "papersize",
    "perl",
    "php",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "redhat-release",
    "rpc",
    "screenrc",
    "sensors3.conf",
    "services",
    "sgml",
    "shells",
    "skel",
    "ssl",
    "static",
    "subversion",
    "system-release",
    "terminfo",
    "texmf",
    "timezone",
    "tmux.conf",
    "vconsole.conf",
    "vdpau_wrapper.cfg",
    "vim",
    "vulkan",
    "wgetrc",
    "xattr.conf",
    "xdg",
    "xml",
    "zsh",
    "zshenv",
    "zprofile",
    "zshrc",
];
/// Folders among those, with keys in them.
const HIDDEN: &[&str] = &[
    "ssl/private",
    "pki/tls/private",
    "pki/nssdb",
    "pki/rpm-gpg-private",
    "pki/consumer",
    "pki/entitlement",
    "pki/product",
];

pub(super) fn add(tree: &mut Tree<'_>, spec: &Spec) {
    tree.dir("/etc", 0o755);
    for name in SHOWN {
        tree.mirror(&Path::new("/etc").join(name));
    }
    for name in HIDDEN {
        hide(tree, &Path::new("/etc").join(name));
    }
    own_files(tree, spec);
}

fn hide(tree: &mut Tree<'_>, path: &Path) {
    use crate::linux::host::Kind;
    if tree.host.kind(path) == Kind::Dir && tree.host.canonical(path).is_some_and(|real| real == path) {
        tree.steps.push(crate::linux::step::Step::Mask { path: path.to_owned(), dir: true });
    }
}

/// Names are answered by the egress whatever the address; this one is in the range of its answers.
const RESOLVER: &str = "nameserver 198.18.0.1\noptions timeout:5 attempts:2\n";
/// No daemon of the host is asked for anything.
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

fn own_files(tree: &mut Tree<'_>, spec: &Spec) {
    let injected = |path: &str| spec.files.iter().any(|file| file.path == Path::new(path));
    let files = [
        ("/etc/resolv.conf", RESOLVER.to_owned()),
        ("/etc/nsswitch.conf", NSSWITCH.to_owned()),
        ("/etc/hostname", format!("{}\n", spec.slug)),
        ("/etc/hosts", hosts(&spec.slug)),
        ("/etc/passwd", passwd(tree, spec)),
        ("/etc/group", group(tree)),
    ];
    for (path, text) in files {
        if !injected(path) {
            tree.text(path, text);
        }
    }
    let mounts = PathBuf::from("/proc/self/mounts");
    tree.steps.push(crate::linux::step::Step::Symlink { path: "/etc/mtab".into(), target: mounts });
}

/// `egress` is the explicit proxy's name; its listener is on the loopback address.
fn hosts(slug: &str) -> String {
    format!("127.0.0.1 localhost egress {slug}\n::1 localhost ip6-localhost ip6-loopback\n")
}

/// The user alone, by the host's name for him and with a shell that exists.
fn passwd(tree: &Tree<'_>, spec: &Spec) -> String {
    let (uid, gid) = (tree.host.uid(), tree.host.gid());
    let known = tree.host.text(Path::new("/etc/passwd")).unwrap_or_default();
    let line = known.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    let name = line.and_then(|l| l.split(':').next()).unwrap_or("user");
    let shell = line.and_then(|l| l.split(':').nth(6)).filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh");
    let home = spec.sandbox.home_inside.display();
    let mut text = format!("{name}:x:{uid}:{gid}:{name}:{home}:{shell}\n");
    if uid != 0 {
        text.push_str("root:x:0:0:root:/root:/bin/sh\n");
    }
    text.push_str("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    text
}

fn group(tree: &Tree<'_>) -> String {
    let gid = tree.host.gid();
    let known = tree.host.text(Path::new("/etc/group")).unwrap_or_default();
    let line = known.lines().find(|line| line.split(':').nth(2) == Some(&gid.to_string()));
    let name = line.and_then(|l| l.split(':').next()).unwrap_or("user");
    let mut text = format!("{name}:x:{gid}:\n");
    for (other, number) in [("root", 0), ("tty", 5), ("nogroup", 65534)] {
        if number != gid {
            let _cannot_fail = writeln!(text, "{other}:x:{number}:");
        }
    }
    text
}
