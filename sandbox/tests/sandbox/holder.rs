//! A network that is held for another container: rules, the hand-over, and what is left of the holder afterwards.
use crate::Scenario;
use crate::room::{Room, WAIT};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::process::Signal;
use sandbox::linux::holder;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("holder::who_joins_is_captured_with_the_destination", captured),
    ("holder::names_come_over_udp_and_tcp_whatever_the_server", names),
    ("holder::other_udp_is_refused_at_once_to_who_joins", other_udp),
    ("holder::without_rules_or_routes_nothing_leaves_either", holes_in_the_network),
    ("holder::where_ipv6_is_off_nothing_of_it_is_open", no_ipv6),
    ("holder::nobody_who_joins_can_take_the_ports", stolen_ports),
    ("holder::who_was_there_before_it_stops_it", squatter),
    ("holder::without_its_capability_it_says_what_it_needs", no_capability),
    ("holder::a_second_peer_gets_nothing", second_peer),
    ("holder::a_stranger_gets_nothing_and_ends_it", stranger),
    ("holder::with_the_taker_gone_connections_are_refused", taker_gone),
    ("holder::with_the_taker_gone_it_ends", tethered),
    ("holder::after_the_hand_over_it_can_do_nothing", powerless),
    ("holder::it_is_out_of_reach_of_who_joins", undumpable),
    ("holder::it_ends_when_told_to_and_takes_its_socket_along", ends),
    ("holder::it_reaps_what_is_left_to_it", orphans),
    ("holder::a_splice_passes_both_ends_on", splice_half_closes),
    ("holder::a_splice_ends_with_a_server_whose_client_is_silent", splice_ends),
    ("holder::a_splice_to_nobody_says_so", splice_to_nobody),
    ("holder::a_splice_reaches_a_server_in_the_held_network", splice_inside),
];

/// Answers one connection as an egress would, and gives it back for its destination.
fn answer(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut asked = String::new();
    stream.read_to_string(&mut asked).expect("a greeting");
    assert_eq!(asked, "hello");
    stream.write_all(b"welcome").expect("an answer");
    stream.shutdown(Shutdown::Both).expect("an end");
    stream
}

fn reach(room: &Room, listener: &TcpListener, address: &str) -> TcpStream {
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| room.probe(&["tcp", address]));
        let stream = answer(listener);
        assert_eq!(probe.join().expect("a probe"), "ok welcome\n", "{address}");
        stream
    })
}

fn captured() {
    let room = Room::ready(&[]);
    let listeners = room.take();
    assert_eq!((listeners.tcp.len(), listeners.dns_udp.len(), listeners.dns_tcp.len()), (2, 2, 2));
    for (address, port) in [("93.184.216.34:443", 443), ("10.0.0.1:22", 22), ("198.18.7.7:80", 80)] {
        let stream = reach(&room, &listeners.tcp[0], address);
        let to = getsockopt(&stream.as_fd(), sockopt::OriginalDst).expect("a destination");
        assert_eq!(format!("{}:{port}", Ipv4Addr::from(u32::from_be(to.sin_addr.s_addr))), address);
        assert_eq!(u16::from_be(to.sin_port), port);
    }
    let stream = reach(&room, &listeners.tcp[1], "[2606:2800:220:1::1]:8080");
    let to = getsockopt(&stream.as_fd(), sockopt::Ip6tOriginalDst).expect("a destination");
    assert_eq!(Ok(Ipv6Addr::from(to.sin6_addr.s6_addr)), "2606:2800:220:1::1".parse());
    assert_eq!(u16::from_be(to.sin6_port), 8080);
}

fn ask_name(room: &Room, socket: &UdpSocket, server: &str) {
    socket.set_read_timeout(Some(WAIT)).expect("a limit");
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| room.probe(&["udp", server]));
        let mut buffer = [0; 64];
        let (length, from) = socket.recv_from(&mut buffer).expect("a question");
        assert_eq!(&buffer[..length], b"hello");
        socket.send_to(b"answer", from).expect("an answer");
        assert_eq!(probe.join().expect("a probe"), "ok answer\n", "{server}");
    });
}

