//! Engines behind TLS and behind ssh, with the real programs on the loopback interface; and this program again, as
//! another user or with another `PATH`.
use crate::connect::config_with;
use crate::engine::{Kind, TestEngine, engine, on_path, skip};
use manifest::plan::NetworkLayout;
use sandbox::docker::connect::Surroundings;
use sandbox::docker::facts::Files;
use sandbox::docker::image::{self, Binary};
use sandbox::docker::plan::{Layout, Program};
use sandbox::docker::{Bottle, Engine, Facts, Owner, Wire};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The address that a played part connects to.
const PART: &str = "BOTTLE_TEST_ENGINE";
/// No account of the machine has it.
const ORDINARY: u32 = 47_011;

/// Connects where it is told to, and says how that went.
#[tokio::test]
#[ignore = "a part that other tests play, as another user or with another PATH"]
async fn part() {
    let address = std::env::var(PART).expect("an address");
    match Engine::connect_from(Some(&address), &Surroundings::default()).await {
        Ok(engine) => {
            let facts = Facts::of(&engine).await.expect("facts");
            let binary = Binary::running().expect("static");
            let image = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("laid in");
            talk(&engine, &facts).await;
            println!("\n>{:?}\n>{}", facts.files, image.name);
        }
        Err(error) => println!("\n>{}\n>{}", error.what, error.hint.unwrap_or_default()),
    }
}

/// Says something to a sidecar and hears it again, to the end of both directions: the line is raw bytes on whatever leads to the
/// engine.
async fn talk(engine: &Engine, facts: &Facts) {
    let slug = format!("talk-{}", std::process::id());
    let layout = Layout {
        slug: slug.clone(),
        network: NetworkLayout::Sealed,
        outward: "none".into(),
        image: "busybox:latest".into(),
        port: 9099,
        program: Program::Image,
    };
    let owner = Owner { slug: slug.clone(), name: slug, launcher: "a:b:c:d:e".into() };
    let (engine, facts, handle) = (engine.clone(), facts.clone(), tokio::runtime::Handle::current());
    // Its functions wait for the engine, on no thread of the runtime.
    let heard = tokio::task::spawn_blocking(move || {
        let (bottle, wire) =
            Bottle::prepare(engine, &facts, layout, owner, None, handle.clone()).expect("prepared");
        let heard = handle.block_on(converse(wire));
        drop(bottle);
        heard
    });
    let (sent, heard) = heard.await.expect("talked");
    assert!(heard == [&b"ready\n"[..], &sent].concat(), "{} of {} bytes", heard.len(), sent.len());
}

async fn converse(wire: Wire) -> (Vec<u8>, Vec<u8>) {
    let Wire { mut input, mut output } = wire;
    // Among it what would be the head of a long frame.
    let sent: Vec<u8> =
        [1, 0, 0, 0, 255, 255, 255, 255].into_iter().chain((0..=255).cycle().take(300_000)).collect();
    let copy = sent.clone();
    let saying = tokio::spawn(async move {
        input.write_all(&copy).await.expect("said");
        input.shutdown().await.expect("ended");
    });
    let mut heard = Vec::new();
    let hearing = output.read_to_end(&mut heard);
    tokio::time::timeout(Duration::from_secs(60), hearing).await.expect("in time").expect("heard");
    saying.await.expect("said");
    (sent, heard)
}

/// The two lines that the part says.
fn play(address: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("open");
    let program = folder.path().join("docker");
    std::fs::copy("/proc/self/exe", &program).expect("a copy that others can reach");
    let mut command = Command::new(&program);
    command.args(["--exact", "remote::part", "--ignored", "--nocapture"]).env(PART, address).current_dir("/");
    change(&mut command);
    let output = command.output().expect("played");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = said.lines().filter_map(|line| line.strip_prefix('>')).map(str::to_owned);
    match (lines.next(), lines.next()) {
        (Some(first), Some(second)) => (first, second),
        _ => panic!("{said}\n{}", String::from_utf8_lossy(&output.stderr)),
    }
}

pub(crate) fn as_ordinary(address: &str) -> (String, String) {
    play(address, |command| command.uid(ORDINARY).gid(ORDINARY))
}

fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, a certificate for 127.0.0.1, and one for a client; by Docker's names in the folder `client`.
fn certificates(folder: &Path) {
    std::fs::create_dir(folder.join("client")).expect("made");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -keyout ca.key -out client/ca.pem -days 2 -subj /CN=engines"));
    std::fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        .expect("written");
    std::fs::write(folder.join("client.ext"), "extendedKeyUsage=clientAuth\n").expect("written");
    for (name, key_file, out) in
        [("server", "server.key", "server.pem"), ("client", "client/key.pem", "client/cert.pem")]
    {
        openssl(folder, &format!("req {key} -keyout {key_file} -out {name}.csr -subj /CN={name}"));
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA client/ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {out}"
            ),
        );
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

