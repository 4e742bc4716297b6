//! What this program does inside a bottle, in any image: it is static. An attempt, and what came of it on standard
//! output: `ok …`, or `no …` with the kernel's answer.
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::client::TlsStream;

/// argv[1] of this program as a probe.
pub(crate) const PROBE: &str = "__probe";
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn main(arguments: &[String]) -> i32 {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match attempt(&arguments) {
        Ok(said) => println!("ok {said}"),
        Err(error) => println!("no {error}"),
    }
    0
}

fn attempt(arguments: &[&str]) -> io::Result<String> {
    match arguments {
        ["get", version, way, url] => get(version, way, url, None),
        ["get", version, way, url, header] => get(version, way, url, Some(header)),
        ["resolve", name] => resolve(name).map(|address| address.to_string()),
        ["tcp", address] => tcp(address),
        ["udp", address, word] => udp(address, word),
        ["icmp", address] => icmp(address),
        ["socket", family, kind, protocol] => socket(number(family), number(kind), number(protocol)),
        ["gateway", port] => tcp(&format!("{}:{port}", gateway()?)),
        ["write", path] => std::fs::File::options().append(true).open(path).map(|_| String::new()),
        ["create", path] => std::fs::File::create(path).map(|_| String::new()),
        ["rename", from, to] => std::fs::rename(from, to).map(|()| String::new()),
        ["read", path] => std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        ["mount", target] => mount(target),
        ["unshare"] => Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).map(|()| String::new())?),
        ["status"] => status(),
        ["serve", address] => serve(address),
        other => panic!("unknown attempt {other:?}"),
    }
}

fn number(text: &str) -> i32 {
    text.parse().expect("a number")
}

/// The trust variable that most programs know.
fn roots() -> io::Result<rustls::RootCertStore> {
    let file = std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".into());
    roots_of(Path::new(&file))
}

fn roots_of(file: &Path) -> io::Result<rustls::RootCertStore> {
    let mut store = rustls::RootCertStore::empty();
    let text = std::fs::read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&text).flatten();
    store.add_parsable_certificates(certificates);
    Ok(store)
}

/// A header that is called `post` makes it a POST of JSON. `WAY`: `variables` does what the proxy variables say, `captured` ignores them; after a comma, another file of roots.
fn get(version: &str, way: &str, url: &str, header: Option<&str>) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = async {
        let url: http::Uri = url.parse().map_err(io::Error::other)?;
        let (way, file) = way.split_once(',').map_or((way, None), |(way, file)| (way, Some(file)));
        let roots = file.map_or_else(roots, |file| roots_of(Path::new(file)))?;
        let stream = dial(way, &url)?;
        ask(version, stream, roots, url, header).await
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE * 3, asked).await? })
}

fn dial(way: &str, url: &http::Uri) -> io::Result<TcpStream> {
    let host = url.host().expect("a host");
    let proxy = std::env::var("HTTPS_PROXY").or_else(|_| std::env::var("https_proxy"));
    match (way, proxy) {
        ("captured", _) => connect(SocketAddr::new(resolve(host)?, 443)),
        (_, Err(_)) => Err(io::Error::other("no HTTPS_PROXY is set")),
        (_, Ok(proxy)) => tunnel(&proxy, host),
    }
}

