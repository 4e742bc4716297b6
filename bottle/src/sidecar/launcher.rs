//! The launcher's side: brief a sidecar, write down what it reports, answer what it asks.
use super::helm::{self, Far};
use super::{Briefing, Order, Report, line, understood};
use crate::failure::Failure;
use crate::style::neutral;
use audit::Auditor;
use credentials::reference::SlotPlan;
use credentials::remote::Watch;
use credentials::{Fresh, TokenRef};
use egress::desk::Notices;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// How long a sidecar may take to answer its briefing.
const START_WAIT: Duration = Duration::from_secs(30);
/// How long a sidecar may take to end in good order: the engine's grace, and the way there and back.
const END_WAIT: Duration = Duration::from_secs(10);
/// How often files with secrets and the audit are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks a sidecar may take no order.
const DEAF: u32 = 15;
/// Orders that may wait for a sidecar that is slow to listen.
const QUEUE: usize = 64;
/// Questions that are answered at once; an engine has one for each slot that is due.
const MOST_QUESTIONS: usize = 64;
/// Bytes of a report.
const LONGEST: u64 = 1024 * 1024;

/// Both ends of a sidecar's standard input and output.
pub struct Wire<I, O> {
    /// Towards the sidecar.
    pub input: I,
    /// From it.
    pub output: O,
}

/// A sidecar that is at work.
pub struct Sidecar {
    orders: Sender<Order>,
    listener: JoinHandle<bool>,
    broken: Option<oneshot::Receiver<()>>,
    /// Whether it was asked to end.
    asked: Arc<AtomicBool>,
    /// Its engine, for the operator.
    pub far: Far,
    /// The bottle's CA, PEM.
    pub ca_pem: String,
}

impl Sidecar {
    /// Tells it everything and waits until its engine answers.
    /// # Errors
    /// What the sidecar says, or that it says nothing.
    pub async fn brief<I, O>(
        wire: Wire<I, O>,
        briefing: Briefing,
        auditor: Auditor,
        notices: Notices,
    ) -> Result<Sidecar, Failure>
    where
        I: AsyncWrite + Unpin + Send + 'static,
        O: AsyncRead + Unpin + Send + 'static,
    {
        let slots = briefing.egress.slots.clone();
        let (orders, queue) = channel(QUEUE);
        drop(tokio::spawn(write(wire.input, queue)));
        let mut reports = BufReader::new(wire.output);
        tell(&orders, Order::Start(Box::new(briefing))).await?;
        let first = tokio::time::timeout(START_WAIT, hear(&mut reports)).await;
        let ca_pem = match first {
            Ok(Ok(Some(Report::Ready { ca_pem }))) => ca_pem,
            Ok(Ok(Some(Report::Failed { what, help }))) => return Err(failed(&what, help)),
            Ok(Ok(_)) => return Err(Failure::new("the sidecar ended before its engine answered")),
            Ok(Err(error)) => return Err(Failure::new(format!("the sidecar cannot be understood: {error}"))),
            Err(_) => return Err(Failure::new("the sidecar's engine did not answer in 30 seconds")),
        };
        Ok(Sidecar::attended(Attendant::new(Far::new(orders, slots), auditor, notices), reports, ca_pem))
    }

    fn attended(
        attendant: Attendant,
        reports: BufReader<impl AsyncRead + Unpin + Send + 'static>,
        ca_pem: String,
    ) -> Sidecar {
        let (orders, asked) = (attendant.orders.clone(), Arc::new(AtomicBool::new(false)));
        let far = attendant.far.clone();
        let (tell, broken) = oneshot::channel();
        let may_end = Arc::clone(&asked);
        let listener = tokio::spawn(async move {
            // What ends before it is asked to can no longer be heard, whatever it still does.
            let orderly = attendant.attend(reports).await && may_end.load(Ordering::Acquire);
            if !orderly {
                let _nobody_waits = tell.send(());
            }
            orderly
        });
        Sidecar { orders, listener, broken: Some(broken), asked, far, ca_pem }
    }

    /// Comes to an end with true when the sidecar has gone, or cannot be trusted any more, before it was asked to end: no agent
    /// is to run then. Once.
    pub fn broken(&mut self) -> impl Future<Output = bool> + Send + 'static {
        let broken = self.broken.take();
        async move {
            match broken {
                Some(broken) => broken.await.is_ok(),
                None => false,
            }
        }
    }

    /// Asks it to end and waits; false when it did not end in good order, so that events may be missing.
    pub async fn end(self) -> bool {
        let Sidecar { orders, listener, asked, .. } = self;
        asked.store(true, Ordering::Release);
        // A sidecar that does not listen keeps neither of the two waits.
        let ended = async {
            let _gone_already = orders.send(Order::End).await;
            listener.await
        };
        matches!(tokio::time::timeout(END_WAIT, ended).await, Ok(Ok(true)))
    }
}

fn failed(what: &str, help: Option<String>) -> Failure {
    let failure = Failure::new(format!("the egress sidecar: {}", neutral(what)));
    match help {
        Some(help) => failure.help(neutral(&help)),
        None => failure,
    }
}

async fn tell(orders: &Sender<Order>, order: Order) -> Result<(), Failure> {
    orders.send(order).await.map_err(|_| Failure::new("the sidecar does not listen"))
}