#[tokio::test]
async fn an_engine_behind_tls_is_verified_and_verifies_us() {
    if engine(Kind::Docker).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let (ca, certificate, key) = (at("client/ca.pem"), at("server.pem"), at("server.key"));
    let _engine = TestEngine::start_with(
        Kind::Docker,
        &["--host", &address, "--tlsverify", "--tlscacert", &ca, "--tlscert", &certificate, "--tlskey", &key],
    );
    let good = Surroundings {
        host: Some(address.clone()),
        tls_verify: true,
        certificates: Some(folder.path().join("client")),
        ..Default::default()
    };
    let engine = Engine::connect_from(None, &good).await.expect("verified on both sides");
    let facts = Facts::of(&engine).await.expect("facts");
    assert_eq!(facts.files, Files::Shared, "the loopback interface, and the same machine by all it says");
    image::lay_in(&engine, &facts, &Binary::running().expect("static"), &|_| {})
        .await
        .expect("laid in over TLS");
    talk(&engine, &facts).await;

    let config = folder.path().join("config");
    config_with(&config, "far", &format!(r#"{{"Host":"{address}","SkipTLSVerify":false}}"#));
    let meta =
        std::fs::read_dir(config.join("contexts/meta")).expect("one").next().expect("one").expect("one");
    let tls = config.join("contexts/tls").join(meta.file_name());
    std::fs::create_dir_all(&tls).expect("made");
    std::os::unix::fs::symlink(folder.path().join("client"), tls.join("docker")).expect("linked");
    let around = Surroundings { config: Some(config), ..Default::default() };
    Engine::connect_from(Some("far"), &around).await.expect("a context's own certificates");

    let stranger = tempfile::tempdir().expect("a folder");
    certificates(stranger.path());
    let wrong = Surroundings { certificates: Some(stranger.path().join("client")), ..good.clone() };
    let error = Engine::connect_from(None, &wrong).await.expect_err("another authority's");
    assert!(error.what.contains("no TLS with the engine"), "{error}");
    std::fs::copy(folder.path().join("client/ca.pem"), stranger.path().join("client/ca.pem"))
        .expect("copied");
    let error = Engine::connect_from(None, &wrong).await.expect_err("a client of another authority");
    assert!(error.what.contains(&address), "{error}");
    let error =
        Engine::connect_from(None, &Surroundings { tls_verify: false, ..good }).await.expect_err("no TLS");
    assert!(error.what.contains(&address), "{error}");
}

/// A real sshd on the loopback interface, with keys of its own; over there is the engine of `DOCKER_HOST`.
struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Sshd {
    fn start(engine: &TestEngine) -> Sshd {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status();
            assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
        }
        let path = std::env::var("PATH").expect("a path");
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPidFile none\nSetEnv DOCKER_HOST={} PATH={path}\n",
            at("host"),
            at("user.pub"),
            engine.address()
        );
        std::fs::write(at("sshd_config"), config).expect("written");
        let host = std::fs::read_to_string(at("host.pub")).expect("a key");
        std::fs::write(at("known"), format!("[127.0.0.1]:{port} {host}")).expect("written");
        let client =
            format!("UserKnownHostsFile {}\nIdentityFile {}\nIdentitiesOnly yes\n", at("known"), at("user"));
        std::fs::write(at("ssh_config"), client).expect("written");
        std::fs::create_dir(at("bin")).expect("made");
        let ssh = format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("ssh_config"));
        std::fs::write(at("bin/ssh"), ssh).expect("written");
        std::fs::set_permissions(at("bin/ssh"), std::fs::Permissions::from_mode(0o755)).expect("executable");
        // Its folder for privilege separation, in a mount namespace of its own.
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f \"$1\"";
        let process = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", &at("sshd_config")])
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare");
        let sshd = Sshd { folder, port, process };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "no sshd");
            std::thread::sleep(Duration::from_millis(50));
        }
        sshd
    }

    /// As a user whose `ssh` is configured for it.
    fn play(&self, address: &str) -> (String, String) {
        let path = format!(
            "{}:{}",
            self.folder.path().join("bin").display(),
            std::env::var("PATH").expect("a path")
        );
        play(address, |command| command.env("PATH", path))
    }
}

#[test]
fn an_engine_behind_ssh_is_reached_by_the_users_own_program() {
    let Some(at) = engine(Kind::Docker) else { return };
    if !Path::new("/usr/sbin/sshd").exists() || !on_path("ssh") || !on_path("docker") {
        return skip("sshd (not installed)");
    }
    let sshd = Sshd::start(at);
    let (files, image) = sshd.play(&format!("ssh://root@127.0.0.1:{}", sshd.port));
    assert!(files.starts_with("Apart"), "a remote engine shares no files: {files}");
    assert_eq!(at.ask(&["image", "inspect", "--format", "{{index .RepoTags 0}}", &image]), image);
    let path = at.socket();
    let (files, _) = sshd.play(&format!("ssh://root@127.0.0.1:{}{}", sshd.port, path.display()));
    assert!(files.starts_with("Apart"), "by the socket that the address names: {files}");

    let (what, hint) = sshd.play(&format!("ssh://root@127.0.0.1:{}/nowhere.sock", sshd.port));
    assert!(
        what.contains("cannot reach the engine at `ssh://root@127.0.0.1") && what.contains("nowhere.sock"),
        "{what}"
    );
    assert!(hint.contains("docker version"), "{hint}");
    std::fs::write(sshd.folder.path().join("known"), "").expect("forgotten");
    let (what, hint) = sshd.play(&format!("ssh://root@127.0.0.1:{}", sshd.port));
    assert!(what.contains("Host key verification failed"), "an unknown host was trusted: {what}");
    assert!(hint.contains("accept the host's key"), "{hint}");
}

#[test]
fn without_ssh_the_way_to_get_it_is_said() {
    let (what, hint) = play("ssh://root@127.0.0.1", |command| command.env("PATH", "/nowhere"));
    assert!(what.contains("cannot run `ssh`") && hint.contains("openssh-client"), "{what} {hint}");
}
