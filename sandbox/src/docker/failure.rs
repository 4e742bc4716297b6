//! What an engine's refusal means to the user.
use crate::SandboxError;
use bollard::errors::Error;
use std::time::{Duration, Instant};

/// How long an engine may take to clean up behind a container that ended.
const CLEAN_UP: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// The engine's answer to what was asked of it, as an error of ours: `cannot {what}: {answer}`.
pub(crate) fn failed(what: &str, error: Error) -> SandboxError {
    match error {
        // The transport's own failure says everything already, with its way out.
        Error::IOError { err } => match err.downcast::<SandboxError>() {
            Ok(ours) => ours,
            Err(err) => SandboxError::new(format!("cannot {what}: {err}")),
        },
        Error::DockerResponseServerError { status_code, message } => {
            SandboxError::new(format!("cannot {what}: {} (status {status_code})", sentence(&message)))
        }
        Error::DockerStreamError { error } => {
            SandboxError::new(format!("cannot {what}: {}", sentence(&error)))
        }
        Error::RequestTimeoutError => SandboxError::new(format!(
            "cannot {what}: the engine did not answer in time"
        ))
        .with_hint("look whether it hangs: `docker info` (or `podman info`) answers at once when it is well"),
        other => SandboxError::new(format!("cannot {what}: {other}")),
    }
}

/// Whether the thing asked about is not there (status 404).
pub(crate) fn is_missing(error: &Error) -> bool {
    has_status(error, 404)
}

/// Whether the engine answered with this HTTP status.
pub(crate) fn has_status(error: &Error, wanted: u16) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code, .. } if *status_code == wanted)
}

/// Engines end some of their sentences with a full stop or a line's end.
fn sentence(message: &str) -> &str {
    message.trim().trim_end_matches('.')
}

/// Asks until the answer can be read. Podman calls a container `stopped` between its end and its clean-up; Docker's API has
/// no such word, and the client reads nothing of an answer with it.
pub(crate) async fn until_readable<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match ask().await {
            Err(Error::JsonDataError { .. } | Error::JsonSerdeError { .. }) if start.elapsed() < CLEAN_UP => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
