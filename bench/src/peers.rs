//! Other proxies that open TLS. Both verify the upstream's certificate against the run's own authority, look into nothing and
//! write no log.
use crate::child::Process;
use crate::upstream::CREDENTIAL;
use crate::way::{Way, Who};
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long mitmdump may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the example of hudsucker; the way through it.
pub(crate) fn hudsucker(program: &Path, pki: &Path, upstream: SocketAddr) -> Result<Way> {
    let mut command = Command::new(program);
    command.arg(upstream.to_string()).arg(pki);
    let (process, address) = Process::listening(command, false)?;
    Ok(Way::new(Who::Hudsucker, address, &pki.join("middle.pem"), CREDENTIAL)?.of(process))
}

/// Where names lead is told to the resolver that it asks. (An addon that changes the address of each connection makes it open a new
/// one for every request: it looks for kept ones by address.)
const ADDON: &str = "\
import os
import socket
HOST, PORT = os.environ['BENCH_UPSTREAM'].rsplit(':', 1)
resolve = socket.getaddrinfo
def getaddrinfo(host, port, *args, **kwargs):
    if str(host).endswith('bench.test'):
        host, port = HOST, int(PORT)
    return resolve(host, port, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
";

/// Starts mitmdump; the way through it.
pub(crate) fn mitmproxy(program: &Path, pki: &Path, upstream: SocketAddr) -> Result<Way> {
    let confdir = pki.join("mitmproxy");
    fs::create_dir_all(&confdir)?;
    let both = [pki.join("middle.key"), pki.join("middle.pem")].map(fs::read_to_string);
    let [key, certificate] = both;
    fs::write(confdir.join("mitmproxy-ca.pem"), format!("{}{}", key?, certificate?))?;
    let addon = pki.join("addon.py");
    fs::write(&addon, ADDON)?;
    let address = free_port()?;
    let mut command = Command::new(program);
    command.args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port", &address.port().to_string()]);
    command.arg("--set").arg(format!("confdir={}", confdir.display()));
    command
        .arg("--set")
        .arg(format!("ssl_verify_upstream_trusted_ca={}", pki.join("upstream.pem").display()));
    // Bodies pass as they come, and nothing is kept of them: its cheapest way.
    command
        .args(["--set", "stream_large_bodies=1", "--set", "connection_strategy=lazy", "--scripts"])
        .arg(&addon);
    command.env("BENCH_UPSTREAM", upstream.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
    let log = pki.join("mitmproxy.log");
    command.stderr(fs::File::create(&log)?);
    let mut process = Process::spawn(&mut command)?;
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > until || !process.is_running() {
            bail!("mitmdump does not listen: {}", fs::read_to_string(log)?);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Way::new(Who::Mitmproxy, address, &pki.join("middle.pem"), CREDENTIAL)?.of(process))
}

/// mitmdump says nothing of a port that the system chose, so one is chosen here.
fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}
