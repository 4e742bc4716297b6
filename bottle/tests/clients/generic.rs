//! The programs that every machine has.
use crate::bottle::{Bottle, allowed_and_refused, arrived, client};
use crate::{tokens, world};
use http::Version;

#[test]
fn curl_by_http_1() {
    let Some(curl) = client("curl") else { return };
    allowed_and_refused("curl-h1", &format!("{curl} -sS --http1.1 \"$URL\" \"$REFUSED\""));
}

#[test]
fn curl_by_http_2() {
    let Some(curl) = client("curl") else { return };
    let ran = allowed_and_refused(
        "curl-h2",
        &format!("{curl} -sS --http2 -w ' %{{http_version}} ' \"$URL\" \"$REFUSED\""),
    );
    ran.says(" 2 ");
    assert_eq!(arrived_version("/headers?curl-h2"), Version::HTTP_2);
}

fn arrived_version(path: &str) -> Version {
    arrived(world::ECHO, path, "authorization", &format!("Bearer {}", tokens::ECHO)).version
}

#[test]
fn curl_shows_the_status_and_the_code_of_a_refusal() {
    let Some(curl) = client("curl") else { return };
    let script = format!("{curl} -sS -D - -o /dev/null https://refused.test/");
    let ran = Bottle::new("curl-refusal").run(&script).ended(0);
    ran.says("403").says("bottle-decision: denied; code=host-not-allowed");
}

/// The stand-in of one host, sent to another in every place that a client may put it. Bodies go to a page that reads
/// them: an origin may answer before the body is through, and then its answer is what the client gets.
#[test]
fn a_placeholder_sent_to_the_wrong_host_does_not_go_out() {
    let Some(curl) = client("curl") else { return };
    let script = format!(
        "at=https://packages.test; reads=https://echo.test/upload?; code='%{{http_code}} %header{{bottle-decision}}\\n'\n\
         ask() {{ {curl} -sS -o /dev/null -w \"$code\" \"$@\"; }}\n\
         ask -H \"x-key: $REAL_ECHO\" $at/wrong-header; ask \"$at/wrong-query?k=$REAL_ECHO\"\n\
         ask -u \"a:$REAL_ECHO\" -H \"x-basic: $(printf 'a:%s' \"$REAL_ECHO\" | base64 -w0)\" $at/wrong-basic\n\
         ask -d \"{{\\\"k\\\":\\\"$REAL_PACKAGES\\\"}}\" $reads/wrong-json; ask -F \"k=$REAL_PACKAGES\" $reads/wrong-form"
    );
    let ran = Bottle::new("wrong-host").run(&script).ended(0);
    assert_eq!(ran.said.matches("code=secret-in-request").count(), 5, "{}", ran.said);
    assert!(
        world::world().seen(world::PACKAGES, "/wrong-").iter().all(|seen| !seen.path.contains("bottle_"))
    );
}

#[test]
fn wget() {
    let Some(wget) = client("wget") else { return };
    let script =
        format!("{wget} -nv -O - \"$URL\"; {wget} -nv --content-on-error -O - \"$REFUSED\"; test $? = 8");
    allowed_and_refused("wget", &script);
}

#[test]
fn openssl_s_client_verifies_the_certificate_by_the_systems_folder_alone() {
    let Some(openssl) = client("openssl") else { return };
    let script = format!(
        "unset SSL_CERT_FILE SSL_CERT_DIR\n\
         ask() {{ printf 'GET %s HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' \"$2\" \"$1\" |\n\
           {openssl} s_client -no-CAfile -no-CAstore -CApath /etc/ssl/certs -quiet -ign_eof -verify_return_error -verify_hostname \"$1\" -servername \"$1\" -connect \"$1:443\"; }}\n\
         ask echo.test '/headers?openssl'; ask refused.test /openssl; exit 0"
    );
    allowed_and_refused("openssl", &script);
}

#[test]
fn git_clones_and_pushes_more_than_a_mebibyte() {
    let Some(git) = client("git") else { return };
    let repository = world::world().folder().join("repositories/push.git");
    let made = std::process::Command::new(&git)
        .args(["init", "-q", "--bare", "-b", "main"])
        .arg(&repository)
        .status();
    assert!(made.expect("git runs").success());
    let script = format!(
        "set -e; export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a.test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a.test\n\
         {git} clone -q https://git.test/push.git work; cd work; {git} checkout -q -B main\n\
         head -c 3000000 /dev/urandom > random; {git} add random; {git} commit -q -m one; {git} push -q origin main\n\
         cd ..; {git} clone -q git@git.test:push.git again; cmp work/random again/random; echo same\n\
         {git} clone -q https://refused.test/x.git 2>&1 || true"
    );
    Bottle::new("git").run(&script).ended(0).says("same").refused("refused.test");
    let pushed = std::process::Command::new(&git)
        .arg("-C")
        .arg(&repository)
        .args(["log", "--format=%s", "main"])
        .output();
    assert_eq!(pushed.expect("git runs").stdout, b"one\n");
}
