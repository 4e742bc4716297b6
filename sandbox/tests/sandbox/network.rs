//! The sealed network.
use crate::Scenario;
use crate::bottle::{TestBottle, hear};
use nix::sys::socket::{getsockopt, sockopt};
use sandbox::linux::Step;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("network::tcp_to_any_address_reaches_the_launcher_with_its_destination", tcp_is_captured),
    ("network::ipv6_is_captured_too", tcp6_is_captured),
    ("network::names_reach_the_launcher_over_udp_and_tcp", names_are_captured),
    ("network::other_udp_is_refused_at_once", other_udp),
    ("network::without_the_rules_udp_is_refused_by_the_kernel", other_udp_without_rules),
    ("network::the_hosts_servers_are_out_of_reach", hosts_servers),
    ("network::without_the_redirect_nothing_leaves_either", without_redirect),
    ("network::without_the_routes_nothing_leaves_either", without_routes),
    ("network::nobody_inside_can_take_the_egress_port", stolen_port),
    ("network::with_the_launchers_listeners_gone_nothing_answers", closed_listeners),
    ("network::a_published_port_reaches_a_server_inside", published),
    ("network::servers_inside_are_reached_from_inside", inside),
    ("network::abstract_sockets_of_the_host_are_out_of_reach", abstract_sockets),
];

/// Runs a probe and lets the test answer as the egress would.
fn captured(address: &str) -> (String, Vec<TcpStream>) {
    let bottle = TestBottle::probe(&["tcp", address]);
    let mut prepared = bottle.prepare();
    let listeners = prepared.take_listeners();
    assert_eq!((listeners.tcp.len(), listeners.dns_udp.len(), listeners.dns_tcp.len()), (2, 2, 2));
    let terminal = prepared.take_pty().expect("a terminal");
    let mut running = prepared.launch().expect("the agent");
    let index = usize::from(address.starts_with('['));
    let (mut stream, _) = listeners.tcp[index].accept().expect("a connection");
    let mut asked = String::new();
    stream.read_to_string(&mut asked).expect("a greeting");
    assert_eq!(asked, "hello");
    stream.write_all(b"welcome").expect("an answer");
    let kept = stream.try_clone().expect("a descriptor");
    stream.shutdown(std::net::Shutdown::Both).expect("an end");
    running.wait();
    (hear(terminal), vec![kept])
}

fn tcp_is_captured() {
    let (said, streams) = captured("93.184.216.34:443");
    assert_eq!(said, "ok welcome\n");
    let to = getsockopt(&streams[0].as_fd(), sockopt::OriginalDst).expect("a destination");
    assert_eq!(Ipv4Addr::from(u32::from_be(to.sin_addr.s_addr)), Ipv4Addr::new(93, 184, 216, 34));
    assert_eq!(u16::from_be(to.sin_port), 443);
}

fn tcp6_is_captured() {
    let (said, streams) = captured("[2606:2800:220:1::1]:8080");
    assert_eq!(said, "ok welcome\n");
    let to = getsockopt(&streams[0].as_fd(), sockopt::Ip6tOriginalDst).expect("a destination");
    assert_eq!(
        Ipv6Addr::from(to.sin6_addr.s6_addr),
        "2606:2800:220:1::1".parse::<Ipv6Addr>().expect("an address")
    );
    assert_eq!(u16::from_be(to.sin6_port), 8080);
}

fn names_are_captured() {
    for server in ["198.18.0.1:53", "8.8.8.8:53", "[2001:4860:4860::8888]:53"] {
        let bottle = TestBottle::probe(&["udp", server]);
        let mut prepared = bottle.prepare();
        let listeners = prepared.take_listeners();
        let terminal = prepared.take_pty().expect("a terminal");
        let mut running = prepared.launch().expect("the agent");
        let socket = &listeners.dns_udp[usize::from(server.starts_with('['))];
        let (mut buffer, wait) = ([0; 64], Some(Duration::from_secs(5)));
        socket.set_read_timeout(wait).expect("a limit");
        let (length, from) = socket.recv_from(&mut buffer).expect("a question");
        assert_eq!(&buffer[..length], b"hello");
        socket.send_to(b"answer", from).expect("an answer");
        running.wait();
        assert_eq!(hear(terminal), "ok answer\n", "{server}");
    }
    let bottle = TestBottle::probe(&["tcp", "9.9.9.9:53"]);
    let mut prepared = bottle.prepare();
    let listeners = prepared.take_listeners();
    let _running = prepared.launch().expect("the agent");
    listeners.dns_tcp[0].accept().expect("a connection");
}

