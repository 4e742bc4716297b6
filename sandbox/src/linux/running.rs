//! A bottle with its agent in it.
use super::launch::{Cradle, gone};
use super::stdio::Inherited;
use super::wire::{Order, Reader, Report, send};
use crate::SandboxError;
use crate::running::{Change, Door, Ended, Running as Seam, Stream};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a server inside may take to accept.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// A running agent. Dropping it kills the bottle whole.
pub struct Running {
    cradle: Cradle,
    handle: Handle,
    news: UnixStream,
    changes: Receiver<Change>,
    ended: Option<Ended>,
    outward: Vec<JoinHandle<()>>,
}

/// Talks to a running bottle from other threads.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    control: UnixStream,
    /// One question at a time: answers come in the order of the questions.
    sockets: Mutex<Receiver<Result<OwnedFd, i32>>>,
}

impl Running {
    pub(crate) fn new(mut cradle: Cradle, stdio: Option<Inherited>) -> Result<Self, SandboxError> {
        let control = cradle.reader.socket().try_clone().map_err(|e| gone(&e))?;
        let ours = control.try_clone().map_err(|e| gone(&e))?;
        let (news, bell) = UnixStream::pair().map_err(|e| gone(&e))?;
        let (changed, changes) = channel();
        let (found, sockets) = channel();
        let reader = std::mem::replace(&mut cradle.reader, Reader::new(ours));
        std::thread::spawn(move || listen(reader, &changed, &found, bell));
        let handle = Handle { shared: Arc::new(Shared { control, sockets: Mutex::new(sockets) }) };
        let outward = stdio.map(Inherited::start).unwrap_or_default();
        Ok(Self { cradle, handle, news, changes, ended: None, outward })
    }

    /// Host pid of the bottle's first process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.cradle.first.as_ref().map_or(0, |(pid, _)| *pid)
    }

    /// Why the warden gave up, and the bottle with it: something could not be write-protected again. Known once the agent
    /// has ended.
    #[must_use]
    pub fn unguarded(&self) -> Option<&std::io::Error> {
        self.cradle.unguarded.as_ref()
    }

    /// For other threads, while this one waits.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Sends a signal to the agent's process group.
    /// # Errors
    /// When the bottle is gone.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        self.handle.signal(signal)
    }

    /// A connected socket to a server inside (published ports).
    /// # Errors
    /// When nothing listens there.
    pub fn connect(&self, port: u16) -> Result<TcpStream, SandboxError> {
        self.handle.connect(port)
    }

    /// Readable when [`Running::change`] will not block, and for ever once the agent has ended: for the launcher's poll.
    #[must_use]
    pub fn news(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    /// Blocks until the agent was suspended or has ended.
    pub fn change(&mut self) -> Change {
        if let Some(ended) = self.ended {
            return Change::Ended(ended);
        }
        // A bottle that goes without a word was killed.
        let change = self.changes.recv().unwrap_or(Change::Ended(Ended::Signalled(libc::SIGKILL)));
        match change {
            Change::Stopped(_) => self.silence(),
            Change::Ended(ended) => self.conclude(ended),
        }
        change
    }

    fn silence(&mut self) {
        let _the_bell_rang_once_for_this = self.news.read(&mut [0]);
    }

    /// The agent's end is the bottle's; what it wrote last is still on its way.
    fn conclude(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.cradle.end();
        for copy in self.outward.drain(..) {
            let _copied = copy.join();
        }
    }

    /// Blocks until the agent has ended.
    pub fn wait(&mut self) -> Ended {
        loop {
            if let Change::Ended(ended) = self.change() {
                return ended;
            }
        }
    }

    /// Kills everything inside; idempotent.
    pub fn kill(&mut self) {
        self.cradle.end();
    }
}

