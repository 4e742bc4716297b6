//! `bottle egress --probe`: whether an egress answers, for health checks in containers without a shell.
use crate::failure::{Failure, Outcome};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The whole question may take this long.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is read of an answer at most, in bytes; the pages of an egress are smaller.
const LONGEST: usize = 1 << 20;
/// Asked for through the proxy, so that an answer shows that requests are judged and not only that a port is open.
const QUESTION: &[u8] =
    b"GET http://_egress.local/routes.json HTTP/1.1\r\nHost: _egress.local\r\nConnection: close\r\n\r\n";

/// Exit code 0 when it answers, 1 with the reason when it does not.
pub(super) fn run(address: SocketAddr) -> Outcome {
    ask(address, PATIENCE)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|reason| Failure::new(format!("no egress answers at `{address}`: {reason}")).code(1))
}

fn ask(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(QUESTION)?;
    if is_an_egress(&answer(&mut stream, until)?) {
        return Ok(());
    }
    Err(io::Error::other("something else does"))
}

/// Everything up to the end of the stream. A peer that trickles is not waited for longer than one that is silent.
fn answer(stream: &mut TcpStream, until: Instant) -> io::Result<Vec<u8>> {
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    while read.len() < LONGEST {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => read.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Its own page, whole: a web server or another proxy on that port has none.
fn is_an_egress(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.starts_with("HTTP/1.1 200 ") && text.contains("\"routes\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What a probe hears from a server that says this and then waits for the other side.
    fn heard(said: &'static str) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut question = vec![0; QUESTION.len()];
            stream.read_exact(&mut question).expect("asked");
            stream.write_all(said.as_bytes()).expect("said");
            if said.is_empty() {
                // Silence: the other side leaves first.
                stream.read_to_end(&mut Vec::new()).expect("left");
            }
            question
        });
        let outcome = ask(address, Duration::from_millis(300));
        assert_eq!(server.join().expect("served"), QUESTION);
        outcome
    }

    #[test]
    fn only_the_page_of_an_egress_counts() {
        heard("HTTP/1.1 200 OK\r\n\r\n{\"routes\":[]}").expect("an egress");
        for other in
            ["HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 403 Forbidden\r\n\r\n{\"routes\":[]}", "SSH-2.0-x\r\n"]
        {
            let error = heard(other).expect_err("something else");
            assert_eq!(error.to_string(), "something else does", "{other}");
        }
    }

    #[test]
    fn silence_and_a_closed_port_are_not_waited_for() {
        assert_eq!(heard("").expect_err("silent").kind(), io::ErrorKind::TimedOut);
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("an address");
        let began = Instant::now();
        let failure = run(closed).expect_err("closed");
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(failure.code, 1);
        assert!(failure.what.contains(&closed.to_string()), "{}", failure.what);
    }
}
