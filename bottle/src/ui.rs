//! `bottle ui`: a web page on this machine alone that shows all running bottles and answers what they ask for.
//!
//! The page is in the binary ([`page`]). Whoever may load it gets nothing but text; whatever is behind it wants a session,
//! which a link opens once ([`keys`]), from a page of our own ([`gate`]). No cookies: a browser sends them to every port of a
//! host, and at another port of this one an agent's own server may listen (`ports`).
mod act;
mod gate;
mod keys;
mod page;
mod serve;
mod show;
mod stream;

use crate::failure::Failure;
use crate::kill_switch;
use crate::registry::Registry;
use keys::Keys;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How long pages are given to hear of the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running bottle and where it listens to its operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub slug: String,
    /// Its control socket.
    pub socket: PathBuf,
}

/// Knows which bottles run.
pub trait Roster: Send + Sync {
    /// Those that run now, by slug.
    /// # Errors
    /// When that cannot be found out.
    fn running(&self) -> Result<Vec<Found>, Failure>;
    /// Whether the kill switch of all bottles is on ([`crate::kill_switch`]).
    fn is_switched(&self) -> bool;
    /// Turns it, for those that start later too.
    /// # Errors
    /// When it cannot be turned.
    fn switch(&self, on: bool) -> Result<(), Failure>;
}

/// Those of this user on this machine.
#[derive(Debug)]
pub struct Machine;

impl Roster for Machine {
    fn running(&self) -> Result<Vec<Found>, Failure> {
        let registry = Registry::open()?;
        let found = |slug: String| Found { socket: registry.control(&slug), slug };
        Ok(registry.running()?.into_iter().map(|record| found(record.slug)).collect())
    }

    fn is_switched(&self) -> bool {
        kill_switch::is_on()
    }

    fn switch(&self, on: bool) -> Result<(), Failure> {
        kill_switch::set(on)
    }
}

/// A page that is served until this goes.
pub struct Ui {
    port: u16,
    keys: Arc<Keys>,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

impl Ui {
    /// Serves the page on 127.0.0.1; port 0: any that is free.
    /// # Errors
    /// When the port cannot be had.
    pub fn start(port: u16, roster: Arc<dyn Roster>) -> Result<Ui, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port))).map_err(|error| {
            Failure::new(format!("cannot listen at 127.0.0.1:{port}: {error}"))
                .help("choose another one with `--port`, or leave that out")
        })?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = watch::channel(false);
        let keys = Arc::new(Keys::default());
        let site = serve::Site::new(port, Arc::clone(&keys), roster, stopped);
        runtime.spawn(serve::accept(listener, Arc::new(site)));
        Ok(Ui { port, keys, stop, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new link to the page. It opens one session, once. The secret stands behind the `#`, which browsers send to nobody.
    pub fn link(&self) -> String {
        format!("http://127.0.0.1:{}/#token={}", self.port, self.keys.link())
    }

    /// Waits until a link was used that was not before; false when the time is over first.
    pub fn opened_within(&self, time: Duration) -> bool {
        self.keys.opened_within(time)
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        let _nobody_watches = self.stop.send(true);
        let Some(runtime) = self.runtime.take() else { return };
        runtime.block_on(async {
            // Whoever still holds a receiver still says farewell.
            let _too_slow = tokio::time::timeout(FAREWELL, self.stop.closed()).await;
        });
        runtime.shutdown_background();
    }
}
