//! Kept connections, by destination and credential.
use super::{Duplex, PoolIdentity};
use crate::body::Body;
use crate::dial::Failure;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use policy::{Host, Permitted, Scheme};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Idle h1 connections that are kept for one key: more than a package manager opens at once.
const IDLE_MOST: usize = 64;
/// Keys whose protocol is remembered; beyond it the idle ones are forgotten.
const KEYS_MOST: usize = 4096;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// What one connection is for, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    scheme: Scheme,
    host: Host,
    port: u16,
    identity: PoolIdentity,
}

impl Key {
    pub(super) fn new(permitted: &Permitted, identity: PoolIdentity) -> Key {
        let request = permitted.request();
        Key { scheme: request.scheme, host: request.host.clone(), port: request.port, identity }
    }
}

/// The sending end of a connection.
pub(super) enum Sender {
    H1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

impl Sender {
    pub(super) async fn h1(stream: Box<dyn Duplex>) -> Result<Sender, Failure> {
        let shaking = http1::Builder::new().handshake(TokioIo::new(stream));
        let (sender, connection) = shaking.await.map_err(|error| Failure::unreachable(&error.to_string()))?;
        // It ends by itself, with its sender or its peer; exchanges on it hear of an error themselves.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Sender::H1(sender))
    }

    pub(super) async fn h2(stream: impl Duplex + 'static) -> Result<Sender, Failure> {
        let shaking = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .handshake(TokioIo::new(stream));
        let (sender, connection) = shaking.await.map_err(|error| Failure::unreachable(&error.to_string()))?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Sender::H2(sender))
    }

    pub(super) fn is_h2(&self) -> bool {
        matches!(self, Sender::H2(_))
    }

    fn is_closed(&self) -> bool {
        match self {
            Sender::H1(sender) => sender.is_closed(),
            Sender::H2(sender) => sender.is_closed(),
        }
    }
}

/// A connection that may be spoken on.
pub(super) struct Lease {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
}

impl Lease {
    pub(super) fn new(sender: Sender, address: SocketAddr) -> Lease {
        Lease { sender, address }
    }
}

#[derive(Default)]
struct Kept {
    idle: Vec<(Lease, Instant)>,
    shared: Option<(http2::SendRequest<Body>, SocketAddr, Instant)>,
    speaks_h1: bool,
    opening: Arc<tokio::sync::Mutex<()>>,
}

/// All kept connections of one bottle.
pub(super) struct Pool {
    kept: Mutex<HashMap<Key, Kept>>,
    idle_time: Duration,
}

impl Pool {
    pub(super) fn new(idle_time: Duration) -> Arc<Pool> {
        let pool = Arc::new(Pool { kept: Mutex::default(), idle_time });
        tokio::spawn(sweep(Arc::downgrade(&pool), idle_time));
        pool
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A kept connection: the shared h2 one, or the h1 one that was used last.
    pub(super) fn take(&self, key: &Key) -> Option<Lease> {
        let mut all = self.kept();
        let kept = all.get_mut(key)?;
        kept.shared.take_if(|(sender, ..)| sender.is_closed());
        if let Some((sender, address, used)) = &mut kept.shared {
            *used = Instant::now();
            return Some(Lease::new(Sender::H2(sender.clone()), *address));
        }
        while let Some((lease, since)) = kept.idle.pop() {
            if since.elapsed() < self.idle_time && !lease.sender.is_closed() {
                return Some(lease);
            }
        }
        None
    }

    /// Whose turn it is to open a connection; `None` where the upstream is known to speak HTTP/1.1.
    pub(super) fn opening(&self, key: &Key) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let mut all = self.kept();
        if all.len() >= KEYS_MOST {
            all.retain(|_, kept| !kept.idle.is_empty() || kept.shared.is_some());
        }
        let kept = all.entry(key.clone()).or_default();
        (!kept.speaks_h1).then(|| Arc::clone(&kept.opening))
    }

    /// Remembers what the upstream speaks, and shares what can be shared.
    pub(super) fn learn(&self, key: &Key, lease: &Lease) {
        let mut all = self.kept();
        let kept = all.entry(key.clone()).or_default();
        kept.speaks_h1 = !lease.sender.is_h2();
        if let Sender::H2(sender) = &lease.sender {
            kept.shared = Some((sender.clone(), lease.address, Instant::now()));
        }
    }

    /// An h1 connection comes back when its answer was read whole; an h2 one is in the pool all the while.
    pub(super) fn give_back(self: &Arc<Pool>, key: Key, lease: Lease) {
        let Sender::H1(mut sender) = lease.sender else { return };
        let (pool, address) = (Arc::downgrade(self), lease.address);
        tokio::spawn(async move {
            if sender.ready().await.is_ok()
                && let Some(pool) = pool.upgrade()
            {
                pool.keep(key, Lease::new(Sender::H1(sender), address));
            }
        });
    }

    fn keep(&self, key: Key, lease: Lease) {
        let mut all = self.kept();
        let kept = all.entry(key).or_default();
        if kept.idle.len() < IDLE_MOST {
            kept.idle.push((lease, Instant::now()));
        }
    }

    /// Drops what nobody used for the idle time.
    fn prune(&self) {
        let time = self.idle_time;
        self.kept().retain(|_, kept| {
            kept.idle.retain(|(lease, since)| since.elapsed() < time && !lease.sender.is_closed());
            // Dropping the pool's sender lets running streams end; new requests open another connection.
            kept.shared.take_if(|(sender, _, used)| sender.is_closed() || used.elapsed() >= time);
            !kept.idle.is_empty() || kept.shared.is_some() || Arc::strong_count(&kept.opening) > 1
        });
    }

    pub(super) fn clear(&self) {
        self.kept().clear();
    }
}

async fn sweep(pool: Weak<Pool>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.prune();
    }
}
