//! Where an exchange is broken off: the task that serves it ends, in the middle of whatever it wrote.
//!
//! An agent must not take half an answer for a whole one. What is cut ends without a farewell: no closing alert in TLS,
//! a reset of the TCP connection or of the HTTP/2 stream.
use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static CUT: CancellationToken;
}

/// What ends the h1 connection or h2 stream that this task serves.
pub(crate) fn here() -> CancellationToken {
    CUT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs until it ends or is cut.
pub(crate) fn cuttable<S: Future + Send>(
    cut: CancellationToken,
    serving: S,
) -> impl Future<Output = ()> + use<S> {
    // Boxed: what is around it would have room for it twice more.
    let serving = Box::pin(serving);
    async move {
        CUT.scope(cut.clone(), cut.run_until_cancelled(serving)).await;
    }
}

/// Runs a stream of an h2 connection so that it can be cut by itself.
pub(crate) fn apart(stream: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(cuttable(CancellationToken::new(), stream));
}
