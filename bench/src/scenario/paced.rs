//! An open loop: requests leave when the clock says so, whether or not earlier ones were answered.
use super::{HOST, Metric, Pace, Scenario, Slice, one_name};
use crate::bodies::{Kind, body};
use crate::h1::Connection;
use crate::spinners::Spinners;
use crate::stage::Stage;
use crate::stats::quantile;
use crate::ticks::Ticks;
use crate::way::{Way, Who};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Time between requests: 200 a second.
const GAP: Duration = Duration::from_millis(5);
/// Kept connections; one that is free takes the next request.
const CONNECTIONS: usize = 32;
const LENGTH: usize = 1024;

/// 200 requests a second.
pub(super) struct Paced {
    pace: Pace,
    running: BTreeMap<Who, Running>,
}

struct Running {
    way: Way,
    free: Rc<RefCell<VecDeque<Connection>>>,
}

impl Paced {
    pub(super) fn boxed(pace: Pace) -> Box<dyn Scenario> {
        Box::new(Paced { pace, running: BTreeMap::new() })
    }

    /// Latencies in microseconds, from the time that each request was due.
    fn turn(&self, stage: &Stage, who: Who, span: Duration) -> Result<Vec<f64>> {
        let running = self.running.get(&who).context("it was not started")?;
        let request =
            format!("{}\r\n", running.way.head("GET", HOST, &format!("/get/{}/{LENGTH}", Kind::Text.word())));
        stage.drive(turn(running.free.clone(), request.into_bytes().into(), span))
    }
}

impl Scenario for Paced {
    fn id(&self) -> &'static str {
        "paced"
    }

    fn title(&self) -> &'static str {
        "open loop, 200 requests/s"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::time("p50 µs, cores awake", 0), Metric::time("p99 µs", 0)] }
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let way = stage.start(who, &one_name())?;
        let free = stage.drive(async {
            let mut free = VecDeque::new();
            for _ in 0..CONNECTIONS {
                free.push_back(Connection::new(way.connect(HOST).await?));
            }
            Ok(free)
        })?;
        self.running.insert(who, Running { way, free: Rc::new(RefCell::new(free)) });
        self.turn(stage, who, self.pace.slice).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let span = self.pace.slice * 4;
        // Halted cores take their time to wake up, which hides what a proxy adds. The tail is taken as it is.
        let awake = {
            let _spinning = Spinners::start()?;
            self.turn(stage, who, span)?
        };
        let plain = self.turn(stage, who, span)?;
        Ok(Slice { figures: vec![quantile(&awake, 0.5), quantile(&plain, 0.99)], cpu: None })
    }
}

async fn turn(
    free: Rc<RefCell<VecDeque<Connection>>>,
    request: Rc<[u8]>,
    span: Duration,
) -> Result<Vec<f64>> {
    let meant = body(Kind::Text, LENGTH);
    let until = Instant::now() + span;
    let mut ticks = Ticks::start(GAP)?;
    let mut tasks = Vec::new();
    loop {
        let due = ticks.next().await?;
        if due > until {
            break;
        }
        let (free, request, meant) = (free.clone(), request.clone(), meant.clone());
        tasks.push(tokio::task::spawn_local(async move {
            let mut connection = take(&free).await;
            connection.exchange(&request, &meant).await?;
            let took = due.elapsed().as_secs_f64() * 1e6;
            free.borrow_mut().push_back(connection);
            Ok::<_, anyhow::Error>(took)
        }));
    }
    let mut latencies = Vec::with_capacity(tasks.len());
    for task in tasks {
        latencies.push(task.await??);
    }
    Ok(latencies)
}

/// A connection that is free. Who is so slow that there is none makes requests wait, and the wait counts.
async fn take(free: &RefCell<VecDeque<Connection>>) -> Connection {
    loop {
        let first = free.borrow_mut().pop_front();
        match first {
            Some(connection) => return connection,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}
