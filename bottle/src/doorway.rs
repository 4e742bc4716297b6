//! Connections to what this machine's programs are served: bounded in number, size and time, and told of the end.
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as stop};

/// Bytes of a head.
const HEAD: usize = 16 * 1024;
/// How long a head may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes connections until the end, `most` at once; one too many is closed at once.
pub(crate) async fn accept<A, F, B>(
    listener: TcpListener,
    most: usize,
    mut stopped: stop::Receiver<bool>,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match (taken, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                tokio::spawn(serve(stream, place, stopped.clone(), answer.clone()));
            }
            (Ok(_one_too_many), Err(_)) => {}
            // No more descriptors, for example: others are closed meanwhile.
            (Err(_), _) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve<A, F, B>(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    mut stopped: stop::Receiver<bool>,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    let _slower_without = stream.set_nodelay(true);
    let answering = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), answering);
    tokio::pin!(connection);
    tokio::select! {
        _client_is_gone = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _client_is_gone = connection.await;
}
