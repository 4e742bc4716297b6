//! How the processes of this tool serve: a runtime of one thread per core, each with a listener of its own on the same port.
//! No work moves between threads, and no lock is shared: the cheapest that there is.
use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use tokio::net::TcpStream;

/// Serves each connection on a port of loopback that the system chooses, until the process ends. Prints `listening on ADDRESS`
/// when clients may come. What goes wrong on a connection ends that one alone.
pub(crate) fn run<F, A>(serve: F) -> Result<()>
where
    F: Fn(TcpStream) -> A + Clone + Send + 'static,
    A: Future<Output = Result<()>> + 'static,
{
    crate::limits::raise();
    let first = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = first.local_addr()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut listeners = vec![first];
    for _ in 1..cores {
        listeners.push(listen(address)?);
    }
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let serve = serve.clone();
            thread::spawn(move || worker(listener, &serve))
        })
        .collect();
    println!("listening on {address}");
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??;
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).with_context(|| format!("cannot listen on {address}"))?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn worker<F, A>(listener: TcpListener, serve: &F) -> Result<()>
where
    F: Fn(TcpStream) -> A,
    A: Future<Output = Result<()>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            // A process without descriptors left can still serve whom it has.
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                continue;
            };
            tcp.set_nodelay(true)?;
            let connection = serve(tcp);
            tokio::task::spawn_local(async move {
                let _ended = connection.await;
            });
        }
    })
}
