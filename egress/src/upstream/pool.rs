//! Kept connections, apart by key.
use super::Key;
use super::connection::{Connection, Connector, Fresh, H1, Sender};
use super::porch::Porch;
use super::shared::{Line, Stay};
use policy::{Denial, Permitted};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Idle h1 connections kept per key: what a package manager opens at once.
const IDLE_PER_KEY: usize = 64;
/// h2 connections per key; beyond these, streams wait for their turn.
const H2_PER_KEY: usize = 16;

/// Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    places: Mutex<HashMap<Key, Arc<Place>>>,
    idle_time: Duration,
    checkout_time: Duration,
}

/// The connections of one key.
#[derive(Default)]
struct Place {
    kept: Mutex<Kept>,
    /// Held while the first connection is made: until it is known whether all can share it.
    first: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    h1: Vec<IdleH1>,
    h2: Vec<SharedH2>,
    /// Whether the upstream's last connection spoke HTTP/1.1, which serves one request at a time.
    speaks_h1: bool,
}

struct IdleH1 {
    sender: H1,
    porch: Porch,
    address: SocketAddr,
    since: Instant,
}

struct SharedH2 {
    line: Arc<Line>,
    address: SocketAddr,
    used: Instant,
}

/// Where an h1 connection goes when it is free again.
pub(super) struct Home {
    place: Weak<Place>,
    address: SocketAddr,
}

impl Home {
    /// Keeps it, or drops it when there are enough or its place was cleared.
    pub(super) fn welcome(self, sender: H1, porch: Porch) {
        let Some(place) = self.place.upgrade() else { return };
        let mut kept = place.lock();
        if kept.h1.len() < IDLE_PER_KEY {
            kept.h1.push(IdleH1 { sender, porch, address: self.address, since: Instant::now() });
        }
    }
}

impl Pool {
    pub(super) fn new(idle_time: Duration, checkout_time: Duration) -> Pool {
        let pool = Pool(Arc::new(Inner { places: Mutex::default(), idle_time, checkout_time }));
        tokio::spawn(sweep(Arc::downgrade(&pool.0), idle_time));
        pool
    }

    /// A kept connection of this key, or a new one.
    pub(super) async fn checkout(
        &self,
        key: &Key,
        connector: &Connector,
        to: &Permitted,
    ) -> Result<Connection, Box<Denial>> {
        let place = self.place(key);
        if let Some(kept) = place.take(self.0.idle_time) {
            return Ok(kept);
        }
        if place.lock().speaks_h1 {
            return self.dial(key, connector, to).await;
        }
        let first = tokio::time::timeout(self.0.checkout_time, place.first.lock()).await;
        let first = first.map_err(|_| late(to))?;
        match place.take(self.0.idle_time) {
            Some(kept) => Ok(kept),
            // Whoever was first found an h1 upstream: no reason to queue behind each other.
            None if place.lock().speaks_h1 => {
                drop(first);
                self.dial(key, connector, to).await
            }
            None => self.dial(key, connector, to).await,
        }
    }

    /// A new connection, shared from now on if it is h2.
    pub(super) async fn dial(
        &self,
        key: &Key,
        connector: &Connector,
        to: &Permitted,
    ) -> Result<Connection, Box<Denial>> {
        let place = self.place(key);
        // Boxed: five KiB that each request would carry along, and few of them need.
        let (fresh, address) = Box::pin(connector.connect(to)).await?;
        Ok(place.settle(fresh, address))
    }

    /// Forgets all: idle connections close at once, others after their exchange.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    fn place(&self, key: &Key) -> Arc<Place> {
        let mut places = self.0.lock();
        if let Some(place) = places.get(key) {
            return place.clone();
        }
        places.entry(key.clone()).or_default().clone()
    }
}

fn late(to: &Permitted) -> Box<Denial> {
    crate::dial::Failure::Timeout("another connection to it is still being made".to_owned()).denial(to)
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what was idle too long, and the places that are empty then: a flood of names leaves nothing behind.
    fn sweep(&self) {
        self.lock().retain(|_, place| {
            place.lock().expire(self.idle_time);
            !place.lock().is_empty() || Arc::strong_count(place) > 1
        });
    }
}

async fn sweep(pool: Weak<Inner>, idle_time: Duration) {
    loop {
        tokio::time::sleep((idle_time / 2).max(Duration::from_millis(100))).await;
        match pool.upgrade() {
            Some(pool) => pool.sweep(),
            None => return,
        }
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Place>, idle_time: Duration) -> Option<Connection> {
        let mut kept = self.lock();
        kept.expire_h2(idle_time);
        kept.take_h2().or_else(|| kept.take_h1(self, idle_time))
    }

    fn settle(self: &Arc<Place>, fresh: Fresh, address: SocketAddr) -> Connection {
        let mut kept = self.lock();
        let sender = match fresh {
            Fresh::H1(sender, porch) => {
                kept.speaks_h1 = true;
                Sender::H1(sender, Home { place: Arc::downgrade(self), address }, porch)
            }
            Fresh::H2(line) => {
                kept.speaks_h1 = false;
                let stay = Stay::on(&line);
                kept.h2.push(SharedH2 { line, address, used: Instant::now() });
                Sender::H2(stay)
            }
        };
        Connection { sender, address, reused: false }
    }
}

impl Kept {
    /// The most recently used one: the others may expire.
    fn take_h1(&mut self, place: &Arc<Place>, idle_time: Duration) -> Option<Connection> {
        while let Some(idle) = self.h1.pop() {
            if idle.sender.is_ready() && idle.since.elapsed() < idle_time {
                let home = Home { place: Arc::downgrade(place), address: idle.address };
                return Some(Connection {
                    sender: Sender::H1(idle.sender, home, idle.porch),
                    address: idle.address,
                    reused: true,
                });
            }
        }
        None
    }

    /// The first with room for a stream; any, when there are enough connections. None of them is over: that was seen to.
    fn take_h2(&mut self) -> Option<Connection> {
        let enough = self.h2.len() >= H2_PER_KEY;
        let free = self.h2.iter_mut().find(|shared| shared.has_room());
        let shared = match free {
            None if enough => self.h2.iter_mut().min_by_key(|shared| shared.line.open_streams()),
            free => free,
        }?;
        shared.used = Instant::now();
        let sender = Sender::H2(Stay::on(&shared.line));
        Some(Connection { sender, address: shared.address, reused: true })
    }

    fn expire(&mut self, idle_time: Duration) {
        self.h1.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < idle_time);
        self.expire_h2(idle_time);
    }

    fn expire_h2(&mut self, idle_time: Duration) {
        self.h2.retain(|shared| !shared.is_over(idle_time));
    }

    fn is_empty(&self) -> bool {
        self.h1.is_empty() && self.h2.is_empty()
    }
}

impl SharedH2 {
    fn has_room(&self) -> bool {
        self.line.open_streams() < self.line.streams()
    }

    /// An idle one is closed in any case: its last bytes may still wait for a peer that takes none.
    fn is_over(&self, idle_time: Duration) -> bool {
        let idle = self.line.open_streams() == 0 && self.used.elapsed() >= idle_time;
        if idle {
            self.line.close_soon();
        }
        idle || !self.line.is_usable()
    }
}
