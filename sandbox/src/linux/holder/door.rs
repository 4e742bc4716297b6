//! The socket at which the taker comes in: one, once.
use super::{GREETING, Offer};
use crate::linux::step::ListenKind;
use crate::linux::wire::send;
use rustix::fs::Mode;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The taker is our own program and greets as soon as it is connected.
const GREETING_WAIT: Duration = Duration::from_secs(10);

/// A listening Unix socket whose name goes with it.
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Who may connect is decided by who has the volume: the taker runs as a user that this process, without a single
    /// capability, could not give the socket to. So everybody who can see it may connect.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mask = rustix::process::umask(Mode::XUSR | Mode::XGRP | Mode::XOTH);
        let listener = UnixListener::bind(path);
        rustix::process::umask(mask);
        Ok(Self { listener: listener?, path: path.to_owned() })
    }

    /// Lets the one peer in and closes: whoever waits behind it, or comes later, is turned away.
    pub(super) fn let_in(self) -> io::Result<UnixStream> {
        Ok(self.listener.accept()?.0)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.path);
    }
}

/// Gives the listeners to a peer that greets as it should, and gives the peer back; `None` when it did not.
pub(super) fn hand_over(
    mut peer: UnixStream,
    listeners: &[(ListenKind, bool, OwnedFd)],
) -> io::Result<Option<UnixStream>> {
    peer.set_read_timeout(Some(GREETING_WAIT))?;
    let mut greeting = [0; GREETING.len()];
    peer.read_exact(&mut greeting)?;
    if greeting != *GREETING {
        send(&peer, &Offer::Refused, &[])?;
        return Ok(None);
    }
    for (kind, v6, socket) in listeners {
        send(&peer, &Offer::Listener { kind: *kind, v6: *v6 }, &[socket.as_fd()])?;
    }
    send(&peer, &Offer::Complete, &[])?;
    Ok(Some(peer))
}
