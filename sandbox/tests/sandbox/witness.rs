//! Services of the host that greet whoever reaches them.
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::thread;

pub(crate) struct Witness {
    pub(crate) tcp_port: u16,
    pub(crate) udp_port: u16,
    pub(crate) greeting: String,
    pub(crate) abstract_name: String,
    pub(crate) unix_path: PathBuf,
}

impl Witness {
    /// On every address; the Unix socket in this folder.
    pub(crate) fn start(folder: &Path) -> Witness {
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a listener");
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
        let (tcp_port, udp_port) =
            (tcp.local_addr().expect("bound").port(), udp.local_addr().expect("bound").port());
        let greeting = format!("witness-{}-{tcp_port}", std::process::id());
        let abstract_name = format!("bottle-{greeting}");
        let unix_path = folder.join("witness.sock");
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
        if let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, tcp_port)) {
            greet_tcp(six, greeting.clone());
        }
        greet_tcp(tcp, greeting.clone());
        greet_udp(udp, greeting.clone());
        greet_unix(UnixListener::bind_addr(&address).expect("a listener"), greeting.clone());
        greet_unix(UnixListener::bind(&unix_path).expect("a listener"), greeting.clone());
        Witness { tcp_port, udp_port, greeting, abstract_name, unix_path }
    }
}

fn greet_tcp(listener: TcpListener, greeting: String) {
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _gone = stream.write_all(greeting.as_bytes());
        }
    });
}

fn greet_udp(socket: UdpSocket, greeting: String) {
    thread::spawn(move || {
        let mut buffer = [0_u8; 64];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _gone = socket.send_to(greeting.as_bytes(), from);
        }
    });
}

fn greet_unix(listener: UnixListener, greeting: String) {
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _gone = stream.write_all(greeting.as_bytes());
        }
    });
}
