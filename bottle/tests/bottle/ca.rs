//! `bottle ca`: what it writes, how, and what it leaves alone.
use crate::stage::Stage;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl is there");
    let said = [&ran.stdout[..], &ran.stderr].map(String::from_utf8_lossy).concat();
    assert!(ran.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn certificate_and_key_belong_together_and_keys_are_private() {
    let stage = Stage::new(None);
    let work = stage.workspace();
    stage
        .run(&["ca", "--cert", "c.pem", "--key", "k.pem", "--joined", "j.pem", "--name", "mine"])
        .ended_with(0);
    assert_eq!(
        [mode(&work.join("c.pem")), mode(&work.join("k.pem")), mode(&work.join("j.pem"))],
        [0o644, 0o600, 0o600]
    );
    let public = openssl(&work, &["x509", "-in", "c.pem", "-noout", "-pubkey"]);
    assert_eq!(openssl(&work, &["pkey", "-in", "k.pem", "-pubout"]), public);
    assert_eq!(openssl(&work, &["pkey", "-in", "j.pem", "-pubout"]), public);
    let text = |name: &str| fs::read_to_string(work.join(name)).expect("text");
    assert_eq!(text("j.pem"), format!("{}{}", text("k.pem"), text("c.pem")));
    assert!(!text("c.pem").contains("PRIVATE"));
    let shown = openssl(&work, &["x509", "-in", "c.pem", "-noout", "-text"]);
    assert!(shown.contains("CA:TRUE, pathlen:0") && shown.contains("bot-bottle CA mine"), "{shown}");
    openssl(&work, &["verify", "-x509_strict", "-CAfile", "c.pem", "c.pem"]);
}

/// RFC 5280 method 1, which OpenSSL and mitmproxy compute on their own for what they sign.
#[test]
fn the_subject_key_identifier_is_the_hash_of_the_key() {
    let stage = Stage::new(None);
    let work = stage.workspace();
    stage.run(&["ca", "--cert", "c.pem", "--key", "k.pem"]).ended_with(0);
    let own = [
        "req",
        "-x509",
        "-key",
        "k.pem",
        "-subj",
        "/CN=x",
        "-addext",
        "subjectKeyIdentifier=hash",
        "-out",
        "h.pem",
    ];
    openssl(&work, &own);
    let id = |file: &str| {
        let shown = openssl(&work, &["x509", "-in", file, "-noout", "-ext", "subjectKeyIdentifier"]);
        shown.lines().last().expect("the identifier").trim().to_owned()
    };
    assert_eq!(id("c.pem"), id("h.pem"));
}

#[test]
fn it_is_good_for_as_long_as_was_said() {
    let stage = Stage::new(None);
    let work = stage.workspace();
    stage.run(&["ca", "--cert", "c.pem", "--key", "k.pem", "--days", "2"]).ended_with(0);
    openssl(&work, &["x509", "-in", "c.pem", "-noout", "-checkend", "172000"]);
    let later = ["x509", "-in", "c.pem", "-noout", "-checkend", "173000"];
    let later = Command::new("openssl").current_dir(&work).args(later).status().expect("openssl is there");
    assert!(!later.success(), "two days and no more");
    for days in ["0", "4000", "-1"] {
        stage.run(&["ca", "--cert", "d.pem", "--key", "l.pem", "--days", days]).ended_with(2);
    }
}

#[test]
fn nothing_is_written_over_unless_that_is_meant() {
    let stage = Stage::new(None);
    let work = stage.workspace();
    let said = |arguments: &[&str]| stage.run(arguments).ended_with(125).err;
    for (name, present) in [("c.pem", "key"), ("k.pem", "certificate")] {
        fs::write(work.join(name), present).expect("written");
        let told = said(&["ca", "--cert", "c.pem", "--key", "k.pem"]);
        assert!(told.contains(&format!("`{name}` is there already")) && told.contains("--force"), "{told}");
        assert_eq!(fs::read_to_string(work.join(name)).expect("there"), present);
        assert_eq!(fs::read_dir(&work).expect("listed").count(), 1, "and no half of it is left");
        fs::remove_file(work.join(name)).expect("removed");
    }
    // A link to nowhere is there too: nobody chooses where a key goes but the one who asked.
    std::os::unix::fs::symlink(work.join("elsewhere"), work.join("k.pem")).expect("a link");
    assert!(said(&["ca", "--cert", "c.pem", "--key", "k.pem"]).contains("is there already"));
    stage.run(&["ca", "--cert", "c.pem", "--key", "k.pem", "--force"]).ended_with(0);
    assert!(!work.join("elsewhere").exists(), "a link is replaced, not followed");
    assert_eq!(mode(&work.join("k.pem")), 0o600);
    fs::set_permissions(work.join("k.pem"), fs::Permissions::from_mode(0o644)).expect("set");
    let before = fs::read_to_string(work.join("k.pem")).expect("there");
    stage.run(&["ca", "--cert", "c.pem", "--key", "k.pem", "--force"]).ended_with(0);
    assert_ne!(fs::read_to_string(work.join("k.pem")).expect("there"), before);
    assert_eq!(mode(&work.join("k.pem")), 0o600, "whatever it was before");
}

#[test]
fn half_an_authority_is_not_left() {
    let stage = Stage::new(None);
    let told = stage.run(&["ca", "--key", "k.pem", "--cert", "nowhere/c.pem"]).ended_with(125).err;
    assert!(told.contains("cannot write `nowhere/c.pem`"), "{told}");
    assert!(!stage.workspace().join("k.pem").exists());
    assert!(
        stage
            .run(&["ca", "--cert", "x.pem", "--key", "./x.pem"])
            .ended_with(125)
            .err
            .contains("two of the files")
    );
    stage.run(&["ca", "--cert", "c.pem"]).ended_with(2);
}
