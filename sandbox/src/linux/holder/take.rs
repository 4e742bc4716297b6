//! The egress's side: wait for the holder, take the listeners, believe nothing about them.
use super::{GREETING, Offer};
use crate::SandboxError;
use crate::linux::launch::InsideListeners;
use crate::linux::perform::network::is_listener;
use crate::linux::plan;
use crate::linux::step::{ListenKind, Step};
use crate::linux::wire::{Reader, write_all};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the socket is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The most listeners that are taken in before they are looked at: all there are, and one to see that it is too many.
const MOST: usize = 7;

/// The holder's life hangs on it: when it goes, the holder ends, and with it everything in its PID namespace. It goes with
/// the egress, however that ends.
#[must_use]
pub struct Tether {
    _line: UnixStream,
}

type Taken = Vec<(ListenKind, bool, OwnedFd)>;

/// Waits for the holder's socket, no longer than `within` in all, and takes the listeners; the tether is to be kept for as
/// long as they are answered on.
/// # Errors
/// When there is no holder in time, when it speaks another version, or when what it gives is not exactly the listeners of a
/// bottle: for TCP and names, on loopback, listening, of IPv4 and of IPv6 or of IPv4 alone.
pub fn take(socket: &Path, within: Duration) -> Result<(InsideListeners, Tether), SandboxError> {
    let (taken, line) = reach(socket, within)?;
    Ok((checked(taken)?, Tether { _line: line }))
}

/// The tether alone, of a holder that has no listeners to give.
/// # Errors
/// As [`take`], and when there are listeners after all.
pub fn tie(socket: &Path, within: Duration) -> Result<Tether, SandboxError> {
    let (taken, line) = reach(socket, within)?;
    if taken.is_empty() { Ok(Tether { _line: line }) } else { Err(not_those()) }
}

fn reach(socket: &Path, within: Duration) -> Result<(Taken, UnixStream), SandboxError> {
    Instant::now()
        .checked_add(within)
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
        .and_then(|end| receive(connect(socket, end)?, end))
        .map_err(|error| not_taken(socket, &error))
}

fn not_those() -> SandboxError {
    SandboxError::new("what the holder handed over is not what a holder opens")
        .with_hint("all containers of a bottle must be of one image (`BOTTLE_EGRESS_IMAGE`)")
}

fn connect(socket: &Path, end: Instant) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket) {
            Err(error) if is_early(&error) && Instant::now() < end => std::thread::sleep(LOOK_AGAIN),
            other => return other,
        }
    }
}

/// No name yet, or a name nobody listens at yet.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn receive(stream: UnixStream, end: Instant) -> io::Result<(Taken, UnixStream)> {
    let line = stream.try_clone()?;
    write_all(stream.as_fd(), GREETING)?;
    let mut reader = Reader::new(stream);
    let mut taken = Vec::new();
    while let Some((kind, v6)) = next_offer(&mut reader, end)? {
        taken.push((kind, v6, reader.take_fd()?));
        if taken.len() > MOST {
            return Err(io::Error::other("there is no end of listeners"));
        }
    }
    Ok((taken, line))
}

fn next_offer(reader: &mut Reader, end: Instant) -> io::Result<Option<(ListenKind, bool)>> {
    let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    reader.socket().set_read_timeout(Some(left))?;
    match reader.next()? {
        Some(Offer::Listener { kind, v6 }) => Ok(Some((kind, v6))),
        Some(Offer::Complete) => Ok(None),
        Some(Offer::Refused) => Err(io::Error::other("it speaks another version")),
        None => Err(io::Error::other("it has gone, or has given them to another")),
    }
}

fn checked(taken: Taken) -> Result<InsideListeners, SandboxError> {
    if ![false, true].into_iter().any(|v6| are(&taken, &plan::network(v6))) {
        return Err(not_those());
    }
    let mut listeners = InsideListeners::default();
    taken.into_iter().for_each(|(kind, _, socket)| listeners.add(kind, socket));
    Ok(listeners)
}

/// Whether they are the listeners of this network, each one and in order.
fn are(taken: &Taken, network: &[Step]) -> bool {
    let wanted: Vec<_> = network.iter().filter_map(as_listener).collect();
    taken.len() == wanted.len()
        && taken.iter().zip(wanted).all(|((kind, v6, socket), (wanted_kind, wanted_v6, port))| {
            (*kind, *v6) == (wanted_kind, wanted_v6)
                && is_listener(socket, wanted_kind, wanted_v6, port).unwrap_or(false)
        })
}

fn as_listener(step: &Step) -> Option<(ListenKind, bool, u16)> {
    match step {
        Step::Listen { kind, v6, port } => Some((*kind, *v6, *port)),
        _ => None,
    }
}

fn not_taken(socket: &Path, error: &io::Error) -> SandboxError {
    SandboxError::new(format!("cannot take the listeners at `{}`: {error}", socket.display()))
        .with_hint("the holder's log says why: `docker logs bottle-holder-…`")
}

#[cfg(test)]
mod tests;
