//! Holders that are none.
use super::*;
use crate::linux::perform::network::listen;
use crate::linux::wire::send;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

fn soon() -> Duration {
    Duration::from_millis(300)
}

struct Impostor {
    folder: tempfile::TempDir,
    thread: JoinHandle<()>,
}

impl Impostor {
    /// Hears the greeting and goes on as told.
    fn that(does: impl FnOnce(&UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let door = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let thread = std::thread::spawn(move || {
            let (mut peer, _) = door.accept().expect("a peer");
            let mut greeting = [0; GREETING.len()];
            peer.read_exact(&mut greeting).expect("a greeting");
            assert_eq!(&greeting, GREETING);
            does(&peer);
        });
        Self { folder, thread }
    }

    fn error(self) -> String {
        let error = take(&self.folder.path().join("s"), soon()).err().expect("no holder").what;
        self.thread.join().expect("the impostor");
        error
    }
}

fn offers(taken: Taken) -> Impostor {
    Impostor::that(move |peer| {
        for (kind, v6, socket) in &taken {
            let _gone = send(peer, &Offer::Listener { kind: *kind, v6: *v6 }, &[socket.as_fd()]);
        }
        let _gone = send(peer, &Offer::Complete, &[]);
    })
}

const NOT_THOSE: &str = "what the holder handed over is not what a holder opens";

#[test]
fn what_is_no_listener_of_a_bottle_is_not_taken() {
    let tcp = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").expect("a port"));
    assert_eq!(offers(Vec::new()).error(), NOT_THOSE);
    assert_eq!(offers(vec![(ListenKind::Tcp, false, tcp())]).error(), NOT_THOSE);
    let three = [ListenKind::Tcp, ListenKind::DnsUdp, ListenKind::DnsTcp];
    let wrong_ports = three.into_iter().map(|kind| (kind, false, listen(kind, false, 0).expect("a port")));
    assert_eq!(offers(wrong_ports.collect()).error(), NOT_THOSE);
    let files = three.into_iter().map(|kind| (kind, false, std::fs::File::open("/").expect("a file").into()));
    assert_eq!(offers(files.collect()).error(), NOT_THOSE);
    let endless = (0..20).map(|_| (ListenKind::Tcp, false, tcp()));
    assert!(offers(endless.collect()).error().contains("no end of listeners"));
}

#[test]
fn each_property_of_a_listener_counts() {
    let socket = listen(ListenKind::Tcp, false, 0).expect("a port");
    let port = TcpListener::from(socket.try_clone().expect("a copy")).local_addr().expect("bound").port();
    let is = |socket: &OwnedFd, kind, v6, port| is_listener(socket, kind, v6, port).unwrap_or(false);
    assert!(is(&socket, ListenKind::Tcp, false, port));
    assert!(!is(&socket, ListenKind::DnsUdp, false, port));
    assert!(!is(&socket, ListenKind::Tcp, true, port));
    assert!(!is(&socket, ListenKind::Tcp, false, port ^ 1));
    let connected = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let own = connected.local_addr().expect("bound").port();
    assert!(!is(&connected.into(), ListenKind::Tcp, false, own));
    let wide = TcpListener::bind("0.0.0.0:0").expect("a port");
    let own = wide.local_addr().expect("bound").port();
    assert!(!is(&wide.into(), ListenKind::Tcp, false, own));
    let names = listen(ListenKind::DnsUdp, false, 0).expect("a port");
    let own =
        std::net::UdpSocket::from(names.try_clone().expect("a copy")).local_addr().expect("bound").port();
    assert!(is(&names, ListenKind::DnsUdp, false, own) && !is(&names, ListenKind::DnsTcp, false, own));
}

#[test]
fn who_is_missing_silent_gone_or_of_another_version_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let start = Instant::now();
    let error = take(&path, soon()).err().expect("nobody there");
    assert!(error.what.contains(&path.display().to_string()) && error.hint.is_some(), "{error}");
    assert!((soon()..Duration::from_secs(5)).contains(&start.elapsed()));
    drop(UnixListener::bind(&path).expect("a socket that nobody listens at"));
    assert!(take(&path, soon()).err().is_some_and(|e| e.what.contains("refused")));
    let silent = Impostor::that(|peer| drop((&*peer).read(&mut [0])));
    assert!(silent.error().contains("temporarily unavailable"));
    assert!(Impostor::that(|_| ()).error().contains("has gone"));
    let other = Impostor::that(|peer| send(peer, &Offer::Refused, &[]).expect("an answer"));
    assert!(other.error().contains("another version"));
    let bare = Impostor::that(|peer| {
        send(peer, &Offer::Listener { kind: ListenKind::Tcp, v6: false }, &[]).expect("an answer");
    });
    assert!(bare.error().contains("a descriptor is missing"));
}

#[test]
fn a_holder_that_comes_late_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let late = path.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        UnixListener::bind(late).expect("a socket").accept().map(drop)
    });
    let error = take(&path, Duration::from_secs(10)).err().expect("no listeners");
    assert!(error.what.contains("has gone") || error.what.contains("reset"), "{error}");
    thread.join().expect("the late one").expect("a peer");
}
