//! Real proxies between the egress and the world: mitmproxy as it comes, and pipelock where there is one.
//!
//! A bottle runs curl; its egress sends everything through the proxy. Names are the proxy's to resolve, so that each
//! proxy is told where the world is in its own way.
use crate::bottle::{Bottle, Ran, arrived, client, scripts};
use crate::{tokens, world};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A proxy that runs until it is dropped.
struct Proxy {
    port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Proxy {
    /// A mitmproxy with these arguments; `None` where there is none, which is listed as skipped.
    fn mitmproxy(arguments: &[&str]) -> Option<Proxy> {
        Proxy::mitmproxy_in(tempfile::tempdir().expect("a folder"), arguments)
    }

    /// The same with a folder of its own, which may hold its certificate authority already.
    fn mitmproxy_in(folder: tempfile::TempDir, arguments: &[&str]) -> Option<Proxy> {
        let mitmdump = client("mitmproxy/bin/mitmdump")?;
        let port = free_port();
        let mut command = Command::new(mitmdump);
        command.args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port", &port.to_string()]);
        command.arg("--scripts").arg(scripts().join("mitm_addon.py"));
        command.arg("--set").arg(format!("confdir={}", folder.path().display()));
        let root = format!("ssl_verify_upstream_trusted_ca={}", world::world().root.display());
        command.arg("--set").arg(root).args(arguments);
        command.env("WORLD_PORT", world::world().port.to_string()).env("SEEN", folder.path().join("seen"));
        Some(Proxy::started(command, port, folder))
    }

    fn started(mut command: Command, port: u16, folder: tempfile::TempDir) -> Proxy {
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let again = log.try_clone().expect("a second handle");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(again).spawn().expect("it starts");
        let proxy = Proxy { port, child, folder };
        let patience = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "it does not listen: {}", proxy.file("log"));
            std::thread::sleep(Duration::from_millis(100));
        }
        proxy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What it read in the clear: method, URL, `Authorization`.
    fn seen(&self) -> String {
        self.file("seen")
    }

    fn ca(&self) -> PathBuf {
        self.path("mitmproxy-ca-cert.pem")
    }

