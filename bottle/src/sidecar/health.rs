//! Whether a sidecar's engine answers: a socket beside it, and the question that the container engine asks.
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// In the sidecar's own memory file system: nothing outside its container reaches it.
pub const SOCKET: &str = "/run/health.sock";
const ANSWER: &[u8] = b"well\n";
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers for as long as the process lives. Without a place for the socket (a sidecar that somebody runs by hand) there
/// is no health to ask for, which is no reason not to work.
pub fn answer(socket: &Path) {
    let _none_yet = std::fs::remove_file(socket);
    let Ok(listener) = UnixListener::bind(socket) else {
        tracing::warn!(socket = %socket.display(), "no health check: its socket cannot be made");
        return;
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // Who asks and does not listen has only himself to blame.
            let _heard = stream.write_all(ANSWER);
        }
    });
}

/// Asks.
pub fn is_well(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer == ANSWER)
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_while_it_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("health.sock");
        assert!(!is_well(&socket));
        answer(&socket);
        assert!(is_well(&socket));
    }
}
