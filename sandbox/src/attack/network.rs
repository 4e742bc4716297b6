//! Ways to the host and to the world.
use super::{Attempt, Group, Outcome, World, refused};
use crate::linux::sys::attempt::raw;
use nix::errno::Errno;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(400);

pub(super) const ATTEMPTS: &[Attempt] = &[
    net("tcp-host-loopback", "a service of the host on 127.0.0.1", |w| tcp(Ipv4Addr::LOCALHOST.into(), w)),
    net("tcp-host-loopback-other", "a service of the host on 127.1.2.3", |w| {
        tcp(Ipv4Addr::new(127, 1, 2, 3).into(), w)
    }),
    net("tcp-host-loopback-v6", "a service of the host on ::1", |w| tcp(Ipv6Addr::LOCALHOST.into(), w)),
    net("tcp-host-mapped-v6", "a service of the host on ::ffff:127.0.0.1", |w| {
        tcp(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), w)
    }),
    net("tcp-unspecified", "a service of the host on 0.0.0.0", |w| tcp(Ipv4Addr::UNSPECIFIED.into(), w)),
    net("tcp-host-address", "a service of the host on its own address", host_address),
    net("tcp-metadata", "the cloud's metadata service", |w| tcp(Ipv4Addr::new(169, 254, 169, 254).into(), w)),
    net("tcp-gateway", "the host through a bridge's gateway", |w| {
        tcp(Ipv4Addr::new(172, 17, 0, 1).into(), w)
    }),
    net("udp-host-loopback", "a UDP service of the host", |w| {
        udp(Ipv4Addr::LOCALHOST.into(), w.witness_udp_port, w)
    }),
    net("udp-host-address", "a UDP service of the host on its own address", |w| {
        match w.host_addresses.first() {
            Some(address) => udp(*address, w.witness_udp_port, w),
            None => Outcome::Skipped("the host has no address but loopback".into()),
        }
    }),
    net("udp-quic", "HTTP/3, past the egress", |w| udp(Ipv4Addr::new(203, 0, 113, 7).into(), 443, w)),
    net("udp-v6", "UDP over IPv6", |w| udp(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).into(), 443, w)),
    net("abstract-socket", "an abstract Unix socket of the host", abstract_socket),
    net("unix-socket", "a Unix socket of the host", unix_socket),
    net("engine-sockets", "the container engine, the key agent, the session bus", engine_sockets),
    net("icmp-ping", "ICMP as a channel", icmp_ping),
    net("raw-icmp", "hand-made ICMP packets", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    net("raw-ip", "hand-made IP packets", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)),
    net("raw-ip-v6", "hand-made IPv6 packets", |_| socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_RAW)),
    net("packet-socket", "frames below IP", |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    net("sctp", "SCTP, which a TCP filter does not see", |_| {
        socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP)
    }),
    net("vsock", "the hypervisor", |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    net("alg-socket", "the kernel's crypto interface", |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    net("bluetooth", "Bluetooth", |_| socket(libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)),
    net("tipc", "TIPC", |_| socket(libc::AF_TIPC, libc::SOCK_STREAM, 0)),
    net("xdp-socket", "frames past the stack", |_| socket(libc::AF_XDP, libc::SOCK_RAW, 0)),
    net("netlink-netfilter", "the capture rules", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, 12)),
    net("netlink-generic", "WireGuard, nl80211 and the like", |_| {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, 16)
    }),
    net("netlink-audit", "the kernel's audit", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, 9)),
    net("netlink-uevent", "device events of the host", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, 15)),
    net("netlink-delete-route", "the routes that keep packets inside", delete_route),
    net("tun-device", "an interface of its own", |_| open_device("/dev/net/tun")),
    net("socket-mark", "a mark that slips past the rules", |_| option(libc::SOL_SOCKET, libc::SO_MARK)),
    net("transparent-socket", "foreign source addresses", |_| option(libc::SOL_IP, libc::IP_TRANSPARENT)),
    net("steal-egress-port", "other clients' traffic", steal_port),
    net("interfaces", "an interface that is not loopback", interfaces),
    net("proxy-loopback", "a service of the host through the egress", |w| {
        connect(&format!("127.0.0.1:{}", w.witness_port), w)
    }),
    net("proxy-loopback-hex", "the same, spelled 0x7f.1", |w| {
        connect(&format!("0x7f.1:{}", w.witness_port), w)
    }),
    net("proxy-loopback-decimal", "the same, spelled 2130706433", |w| {
        connect(&format!("2130706433:{}", w.witness_port), w)
    }),
    net("proxy-loopback-octal", "the same, spelled 0177.0.0.1", |w| {
        connect(&format!("0177.0.0.1:{}", w.witness_port), w)
    }),
    net("proxy-loopback-mapped", "the same, spelled [::ffff:127.0.0.1]", |w| {
        connect(&format!("[::ffff:127.0.0.1]:{}", w.witness_port), w)
    }),
    net("proxy-loopback-v6", "the same, spelled [::1]", |w| connect(&format!("[::1]:{}", w.witness_port), w)),
    net("proxy-localhost", "the same, spelled localhost.", |w| {
        connect(&format!("localhost.:{}", w.witness_port), w)
    }),
    net("proxy-unspecified", "the same, spelled 0.0.0.0", |w| {
        connect(&format!("0.0.0.0:{}", w.witness_port), w)
    }),
    net("proxy-absolute-form", "the same in absolute form", absolute_form),
    net("proxy-metadata", "the metadata service through the egress", |w| connect("169.254.169.254:80", w)),
    net("proxy-refused-name", "a host that no route allows", refused_name),
];

