//! Server configurations by host: bounded, least recently used out first.
use policy::Host;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The cache. Ten thousand names cost no more memory than `limit` of them.
pub(super) struct Configs {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clock: u64,
    entries: HashMap<Host, Entry>,
}

struct Entry {
    config: Arc<ServerConfig>,
    renew: SystemTime,
    used: u64,
}

impl Configs {
    pub(super) fn new(limit: usize) -> Configs {
        Configs { limit, state: Mutex::default() }
    }

    pub(super) fn get(&self, host: &Host, now: SystemTime) -> Option<Arc<ServerConfig>> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.get_mut(host).filter(|entry| now < entry.renew)?;
        entry.used = clock;
        Some(entry.config.clone())
    }

    /// Gives the configuration to use: this one, or that of a caller who was faster and whose tickets are out already.
    pub(super) fn insert(
        &self,
        host: &Host,
        config: Arc<ServerConfig>,
        renew: SystemTime,
    ) -> Arc<ServerConfig> {
        let mut state = self.lock();
        if let Some(entry) = state.entries.get(host).filter(|entry| entry.renew >= renew) {
            return entry.config.clone();
        }
        if state.entries.len() >= self.limit {
            state.drop_oldest_quarter();
        }
        state.clock += 1;
        let used = state.clock;
        state.entries.insert(host.clone(), Entry { config: config.clone(), renew, used });
        config
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A quarter at once: a flood of names pays for one sort in many inserts.
    fn drop_oldest_quarter(&mut self) {
        let mut used: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
        used.sort_unstable();
        let oldest_kept = used.get(used.len() / 4).copied().unwrap_or(0);
        self.entries.retain(|_, entry| entry.used > oldest_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CertificateAuthority;
    use std::time::Duration;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn a_flood_of_names_stays_within_the_limit_and_spares_what_is_in_use() {
        let config = CertificateAuthority::generate("t").unwrap().server_config(&host("a.test")).unwrap();
        let cache = Configs::new(16);
        let now = SystemTime::now();
        let renew = now + Duration::from_secs(60);
        cache.insert(&host("kept.test"), config.clone(), renew);
        for n in 0..200 {
            cache.insert(&host(&format!("n{n}.test")), config.clone(), renew);
            assert!(cache.get(&host("kept.test"), now).is_some(), "lost after {n}");
        }
        assert!(cache.lock().entries.len() <= 16);
    }

    #[test]
    fn what_is_due_is_not_given() {
        let config = CertificateAuthority::generate("t").unwrap().server_config(&host("a.test")).unwrap();
        let cache = Configs::new(16);
        let now = SystemTime::now();
        cache.insert(&host("a.test"), config, now + Duration::from_secs(5));
        assert!(cache.get(&host("a.test"), now).is_some());
        assert!(cache.get(&host("a.test"), now + Duration::from_secs(5)).is_none());
    }
}
