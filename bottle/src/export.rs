//! `bottle export`: what all bottles do, for Prometheus and OpenTelemetry.
//!
//! A thread listens to every launcher (`watch::feed`, as `bottle watch` does, but attends to nothing) and counts ([`ledger`]); a small
//! server shows the numbers ([`serve`]), another task pushes them and a span for each exchange ([`push`]). The launchers know
//! nothing of it, and nothing of it comes near an agent.
mod ledger;
mod metrics;
mod otlp;
mod prometheus;
mod push;
mod serve;
mod target;

pub use target::{HEADERS, Target};

use crate::control::{Call, Say, call};
use crate::failure::Failure;
use crate::kill_switch;
use crate::watch::{News, feed};
use ledger::Ledger;
use policy::Host;
use push::Pusher;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;
use tokio::sync::{mpsc, watch as stop};
use tokio::task::JoinHandle;

/// How long the last push may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// The numbers, of all tasks.
type Shared = Arc<Mutex<Ledger>>;

fn lock(ledger: &Shared) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where Prometheus asks.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// Where to listen; port 0: any that is free.
    pub address: SocketAddr,
    /// Other machines may ask.
    pub expose: bool,
    /// Names by which it may be asked, besides addresses.
    pub called: Vec<Host>,
}

/// Tells of bottles until it is ended.
pub struct Exporter {
    address: Option<SocketAddr>,
    stop: stop::Sender<bool>,
    pushing: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Exporter {
    /// Begins: of the bottles of these slugs and names, of all when none is named.
    /// # Errors
    /// When the address cannot be had, or is not this machine's alone and was not meant to be.
    pub fn start(
        names: Vec<String>,
        by_host: bool,
        scrape: Option<Scrape>,
        push_to: Option<Target>,
    ) -> Result<Exporter, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let ledger: Shared = Arc::new(Mutex::new(Ledger::new(jiff::Timestamp::now(), by_host)));
        let (stop, stopped) = stop::channel(false);
        let mut address = None;
        if let Some(scrape) = scrape {
            let listener = runtime.block_on(listen(&scrape))?;
            let bound = listener.local_addr()?;
            address = Some(bound);
            let gate = serve::Gate { port: bound.port(), exposed: scrape.expose, called: scrape.called };
            runtime.spawn(serve::accept(listener, gate, Arc::clone(&ledger), stopped.clone()));
        }
        let (mut teller, mut pushing) = (None, None);
        if let Some(target) = push_to {
            let (to, spans) = mpsc::channel(push::QUEUE);
            let pusher = Pusher::new(target, Arc::clone(&ledger), stopped)?;
            (teller, pushing) = (Some(to), Some(runtime.spawn(pusher.run(spans))));
        }
        let (_tell, heard) = feed::begin(names, Call::Listen)?;
        feed::spawn(move || count(&heard, &ledger, teller.as_ref()))?;
        Ok(Exporter { address, stop, pushing, runtime })
    }

    /// Where Prometheus may ask.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends it; what is left is pushed, or given up after 5 seconds.
    pub fn end(mut self) {
        let _nobody_listens = self.stop.send(true);
        if let Some(pushing) = self.pushing.take() {
            let _too_slow = self.runtime.block_on(async { tokio::time::timeout(FAREWELL, pushing).await });
        }
        self.runtime.shutdown_background();
    }
}

async fn listen(scrape: &Scrape) -> Result<TcpListener, Failure> {
    let address = scrape.address;
    if !scrape.expose && !address.ip().to_canonical().is_loopback() {
        return Err(Failure::new(format!("`{address}` can be reached from other machines"))
            .help("listen on 127.0.0.1, or say that this is meant with `--expose`"));
    }
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen on `{address}`: {error}"))
            .help("choose another with `--prometheus ADDR:PORT`")
    })
}

/// Counts what is told, until nobody tells.
fn count(heard: &Receiver<News>, ledger: &Shared, teller: Option<&Sender<Value>>) {
    for news in heard {
        let told = lock(ledger).hear(news);
        let Some(teller) = teller else { continue };
        let dropped = told.iter().filter(|told| teller.try_send(otlp::span(told)).is_err()).count();
        if dropped > 0 {
            lock(ledger).spans("dropped", dropped as u64);
        }
    }
}

/// The text for Prometheus of what launchers remember, the last 500 lines of each.
/// # Errors
/// When bottles cannot be listed, or one that is named does not run.
pub fn once(names: &[String], by_host: bool) -> Result<String, Failure> {
    let all = call::look_each()?;
    for name in names {
        if !all.iter().any(|(record, _)| feed::is_wanted(record, std::slice::from_ref(name))) {
            return Err(
                Failure::new(format!("no bottle `{name}` runs")).help("`bottle ps` lists those that do")
            );
        }
    }
    let mut ledger = Ledger::new(jiff::Timestamp::MIN, by_host);
    ledger.hear(News::Switch(kill_switch::is_on()));
    let wanted = all.into_iter().filter(|(record, _)| feed::is_wanted(record, names));
    for (id, (record, found)) in (1..).zip(wanted) {
        ledger.hear(News::Found(id, Box::new(record)));
        if let Ok(snapshot) = found {
            ledger.hear(News::Said(id, Say::Snapshot(Box::new(snapshot))));
        }
    }
    Ok(prometheus::text(ledger.sheet()))
}
