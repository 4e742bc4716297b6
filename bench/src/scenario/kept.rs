//! Requests on kept connections, as fast as answers come (a closed loop), over HTTP/1.1.
use super::{HOST, Metric, Pace, Scenario, Slice, each, one_name};
use crate::bodies::{Kind, body};
use crate::closed_loop::{self, Direction, Load};
use crate::h1::Connection;
use crate::stage::Stage;
use crate::stats::fraction;
use crate::way::{Way, Who};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

const REQUESTS: &[Metric] = &[Metric::rate("requests/s")];
const MEBIBYTES: &[Metric] = &[Metric::rate("MiB/s")];

struct Kept {
    id: &'static str,
    title: &'static str,
    direction: Direction,
    kind: Kind,
    length: usize,
    connections: usize,
    metrics: &'static [Metric],
    pace: Pace,
    running: BTreeMap<Who, Running>,
}

struct Running {
    way: Way,
    loads: Vec<Load>,
}

/// Small answers.
pub(super) fn gets(pace: Pace) -> Vec<Box<dyn Scenario>> {
    [
        ("get-1", "1 KiB GET, 1 connection", 1),
        ("get-16", "1 KiB GET, 16 connections", 16),
        ("get-64", "1 KiB GET, 64 connections", 64),
    ]
    .into_iter()
    .map(|(id, title, connections)| boxed(id, title, (Direction::Down, Kind::Text, 1024, connections), pace))
    .collect()
}

/// Larger bodies.
pub(super) fn bodies(pace: Pace) -> Vec<Box<dyn Scenario>> {
    let large = 10 << 20;
    vec![
        boxed(
            "get-100k",
            "100 KiB JSON down, 16 connections",
            (Direction::Down, Kind::Text, 100 << 10, 16),
            pace,
        ),
        boxed("down", "10 MiB binary down, 4 connections", (Direction::Down, Kind::Binary, large, 4), pace),
        boxed("down-text", "10 MiB JSON down, 4 connections", (Direction::Down, Kind::Text, large, 4), pace),
        boxed("up", "10 MiB binary up, 4 connections", (Direction::Up, Kind::Binary, large, 4), pace),
        boxed("up-text", "10 MiB JSON up, 4 connections", (Direction::Up, Kind::Text, large, 4), pace),
    ]
}

fn boxed(
    id: &'static str,
    title: &'static str,
    (direction, kind, length, connections): (Direction, Kind, usize, usize),
    pace: Pace,
) -> Box<dyn Scenario> {
    let metrics = if length > 1 << 20 { MEBIBYTES } else { REQUESTS };
    Box::new(Kept {
        id,
        title,
        direction,
        kind,
        length,
        connections,
        metrics,
        pace,
        running: BTreeMap::new(),
    })
}

impl Scenario for Kept {
    fn id(&self) -> &'static str {
        self.id
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn metrics(&self) -> &'static [Metric] {
        self.metrics
    }

    fn unit(&self) -> &'static str {
        if self.is_large() { "MiB" } else { "request" }
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let way = stage.start(who, &one_name())?;
        let head = self.head(&way);
        let loads = stage.drive(async {
            let mut loads = Vec::new();
            for _ in 0..self.connections {
                loads
                    .push(Load { connection: Connection::new(way.connect(HOST).await?), head: head.clone() });
            }
            Ok(loads)
        })?;
        self.running.insert(who, Running { way, loads });
        self.turn(stage, who, self.pace.slice / 2).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        self.turn(stage, who, self.pace.slice)
    }
}

impl Kept {
    fn is_large(&self) -> bool {
        self.length > 1 << 20
    }

    fn head(&self, way: &Way) -> Rc<[u8]> {
        let (method, verb) = match self.direction {
            Direction::Down => ("GET", "get"),
            Direction::Up => ("POST", "put"),
        };
        let mut head = way.head(method, HOST, &format!("/{verb}/{}/{}", self.kind.word(), self.length));
        if self.direction == Direction::Up {
            head.push_str(&format!(
                "Content-Type: {}\r\nContent-Length: {}\r\n",
                self.kind.media_type(),
                self.length
            ));
        }
        head.push_str("\r\n");
        head.into_bytes().into()
    }

    fn turn(&mut self, stage: &Stage, who: Who, span: Duration) -> Result<Slice> {
        let running = self.running.get_mut(&who).context("it was not started")?;
        let loads = std::mem::take(&mut running.loads);
        let before = running.way.cpu()?;
        let ran = closed_loop::run(stage, loads, (self.direction, body(self.kind, self.length)), span)?;
        let spent = running.way.cpu()?.zip(before).map(|(after, before)| after - before);
        running.loads = ran.loads;
        let amount = if self.is_large() { ran.count * (self.length >> 20) } else { ran.count };
        Ok(Slice { figures: vec![fraction(amount) / ran.lasted.as_secs_f64()], cpu: each(spent, amount) })
    }
}
