//! Standard input and output of a sidecar.
use super::line::{Chunk, Line, Output};
use std::pin::Pin;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// Bytes on the way from a sidecar that nobody has read yet.
const BUFFER: usize = 256 * 1024;
/// Of a line of a sidecar's log.
const LONGEST_LINE: usize = 4096;
/// Lines of a sidecar's log that are written down at once, and how many more each second: whoever takes a sidecar over
/// does not fill the launcher's disk.
const MOST_LINES: f64 = 1000.0;
const LINES_A_SECOND: f64 = 20.0;

/// Both directions of a sidecar.
pub struct Wire {
    /// Towards it.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// From it. What it says on standard error goes to the log.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
}

/// Takes standard output and standard error apart.
pub(crate) fn split(line: Line) -> Wire {
    let Line { input, output } = line;
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    drop(tokio::spawn(sort(output, theirs)));
    Wire { input: input.into_writer(), output: Box::new(ours) }
}

async fn sort(mut output: Output, mut reports: DuplexStream) {
    let mut log = Log::new(Instant::now());
    loop {
        match output.next().await {
            Ok(Some(Chunk::Error(bytes))) => {
                log.take(&bytes, Instant::now(), |line| tracing::info!("{line}"))
            }
            Ok(Some(Chunk::Output(bytes))) => {
                if reports.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "the line to the sidecar"),
        }
    }
}

/// Whole lines of a sidecar, with nothing in them that a terminal would obey, and not without end.
struct Log {
    line: Vec<u8>,
    /// Lines that may still be written down.
    room: f64,
    since: Instant,
    left_out: u64,
}

impl Log {
    fn new(now: Instant) -> Log {
        Log { line: Vec::new(), room: MOST_LINES, since: now, left_out: 0 }
    }

    fn take(&mut self, bytes: &[u8], now: Instant, mut write: impl FnMut(String)) {
        let fresh = now.saturating_duration_since(self.since).as_secs_f64() * LINES_A_SECOND;
        (self.room, self.since) = ((self.room + fresh).min(MOST_LINES), now);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let more = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(more)]);
            if piece.ends_with(b"\n") {
                self.end_line(&mut write);
            }
        }
    }

    fn end_line(&mut self, write: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.line);
        if self.room < 1.0 {
            self.left_out += 1;
            return;
        }
        self.room -= 1.0;
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            write(format!("sidecar: {left_out} lines were left out here"));
        }
        let text = String::from_utf8_lossy(&line);
        write(format!("sidecar: {}", text.trim_end_matches('\n').escape_debug()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lines_come_whole_and_harmless_however_they_are_cut() {
        let (start, mut lines) = (Instant::now(), Vec::new());
        let mut log = Log::new(start);
        for bytes in [&b"one\ntw"[..], b"o \x1b[2J\n", b"", &[b'x'; 10_000], b"\nlast"] {
            log.take(bytes, start, |line| lines.push(line));
        }
        assert_eq!(lines[..2], ["sidecar: one".to_owned(), "sidecar: two \\u{1b}[2J".to_owned()]);
        assert_eq!((lines.len(), lines[2].len()), (3, LONGEST_LINE + "sidecar: ".len()));
    }

    #[test]
    fn a_sidecar_that_writes_without_end_fills_no_disk() {
        let (start, mut lines) = (Instant::now(), Vec::new());
        let mut log = Log::new(start);
        for _ in 0..1000 {
            log.take(&b"noise\n".repeat(1000), start, |line| lines.push(line));
        }
        assert_eq!(lines.len(), 1000);
        assert!(log.line.is_empty(), "nothing waits");
        log.take(b"later\n", start + Duration::from_secs(1), |line| lines.push(line));
        assert_eq!(lines[1000..], ["sidecar: 999000 lines were left out here", "sidecar: later"]);
    }
}
