//! The size of an agent's window.
use super::super::connect::Engine;
use bollard::query_parameters::ResizeContainerTTYOptions;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Before the engine is asked once more, and again: of a container that has only just begun, some know no window yet.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1)];

/// Asks for one size after the other, so that two cannot pass each other on their way, and for the last one only.
pub(super) struct Window(watch::Sender<(u16, u16)>);

impl Window {
    /// Of a container's terminal; until this is dropped.
    pub(super) fn of(engine: Engine, container: String, runtime: &Handle) -> Window {
        let (wishes, wish) = watch::channel((0, 0));
        drop(runtime.spawn(follow(engine, container, wish)));
        Window(wishes)
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        self.0.send_replace((rows, columns));
    }
}

async fn follow(engine: Engine, container: String, mut wish: watch::Receiver<(u16, u16)>) {
    while wish.changed().await.is_ok() {
        for pause in PAUSES {
            let (rows, columns) = *wish.borrow_and_update();
            let options = ResizeContainerTTYOptions { h: i32::from(rows), w: i32::from(columns) };
            let Err(error) = engine.api().resize_container_tty(&container, options).await else { break };
            tracing::debug!(%error, "the agent's window was not resized");
            tokio::time::sleep(pause).await;
        }
    }
}