impl Seam for Running {
    fn news(&self) -> BorrowedFd<'_> {
        Running::news(self)
    }
    fn change(&mut self) -> Change {
        Running::change(self)
    }
    fn starved(&self) -> bool {
        self.cradle.starved
    }
    fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        Running::signal(self, signal)
    }
    fn kill(&mut self) {
        Running::kill(self);
    }
    /// The launcher's own PTY has told the agent already.
    fn resize(&self, _: u16, _: u16) {}
    fn door(&self) -> Arc<dyn Door> {
        Arc::new(self.handle())
    }
}

impl Door for Handle {
    fn connect(&self, port: u16) -> Result<Stream, SandboxError> {
        Handle::connect(self, port).map(Stream::Tcp)
    }
}

impl Handle {
    /// Sends a signal to the agent's process group.
    /// # Errors
    /// When the bottle is gone.
    pub fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        send(&self.shared.control, &Order::Signal(signal), &[]).map_err(|e| gone(&e))
    }

    /// A connected socket to a server inside, on whichever loopback address it listens.
    /// # Errors
    /// When nothing listens there.
    pub fn connect(&self, port: u16) -> Result<TcpStream, SandboxError> {
        let v4 = self.connect_to((Ipv4Addr::LOCALHOST, port).into());
        v4.or_else(|first| self.connect_to((Ipv6Addr::LOCALHOST, port).into()).map_err(|_| first))
    }

    fn connect_to(&self, address: SocketAddr) -> Result<TcpStream, SandboxError> {
        let socket = self.socket(address.is_ipv6())?;
        connect_within(socket, address, CONNECT_WAIT).map_err(|e| {
            SandboxError::new(format!("cannot connect to port {} inside the bottle: {e}", address.port()))
        })
    }

    fn socket(&self, v6: bool) -> Result<OwnedFd, SandboxError> {
        let sockets = self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        send(&self.shared.control, &Order::Socket { v6 }, &[]).map_err(|e| gone(&e))?;
        match sockets.recv() {
            Ok(Ok(socket)) => Ok(socket),
            Ok(Err(errno)) => Err(gone(&std::io::Error::from_raw_os_error(errno))),
            Err(_) => Err(SandboxError::new("the bottle has ended")),
        }
    }
}

/// Connects without waiting longer than this: a server inside that never accepts is not the launcher's problem.
fn connect_within(socket: OwnedFd, address: SocketAddr, wait: Duration) -> std::io::Result<TcpStream> {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    match rustix::net::connect(&stream, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS) => await_connection(&stream, wait)?,
        Err(error) => return Err(error.into()),
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn await_connection(stream: &TcpStream, wait: Duration) -> std::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let wait = Timespec::try_from(wait).map_err(std::io::Error::other)?;
    let mut fds = [PollFd::new(stream, PollFlags::OUT)];
    if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&wait)))? == 0 {
        return Err(std::io::ErrorKind::TimedOut.into());
    }
    stream.take_error()?.map_or(Ok(()), Err)
}

/// Sorts what the bottle says. Ends with the bottle; the bell's end then closes, which is the lasting news.
fn listen(
    mut reader: Reader,
    changed: &Sender<Change>,
    found: &Sender<Result<OwnedFd, i32>>,
    mut bell: UnixStream,
) {
    while let Ok(Some(report)) = reader.next::<Report>() {
        let heard = match report {
            Report::Stopped(signal) => {
                changed.send(Change::Stopped(signal)).is_ok() && bell.write_all(&[1]).is_ok()
            }
            Report::Exited(code) => changed.send(Change::Ended(Ended::Exited(code))).is_ok(),
            Report::Signalled(signal) => changed.send(Change::Ended(Ended::Signalled(signal))).is_ok(),
            Report::Socket => reader.take_fd().is_ok_and(|socket| found.send(Ok(socket)).is_ok()),
            Report::NoSocket { errno } => found.send(Err(errno)).is_ok(),
            _ => true,
        };
        if !heard {
            return;
        }
    }
}
