//! The way to servers inside, through a container that can reach them: our binary there joins its standard input and
//! output to the port.
use crate::SandboxError;
use crate::docker::connect::Engine;
use crate::docker::failure::failed;
use crate::docker::line::{self, Chunk, Line};
use crate::running::{self, Stream};
use bollard::exec::CreateExecOptions;
use std::os::unix::net::UnixStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;

const CHUNK: usize = 32 * 1024;

/// Where the way begins.
#[derive(Debug, Clone)]
pub struct DoorAt {
    /// The container to execute in.
    pub container: String,
    /// The address to connect to from there; `None`: its own loopback addresses.
    pub address: Option<String>,
}

/// The way to servers inside.
pub struct Door {
    engine: Engine,
    runtime: Handle,
    at: DoorAt,
}

impl Door {
    pub(crate) fn new(engine: Engine, runtime: Handle, at: DoorAt) -> Door {
        Door { engine, runtime, at }
    }

    async fn open(&self, port: u16) -> Result<UnixStream, SandboxError> {
        let what = format!("connect to port {port} inside the bottle");
        let command = ["/bottle".to_owned(), "__splice".to_owned(), port.to_string()];
        let exec = CreateExecOptions {
            cmd: Some(command.into_iter().chain(self.at.address.clone()).collect()),
            // A program that is executed in a holder would begin with the holder's power over its network.
            user: Some(super::super::plan::SIDECAR_USER.to_owned()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let api = self.engine.patient();
        let made = api.create_exec(&self.at.container, exec).await.map_err(|error| failed(&what, error))?;
        let Line { mut input, mut output } = line::execute(&self.engine, &made.id, &what).await?;
        let broken = |error: std::io::Error| SandboxError::new(format!("cannot {what}: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(broken)?;
        theirs.set_nonblocking(true).map_err(broken)?;
        let (mut reading, mut writing) =
            tokio::net::UnixStream::from_std(theirs).map_err(broken)?.into_split();
        drop(tokio::spawn(async move {
            let mut chunk = vec![0; CHUNK];
            while let Ok(read @ 1..) = reading.read(&mut chunk).await {
                if input.write(&chunk[..read]).await.is_err() {
                    return;
                }
            }
            let _closed_already = input.end().await;
        }));
        drop(tokio::spawn(async move {
            while let Ok(Some(chunk)) = output.next().await {
                let written = match chunk {
                    Chunk::Error(said) => {
                        tracing::info!(port, "{}", String::from_utf8_lossy(&said).trim_end().escape_debug());
                        Ok(())
                    }
                    Chunk::Output(bytes) => writing.write_all(&bytes).await,
                };
                if written.is_err() {
                    return;
                }
            }
        }));
        Ok(ours)
    }
}

impl running::Door for Door {
    fn connect(&self, port: u16) -> Result<Stream, SandboxError> {
        self.runtime.block_on(self.open(port)).map(Stream::Carried)
    }
}