const fn net(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Network, gain, run }
}

/// Reads until the greeting, the end, or out of patience.
fn listen_for_greeting(mut stream: impl std::io::Read, world: &World) -> Outcome {
    let mut heard = Vec::new();
    let mut buffer = [0_u8; 512];
    while let Ok(n) = stream.read(&mut buffer) {
        heard.extend_from_slice(buffer.get(..n).unwrap_or_default());
        if n == 0 || heard.len() > 8192 || greets(&heard, world) {
            break;
        }
    }
    if greets(&heard, world) {
        return Outcome::Broke("the host's service answered".into());
    }
    let first = String::from_utf8_lossy(&heard).lines().next().unwrap_or("nothing").to_owned();
    Outcome::Held(format!("heard {first}"))
}

fn greets(heard: &[u8], world: &World) -> bool {
    String::from_utf8_lossy(heard).contains(&world.greeting)
}

fn tcp(ip: IpAddr, world: &World) -> Outcome {
    match TcpStream::connect_timeout(&SocketAddr::new(ip, world.witness_port), PATIENCE) {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(mut stream) => {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: witness\r\nConnection: close\r\n\r\n");
            listen_for_greeting(stream, world)
        }
    }
}

fn host_address(world: &World) -> Outcome {
    match world.host_addresses.first() {
        Some(address) => tcp(*address, world),
        None => Outcome::Skipped("the host has no address but loopback".into()),
    }
}