async fn write(mut input: impl AsyncWrite + Unpin, mut queue: Receiver<Order>) {
    while let Some(order) = queue.recv().await {
        let written = async { input.write_all(&line(&order)?).await };
        if let Err(error) = written.await.and(input.flush().await) {
            tracing::warn!(%error, "the sidecar does not listen");
            return;
        }
    }
}

/// `None` when it has ended.
async fn hear(reports: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> io::Result<Option<Report>> {
    let mut line = Vec::new();
    reports.take(LONGEST).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => understood(&line).map(Some),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Listens until the sidecar has ended.
struct Attendant {
    orders: Sender<Order>,
    far: Far,
    auditor: Auditor,
    notices: Notices,
    /// Orders for which there is no room yet.
    unsent: VecDeque<Order>,
    /// Looks in a row at which the sidecar took none.
    deaf: u32,
    /// That nothing can be recorded any more.
    told: bool,
    /// For questions.
    room: Arc<Semaphore>,
}

impl Attendant {
    fn new(far: Far, auditor: Auditor, notices: Notices) -> Attendant {
        let room = Arc::new(Semaphore::new(MOST_QUESTIONS));
        let orders = far.orders().clone();
        Attendant { orders, far, auditor, notices, unsent: VecDeque::new(), deaf: 0, told: false, room }
    }

    /// True when it ended in good order.
    async fn attend(mut self, mut reports: BufReader<impl AsyncRead + Unpin>) -> bool {
        let mut slots = self.far.slots().clone();
        let mut watch = Watch::new(&slots);
        let mut clock = tokio::time::interval(LOOK_EVERY);
        // A report that was read in part must not be lost to the clock: it is read to its end in a future of its own.
        let mut hearing = Box::pin(next(&mut reports));
        loop {
            tokio::select! {
                heard = &mut hearing => match heard {
                    (_, Ok(Some(Report::Ended))) => return true,
                    (rest, Ok(Some(report))) => {
                        self.obey(report).await;
                        hearing = Box::pin(next(rest));
                    }
                    (_, Ok(None)) => return false,
                    (_, Err(error)) => {
                        tracing::error!(%error, "the sidecar cannot be understood");
                        // What it does from here on would not be written down.
                        let why = "the launcher does not understand it".to_owned();
                        let _does_not_listen = self.orders.try_send(Order::Unrecorded { why });
                        return false;
                    }
                },
                _ = clock.tick() => {
                    self.follow(&mut slots, &mut watch);
                    if !self.look(&mut watch) {
                        tracing::error!("the sidecar does not listen");
                        return false;
                    }
                }
            }
        }
    }

    /// The files of a manifest that was read again.
    fn follow(&self, slots: &mut Vec<SlotPlan>, watch: &mut Watch) {
        let now = self.far.slots();
        if *now != *slots {
            slots.clone_from(&now);
            *watch = Watch::new(slots);
        }
    }

    async fn obey(&self, report: Report) {
        let Some(report) = helm::heard(&self.far, report) else { return };
        match report {
            Report::Event(event) => self.auditor.record(event),
            Report::Petition(petition) => (self.notices)(&petition),
            Report::Ask { id, reference } => self.answer(id, reference),
            Report::Ready { .. } | Report::Failed { .. } | Report::Steered { .. } | Report::Ended => {}
        }
    }

    /// Only for sources of the plan: what runs beside hostile traffic does not choose what the launcher executes.
    /// One that asks without end, or does not listen to the answers, fills neither memory nor threads.
    fn answer(&self, id: u64, reference: TokenRef) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            let outcome = Err("too many questions at once".to_owned());
            let _does_not_listen = self.orders.try_send(Order::Fresh { id, outcome });
            return;
        };
        let (orders, known) =
            (self.orders.clone(), self.far.slots().iter().any(|slot| slot.source == reference));
        drop(tokio::spawn(async move {
            let ask = move || {
                if known { Fresh::ask(&reference) } else { Err("no source of this bottle".to_owned()) }
            };
            let outcome =
                tokio::task::spawn_blocking(ask).await.unwrap_or_else(|_| Err("asking broke off".to_owned()));
            let _gone_already = orders.send(Order::Fresh { id, outcome }).await;
            drop(permit);
        }));
    }

    /// Never waits for the sidecar, which is still to be heard. False when it has not listened for long.
    fn look(&mut self, watch: &mut Watch) -> bool {
        for path in watch.changed() {
            let is_same = |order: &Order| matches!(order, Order::Changed { path: other } if *other == path);
            if !self.unsent.iter().any(is_same) {
                self.unsent.push_back(Order::Changed { path });
            }
        }
        if self.auditor.failed() && !self.told {
            self.told = true;
            let why = "the launcher cannot write the audit file".to_owned();
            self.unsent.push_front(Order::Unrecorded { why });
        }
        while let Some(order) = self.unsent.pop_front() {
            match self.orders.try_send(order) {
                Ok(()) => self.deaf = 0,
                Err(TrySendError::Full(order)) => {
                    self.unsent.push_front(order);
                    self.deaf += 1;
                    break;
                }
                // The writer has ended, with its line; the end of the other direction is on its way.
                Err(TrySendError::Closed(_)) => {}
            }
        }
        self.deaf < DEAF
    }
}

/// The next report, and what it was read from.
async fn next<R: AsyncRead + Unpin>(
    reports: &mut BufReader<R>,
) -> (&mut BufReader<R>, io::Result<Option<Report>>) {
    let heard = hear(reports).await;
    (reports, heard)
}

#[cfg(test)]
mod tests;
