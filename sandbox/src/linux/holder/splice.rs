//! One connection from outside to a server in this network: standard input and output on one side, the server on the
//! other.
use crate::SandboxError;
use crate::linux::perform::process;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long a server may take to accept.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long a server that has said its last is still spoken to by a client that is silent. Some engines show their
/// client the end of our output only with the end of this process; without this end, both would wait for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
const CHUNK: usize = 64 << 10;

/// Connects standard input and output with `port` at this address, or of this network's loopback, IPv4 first; returns when the server has
/// said its last (and the client too, or is silent for a second). The end of standard input is passed on as such: the
/// server's answer is still waited for.
/// # Errors
/// When nobody listens there.
pub fn splice(port: u16, at: Option<IpAddr>) -> Result<(), SandboxError> {
    // Engines start a second program with what the container was allowed at its start, and the agent may share its PIDs.
    process::undumpable()
        .and_then(|()| process::no_new_privileges())
        .and_then(|()| process::drop_capabilities())
        .map_err(|e| SandboxError::new(format!("cannot drop all capabilities: {e}")))?;
    let server = connect(port, at).map_err(|e| nobody(port, &e))?;
    pump(&server).map_err(|e| SandboxError::new(format!("the connection to port {port} broke: {e}")))
}

fn connect(port: u16, at: Option<IpAddr>) -> io::Result<TcpStream> {
    let connect = |ip: IpAddr| TcpStream::connect_timeout(&SocketAddr::new(ip, port), CONNECT_WAIT);
    match at {
        Some(ip) => connect(ip),
        None => connect(Ipv4Addr::LOCALHOST.into())
            .or_else(|first| connect(Ipv6Addr::LOCALHOST.into()).map_err(|_| first)),
    }
}

fn nobody(port: u16, error: &io::Error) -> SandboxError {
    SandboxError::new(format!("cannot connect to port {port} inside the bottle: {error}"))
}

fn pump(server: &TcpStream) -> io::Result<()> {
    server.set_nodelay(true)?;
    let inward = server.try_clone()?;
    let (moved, moving) = sync_channel(1);
    std::thread::spawn(move || copy_in(&inward, &moved));
    copy(server.as_fd(), rustix::stdio::stdout(), || ())?;
    close_output()?;
    listen_on(&moving);
    Ok(())
}

/// A server that hears no more is no failure of the whole: its answer is what counts.
fn copy_in(server: &TcpStream, moved: &SyncSender<()>) {
    let note = || _ = moved.try_send(());
    let _deaf_server = copy(rustix::stdio::stdin(), server.as_fd(), note);
    let _gone = server.shutdown(Shutdown::Write);
}

/// Until the other direction has ended, or is silent.
fn listen_on(moving: &Receiver<()>) {
    while moving.recv_timeout(LAST_WORDS).is_ok() {}
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, moved: impl Fn()) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut buffer))?;
        let Some(mut rest) = buffer.get(..length).filter(|chunk| !chunk.is_empty()) else { return Ok(()) };
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(to, rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        moved();
    }
}

/// The reader sees the end now. The number must not be free for the next descriptor, so something harmless takes it.
fn close_output() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(UnixDatagram::unbound()?)?)
}
