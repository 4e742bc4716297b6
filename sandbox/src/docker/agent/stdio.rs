//! The agent's standard input and output: a terminal's stream, or the launcher's own descriptors.
use bollard::container::{AttachContainerResults, LogOutput};
use futures_util::StreamExt as _;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Chunks on their way; then whoever writes waits.
const QUEUE: usize = 16;
/// Bytes of a chunk.
const CHUNK: usize = 32 * 1024;

type Output = Pin<Box<dyn futures_util::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Joins them. With a terminal: the stream to relay. The task ends when all that the agent wrote has been passed on.
pub(super) fn join(
    attached: AttachContainerResults,
    tty: bool,
) -> io::Result<(Option<OwnedFd>, JoinHandle<()>)> {
    let AttachContainerResults { output, input } = attached;
    if tty {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        let (reading, writing) = tokio::net::UnixStream::from_std(theirs)?.into_split();
        drop(tokio::spawn(type_in(reading, input)));
        return Ok((Some(ours.into()), tokio::spawn(show(output, writing))));
    }
    drop(tokio::spawn(feed(read_standard_input(), input)));
    Ok((None, tokio::spawn(pass_on(output))))
}

async fn type_in(mut keys: tokio::net::unix::OwnedReadHalf, mut input: Input) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = keys.read(&mut chunk).await {
        if input.write_all(&chunk[..read]).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
}

async fn show(mut output: Output, mut screen: tokio::net::unix::OwnedWriteHalf) {
    while let Some(Ok(chunk)) = output.next().await {
        if screen.write_all(&chunk.into_bytes()).await.is_err() {
            return;
        }
    }
}

/// A thread, because reading a file or a terminal cannot be broken off; it ends with the process.
fn read_standard_input() -> Receiver<Vec<u8>> {
    let (chunks, queue) = channel(QUEUE);
    std::thread::spawn(move || read(&chunks));
    queue
}

fn read(chunks: &Sender<Vec<u8>>) {
    let mut input = io::stdin().lock();
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = input.read(&mut chunk) {
        if chunks.blocking_send(chunk[..read].to_vec()).is_err() {
            return;
        }
    }
}

/// The end of the launcher's standard input is the end of the agent's.
async fn feed(mut chunks: Receiver<Vec<u8>>, mut input: Input) {
    while let Some(chunk) = chunks.recv().await {
        if input.write_all(&chunk).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
    let _closed_already = input.shutdown().await;
    // Dropping it would close both directions of some connections.
    std::future::pending::<()>().await;
}

/// Writes on a thread of its own: whoever reads the launcher's output may let it wait.
async fn pass_on(mut output: Output) {
    let (chunks, mut queue) = channel::<LogOutput>(QUEUE);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(chunk) = queue.blocking_recv() {
            if write(chunk).is_err() {
                return;
            }
        }
    });
    while let Some(Ok(chunk)) = output.next().await {
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    drop(chunks);
    let _written = writer.await;
}

fn write(chunk: LogOutput) -> io::Result<()> {
    match chunk {
        LogOutput::StdErr { message } => {
            let mut to = io::stderr().lock();
            to.write_all(&message).and_then(|()| to.flush())
        }
        LogOutput::StdOut { message } | LogOutput::Console { message } => {
            let mut to = io::stdout().lock();
            to.write_all(&message).and_then(|()| to.flush())
        }
        LogOutput::StdIn { .. } => Ok(()),
    }
}
