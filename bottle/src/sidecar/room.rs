//! The sidecar's side: an engine that is told everything by its launcher, and tells it everything.
use super::{Briefing, Order, Report, hear, helm, say};
use crate::engine::{self, Own, Posture};
use crate::failure::{Failure, Outcome};
use audit::{Auditor, Event};
use credentials::{Fresh, Sources, TokenRef, Vault};
use egress::{CertificateAuthority, Engine, Listeners};
use sandbox::linux::holder::Tether;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Reports that may wait for a launcher that is slow to listen; then whoever reports waits.
const QUEUE: usize = 4096;
/// A source has 30 seconds, and the way there and back takes some.
const ANSWER_WAIT: Duration = Duration::from_secs(40);

/// The life of a sidecar: briefing, engine, orders, end. `listen` makes the listeners once the briefing is there.
pub fn serve(
    orders: impl BufRead + Send + 'static,
    reports: impl io::Write + Send + 'static,
    listen: impl FnOnce(Option<IpAddr>) -> Result<Ears, Failure>,
) -> Outcome {
    let link = Link::new(reports);
    let mut orders = orders;
    let started = briefing(&mut orders).and_then(|briefing| Room::start(briefing, &link, listen));
    let room = match started {
        Ok(room) => room,
        Err(failure) => {
            link.report(Report::Failed { what: failure.what.clone(), help: failure.help.clone() });
            link.finish();
            return Err(failure);
        }
    };
    let orderly = link.obey(&mut orders, &room);
    room.end(orderly);
    if orderly {
        link.report(Report::Ended);
    }
    link.finish();
    Ok(ExitCode::SUCCESS)
}

fn briefing(orders: &mut impl BufRead) -> Result<Briefing, Failure> {
    let by_hand =
        "`bottle engine` is started by `bottle run` in a container, and told what to do on standard input";
    match hear::<Order>(orders) {
        Ok(Some(Order::Start(briefing))) if briefing.version == super::VERSION => Ok(*briefing),
        Ok(Some(Order::Start(briefing))) => Err(Failure::new(format!(
            "launcher and sidecar are of different versions: {} and {}",
            briefing.version,
            super::VERSION
        ))
        .help("take `BOTTLE_EGRESS_IMAGE` out of the environment, or name an image of this version")),
        Ok(_) => Err(Failure::new("no briefing on standard input").help(by_hand)),
        Err(error) => Err(Failure::new(format!("no briefing on standard input: {error}")).help(by_hand)),
    }
}

/// Where an engine answers.
pub struct Ears {
    /// The sockets.
    pub listeners: Listeners,
    /// The holder's life, where there is one: it ends with this.
    pub tether: Option<Tether>,
}

/// An engine and what it runs on.
struct Room {
    _tether: Option<Tether>,
    engine: Engine,
    runtime: Runtime,
    auditor: Auditor,
}

impl Room {
    fn start(
        briefing: Briefing,
        link: &Arc<Link>,
        listen: impl FnOnce(Option<IpAddr>) -> Result<Ears, Failure>,
    ) -> Result<Room, Failure> {
        let Briefing { version: _, slug, inner, egress, supplies, slots, attended, locked, learn } = briefing;
        let vault = Vault::beside(slots, Arc::clone(link) as Arc<dyn Sources>);
        let auditor = auditor(&slug, link);
        let posture = Posture { attended, locked, learn, notices: Some(notices(link)) };
        let ca = CertificateAuthority::generate(&slug)?;
        let ca_pem = ca.certificate_pem().to_owned();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("egress").build()?;
        let config = engine::config(
            &egress,
            supplies,
            vault,
            Own { slug: &slug, ca, audit: auditor.clone() },
            posture,
        )?;
        let Ears { listeners, tether } = listen(inner)?;
        let engine = {
            let _on = runtime.enter();
            Engine::start(config, listeners)?
        };
        link.report(Report::Ready { ca_pem });
        Ok(Room { _tether: tether, engine, runtime, auditor })
    }

    /// With a launcher that is gone there is nobody to record anything for: all is cut at once.
    fn end(self, orderly: bool) {
        let Room { engine, runtime, .. } = self;
        if orderly {
            runtime.block_on(engine.shutdown());
        } else {
            drop(engine);
        }
        runtime.shutdown_timeout(Duration::from_millis(200));
    }
}

