//! Which engine is found, and what is said where none is.
use crate::engine::{Kind, engine, engines};
use sandbox::docker::Engine;
use sandbox::docker::connect::Surroundings;
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// A configuration of Docker's client with one context.
pub(crate) fn config_with(folder: &Path, context: &str, endpoint: &str) {
    let place: String = Sha256::digest(context).iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = folder.join("contexts/meta").join(place);
    std::fs::create_dir_all(&meta).expect("made");
    let text = format!(r#"{{"Name":"{context}","Metadata":{{}},"Endpoints":{{"docker":{endpoint}}}}}"#);
    std::fs::write(meta.join("meta.json"), text).expect("written");
}

async fn error_of(wanted: Option<&str>, around: &Surroundings) -> (String, String) {
    let error = Engine::connect_from(wanted, around).await.expect_err("no engine");
    (error.what, error.hint.unwrap_or_default())
}

#[tokio::test]
async fn the_callers_word_goes_before_the_environments_and_that_before_contexts_and_sockets() {
    for at in engines() {
        let folder = tempfile::tempdir().expect("a folder");
        config_with(folder.path(), "mine", &format!(r#"{{"Host":"{}"}}"#, at.address()));
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"mine"}"#).expect("written");
        let nowhere = || Some("unix:///nowhere/e.sock".to_owned());
        let config = Some(folder.path().to_owned());
        let good = Some(at.address());
        let sockets = vec!["/nowhere/a.sock".into(), at.socket()];
        let stories = [
            (good.as_deref(), Surroundings { host: nowhere(), ..Default::default() }, ""),
            (
                None,
                Surroundings { host: good.clone(), config: config.clone(), ..Default::default() },
                "DOCKER_HOST",
            ),
            (None, Surroundings { config: config.clone(), ..Default::default() }, "context `mine`"),
            (
                None,
                Surroundings { context: Some("mine".into()), config: config.clone(), ..Default::default() },
                "mine",
            ),
            (
                Some("mine"),
                Surroundings { host: nowhere(), config: config.clone(), ..Default::default() },
                "mine",
            ),
            (
                None,
                Surroundings { context: Some("default".into()), sockets, config, ..Default::default() },
                "",
            ),
        ];
        for (wanted, around, who) in &stories {
            let engine = Engine::connect_from(*wanted, around).await.expect("found");
            assert_eq!(engine.endpoint().to_string(), at.address());
            assert!(engine.described().contains(who), "{} for {who}", engine.described());
        }
    }
}

#[tokio::test]
async fn what_was_named_and_is_not_there_is_an_error_and_no_other_engine_is_taken() {
    let Some(at) = engine(Kind::Docker) else { return };
    let sockets = vec![at.socket()];
    let around = Surroundings { host: Some("unix:///nowhere/e.sock".into()), sockets, ..Default::default() };
    let (what, hint) = error_of(None, &around).await;
    assert!(what.contains("`unix:///nowhere/e.sock`") && hint.contains("no such socket"), "{what} {hint}");
    let around =
        Surroundings { context: Some("gone".into()), sockets: vec![at.socket()], ..Default::default() };
    let (what, hint) = error_of(None, &around).await;
    assert!(what.contains("no context `gone`") && hint.contains("docker context ls"), "{what} {hint}");
}

#[tokio::test]
async fn without_any_engine_every_socket_that_was_tried_is_named() {
    let sockets = vec!["/nowhere/a.sock".into(), "/nowhere/b.sock".into()];
    let (what, hint) = error_of(None, &Surroundings { sockets, ..Default::default() }).await;
    assert!(what.contains("/nowhere/a.sock") && what.contains("/nowhere/b.sock"), "{what}");
    assert!(hint.contains("systemctl") && hint.contains("DOCKER_HOST"), "{hint}");
}

#[tokio::test]
async fn a_socket_that_nobody_serves_or_that_serves_something_else_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let dead = folder.path().join("dead.sock");
    drop(UnixListener::bind(&dead).expect("bound"));
    let (what, hint) = error_of(Some(&format!("unix://{}", dead.display())), &Surroundings::default()).await;
    assert!(what.contains("refused") && hint.contains("nobody listens"), "{what} {hint}");

    let odd = folder.path().join("odd.sock");
    let listener = UnixListener::bind(&odd).expect("bound");
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("asked");
        let _ = stream.read(&mut [0; 1024]).expect("a question");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK").expect("answered");
    });
    let (what, _) = error_of(Some(&format!("unix://{}", odd.display())), &Surroundings::default()).await;
    assert!(what.contains("is no container engine"), "{what}");
}

#[test]
fn a_socket_of_others_says_which_group_opens_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("open");
    let socket = folder.path().join("e.sock");
    let _listener = UnixListener::bind(&socket).expect("bound");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).expect("closed");
    if !rustix::process::geteuid().is_root() {
        return crate::engine::skip("a socket of another user's (only root can make one)");
    }
    let (what, hint) = crate::remote::as_ordinary(&format!("unix://{}", socket.display()));
    assert!(what.contains("ermission denied") && hint.contains("usermod -aG docker"), "{what} {hint}");
}

#[tokio::test]
async fn tls_that_would_go_unverified_is_refused() {
    let around =
        Surroundings { host: Some("tcp://127.0.0.1:1".into()), tls_unverified: true, ..Default::default() };
    assert!(error_of(None, &around).await.0.contains("DOCKER_TLS_VERIFY"));
    let folder = tempfile::tempdir().expect("a folder");
    config_with(folder.path(), "lax", r#"{"Host":"tcp://127.0.0.1:1","SkipTLSVerify":true}"#);
    let around = Surroundings { config: Some(folder.path().to_owned()), ..Default::default() };
    assert!(error_of(Some("lax"), &around).await.0.contains("skip the verification"));
}
