//! How the processes of this tool serve: a runtime of one thread per core; connections are dealt out in turn and stay where they are.
//! No work moves between threads, and no lock is shared: the cheapest that there is, and no core is left with all of it by chance.
use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream as StdStream};
use std::thread;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What is read ahead of TLS, in bytes: rustls asks for 4 KiB at a time, which would be five system calls for each full record.
pub(crate) const AHEAD: usize = 32 * 1024;

/// Serves each connection on a port of loopback that the system chooses, until the process ends. Prints `listening on ADDRESS`
/// when clients may come. What goes wrong on a connection ends that one alone.
pub(crate) fn run<F, A>(serve: F) -> Result<()>
where
    F: Fn(TcpStream) -> A + Clone + Send + 'static,
    A: Future<Output = Result<()>> + 'static,
{
    crate::limits::raise();
    let listener = listen()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers: Vec<_> = (0..cores)
        .map(|_| {
            let (sender, dealt) = unbounded_channel();
            let serve = serve.clone();
            thread::spawn(move || worker(dealt, &serve));
            sender
        })
        .collect();
    println!("listening on {}", listener.local_addr()?);
    for worker in workers.iter().cycle() {
        let Ok((tcp, _)) = listener.accept() else {
            // Without descriptors left it can still serve whom it has.
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        worker.send(tcp).ok().context("a worker ended")?;
    }
    Ok(())
}

fn listen() -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).context("no port is free")?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn worker<F, A>(mut dealt: UnboundedReceiver<StdStream>, serve: &F) -> Result<()>
where
    F: Fn(TcpStream) -> A,
    A: Future<Output = Result<()>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        while let Some(tcp) = dealt.recv().await {
            tcp.set_nonblocking(true)?;
            tcp.set_nodelay(true)?;
            let connection = serve(TcpStream::from_std(tcp)?);
            tokio::task::spawn_local(async move {
                let _ended = connection.await;
            });
        }
        Ok(())
    })
}
