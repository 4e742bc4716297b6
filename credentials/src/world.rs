//! The clock and the sources, so that tests own both.
use crate::TokenRef;
use crate::source::answer::Answer;
use crate::source::fetch;
use crate::source::file::Stamp;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// What a vault asks of its surroundings.
pub(crate) trait World: Send + Sync {
    /// Time since an arbitrary moment, suspension included; never goes back.
    fn uptime(&self) -> Duration;
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// The state of a file.
    fn stamp(&self, path: &Path) -> Option<Stamp>;
    /// Asks a source; blocking.
    fn fetch(&self, reference: &TokenRef) -> Result<Answer, String>;
}

/// This machine.
pub(crate) struct Host;

impl World for Host {
    fn uptime(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    fn stamp(&self, path: &Path) -> Option<Stamp> {
        Stamp::of(path)
    }
    fn fetch(&self, reference: &TokenRef) -> Result<Answer, String> {
        fetch(reference)
    }
}
