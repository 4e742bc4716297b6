//! Standard input and output of a container.
use super::connect::Engine;
use super::failure::failed;
use crate::SandboxError;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::AttachContainerOptions;
use futures_util::StreamExt as _;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// Bytes on the way from a sidecar that nobody has read yet.
const BUFFER: usize = 256 * 1024;
/// Of a line of a sidecar's log.
const LONGEST_LINE: usize = 4096;

/// Both directions of a sidecar.
pub struct Wire {
    /// Towards it.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// From it. What it says on standard error goes to the log.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
}

pub(crate) async fn attach(engine: &Engine, name: &str) -> Result<AttachContainerResults, SandboxError> {
    let options = AttachContainerOptions {
        stream: true,
        stdin: true,
        stdout: true,
        stderr: true,
        ..Default::default()
    };
    let attached = engine.patient().attach_container(name, Some(options)).await;
    attached.map_err(|error| failed(&format!("attach to the container `{name}`"), error))
}

/// Takes standard output and standard error apart.
pub(crate) fn split(attached: AttachContainerResults) -> Wire {
    let AttachContainerResults { output, input } = attached;
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    drop(tokio::spawn(sort(output, theirs)));
    Wire { input, output: Box::new(ours) }
}

type Output = Pin<Box<dyn futures_util::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

async fn sort(mut output: Output, mut reports: DuplexStream) {
    let mut log = Vec::new();
    while let Some(Ok(chunk)) = output.next().await {
        match chunk {
            LogOutput::StdErr { message } => lines(&mut log, &message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                if reports.write_all(&message).await.is_err() {
                    return;
                }
            }
            LogOutput::StdIn { .. } => {}
        }
    }
}

/// Whole lines go to the log, with nothing in them that a terminal would obey.
fn lines(log: &mut Vec<u8>, bytes: &[u8]) {
    log.extend_from_slice(bytes);
    while let Some(end) = log.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = log.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line[..end.min(LONGEST_LINE)]).into_owned();
        tracing::info!("sidecar: {}", text.escape_debug());
    }
    log.truncate(LONGEST_LINE);
}
