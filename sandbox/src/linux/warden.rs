//! The launcher's end of the bottle's warden: it is there before the bottle, and the bottle ends with it.
use super::hints;
use super::launch::{gone, out_of_order};
use super::step::{Step, Ward};
use super::wire::{Order, Reader, Report, send};
use crate::SandboxError;
use rustix::process::{Signal, pidfd_send_signal};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// A process that puts protection back; whoever started the bottle's first process waits for it. Dropping this ends it.
pub(crate) struct Warden {
    socket: UnixStream,
    /// Until it is told to begin: who holds a namespace keeps all that is mounted in it.
    namespaces: Option<[OwnedFd; 2]>,
    /// Why it gave up; 0 when it did not.
    failed: Arc<AtomicI32>,
}

impl Warden {
    /// A process that waits for its order at this socket.
    pub(crate) fn at(socket: UnixStream) -> Self {
        Self { socket, namespaces: None, failed: Arc::default() }
    }

    /// The bottle's user and mount namespaces, where it will stand.
    pub(crate) fn learn(&mut self, namespaces: [OwnedFd; 2]) {
        self.namespaces = Some(namespaces);
    }

    /// From here on it watches; the bottle whose first process this is ends with it.
    pub(crate) fn begin(&mut self, wards: Vec<Ward>, first: &OwnedFd) -> Result<(), SandboxError> {
        let [user, mount] = self.namespaces.take().ok_or_else(out_of_order)?;
        let order = Order::Watch { wards: wards.clone() };
        send(&self.socket, &order, &[user.as_fd(), mount.as_fd(), first.as_fd()]).map_err(|e| gone(&e))?;
        let mut reader = Reader::new(self.socket.try_clone().map_err(|e| gone(&e))?);
        match reader.next().map_err(|e| gone(&e))? {
            Some(Report::Ready) => {}
            Some(Report::Failed { errno, .. }) => {
                return Err(hints::failed(Some(&Step::Watch { wards }), errno));
            }
            _ => return Err(out_of_order()),
        }
        let (first, failed) = (first.try_clone().map_err(|e| gone(&e))?, Arc::clone(&self.failed));
        std::thread::spawn(move || outlive(reader, &first, &failed));
        Ok(())
    }

    /// Why it gave up, and the bottle with it.
    pub(crate) fn failure(&self) -> Option<std::io::Error> {
        let errno = self.failed.load(Ordering::Acquire);
        (errno != 0).then(|| std::io::Error::from_raw_os_error(errno))
    }
}

/// Whatever ended the warden: what it watched over is not protected any more.
fn outlive(mut reader: Reader, first: &OwnedFd, failed: &AtomicI32) {
    if let Ok(Some(Report::Failed { errno, .. })) = reader.next() {
        failed.store(errno, Ordering::Release);
    }
    let _dead_already = pidfd_send_signal(first, Signal::KILL);
}

impl Drop for Warden {
    fn drop(&mut self) {
        let _closed_already = self.socket.shutdown(Shutdown::Both);
    }
}
