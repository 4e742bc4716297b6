//! A new connection for every request: what a package manager does. First to one name, then to names that were never asked for.
use super::{HOST, Metric, Pace, Scenario, Slice, each, one_name};
use crate::bodies::{Kind, body};
use crate::h1::Connection;
use crate::pki::DOMAIN;
use crate::stage::Stage;
use crate::stats::fraction;
use crate::way::{Way, Who};
use anyhow::{Context, Result};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Connections that are opened at the same time.
const AT_ONCE: usize = 16;
const LENGTH: usize = 1024;
/// Names of one round.
const NAMES: usize = 200;

/// A connection for each request, to one name.
pub(super) struct OneName {
    pace: Pace,
    running: BTreeMap<Who, Rc<Way>>,
}

impl OneName {
    pub(super) fn boxed(pace: Pace) -> Box<dyn Scenario> {
        Box::new(OneName { pace, running: BTreeMap::new() })
    }

    fn turn(&self, stage: &Stage, who: Who, span: Duration) -> Result<Slice> {
        let way = self.running.get(&who).context("it was not started")?.clone();
        let until = Instant::now() + span;
        let ahead = move || (Instant::now() < until).then(|| HOST.to_owned());
        let (rate, cpu) = visits(stage, &way, ahead)?;
        Ok(Slice { figures: vec![rate], cpu })
    }
}

impl Scenario for OneName {
    fn id(&self) -> &'static str {
        "new"
    }

    fn title(&self) -> &'static str {
        "a new connection for each request, one name, 16 at once"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::rate("connections/s")] }
    }

    fn unit(&self) -> &'static str {
        "connection"
    }

    fn takes(&self, _: Who) -> bool {
        true
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        self.running.insert(who, Rc::new(stage.start(who, &one_name())?));
        self.turn(stage, who, self.pace.slice / 2).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        self.turn(stage, who, self.pace.slice)
    }
}

/// A connection to each of 200 names that were never asked for, and then to the same ones again.
pub(super) struct ManyNames {
    pace: Pace,
    running: BTreeMap<Who, Rc<Way>>,
}

impl ManyNames {
    pub(super) fn boxed(pace: Pace) -> Box<dyn Scenario> {
        Box::new(ManyNames { pace, running: BTreeMap::new() })
    }

    fn label(round: usize, index: usize) -> String {
        format!("n{round}-{index}")
    }
}

impl Scenario for ManyNames {
    fn id(&self) -> &'static str {
        "names"
    }

    fn title(&self) -> &'static str {
        "200 names, a connection to each, 16 at once"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::rate("cold: connections/s"), Metric::rate("warm: connections/s")] }
    }

    fn unit(&self) -> &'static str {
        "cold connection"
    }

    fn takes(&self, _: Who) -> bool {
        true
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let mut names = one_name();
        names.extend(
            (0..self.pace.rounds).flat_map(|round| (0..NAMES).map(move |index| Self::label(round, index))),
        );
        let way = Rc::new(stage.start(who, &names)?);
        let mut once = std::iter::once(HOST.to_owned());
        visits(stage, &way, move || once.next())?;
        self.running.insert(who, way);
        Ok(())
    }

    fn slice(&mut self, stage: &Stage, who: Who, round: usize) -> Result<Slice> {
        let way = self.running.get(&who).context("it was not started")?.clone();
        let hosts = || (0..NAMES).map(move |index| format!("{}.{DOMAIN}", Self::label(round, index)));
        let (mut cold, mut warm) = (hosts(), hosts());
        let (cold, cpu) = visits(stage, &way, move || cold.next())?;
        let (warm, _) = visits(stage, &way, move || warm.next())?;
        Ok(Slice { figures: vec![cold, warm], cpu })
    }
}

/// Visits one host after the other, sixteen at once, until there is none ahead: visits a second, and CPU time for each.
fn visits(
    stage: &Stage,
    way: &Rc<Way>,
    ahead: impl FnMut() -> Option<String> + 'static,
) -> Result<(f64, Option<f64>)> {
    let before = way.cpu()?;
    let started = Instant::now();
    let count = stage.drive(all_visits(way.clone(), Rc::new(RefCell::new(ahead))))?;
    let lasted = started.elapsed();
    let spent = way.cpu()?.zip(before).map(|(after, before)| after - before);
    Ok((fraction(count) / lasted.as_secs_f64(), each(spent, count)))
}

async fn all_visits(
    way: Rc<Way>,
    ahead: Rc<RefCell<impl FnMut() -> Option<String> + 'static>>,
) -> Result<usize> {
    let meant = body(Kind::Text, LENGTH);
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let (way, ahead, meant) = (way.clone(), ahead.clone(), meant.clone());
            tokio::task::spawn_local(async move {
                let mut count = 0;
                loop {
                    let Some(host) = (ahead.borrow_mut())() else { return Ok::<_, anyhow::Error>(count) };
                    visit(&way, &host, &meant).await?;
                    count += 1;
                }
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    Ok(total)
}

async fn visit(way: &Way, host: &str, meant: &Bytes) -> Result<()> {
    let request = format!("{}\r\n", way.head("GET", host, &format!("/get/{}/{LENGTH}", Kind::Text.word())));
    Connection::new(way.connect(host).await?).exchange(request.as_bytes(), meant).await
}
