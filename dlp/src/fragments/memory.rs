//! What went to each host.
use super::index::Value;
use super::marks::Marks;
use super::{Bits, Collector, Fragments, locked};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The pieces that went to each host: bounded in hosts, values and time. Cheap to clone: all clones are one memory.
///
/// A host takes as many bytes as the values of which pieces went there have, twice at most; hosts to which none went take none.
#[derive(Clone)]
pub struct Memory {
    hosts: Arc<Mutex<HashMap<Arc<str>, Past>>>,
    most: usize,
    age: u64,
}

/// Two spans of time, so that what is older than two of them is forgotten, and nothing before one is over.
struct Past {
    now: Marks,
    before: Marks,
    begun: u64,
    seen: u64,
}

/// One host of a memory.
#[derive(Clone)]
pub(super) struct Host {
    memory: Memory,
    name: Arc<str>,
    tick: u64,
}

impl Memory {
    /// Of at most so many hosts (the one that was longest not sent to gives way) and, for a piece, between one and two times
    /// `age` ticks, whatever the caller's ticks are.
    pub fn new(hosts: usize, age: u64) -> Memory {
        Memory { hosts: Arc::default(), most: hosts.max(1), age: age.max(1) }
    }

    /// For an exchange with this host at this tick. `fragments` may be others than before: a value that is still sought keeps
    /// its marks.
    pub fn collector(&self, fragments: Fragments, host: &str, tick: u64) -> Collector {
        let host = Host { memory: self.clone(), name: host.to_ascii_lowercase().into(), tick };
        Collector::to_host(fragments, host)
    }

    /// Hosts of which something is remembered.
    pub fn hosts(&self) -> usize {
        locked(&self.hosts).len()
    }
}

impl Host {
    /// Whether what went there of late is enough, with this.
    pub(super) fn mark(&self, value: &Value, bits: Bits) -> bool {
        let mut hosts = locked(&self.memory.hosts);
        let fresh =
            || Past { now: Marks::default(), before: Marks::default(), begun: self.tick, seen: self.tick };
        let past = hosts.entry(self.name.clone()).or_insert_with(fresh);
        past.turn(self.tick, self.memory.age);
        past.now.mark(value, bits.clone());
        let mut all = past.now.of(value);
        all.join(&past.before.of(value));
        let enough = all.mark(value, bits);
        self.memory.forget(&mut hosts, self.tick);
        enough
    }
}

impl Memory {
    fn forget(&self, hosts: &mut HashMap<Arc<str>, Past>, tick: u64) {
        if hosts.len() <= self.most {
            return;
        }
        hosts.retain(|_, past| {
            past.turn_to(tick, self.age);
            !past.now.is_empty() || !past.before.is_empty()
        });
        while hosts.len() > self.most {
            let oldest = hosts.iter().min_by_key(|(_, past)| past.seen).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { return };
            hosts.remove(&oldest);
        }
    }
}

impl Past {
    fn turn(&mut self, tick: u64, age: u64) {
        self.turn_to(tick, age);
        self.seen = self.seen.max(tick);
    }

    fn turn_to(&mut self, tick: u64, age: u64) {
        let passed = tick.saturating_sub(self.begun);
        if passed < age {
            return;
        }
        let now = std::mem::take(&mut self.now);
        self.before = if passed < 2 * age { now } else { Marks::default() };
        self.begun = tick;
    }
}
