//! Published ports: connections to 127.0.0.1 of the host that end at a server inside.
use crate::failure::Failure;
use manifest::plan::PortPlan;
use sandbox::{Door, Stream};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections to published ports at once; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 512;

/// The listeners.
#[derive(Debug)]
pub struct Ports {
    listeners: Vec<(PortPlan, TcpListener)>,
    room: Arc<Semaphore>,
}

impl Ports {
    /// Listens on 127.0.0.1 only: what runs inside is not for the network.
    pub fn open(plans: &[PortPlan]) -> Result<Ports, Failure> {
        let listeners =
            plans.iter().map(|plan| Ok((*plan, listen(*plan)?))).collect::<Result<_, Failure>>()?;
        Ok(Ports { listeners, room: Arc::new(Semaphore::new(MOST_CONNECTIONS)) })
    }

    /// What to wait for; nothing while there are too many connections.
    pub fn interest(&self) -> Vec<BorrowedFd<'_>> {
        let open = self.room.available_permits() > 0;
        self.listeners.iter().filter(|_| open).map(|(_, listener)| listener.as_fd()).collect()
    }

    /// Joins every connection that waits to the server inside. One that nothing inside answers is closed.
    pub fn accept(&self, bottle: &Arc<dyn Door>, runtime: &Handle) {
        for (plan, listener) in &self.listeners {
            while let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
                let Ok((outside, _)) = listener.accept() else { break };
                drop(runtime.spawn(join(outside, Arc::clone(bottle), plan.inside, permit)));
            }
        }
    }
}

fn listen(plan: PortPlan) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, plan.host)).map_err(|error| {
        Failure::new(format!("cannot publish port {}: 127.0.0.1:{}: {error}", plan.inside, plan.host))
            .help(format!("publish it elsewhere: `ports: [\"OTHER:{}\"]`", plan.inside))
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The server inside may let us wait, so that the launcher's loop must not be the one that asks.
async fn join(outside: TcpStream, bottle: Arc<dyn Door>, port: u16, permit: OwnedSemaphorePermit) {
    let inside = tokio::task::spawn_blocking(move || bottle.connect(port)).await;
    match inside {
        Ok(Ok(inside)) => copy(outside, inside, port).await,
        Ok(Err(error)) => tracing::info!(port, %error, "nothing inside answers on a published port"),
        Err(error) => tracing::warn!(port, %error, "a published port"),
    }
    drop(permit);
}

async fn copy(outside: TcpStream, inside: Stream, port: u16) {
    let copied = async {
        let mut outside = nonblocking(outside)?;
        match inside {
            Stream::Tcp(inside) => copy_bidirectional(&mut outside, &mut nonblocking(inside)?).await,
            Stream::Carried(inside) => {
                inside.set_nonblocking(true)?;
                copy_bidirectional(&mut outside, &mut UnixStream::from_std(inside)?).await
            }
        }
    };
    if let Err(error) = copied.await {
        tracing::debug!(port, %error, "a connection to a published port broke off");
    }
}

fn nonblocking(stream: TcpStream) -> std::io::Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    tokio::net::TcpStream::from_std(stream)
}
