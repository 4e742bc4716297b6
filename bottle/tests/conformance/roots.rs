//! Images of every make: the trust store works in each.
use crate::Scenario;
use crate::ground::{Ground, Scene};
use crate::images::{self, Root};
use crate::probe::PROBE;
use crate::world::OPEN;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("images::from_scratch_with_one_static_program", scratch),
    ("images::debian_with_its_bundle_and_hash_folder", debian),
    ("images::alpine_with_its_cert_pem", alpine),
];

fn url(scene: &Scene, what: &str) -> String {
    format!("https://{OPEN}/{what}-{}", scene.name)
}

/// No shell, no `/etc`, nothing: the program is all there is.
fn scratch(ground: Ground) {
    let name = "scratch:test";
    images::import(ground.engine(), name, |root| root.file(ground.probe(), "program"));
    let scene = ground.scene_in(name, "");
    for version in ["h1", "h2"] {
        let ran = scene.run(&["/program", PROBE, "get", version, "variables", &url(&scene, version)]);
        let said = ran.ended_with(0).out;
        assert!(said.contains(" 200 decision: none"), "{said}");
    }
    let said = scene.run(&["/program", PROBE, "status"]).ended_with(0).out;
    assert!(said.contains("NoNewPrivs: 1"), "{said}");
    scene.run(&["/bin/sh"]).ended_with(127);
    scene.nothing_is_left();
}

/// A program of this machine with what it links to.
fn program<W: Write>(root: &mut Root<W>, path: &str, have: &mut BTreeSet<PathBuf>) {
    let linked = Command::new("ldd").arg(path).output().expect("ldd").stdout;
    let linked = String::from_utf8_lossy(&linked).into_owned();
    let paths = linked.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    for path in paths.chain([path]).map(PathBuf::from) {
        if have.insert(path.clone()) {
            root.file(&path, path.to_str().expect("text").trim_start_matches('/'));
        }
    }
}

/// This machine is one; its roots lie in a bundle and in a folder by their hashes, as OpenSSL wants them.
fn debian(ground: Ground) {
    let name = "debian:test";
    let bundle = Path::new("/etc/ssl/certs/ca-certificates.crt");
    images::import(ground.engine(), name, |root| {
        root.busybox();
        root.text("etc/os-release", "ID=debian\n");
        root.folder("etc/ssl/certs", 0o755);
        root.file(bundle, "etc/ssl/certs/ca-certificates.crt");
        let mut have = BTreeSet::new();
        for path in ["/usr/bin/curl", "/usr/bin/openssl"] {
            program(root, path, &mut have);
        }
    });
    let scene = ground.scene_in(name, "");
    let curl = scene.sh(&format!("curl -sS -w '%{{http_code}}' {}", url(&scene, "curl"))).ended_with(0).out;
    assert!(curl.contains("/curl-") && curl.ends_with("200"), "{curl}");
    // The files themselves, and no variable of ours: bundle and hash folder.
    let bare = format!(
        "unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE\n\
         curl -sS --cacert /etc/ssl/certs/ca-certificates.crt {}\n\
         openssl s_client -proxy egress:9099 -connect {OPEN}:443 -servername {OPEN} -CApath /etc/ssl/certs \
         -verify_return_error -brief </dev/null 2>&1",
        url(&scene, "bundle"),
    );
    let said = scene.sh(&bare).ended_with(0).out;
    assert!(said.contains("/bundle-") && said.contains("Verification: OK"), "{said}");
    // With another root none of it would do.
    let wrong = format!(
        "unset SSL_CERT_DIR; printf '' > none.pem; curl -sS --cacert none.pem {}",
        url(&scene, "none")
    );
    assert_ne!(scene.sh(&wrong).code, Some(0));
    assert!(ground.world().seen(&format!("/none-{}", scene.name)).is_empty());
}

fn alpine(ground: Ground) {
    let name = "alpine:test";
    images::import(ground.engine(), name, |root| {
        root.busybox();
        root.text("etc/os-release", "ID=alpine\n");
        root.folder("etc/ssl/certs", 0o755);
        root.file(Path::new("/etc/ssl/certs/ca-certificates.crt"), "etc/ssl/certs/ca-certificates.crt");
        root.link("certs/ca-certificates.crt", "etc/ssl/cert.pem");
    });
    let scene = ground.scene_in(name, "");
    for file in ["/etc/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt"] {
        let said = scene.probe(&["get", "h2", &format!("variables,{file}"), &url(&scene, "alpine")]);
        assert!(said.contains(" 200 decision: none"), "{file}: {said}");
    }
    // The image's own roots are still in it.
    let count = |said: String| said.matches("BEGIN CERTIFICATE").count();
    let own = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").expect("read");
    let inside = scene.probe(&["read", "/etc/ssl/cert.pem"]);
    assert_eq!(count(inside), count(own) + 1);
}
