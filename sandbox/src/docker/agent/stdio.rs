//! The agent's standard input and output: a terminal's stream, or the launcher's own descriptors.
use crate::docker::line::{Chunk, Input, Line, Output};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Chunks on their way; then whoever writes waits.
const QUEUE: usize = 16;
/// Bytes of a chunk.
const CHUNK: usize = 32 * 1024;

/// Joins them. With a terminal: the stream to relay. The task ends when all that the agent wrote has been passed on.
pub(super) fn join(line: Line, tty: bool) -> io::Result<(Option<OwnedFd>, JoinHandle<()>)> {
    let Line { input, output } = line;
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
        if input.write(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

async fn show(mut output: Output, mut screen: tokio::net::unix::OwnedWriteHalf) {
    while let Some(Chunk::Output(bytes) | Chunk::Error(bytes)) = next(&mut output).await {
        if screen.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// `None` at the end, whichever it is; one that came too early is said.
async fn next(output: &mut Output) -> Option<Chunk> {
    output.next().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the agent's output");
        eprintln!("bottle: warning: the agent's output may not be whole: {error}");
        None
    })
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
        if input.write(&chunk).await.is_err() {
            return;
        }
    }
    let _closed_already = input.end().await;
}

/// Writes on a thread of its own: whoever reads the launcher's output may let it wait.
async fn pass_on(mut output: Output) {
    let (chunks, mut queue) = channel::<Chunk>(QUEUE);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(chunk) = queue.blocking_recv() {
            if write(&chunk).is_err() {
                return;
            }
        }
    });
    while let Some(chunk) = next(&mut output).await {
        if chunks.send(chunk).await.is_err() {
            break;
        }
    }
    drop(chunks);
    let _written = writer.await;
}

fn write(chunk: &Chunk) -> io::Result<()> {
    match chunk {
        Chunk::Error(bytes) => {
            let mut to = io::stderr().lock();
            to.write_all(bytes).and_then(|()| to.flush())
        }
        Chunk::Output(bytes) => {
            let mut to = io::stdout().lock();
            to.write_all(bytes).and_then(|()| to.flush())
        }
    }
}