fn udp(ip: IpAddr, port: u16, world: &World) -> Outcome {
    let any: SocketAddr =
        if ip.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let exchange = || -> std::io::Result<Vec<u8>> {
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect((ip, port))?;
        socket.send(b"hello")?;
        let mut buffer = [0_u8; 512];
        let n = socket.recv(&mut buffer)?;
        Ok(buffer.get(..n).unwrap_or_default().to_vec())
    };
    match exchange() {
        Ok(answer) if greets(&answer, world) => Outcome::Broke("the host's service answered".into()),
        Ok(answer) => Outcome::Broke(format!("{} bytes came back", answer.len())),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn abstract_socket(world: &World) -> Outcome {
    let dial = || {
        UnixStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(&world.abstract_socket)?)
    };
    unix_greeting(dial(), world)
}

fn unix_socket(world: &World) -> Outcome {
    unix_greeting(UnixStream::connect(&world.unix_socket), world)
}

fn unix_greeting(dialled: std::io::Result<UnixStream>, world: &World) -> Outcome {
    match dialled {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(stream) => {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            listen_for_greeting(stream, world)
        }
    }
}

fn engine_sockets(_: &World) -> Outcome {
    let places = [
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
    ];
    let session =
        ["/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/resolve/io.systemd.Resolve"];
    let by_environment = std::env::var("SSH_AUTH_SOCK").ok();
    let all = places.iter().chain(&session).map(|p| (*p).to_owned()).chain(by_environment);
    match all.into_iter().find(|path| UnixStream::connect(path).is_ok()) {
        Some(path) => Outcome::Broke(format!("`{path}` answers")),
        None => Outcome::Held("none answers".into()),
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> Outcome {
    let answer = raw(libc::SYS_socket, [family.into(), kind.into(), protocol.into(), 0, 0]);
    refused(
        answer,
        &[Errno::EPERM, Errno::EACCES, Errno::EAFNOSUPPORT, Errno::EPROTONOSUPPORT, Errno::ESOCKTNOSUPPORT],
    )
}

/// An unprivileged ping socket; holds when it cannot be had, or when the packet is refused at once.
fn icmp_ping(_: &World) -> Outcome {
    let Ok(fd) = raw(
        libc::SYS_socket,
        [libc::AF_INET.into(), libc::SOCK_DGRAM.into(), libc::IPPROTO_ICMP.into(), 0, 0],
    ) else {
        return Outcome::Held("no ping socket".into());
    };
    let mut packet = [8_u8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    let mut address = [0_u8; 16];
    address[0] = 2;
    address[4..8].copy_from_slice(&[203, 0, 113, 7]);
    let sent = raw(libc::SYS_connect, [fd, address.as_ptr() as i64, 16, 0, 0])
        .and_then(|_| raw(libc::SYS_sendto, [fd, packet.as_mut_ptr() as i64, 8, 0, 0]));
    std::thread::sleep(Duration::from_millis(50));
    let answered = raw(libc::SYS_recvfrom, [fd, packet.as_mut_ptr() as i64, 8, libc::MSG_DONTWAIT.into(), 0]);
    match (sent, answered) {
        (_, Ok(n)) => Outcome::Broke(format!("{n} bytes came back")),
        (Err(errno), _) | (_, Err(errno)) => Outcome::Held(errno.to_string()),
    }
}

/// RTM_DELROUTE for `local 0.0.0.0/0`; a filter may also refuse the socket.
fn delete_route(_: &World) -> Outcome {
    let Ok(fd) = raw(libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0, 0, 0]) else {
        return Outcome::Held("no netlink socket".into());
    };
    let mut message = [0_u8; 28];
    message[0] = 28;
    message[4..6].copy_from_slice(&25_u16.to_ne_bytes()); // RTM_DELROUTE
    message[6..8].copy_from_slice(&5_u16.to_ne_bytes()); // REQUEST | ACK
    message[16] = 2; // AF_INET
    message[20] = 255; // table local
    let mut answer = [0_u8; 64];
    let sent = raw(libc::SYS_sendto, [fd, message.as_ptr() as i64, 28, 0, 0])
        .and_then(|_| raw(libc::SYS_recvfrom, [fd, answer.as_mut_ptr() as i64, 64, 0, 0]));
    if let Err(errno) = sent {
        return Outcome::Held(errno.to_string());
    }
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        e if e == -libc::EPERM => Outcome::Held("the kernel says EPERM".into()),
        e => Outcome::Broke(format!("the kernel went on to {e}")),
    }
}

fn open_device(path: &str) -> Outcome {
    match std::fs::File::options().read(true).write(true).open(path) {
        Ok(_) => Outcome::Broke(format!("`{path}` opens")),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

fn option(level: i32, name: i32) -> Outcome {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else {
        return Outcome::Held("no UDP socket".into());
    };
    let one = 1_i32.to_ne_bytes();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
    refused(
        raw(libc::SYS_setsockopt, [fd.into(), level.into(), name.into(), one.as_ptr() as i64, 4]),
        &[Errno::EPERM],
    )
}

fn steal_port(world: &World) -> Outcome {
    let Ok(fd) = raw(libc::SYS_socket, [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0, 0]) else {
        return Outcome::Held("no TCP socket".into());
    };
    let one = 1_i32.to_ne_bytes();
    for name in [libc::SO_REUSEADDR, libc::SO_REUSEPORT] {
        let _ = raw(libc::SYS_setsockopt, [fd, libc::SOL_SOCKET.into(), name.into(), one.as_ptr() as i64, 4]);
    }
    let mut address = [0_u8; 16];
    address[0] = 2;
    address[2..4].copy_from_slice(&listening_port(world).to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    refused(raw(libc::SYS_bind, [fd, address.as_ptr() as i64, 16, 0, 0]), &[Errno::EADDRINUSE, Errno::EACCES])
}

/// The port that captured connections are led to: the only listener of this namespace that the agent did not open.
fn listening_port(world: &World) -> u16 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let listening = |line: &str| line.split_whitespace().nth(3) == Some("0A");
    let port = |line: &str| u16::from_str_radix(line.split_whitespace().nth(1)?.split(':').nth(1)?, 16).ok();
    let ports: Vec<u16> = table.lines().filter(|l| listening(l)).filter_map(port).collect();
    ports
        .iter()
        .copied()
        .find(|p| *p == world.proxy.port())
        .or(ports.first().copied())
        .unwrap_or(world.proxy.port())
}

fn interfaces(_: &World) -> Outcome {
    let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = table.lines().filter_map(|l| l.split_once(':')).map(|(name, _)| name.trim().to_owned());
    // `ip_vti0`, `sit0` and their like appear in every namespace where their module is built in; they are down.
    let up = |name: &String| {
        let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).unwrap_or_default();
        name != "lo"
            && flags
                .trim_start_matches("0x")
                .chars()
                .last()
                .is_some_and(|c| c.to_digit(16).unwrap_or(0) & 1 == 1)
    };
    match names.filter(up).collect::<Vec<_>>() {
        others if others.is_empty() => Outcome::Held("only lo".into()),
        others => Outcome::Broke(format!("{others:?} are up")),
    }
}

/// CONNECT to the authority through the egress, then plain HTTP inside.
fn connect(authority: &str, world: &World) -> Outcome {
    through_proxy(
        &format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
        world,
    )
}

fn absolute_form(world: &World) -> Outcome {
    let host = format!("127.0.0.1:{}", world.witness_port);
    through_proxy(&format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), world)
}

fn refused_name(world: &World) -> Outcome {
    let host = &world.refused_name;
    let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    match through_proxy(&request, world) {
        Outcome::Held(saw) if saw.contains(" 403") => Outcome::Held(saw),
        Outcome::Held(saw) => Outcome::Broke(format!("no refusal: {saw}")),
        other => other,
    }
}

fn through_proxy(request: &str, world: &World) -> Outcome {
    match TcpStream::connect_timeout(&world.proxy, PATIENCE) {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(mut stream) => {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.write_all(request.as_bytes());
            listen_for_greeting(stream, world)
        }
    }
}