    /// The lines of a manifest that name it, `more` among its keys.
    fn named(&self, scheme: &str, more: &str) -> String {
        format!("  upstream_proxy:\n    url: {scheme}://127.0.0.1:{}\n{more}", self.port)
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port").local_addr().expect("bound").port()
}

fn file_key(key: &str, path: &Path) -> String {
    format!("    {key}: {}\n", path.display())
}

const AUTH: &str = "    auth: { username: dev, token: { env: REAL_PROXY } }\n";
const PROXYAUTH: &str = "dev:real-proxy-3b90e4d7f1c8526a";

fn curl(arguments: &str) -> Option<String> {
    Some(format!("{} -sS -w ' %{{http_code}} %header{{bottle-decision}}\\n' {arguments}", client("curl")?))
}

fn run(name: &str, egress: &str, script: &str) -> Ran {
    Bottle::new(name).egress(egress).run(script).ended(0)
}

/// An allowed request through it, and a refused one that it never hears of.
#[track_caller]
fn goes_through(name: &str, proxy: &Proxy, egress: &str) {
    let script = curl(&format!("'https://echo.test/headers?{name}' https://refused.test/{name}"));
    let Some(script) = script else { return };
    run(name, egress, &script).says(" 200 ").refused("refused.test");
    arrived(world::ECHO, &format!("/headers?{name}"), "authorization", &format!("Bearer {}", tokens::ECHO));
    assert!(!proxy.seen().contains("refused.test"), "{}", proxy.seen());
}

/// Nothing arrives, and the code says who is at fault.
#[track_caller]
fn goes_nowhere(name: &str, egress: &str, code: &str) {
    let Some(script) = curl(&format!("'https://echo.test/headers?{name}'")) else { return };
    run(name, egress, &script).says(&format!("failed; code={code}"));
    assert!(world::world().seen(world::ECHO, name).is_empty(), "it arrived all the same");
}

#[test]
fn mitmproxy_that_opens_tls_is_trusted_by_its_ca_and_by_nothing_else() {
    let Some(proxy) = Proxy::mitmproxy(&[]) else { return };
    goes_through("mitm-opens", &proxy, &proxy.named("http", &file_key("ca", &proxy.ca())));
    let seen = proxy.seen();
    assert!(seen.contains("GET https://echo.test/headers?mitm-opens"), "it reads what it opens: {seen}");
    goes_nowhere("mitm-untrusted", &proxy.named("http", ""), "upstream-certificate");
    // Its CA is good for what comes through it: the direct way has the world's own certificate, and nothing is seen.
    let direct = format!("{}    except: [echo.test]\n", file_key("ca", &proxy.ca()));
    goes_through("mitm-direct", &proxy, &proxy.named("http", &direct));
    assert!(!proxy.seen().contains("mitm-direct"), "{}", proxy.seen());
}

#[test]
fn mitmproxy_that_opens_nothing_needs_no_ca() {
    let Some(proxy) = Proxy::mitmproxy(&["--ignore-hosts", ".*"]) else { return };
    goes_through("mitm-passes", &proxy, &proxy.named("http", ""));
    assert_eq!(proxy.seen(), "", "nothing was opened");
}

#[test]
fn mitmproxy_with_a_password() {
    let Some(proxy) = Proxy::mitmproxy(&["--proxyauth", PROXYAUTH]) else { return };
    let trusted = file_key("ca", &proxy.ca());
    goes_through("mitm-password", &proxy, &proxy.named("http", &format!("{trusted}{AUTH}")));
    goes_nowhere("mitm-no-password", &proxy.named("http", &trusted), "upstream-proxy");
    let wrong = format!("{trusted}{}", AUTH.replace("REAL_PROXY", "REAL_GIT"));
    goes_nowhere("mitm-wrong-password", &proxy.named("http", &wrong), "upstream-proxy");
}

/// In absolute form every request carries the password; a 407 is no answer to the agent.
#[test]
fn mitmproxy_gets_plain_requests_in_absolute_form() {
    let Some(proxy) = Proxy::mitmproxy(&["--proxyauth", PROXYAUTH]) else { return };
    let Some(script) = curl("http://plain.test/one http://plain.test/two") else { return };
    run("mitm-plain", &proxy.named("http", AUTH), &script).says("plain hello from the proxy");
    assert!(
        proxy.seen().contains("GET http://plain.test/one -\nGET http://plain.test/two -\n"),
        "{}",
        proxy.seen()
    );
    let ran = run("mitm-plain-407", &proxy.named("http", ""), &script);
    ran.says(" 502 failed; code=upstream-proxy");
}

#[test]
fn mitmproxy_behind_tls_of_its_own() {
    let Some(proxy) = Proxy::mitmproxy(&["--proxyauth", PROXYAUTH]) else { return };
    let verified = format!("{}{}{AUTH}", file_key("ca", &proxy.ca()), file_key("roots", &proxy.ca()));
    goes_through("mitm-tls", &proxy, &proxy.named("https", &verified));
    let unverified = format!("{}{AUTH}", file_key("ca", &proxy.ca()));
    goes_nowhere("mitm-tls-unverified", &proxy.named("https", &unverified), "upstream-proxy");
}

#[test]
fn mitmproxy_carries_websockets_and_passed_through_tls() {
    let Some(proxy) = Proxy::mitmproxy(&["--ignore-hosts", "packages\\.test"]) else { return };
    let egress = proxy.named("http", &file_key("ca", &proxy.ca()));
    if let Some(python) = client("python/bin/python") {
        let script = scripts().join("client.py");
        let urls = "'https://echo.test/ws?mitm-ws' https://refused.test/ws";
        let ran = run("mitm-ws", &egress, &format!("{python} {} websockets {urls}", script.display()));
        ran.says("101 hello over websocket").says("426");
        arrived(world::ECHO, "/ws?mitm-ws", "authorization", &format!("Bearer {}", tokens::ECHO));
    }
    // Not opened by the egress, nor by the proxy: curl meets the world's own certificate.
    let Some(curl) = curl("--cacert root.pem 'https://packages.test/simple/?mitm-passthrough'") else {
        return;
    };
    let root = std::fs::read_to_string(&world::world().root).expect("the world's root");
    Bottle::new("mitm-passthrough")
        .egress(&egress)
        .passing_through()
        .file("root.pem", &root)
        .run(&curl)
        .ended(0);
    let seen = world::world().seen(world::PACKAGES, "mitm-passthrough");
    assert_eq!(seen.len(), 1, "it arrived");
    assert!(!proxy.seen().contains("packages.test"), "{}", proxy.seen());
}

/// The names are pinned to the living world: what went around the proxy would arrive.
#[test]
fn nothing_goes_around_a_mitmproxy_that_died() {
    let Some(mut proxy) = Proxy::mitmproxy(&[]) else { return };
    let egress = proxy.named("http", &file_key("ca", &proxy.ca()));
    goes_through("mitm-alive", &proxy, &egress);
    proxy.child.kill().expect("it ran");
    proxy.child.wait().expect("it ended");
    goes_nowhere("mitm-dead", &egress, "upstream-proxy");
}

fn own(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bottle")).arg("ca").args(arguments).output().expect("`bottle` was built")
}

/// What mitmproxy signs with a CA of ours passes the strict checks of OpenSSL and of Python, and our own.
#[test]
fn mitmproxy_signs_with_a_ca_that_bottle_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, joined) = (folder.path().join("ca.pem"), folder.path().join("mitmproxy-ca.pem"));
    let text = |path: &Path| path.display().to_string();
    let made = own(&["--cert", &text(&cert), "--joined", &text(&joined), "--name", "mitm"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let Some(proxy) = Proxy::mitmproxy_in(folder, &[]) else { return };
    goes_through("mitm-our-ca", &proxy, &proxy.named("http", &file_key("ca", &cert)));
    assert!(proxy.seen().contains("mitm-our-ca"), "it opened what went through: {}", proxy.seen());

    for python in strict_pythons() {
        let strict = Command::new(&python)
            .arg(scripts().join("strict.py"))
            .args([&proxy.port.to_string(), world::ECHO, &text(&cert)])
            .output()
            .expect("it runs");
        let said = [&strict.stdout[..], &strict.stderr].map(String::from_utf8_lossy).concat();
        assert!(strict.status.success() && said.contains("verified by TLSv1"), "{python}: {said}");
        let leaf = &said[said.find("-----BEGIN").expect("a certificate")..];
        std::fs::write(proxy.path("leaf.pem"), leaf).expect("written");
    }
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", world::ECHO])
        .args(["-CAfile", &text(&cert), &text(&proxy.path("leaf.pem"))])
        .output()
        .expect("openssl is part of the set-up");
    let said = [&verified.stdout[..], &verified.stderr].map(String::from_utf8_lossy).concat();
    assert!(verified.status.success(), "{said}");
}

/// The system's, and one that is strict by itself where there is one.
fn strict_pythons() -> Vec<String> {
    let newest = Command::new("python3.13").arg("--version").output().is_ok_and(|ran| ran.status.success());
    client("python3").into_iter().chain(newest.then(|| "python3.13".to_owned())).collect()
}

/// Pipelock opens TLS, scans, and dials on. Run by hand where it is: `cargo test -p bottle --test clients -- --ignored`
/// with `pipelock` below the cache or on the path.
#[test]
#[ignore = "pipelock is not to be had from the Go module proxy; needs its binary, and unshare"]
fn pipelock_that_opens_tls() {
    let pipelock = client("pipelock/pipelock").or_else(|| client("pipelock")).expect("pipelock");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    // It reads SEC1 keys only, and makes such a one itself.
    let made = Command::new(&pipelock).args(["tls", "init", "--out", &at("")]).output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(at("hosts"), "127.0.0.1 localhost echo.test\n").expect("written");
    let port = free_port();
    std::fs::write(at("pipelock.yaml"), pipelock_yaml(port, &at("ca.pem"), &at("ca-key.pem")))
        .expect("written");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]).env("SSL_CERT_FILE", &world::world().root);
    let (hosts, yaml) = (at("hosts"), at("pipelock.yaml"));
    command.arg(format!("mount --bind {hosts} /etc/hosts && exec {pipelock} run --config {yaml}"));
    let ca = folder.path().join("ca.pem");
    let proxy = Proxy::started(command, port, folder);
    let world_port = world::world().port;
    let egress = proxy.named("http", &file_key("ca", &ca));
    let script = curl(&format!("'https://echo.test:{world_port}/headers?pipelock'")).expect("curl");
    Bottle::new("pipelock").on_port(world_port).egress(&egress).run(&script).ended(0).says(" 200 ");
    arrived(world::ECHO, "/headers?pipelock", "authorization", &format!("Bearer {}", tokens::ECHO));
    let log = proxy.file("log");
    assert!(log.contains("TLS MITM interception active"), "it opened what went through: {log}");
    let ran =
        Bottle::new("pipelock-untrusted").on_port(world_port).egress(&proxy.named("http", "")).run(&script);
    ran.ended(0).says("failed; code=upstream-certificate");
}

fn pipelock_yaml(port: u16, ca: &str, key: &str) -> String {
    format!(
        "mode: balanced\ninternal: []\ntrusted_domains: [echo.test]\napi_allowlist: [echo.test]\n\
         fetch_proxy: {{ listen: \"127.0.0.1:{port}\" }}\nforward_proxy: {{ enabled: true }}\n\
         tls_interception: {{ enabled: true, ca_cert: \"{ca}\", ca_key: \"{key}\" }}\n\
         logging: {{ format: json, output: stdout, include_allowed: true }}\n"
    )
}