fn tunnel(proxy: &str, host: &str) -> io::Result<TcpStream> {
    let proxy: http::Uri = proxy.parse().map_err(io::Error::other)?;
    let name = proxy.host().expect("a host");
    let address = in_hosts(name).map_or_else(|| resolve(name), Ok)?;
    let mut stream = connect(SocketAddr::new(address, proxy.port_u16().expect("a port")))?;
    write!(stream, "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if head.starts_with("HTTP/1.1 200") { Ok(stream) } else { Err(io::Error::other(head)) }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn in_hosts(name: &str) -> Option<IpAddr> {
    let text = std::fs::read_to_string("/etc/hosts").ok()?;
    let line = text.lines().find(|line| line.split_whitespace().skip(1).any(|word| word == name))?;
    line.split_whitespace().next()?.parse().ok()
}

async fn ask(
    version: &str,
    stream: TcpStream,
    roots: rustls::RootCertStore,
    url: http::Uri,
    header: Option<&str>,
) -> io::Result<String> {
    let stream = wrap(version, stream, roots, url.host().expect("a host")).await?;
    let mut request = http::Request::get(url.clone());
    if version == "h1" {
        request = http::Request::get(url.path()).header("host", url.host().expect("a host"));
    }
    let mut body = Full::<Bytes>::default();
    match header.and_then(|header| header.split_once(": ")) {
        Some(("post", json)) => {
            request = request.method("POST").header("content-type", "application/json");
            body = Full::from(json.to_owned());
        }
        Some((name, value)) => request = request.header(name, value),
        None => {}
    }
    let request = request.body(body).map_err(io::Error::other)?;
    let answer = send(version, stream, request).await.map_err(io::Error::other)?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let decision =
        head.headers.get("bottle-decision").and_then(|value| value.to_str().ok()).unwrap_or("none");
    let (status, text) = (head.status.as_u16(), String::from_utf8_lossy(&body).into_owned());
    Ok(format!("{:?} {status} decision: {decision}\n{text}", head.version))
}

async fn wrap(
    version: &str,
    stream: TcpStream,
    roots: rustls::RootCertStore,
    host: &str,
) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![if version == "h2" { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn send(
    version: &str,
    stream: TlsStream<tokio::net::TcpStream>,
    request: http::Request<Full<Bytes>>,
) -> hyper::Result<http::Response<hyper::body::Incoming>> {
    let io = TokioIo::new(stream);
    if version == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        drop(tokio::spawn(connection));
        return sender.send_request(request).await;
    }
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    drop(tokio::spawn(connection));
    sender.send_request(request).await
}

/// An A record, asked of the first name server of `/etc/resolv.conf` (RFC 1035, section 4).
fn resolve(name: &str) -> io::Result<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver "));
    let server: IpAddr =
        server.and_then(|server| server.trim().parse().ok()).ok_or(io::Error::other("no name server"))?;
    ask_name(SocketAddr::new(server, 53), name)
}

fn ask_name(server: SocketAddr, name: &str) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).expect("a short label"));
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send_to(&question, server)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    if length < question.len() + 16 || answer[7] == 0 {
        return Err(io::Error::other(format!("no address, code {}", answer[3] & 15)));
    }
    let last = &answer[length - 4..length];
    Ok(IpAddr::from([last[0], last[1], last[2], last[3]]))
}

/// What the other end says first, or after a word.
fn tcp(address: &str) -> io::Result<String> {
    let mut stream = connect(address.parse().map_err(io::Error::other)?)?;
    stream.write_all(b"hello\n")?;
    let mut answer = [0; 256];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

fn udp(address: &str, word: &str) -> io::Result<String> {
    let socket = UdpSocket::bind(if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(word.as_bytes(), address)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// The datagram kind, which needs no capability where the kernel lets this group use it.
fn icmp(address: &str) -> io::Result<String> {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP))?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(&[8, 0, 0xf7, 0xfe, 0, 0, 0, 1], address)?;
    let mut answer = [0; 64];
    socket.recv(&mut answer).map(|length| format!("{length} bytes"))
}

fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<String> {
    use rustix::net::{AddressFamily, Protocol, RawProtocol, SocketFlags, SocketType, socket_with};
    let family = AddressFamily::from_raw(u16::try_from(family).expect("a family"));
    let kind = SocketType::from_raw(u32::try_from(kind).expect("a type"));
    let protocol = RawProtocol::new(u32::try_from(protocol).expect("a protocol")).map(Protocol::from_raw);
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, protocol).map(|_| String::new())?)
}

/// The first address of the network that this container is on: its bridge's, on the engine's machine.
fn gateway() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let text = std::fs::read_to_string("/etc/resolv.conf")?;
    let _engines_own = text;
    let egress = in_hosts("egress").ok_or(io::Error::other("no egress in /etc/hosts"))?;
    socket.connect((egress, 9))?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(own) => {
            let [a, b, c, _] = own.octets();
            Ok(IpAddr::from([a, b, c, 1]))
        }
        IpAddr::V6(_) => Err(io::Error::other("an IPv6 address")),
    }
}

fn mount(target: &str) -> io::Result<String> {
    use rustix::mount::{MountFlags, mount};
    Ok(mount("tmpfs", target, "tmpfs", MountFlags::empty(), None).map(|()| String::new())?)
}

fn status() -> io::Result<String> {
    let wanted = ["CapPrm", "CapEff", "CapAmb", "NoNewPrivs", "Uid", "Seccomp:"];
    let status = std::fs::read_to_string("/proc/self/status")?;
    let lines = status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n"))
}

/// Answers every connection with what it said, until the other has no more to say.
fn serve(address: &str) -> io::Result<String> {
    let listener = TcpListener::bind(address)?;
    println!("serving");
    for mut stream in listener.incoming().flatten() {
        let mut said = Vec::new();
        stream.read_to_end(&mut said)?;
        stream.write_all(b"from inside: ")?;
        stream.write_all(&said)?;
    }
    Ok(String::new())
}
