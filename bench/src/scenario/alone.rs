//! What needs a new process each time: how much memory it takes, and how soon it answers.
use super::{HOST, Metric, Scenario, Slice, one_name};
use crate::bodies::{Kind, body};
use crate::h1::Connection;
use crate::stage::Stage;
use crate::stats::fraction;
use crate::way::{Way, Who};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};

const LENGTH: usize = 1024;
/// Kept connections.
const CONNECTIONS: usize = 1000;
/// Rounds at most: memory differs little from one process to the next.
const ROUNDS: usize = 5;

/// A thousand idle connections.
pub(super) struct Idle;

/// From the start of the program to the first answer.
pub(super) struct Cold;

impl Scenario for Idle {
    fn id(&self) -> &'static str {
        "idle"
    }

    fn title(&self) -> &'static str {
        "1,000 idle connections, each after one request"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::time("resident before, MiB", 1), Metric::time("KiB per connection", 1)] }
    }

    fn takes(&self, who: Who) -> bool {
        who != Who::FloorResuming && who != Who::Direct
    }

    fn rounds(&self, asked: usize) -> usize {
        asked.min(ROUNDS)
    }

    fn start(&mut self, _: &Stage, _: Who) -> Result<()> {
        Ok(())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let way = stage.start(who, &one_name())?;
        let process = way.process.as_ref().context("nobody's process")?;
        stage.drive(answered(&way))?;
        let before = process.memory()?;
        let kept = stage.drive(async {
            let mut kept = Vec::new();
            for _ in 0..CONNECTIONS {
                kept.push(answered(&way).await?);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok(kept)
        })?;
        let after = process.memory()?;
        drop(kept);
        let (before, after) = (kibibytes(before), kibibytes(after));
        Ok(Slice { figures: vec![before / 1024.0, (after - before) / fraction(CONNECTIONS)], cpu: None })
    }
}

impl Scenario for Cold {
    fn id(&self) -> &'static str {
        "cold"
    }

    fn title(&self) -> &'static str {
        "cold start: from exec to the first answer"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::time("ms", 1)] }
    }

    fn takes(&self, who: Who) -> bool {
        who != Who::FloorResuming && who != Who::Direct
    }

    fn unit(&self) -> &'static str {
        "start"
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        self.slice(stage, who, 0).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let started = Instant::now();
        let way = stage.start(who, &one_name())?;
        stage.drive(answered(&way))?;
        let took = started.elapsed();
        let cpu = way.cpu()?.map(|spent| spent.as_secs_f64() * 1e6);
        Ok(Slice { figures: vec![took.as_secs_f64() * 1e3], cpu })
    }
}

/// A connection on which one request was answered.
async fn answered(way: &Way) -> Result<Connection> {
    let request = format!("{}\r\n", way.head("GET", HOST, &format!("/get/{}/{LENGTH}", Kind::Text.word())));
    let mut connection = Connection::new(way.connect(HOST).await?);
    connection.exchange(request.as_bytes(), &body(Kind::Text, LENGTH)).await?;
    Ok(connection)
}

fn kibibytes(amount: u64) -> f64 {
    f64::from(u32::try_from(amount).unwrap_or(u32::MAX))
}
