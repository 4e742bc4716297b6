//! Services of the host that greet whoever reaches them.
use crate::failure::Failure;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Listeners that live as long as the process; each answers with the greeting.
pub(super) struct Witness {
    pub(super) tcp_port: u16,
    pub(super) udp_port: u16,
    pub(super) greeting: Arc<str>,
    pub(super) abstract_name: String,
    pub(super) unix_path: PathBuf,
}

impl Witness {
    /// Starts all of them; `folder` is one that no bottle mounts.
    pub(super) fn start(folder: &Path) -> Result<Witness, Failure> {
        let greeting: Arc<str> = format!("witness-{:032x}", rand::random::<u128>()).into();
        let abstract_name = format!("bottle-{greeting}");
        let unix_path = folder.join("witness.sock");
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let (tcp_port, udp_port) = (tcp.local_addr()?.port(), udp.local_addr()?.port());
        // Also on IPv6 where there is any; a second family is no reason to fail.
        if let Ok(six) = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, tcp_port)) {
            greet_tcp(six, &greeting);
        }
        greet_tcp(tcp, &greeting);
        greet_udp(udp, &greeting);
        greet_unix(UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?, &greeting);
        greet_unix(UnixListener::bind(&unix_path)?, &greeting);
        Ok(Witness { tcp_port, udp_port, greeting, abstract_name, unix_path })
    }
}

fn greet_tcp(listener: TcpListener, greeting: &Arc<str>) {
    let greeting = Arc::clone(greeting);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting.as_bytes());
        }
    });
}

fn greet_udp(socket: UdpSocket, greeting: &Arc<str>) {
    let greeting = Arc::clone(greeting);
    thread::spawn(move || {
        let mut buffer = [0_u8; 64];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(greeting.as_bytes(), from);
        }
    });
}

fn greet_unix(listener: UnixListener, greeting: &Arc<str>) {
    let greeting = Arc::clone(greeting);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting.as_bytes());
        }
    });
}

/// Addresses of this machine besides loopback: the ones that a look outward would use, without sending anything.
pub(super) fn host_addresses() -> Vec<IpAddr> {
    let outward = |any: &str, to: &str| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    };
    [outward("0.0.0.0:0", "192.0.2.1:9"), outward("[::]:0", "[2001:db8::1]:9")]
        .into_iter()
        .flatten()
        .collect()
}
