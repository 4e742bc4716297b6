//! Leaving descriptors to the kernel, where closing them takes long and nothing depends on it.
//!
//! What tells of changes (inotify) waits at its end until no processor is about to use it, up to twenty milliseconds; a folder
//! whose name is gone gives its place on the disk back, which on some disks is waited for. Whoever waits for this process would wait
//! along. A socket that holds its own other end, and is nobody's, is found by the kernel, and a thread of the kernel's closes what is
//! on its way in it (since Linux 6.10; before that, the process that closes the socket does, and waits).
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// In one message; the kernel takes 253.
const AT_ONCE: usize = 64;

/// Closes them, sooner or later. What cannot be left is closed here.
pub(super) fn to_the_kernel(descriptors: Vec<OwnedFd>) {
    let sockets: Vec<_> = descriptors.chunks(AT_ONCE).filter_map(|some| on_the_way(some).ok()).collect();
    // Before the sockets are: the last one to close them is to be the kernel.
    drop(descriptors);
    drop(sockets);
}

fn on_the_way(descriptors: &[OwnedFd]) -> io::Result<[UnixStream; 2]> {
    let (one, other) = UnixStream::pair()?;
    let all: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).chain([other.as_fd()]).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE + 1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&all));
    sendmsg(&one, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    drop(all);
    Ok([one, other])
}
