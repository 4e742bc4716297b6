//! A running agent's container.
mod door;
mod stdio;
mod window;

pub use door::{Door, DoorAt};

use super::connect::Engine;
use super::failure::failed;
use super::line::Line;
use crate::running::{Change, Ended, Running};
use crate::{SandboxError, running};
use bollard::errors::Error;
use bollard::query_parameters::{KillContainerOptions, WaitContainerOptions};
use futures_util::StreamExt as _;
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use window::Window;

/// How long what the agent wrote last may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long an engine may take to kill, and to say how its container ended.
const KILL_WAIT: Duration = Duration::from_secs(10);

/// What a running agent is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) runtime: Handle,
    pub(crate) container: String,
    pub(crate) tty: bool,
    pub(crate) line: Line,
    pub(crate) waiting: JoinHandle<Result<i64, SandboxError>>,
    pub(crate) door: Door,
    pub(crate) size: Option<(u16, u16)>,
}

/// A running agent.
pub struct Inmate {
    engine: Engine,
    runtime: Handle,
    container: String,
    tty: Option<OwnedFd>,
    /// Of one with a terminal.
    window: Option<Window>,
    door: Arc<Door>,
    news: UnixStream,
    ends: Receiver<Ended>,
    ended: Option<Ended>,
}

impl Inmate {
    pub(crate) fn new(parts: Parts) -> Result<Inmate, SandboxError> {
        let Parts { engine, runtime, container, tty, line, waiting, door, size } = parts;
        let broken = |error: std::io::Error| SandboxError::new(format!("cannot watch the agent: {error}"));
        let (news, bell) = UnixStream::pair().map_err(broken)?;
        let (ended, ends) = channel();
        let (terminal, talk) = {
            let _on = runtime.enter();
            stdio::join(line, tty).map_err(broken)?
        };
        drop(runtime.spawn(async move {
            let code = waiting.await;
            // What it wrote last is still on its way.
            let _in_time = tokio::time::timeout(LAST_WORDS, talk).await;
            let how = match code {
                Ok(Ok(code)) => Ended::Exited(i32::try_from(code).unwrap_or(255)),
                // The engine is gone, or the container was taken away: as good as killed.
                _ => Ended::Signalled(libc::SIGKILL),
            };
            let _launcher_gone = ended.send(how);
            drop(bell);
        }));
        let window = tty.then(|| Window::of(engine.clone(), container.clone(), &runtime));
        let inmate = Inmate {
            engine,
            runtime,
            container,
            tty: terminal,
            window,
            door: Arc::new(door),
            news,
            ends,
            ended: None,
        };
        if let Some((rows, columns)) = size {
            inmate.resize(rows, columns);
        }
        Ok(inmate)
    }

    /// The agent's terminal, once: a stream of bytes in both directions.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.tty.take()
    }

    /// What kills the agent, from wherever that is found to be needed.
    pub fn killer(&self) -> impl Future<Output = ()> + Send + 'static {
        let (engine, container) = (self.engine.clone(), self.container.clone());
        async move {
            let options = KillContainerOptions { signal: libc::SIGKILL.to_string() };
            if let Err(error) = engine.api().kill_container(&container, Some(options)).await {
                tracing::warn!(%error, "the agent was not killed");
            }
        }
    }

    fn send(&self, signal: i32) -> Result<(), SandboxError> {
        let options = KillContainerOptions { signal: signal.to_string() };
        let killing = self.engine.api().kill_container(&self.container, Some(options));
        let killed = self.runtime.block_on(async { tokio::time::timeout(KILL_WAIT, killing).await });
        match killed {
            Err(_) => Err(SandboxError::new("the engine does not answer")),
            Ok(Err(Error::DockerResponseServerError { status_code: 404 | 409, .. })) | Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed("signal the agent", error)),
        }
    }
}

impl Running for Inmate {
    fn news(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    fn change(&mut self) -> Change {
        let ended = self.ended.unwrap_or_else(|| self.ends.recv().unwrap_or(Ended::Signalled(libc::SIGKILL)));
        self.ended = Some(ended);
        Change::Ended(ended)
    }

    fn starved(&self) -> bool {
        let asking = self.engine.api().inspect_container(&self.container, None);
        let answer = self.runtime.block_on(async { tokio::time::timeout(KILL_WAIT, asking).await });
        let state = answer.ok().and_then(Result::ok).and_then(|container| container.state);
        state.and_then(|state| state.oom_killed).unwrap_or(false)
    }

    fn signal(&self, signal: i32) -> Result<(), SandboxError> {
        self.send(signal)
    }

    fn kill(&mut self) {
        if self.ended.is_none()
            && let Err(error) = self.send(libc::SIGKILL)
        {
            tracing::warn!(error = error.what, "the agent was not killed; its container is removed by force");
        }
    }

    fn resize(&self, rows: u16, columns: u16) {
        if let Some(window) = &self.window {
            window.resize(rows, columns);
        }
    }

    fn door(&self) -> Arc<dyn running::Door> {
        Arc::clone(&self.door) as Arc<dyn running::Door>
    }
}

/// Waits for the container's end; asked before it starts, so that no end is missed.
pub(crate) fn wait(engine: &Engine, name: &str, runtime: &Handle) -> JoinHandle<Result<i64, SandboxError>> {
    let (engine, name) = (engine.clone(), name.to_owned());
    runtime.spawn(async move {
        let options = WaitContainerOptions { condition: "next-exit".into() };
        let api = engine.patient();
        let mut waiting = Box::pin(api.wait_container(&name, Some(options)));
        match waiting.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // The client takes every code but zero for an error.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(failed("wait for the agent", error)),
            None => Err(SandboxError::new("the engine broke off while the agent ran")),
        }
    })
}