fn names() {
    let room = Room::ready(&[]);
    let listeners = room.take();
    ask_name(&room, &listeners.dns_udp[0], "198.18.0.1:53");
    ask_name(&room, &listeners.dns_udp[0], "8.8.8.8:53");
    ask_name(&room, &listeners.dns_udp[1], "[2001:4860:4860::8888]:53");
    reach(&room, &listeners.dns_tcp[0], "9.9.9.9:53");
    reach(&room, &listeners.dns_tcp[1], "[2620:fe::fe]:53");
}

const REFUSED: &str = "no ECONNREFUSED: Connection refused\n";

fn other_udp() {
    let room = Room::ready(&[]);
    let _listeners = room.take();
    for address in ["93.184.216.34:443", "[2606:2800:220:1::1]:443", "8.8.8.8:123"] {
        let start = Instant::now();
        assert_eq!(room.probe(&["udp", address]), "no EPERM: Operation not permitted\n", "{address}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

fn holes_in_the_network() {
    let room = Room::ready(&["without-redirect"]);
    let _listeners = room.take();
    assert_eq!(room.probe(&["tcp", "93.184.216.34:443"]), REFUSED);
    assert_eq!(room.probe(&["udp", "93.184.216.34:443"]), REFUSED);
    let room = Room::ready(&["without-routes"]);
    let _listeners = room.take();
    for address in ["93.184.216.34:443", "[2606:2800:220:1::1]:443"] {
        assert_eq!(room.probe(&["tcp", address]), "no ENETUNREACH: Network is unreachable\n", "{address}");
    }
}

fn no_ipv6() {
    let room = Room::ready(&["no-ipv6"]);
    let listeners = room.take();
    assert_eq!((listeners.tcp.len(), listeners.dns_udp.len(), listeners.dns_tcp.len()), (1, 1, 1));
    reach(&room, &listeners.tcp[0], "93.184.216.34:443");
    for address in ["[2606:2800:220:1::1]:443", "[2001:4860:4860::8888]:53", "[fe80::1]:80"] {
        for kind in ["tcp", "udp"] {
            let answer = room.probe(&[kind, address]);
            assert!(answer.starts_with("no "), "{kind} {address}: {answer}");
        }
    }
    assert_eq!(room.probe(&["tcp", "[::1]:9099"]), "no EADDRNOTAVAIL: Cannot assign requested address\n");
}

fn stolen_ports() {
    let room = Room::ready(&[]);
    let _listeners = room.take();
    for address in ["127.0.0.1:9099", "0.0.0.0:9099", "[::1]:9099", "[::]:9099", "127.0.0.1:9053"] {
        assert_eq!(room.probe(&["steal", address]), "no EADDRINUSE: Address already in use\n", "{address}");
    }
}

fn squatter() {
    let mut room = Room::with(&["squatter"]);
    assert_eq!(room.wait().code(), Some(1));
    let complaint = room.complaint();
    assert!(
        complaint.contains("port 9099: Address already in use") && complaint.contains("help:"),
        "{complaint}"
    );
    assert!(!room.socket().exists());
}

fn no_capability() {
    let mut room = Room::with(&["no-capability"]);
    assert_eq!(room.wait().code(), Some(1));
    let complaint = room.complaint();
    assert!(complaint.contains("nf_tables") && complaint.contains("--cap-add NET_ADMIN"), "{complaint}");
}

/// Greets as a taker does.
fn greet(mut peer: &UnixStream, greeting: &[u8]) {
    peer.write_all(greeting).expect("a greeting");
}

/// What comes until the end; a reset is an end.
fn all_that_comes(mut peer: &UnixStream) -> Vec<u8> {
    peer.set_read_timeout(Some(WAIT)).expect("a limit");
    let mut all = Vec::new();
    if let Err(error) = peer.read_to_end(&mut all) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    all
}

/// Up to the last offer.
fn what_is_offered(mut peer: &UnixStream) -> String {
    let mut offered = Vec::new();
    while !String::from_utf8_lossy(&offered).contains("\"Complete\"") {
        let mut chunk = [0; 4096];
        let read = peer.read(&mut chunk).expect("an offer");
        assert!(read > 0, "{}", String::from_utf8_lossy(&offered));
        offered.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8_lossy(&offered).into_owned()
}

fn second_peer() {
    let mut room = Room::ready(&[]);
    let first = UnixStream::connect(room.socket()).expect("a peer");
    // In time to wait behind the first, or too late to find a door.
    let second = UnixStream::connect(room.socket()).ok();
    second.iter().for_each(|second| greet(second, b"bottle holder 1\n"));
    greet(&first, b"bottle holder 1\n");
    // The line stays open: the holder lives for as long as it does.
    assert!(what_is_offered(&first).contains("\"Complete\""));
    second.iter().for_each(|second| assert_eq!(all_that_comes(second), b""));
    assert_eq!(room.line(), r#"{"holder":"handed-over"}"#);
    assert!(!room.socket().exists());
    let late = holder::take(&room.socket(), Duration::from_millis(100)).err().expect("nothing");
    assert!(late.what.contains("No such file"), "{late}");
}

fn stranger() {
    let mut room = Room::ready(&[]);
    let peer = UnixStream::connect(room.socket()).expect("a peer");
    greet(&peer, b"bottle holder 2\n");
    let answer = String::from_utf8_lossy(&all_that_comes(&peer)).into_owned();
    assert!(answer.contains("Refused") && !answer.contains("Listener"), "{answer}");
    assert_eq!(room.wait().code(), Some(1));
    assert!(room.complaint().contains("another version"));
    let mut room = Room::ready(&[]);
    drop(UnixStream::connect(room.socket()).expect("a peer"));
    assert_eq!(room.wait().code(), Some(1));
    assert!(room.complaint().contains("cannot hand the listeners over"));
}

fn taker_gone() {
    let mut room = Room::ready(&[]);
    drop(room.take());
    assert_eq!(room.line(), r#"{"holder":"handed-over"}"#);
    for address in ["93.184.216.34:443", "[2606:2800:220:1::1]:443", "8.8.8.8:53", "127.0.0.1:9099"] {
        assert_eq!(room.probe(&["tcp", address]), REFUSED, "{address}");
    }
    assert_eq!(room.probe(&["udp", "8.8.8.8:53"]), REFUSED);
}

fn tethered() {
    let mut room = Room::ready(&[]);
    let listeners = room.take();
    assert_eq!(room.line(), r#"{"holder":"handed-over"}"#);
    // The listeners alone do not keep it: the taker is dead, whoever else has a copy.
    room.cut_off();
    assert_eq!(room.wait().code(), Some(0));
    drop(listeners);
}

/// What the holder has left, and what it still can do when it is told to end.
fn last_of(peculiarities: &[&str]) -> (String, Vec<String>) {
    let mut room = Room::ready(peculiarities);
    let _listeners = room.take();
    room.line();
    let status = std::fs::read_to_string(format!("/proc/{}/status", room.holder)).expect("its status");
    room.signal(Signal::TERM);
    (status.replace('\t', ""), [room.line(), room.line(), room.line()].to_vec())
}

fn powerless() {
    let refused = ["link", "rules", "program"].map(|word| format!("{word} EPERM: Operation not permitted"));
    let (status, attempts) = last_of(&[]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{set}:0000000000000000\n")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:1\n") && status.contains("Seccomp:2\n"), "{status}");
    assert_eq!(attempts, refused);
    let (_, attempts) = last_of(&["without-calls"]);
    assert_eq!(attempts[..2], refused[..2]);
    assert_eq!(attempts[2], "program ok");
    let (_, attempts) = last_of(&["without-drop"]);
    assert_eq!(attempts, refused);
    let (status, attempts) = last_of(&["without-drop", "without-calls"]);
    assert_eq!(attempts, ["link ok", "rules ok", "program ok"]);
    assert!(status.contains("CapEff:0000000000001000\n"), "{status}");
    // Where neither lock is to be had, capabilities do not count as dropped.
    let mut room = Room::with(&["without-no-new-privileges", "without-calls"]);
    assert_eq!(room.wait().code(), Some(1));
    assert!(room.complaint().contains("cannot drop all capabilities"));
}

fn undumpable() {
    let environment = |room: &Room| room.probe(&["read", &format!("/proc/{}/environ", room.holder)]);
    assert_eq!(environment(&Room::ready(&[])), "no EACCES: Permission denied\n");
    assert!(environment(&Room::ready(&["without-undumpable"])).starts_with("ok "));
}

fn ends() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut room = Room::ready(&[]);
        assert!(room.socket().exists());
        room.signal(signal);
        assert_eq!(room.wait().code(), Some(0));
        assert!(!room.socket().exists());
        let mut room = Room::ready(&[]);
        let _listeners = room.take();
        room.signal(signal);
        assert_eq!(room.wait().code(), Some(0));
    }
}

fn orphans() {
    let room = Room::ready(&["orphan"]);
    let _listeners = room.take();
    let has_children = |_| {
        let stats = std::fs::read_dir("/proc").expect("/proc").flatten();
        let mut stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        stats.any(|stat| parent(&stat) == Some(room.holder))
    };
    assert!((0..500).any(|i| seen_after(i, true, &has_children)), "no orphan came");
    assert!((0..1000).any(|i| seen_after(i, false, &has_children)), "the orphan stayed");
}

fn seen_after(i: i32, wanted: bool, look: &impl Fn(i32) -> bool) -> bool {
    std::thread::sleep(Duration::from_millis(if i == 0 { 0 } else { 5 }));
    look(i) == wanted
}

fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// A splice of this machine, told `input`, whose server does as told.
fn spliced(address: &str, keep_talking: bool, server: fn(TcpStream)) -> Output {
    let listener = TcpListener::bind((address, 0)).expect("a server");
    let port = listener.local_addr().expect("bound").port().to_string();
    let thread = std::thread::spawn(move || server(listener.accept().expect("a connection").0));
    let mut splice = Command::new(std::env::current_exe().expect("this program"))
        .args([holder::SPLICE, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a splice");
    let mut input = splice.stdin.take().expect("a pipe");
    input.write_all(b"question").expect("a question");
    let kept = keep_talking.then_some(input);
    let output = splice.wait_with_output().expect("an end");
    drop(kept);
    thread.join().expect("the server");
    output
}

/// Answers only when the question has ended, and much.
fn patient_server(mut stream: TcpStream) {
    let mut asked = String::new();
    stream.set_read_timeout(Some(WAIT)).expect("a limit");
    stream.read_to_string(&mut asked).expect("a question");
    stream.write_all(asked.repeat(100_000).as_bytes()).expect("an answer");
}

fn splice_half_closes() {
    for address in ["127.0.0.1", "::1"] {
        let output = spliced(address, false, patient_server);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout == b"question".repeat(100_000), "{} bytes", output.stdout.len());
    }
}

fn splice_ends() {
    // It hears the question first: what is closed with bytes unread is reset, not ended.
    let output = spliced("127.0.0.1", true, |mut stream| {
        stream.read_exact(&mut [0; 8]).expect("a question");
        stream.write_all(b"goodbye").expect("an answer");
    });
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"goodbye"[..]));
}

fn splice_to_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    drop(listener);
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([holder::SPLICE, &port])
        .output()
        .expect("a splice");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("port {port}")) && said.lines().count() == 1, "{said}");
}

fn splice_inside() {
    let room = Room::ready(&[]);
    let _listeners = room.take();
    let mut server =
        room.join(&["__probe", "serve", "127.0.0.1:3000"]).stdout(Stdio::piped()).spawn().expect("one");
    server.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 7]).expect("serving");
    let mut splice = room
        .join(&[holder::SPLICE, "3000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("one");
    splice.stdin.take().expect("a pipe").write_all(b"ping").expect("a question");
    let output = splice.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ping"[..]));
    server.wait().expect("its end");
}