fn auditor(slug: &str, link: &Arc<Link>) -> Auditor {
    let link = Arc::clone(link);
    Auditor::forwarding(slug, Box::new(move |event: &Event| link.report(Report::Event(event.clone()))))
}

fn notices(link: &Arc<Link>) -> egress::desk::Notices {
    let link = Arc::clone(link);
    Arc::new(move |petition| {
        link.report(Report::Petition(Box::new(petition.clone())));
    })
}

/// To the launcher and back.
struct Link {
    reports: Mutex<Option<SyncSender<Report>>>,
    written: Mutex<Option<Receiver<()>>>,
    questions: AtomicU64,
    waiting: Mutex<BTreeMap<u64, SyncSender<Result<Fresh, String>>>>,
    changes: Mutex<BTreeMap<PathBuf, u64>>,
}

impl Link {
    fn new(reports: impl io::Write + Send + 'static) -> Arc<Link> {
        let (sender, queue) = sync_channel(QUEUE);
        let (done, written) = channel();
        std::thread::spawn(move || {
            write(reports, &queue);
            let _nobody_waits = done.send(());
        });
        Arc::new(Link {
            reports: Mutex::new(Some(sender)),
            written: Mutex::new(Some(written)),
            questions: AtomicU64::new(0),
            waiting: Mutex::default(),
            changes: Mutex::default(),
        })
    }

    /// False when nobody listens any more.
    fn report(&self, report: Report) -> bool {
        let sender = locked(&self.reports).clone();
        sender.is_some_and(|sender| sender.send(report).is_ok())
    }

    /// Waits until what was reported is out; nothing is reported after this.
    fn finish(&self) {
        drop(locked(&self.reports).take());
        if let Some(written) = locked(&self.written).take() {
            let _in_time = written.recv_timeout(Duration::from_secs(5));
        }
    }

    /// Until the launcher is gone, or says so: true when it said so.
    fn obey(self: &Arc<Link>, orders: &mut impl BufRead, room: &Room) -> bool {
        let steering = room.engine.steering();
        let sources = Arc::clone(self) as Arc<dyn Sources>;
        loop {
            match hear::<Order>(orders) {
                Ok(Some(Order::End)) => return true,
                Ok(Some(Order::Fresh { id, outcome })) => self.answer(id, outcome),
                Ok(Some(Order::Changed { path })) => *locked(&self.changes).entry(path).or_default() += 1,
                Ok(Some(Order::Unrecorded { why })) => room.auditor.give_up(&why),
                Ok(Some(Order::Steer { id, helm })) => {
                    let said = helm::obey(&steering, helm, &sources);
                    self.report(Report::Steered { id, said });
                }
                Ok(Some(Order::Start(_)) | None) => return false,
                Err(error) => {
                    tracing::error!(%error, "the launcher");
                    return false;
                }
            }
        }
    }

    fn answer(&self, id: u64, outcome: Result<Fresh, String>) {
        if let Some(waiting) = locked(&self.waiting).remove(&id) {
            let _gave_up_waiting = waiting.try_send(outcome);
        }
    }
}

impl Sources for Link {
    fn ask(&self, reference: &TokenRef) -> Result<Fresh, String> {
        let id = self.questions.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = sync_channel(1);
        locked(&self.waiting).insert(id, sender);
        if !self.report(Report::Ask { id, reference: reference.clone() }) {
            locked(&self.waiting).remove(&id);
            return Err("the launcher is gone".to_owned());
        }
        let answer = answer.recv_timeout(ANSWER_WAIT);
        locked(&self.waiting).remove(&id);
        answer.unwrap_or_else(|_| Err("the launcher does not answer".to_owned()))
    }

    fn changes(&self, path: &Path) -> u64 {
        locked(&self.changes).get(path).copied().unwrap_or_default()
    }
}

/// Each change is one statement; a panic elsewhere leaves whole values behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(mut reports: impl io::Write, queue: &Receiver<Report>) {
    while let Ok(report) = queue.recv() {
        if let Err(error) = say(&mut reports, &report) {
            tracing::error!(%error, "the launcher does not listen");
            return;
        }
    }
}
