//! An engine behind ssh: the user's own program with the user's own configuration and agent, one process per
//! connection, as Docker's client does it. Over there Docker's client joins standard input and output to the socket.
use super::super::endpoint::Ssh;
use super::stream::Stream;
use crate::SandboxError;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// Enough for what ssh says when it fails.
const MOST_SAID: usize = 4096;

/// A running `ssh`; dropping it ends it.
struct Connection {
    place: String,
    /// Until it is shut: a pipe has no end but to be closed.
    input: Option<ChildStdin>,
    output: ChildStdout,
    said: Arc<Mutex<Vec<u8>>>,
    /// Ends when ssh has said its last word.
    listening: JoinHandle<()>,
    /// Whether anything came from over there: until then, an end is a failure to get there.
    heard: bool,
    _process: Child,
}

pub(super) fn connect(ssh: &Ssh) -> Result<Stream, SandboxError> {
    let mut process = command(ssh).spawn().map_err(|error| cannot_start(&error))?;
    let (Some(input), Some(output), Some(errors)) =
        (process.stdin.take(), process.stdout.take(), process.stderr.take())
    else {
        return Err(SandboxError::new("`ssh` was started without pipes"));
    };
    let said = Arc::new(Mutex::default());
    let listening = tokio::spawn(listen(errors, said.clone()));
    let place = format!("ssh://{ssh}");
    let input = Some(input);
    Ok(Stream::new(Connection { place, input, output, said, listening, heard: false, _process: process }))
}

/// No shell here, and words that were checked over there ([`Ssh`] cannot hold others). It never asks anything, for the
/// terminal is the agent's; Ctrl-C in it is not for this process either.
fn command(ssh: &Ssh) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15"]);
    if let Some(user) = &ssh.user {
        command.args(["-l", user]);
    }
    if let Some(port) = ssh.port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", &ssh.host, "docker"]);
    if let Some(socket) = &ssh.socket {
        command.args(["--host", &format!("unix://{socket}")]);
    }
    command.args(["system", "dial-stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// Keeps the end of what ssh and the client over there say.
async fn listen(mut errors: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = errors.read(&mut buffer).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..count]);
        let excess = said.len().saturating_sub(MOST_SAID);
        said.drain(..excess);
    }
}

fn cannot_start(error: &io::Error) -> SandboxError {
    SandboxError::new(format!("cannot run `ssh`: {error}"))
        .with_hint("an `ssh://` engine is reached by the program ssh of this machine: install openssh-client")
}

impl Connection {
    /// Why it ended before anything came: ssh's own words, which may still be under way.
    fn ended(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(Pin::new(&mut self.listening).poll(context)).unwrap_or_default();
        Poll::Ready(io::Error::other(self.failed()))
    }

    fn failed(&self) -> SandboxError {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let line =
            text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it ended without a word");
        SandboxError::new(format!("cannot reach the engine at `{}`: ssh: {line}", self.place)).with_hint(format!(
            "this must work without a question: `ssh {} docker version`; load keys into ssh-agent, and log in once by \
             hand to accept the host's key",
            self.place
        ))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.output).poll_read(context, into);
        if let Poll::Ready(Ok(())) = polled {
            if into.filled().len() > before {
                self.heard = true;
            } else if !self.heard {
                return self.ended(context).map(Err);
            }
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(input) = &mut self.input else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        match Pin::new(input).poll_write(context, bytes) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe && !self.heard => {
                self.ended(context).map(Err)
            }
            polled => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.input.as_mut().map_or(Poll::Ready(Ok(())), |input| Pin::new(input).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        // Its own shutdown does nothing.
        drop(self.input.take());
        Poll::Ready(Ok(()))
    }
}