fn other_udp() {
    for address in ["93.184.216.34:443", "[2606:2800:220:1::1]:443", "8.8.8.8:123"] {
        let start = Instant::now();
        assert_eq!(TestBottle::probe(&["udp", address]).run().said, "no EPERM: Operation not permitted\n");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

fn other_udp_without_rules() {
    let outcome = TestBottle::probe(&["udp", "93.184.216.34:443"]).without(is_redirect).run();
    assert_eq!(outcome.said, "no ECONNREFUSED: Connection refused\n");
}

fn is_redirect(step: &Step) -> bool {
    matches!(step, Step::Redirect { .. })
}

fn hosts_servers() {
    let server = TcpListener::bind("0.0.0.0:0").expect("a server");
    let port = server.local_addr().expect("its address").port();
    let udp = UdpSocket::bind(("0.0.0.0", port)).expect("another");
    server.set_nonblocking(true).expect("no waiting");
    udp.set_nonblocking(true).expect("no waiting");
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let outcome = TestBottle::probe(&["tcp", &address]).run();
        assert_eq!(outcome.said, "no ECONNREFUSED: Connection refused\n", "{address}");
        TestBottle::probe(&["udp", &address]).run();
    }
    assert!(server.accept().is_err() && udp.recv(&mut [0]).is_err());
}

fn without_redirect() {
    let outcome = TestBottle::probe(&["tcp", "93.184.216.34:80"]).without(is_redirect).run();
    assert_eq!(outcome.said, "no ECONNREFUSED: Connection refused\n");
}

fn without_routes() {
    let outcome = TestBottle::probe(&["tcp", "93.184.216.34:80"])
        .without(|step| matches!(step, Step::CaptureRoutes { .. }))
        .run();
    assert_eq!(outcome.said, "no ENETUNREACH: Network is unreachable\n");
}

fn stolen_port() {
    for address in ["127.0.0.1:9099", "0.0.0.0:9099", "[::1]:9099", "127.0.0.1:9053"] {
        let bottle = TestBottle::probe(&["steal", address]);
        let mut prepared = bottle.prepare();
        let _held = prepared.take_listeners();
        let terminal = prepared.take_pty().expect("a terminal");
        let _running = prepared.launch().expect("the agent");
        assert_eq!(hear(terminal), "no EADDRINUSE: Address already in use\n", "{address}");
        let hole = |step: &Step| matches!(step, Step::Listen { .. });
        assert_eq!(TestBottle::probe(&["steal", address]).without(hole).run().said, "ok \n", "{address}");
    }
}

/// Dropped before the agent starts: a connection that still found one in its last moment would end otherwise.
fn closed_listeners() {
    for address in ["93.184.216.34:443", "[2606:2800:220:1::1]:443", "8.8.8.8:53"] {
        let mut prepared = TestBottle::probe(&["tcp", address]).prepare();
        drop(prepared.take_listeners());
        let terminal = prepared.take_pty().expect("a terminal");
        let _running = prepared.launch().expect("the agent");
        assert_eq!(hear(terminal), "no ECONNREFUSED: Connection refused\n", "{address}");
    }
}

fn published() {
    for address in ["127.0.0.1:3000", "0.0.0.0:3000", "[::1]:3000"] {
        let bottle = TestBottle::probe(&["serve", address]);
        let (running, terminal) = bottle.start();
        let mut terminal = std::fs::File::from(terminal);
        terminal.read_exact(&mut [0; 7]).expect("serving");
        let error = running.connect(3001).expect_err("nobody there").to_string();
        assert!(error.contains("3001"), "{error}");
        let mut stream = running.connect(3000).expect("a connection");
        stream.write_all(b"ping").expect("a question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer, "ping");
    }
}

fn inside() {
    let probe = crate::bottle::PROBE;
    let script = format!(
        ": >/tmp/log; {probe} __probe serve 127.0.0.1:4000 >>/tmp/log & until grep -q serving /tmp/log; do sleep 0.01; done; \
         {probe} __probe tcp 127.0.0.1:4000"
    );
    assert_eq!(TestBottle::script(&script).run().said, "ok hello\n");
}

fn abstract_sockets() {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("bottle-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let _server = std::os::unix::net::UnixListener::bind_addr(&address).expect("a server");
    let outcome = TestBottle::probe(&["abstract", &name]).run();
    assert!(outcome.said.starts_with("no "), "{}", outcome.said);
}
