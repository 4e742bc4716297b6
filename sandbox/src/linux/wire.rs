//! What launcher and cradle say to each other: length-prefixed JSON frames on a socket pair, descriptors beside them.
//!
//! The launcher trusts only the cradle's own code, which is this same binary; no frame is ever written by the agent,
//! which inherits no end of this socket.
use super::step::{ListenKind, Step, Ward};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The most descriptors beside one frame (standard input, output, error).
const MAX_FDS: usize = 3;
/// A list of steps is some tens of kilobytes; more than this is no frame of ours.
const MAX_FRAME: u32 = 64 << 20;

/// The watcher's exit code, and with that its last word, when the kernel killed something inside because the memory of
/// the bottle's group was used up.
pub(crate) const STARVED: i32 = 3;

/// Launcher → cradle.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Do these; with `more`, the rest comes when it is known.
    Build { steps: Vec<Step>, more: bool },
    /// The rest; files of these lengths follow the frame as raw bytes.
    Finish { steps: Vec<Step>, lengths: Vec<usize> },
    /// Be a warden instead: watch over these places. The bottle's user and mount namespaces and its first process come along.
    Watch { wards: Vec<Ward> },
    /// Start the agent. Three descriptors come along unless it gets a terminal of its own.
    Launch(Launch),
    /// Send a signal to the agent's process group.
    Signal(i32),
    /// Give me a stream socket of your network (IPv6, else IPv4).
    Socket { v6: bool },
}

/// What the agent is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) folder: PathBuf,
    pub(crate) terminal: bool,
}

/// Cradle → launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The first process exists; its pid descriptor comes along.
    Born { pid: i32 },
    /// This step failed with this error number.
    Failed { index: usize, errno: i32 },
    /// One listener; its descriptor comes along.
    Listener(ListenKind),
    /// The bottle's user and mount namespaces come along: for its warden.
    Namespaces,
    /// The master side of the agent's terminal comes along.
    Terminal,
    /// All steps are done.
    Ready,
    /// The agent runs.
    Launched { pid: i32 },
    /// The agent could not be started: at which guard (index of the step) or, `None`, at executing it.
    NotLaunched { index: Option<usize>, errno: i32 },
    /// The socket that was asked for.
    Socket,
    /// None could be made.
    NoSocket { errno: i32 },
    /// The agent was suspended.
    Stopped(i32),
    /// The agent has ended.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
}

/// Writes one frame.
pub(crate) fn send<T: Serialize>(socket: impl AsFd, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    let sent = send_first(socket.as_fd(), &frame, fds)?;
    write_all(socket.as_fd(), &frame[sent..])
}

/// Writes bytes without a frame.
pub(crate) fn write_all(socket: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(socket, bytes, SendFlags::NOSIGNAL))?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

/// Descriptors travel with the first byte.
fn send_first(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors"));
    }
    Ok(rustix::io::retry_on_intr(|| {
        sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
    })?)
}

/// The reading end: bytes in order, and the descriptors that came with them.
pub(crate) struct Reader {
    socket: UnixStream,
    fds: VecDeque<OwnedFd>,
}

impl Reader {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket, fds: VecDeque::new() }
    }

    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// The next frame; `None` when the other side is gone.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut length = [0; 4];
        match self.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let length = u32::from_be_bytes(length);
        if length > MAX_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(serde_json::from_slice(&self.bytes(length as usize)?)?))
    }

    /// Raw bytes that follow a frame.
    pub(crate) fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The oldest descriptor that was not taken yet.
    pub(crate) fn take_fd(&mut self) -> io::Result<OwnedFd> {
        self.fds.pop_front().ok_or_else(|| io::Error::other("a descriptor is missing"))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let bytes = match received {
            // The other side was killed with unread bytes of ours; for us that is the end of the stream.
            Err(rustix::io::Errno::CONNRESET) => 0,
            other => other?.bytes,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        Ok(bytes)
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_all(self.socket.as_fd(), bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
