//! Many bottles side by side, and a long policy: what each costs beside the usual one.
use super::{HOST, Metric, Pace, Scenario, Slice, one_name};
use crate::bodies::{Kind, body};
use crate::closed_loop::{self, Direction, Load};
use crate::h1::Connection;
use crate::stage::Stage;
use crate::stats::fraction;
use crate::way::{Way, Who};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bottles side by side.
const BOTTLES: usize = 10;
const LENGTH: usize = 1024;
const REQUESTS: &[Metric] = &[Metric::rate("requests/s")];

/// Several processes of one kind, and the connections through all of them.
struct Group {
    ways: Vec<Way>,
    loads: Vec<Load>,
}

impl Group {
    fn start(stage: &Stage, ways: Vec<Way>, connections: usize) -> Result<Group> {
        let loads = stage.drive(async {
            let mut loads = Vec::new();
            for index in 0..connections {
                let way = &ways[index % ways.len()];
                let head =
                    format!("{}\r\n", way.head("GET", HOST, &format!("/get/{}/{LENGTH}", Kind::Text.word())));
                let connection = Connection::new(way.connect(HOST).await?);
                loads.push(Load { connection, head: head.into_bytes().into() });
            }
            Ok(loads)
        })?;
        Ok(Group { ways, loads })
    }

    fn cpu(&self) -> Result<Option<Duration>> {
        let all = self.ways.iter().map(Way::cpu).collect::<Result<Option<Vec<Duration>>>>()?;
        Ok(all.map(|all| all.into_iter().sum()))
    }

    fn turn(&mut self, stage: &Stage, span: Duration) -> Result<Slice> {
        let before = self.cpu()?;
        let loads = std::mem::take(&mut self.loads);
        let ran = closed_loop::run(stage, loads, (Direction::Down, body(Kind::Text, LENGTH)), span)?;
        self.loads = ran.loads;
        let spent = self.cpu()?.zip(before).map(|(after, before)| after - before);
        Ok(Slice {
            figures: vec![fraction(ran.count) / ran.lasted.as_secs_f64()],
            cpu: super::each(spent, ran.count),
        })
    }
}

/// 1 KiB answers on 60 connections through ten processes.
pub(super) struct Ten {
    pace: Pace,
    running: BTreeMap<Who, Group>,
}

impl Ten {
    pub(super) fn boxed(pace: Pace) -> Box<dyn Scenario> {
        Box::new(Ten { pace, running: BTreeMap::new() })
    }
}

impl Scenario for Ten {
    fn id(&self) -> &'static str {
        "ten"
    }

    fn title(&self) -> &'static str {
        "ten side by side, 1 KiB GET, 60 connections"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::rate("requests/s"), Metric::time("resident, all ten, MiB", 0)] }
    }

    fn takes(&self, who: Who) -> bool {
        matches!(who, Who::Floor | Who::Ours | Who::OursDlpOff | Who::Hudsucker)
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let ways = (0..BOTTLES).map(|_| stage.start(who, &one_name())).collect::<Result<Vec<_>>>()?;
        let mut group = Group::start(stage, ways, 60)?;
        group.turn(stage, self.pace.slice / 2)?;
        self.running.insert(who, group);
        Ok(())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let group = self.running.get_mut(&who).context("it was not started")?;
        let mut slice = group.turn(stage, self.pace.slice)?;
        let mut resident = 0;
        for process in group.ways.iter().filter_map(|way| way.process.as_ref()) {
            resident += process.memory()?;
        }
        slice.figures.push(f64::from(u32::try_from(resident).unwrap_or(u32::MAX)) / 1024.0);
        Ok(slice)
    }
}

/// A policy of 10,000 routes; the one that is used is the last.
pub(super) struct LongPolicy {
    pace: Pace,
    running: BTreeMap<Who, Group>,
}

impl LongPolicy {
    pub(super) fn boxed(pace: Pace) -> Box<dyn Scenario> {
        Box::new(LongPolicy { pace, running: BTreeMap::new() })
    }
}

impl Scenario for LongPolicy {
    fn id(&self) -> &'static str {
        "policy"
    }

    fn title(&self) -> &'static str {
        "1 KiB GET, 16 connections, a policy of 10,000 routes (the floor has none; `get-16` has 10)"
    }

    fn metrics(&self) -> &'static [Metric] {
        REQUESTS
    }

    fn takes(&self, who: Who) -> bool {
        matches!(who, Who::Floor | Who::Ours | Who::OursDlpOff)
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let way = match who {
            Who::Ours => stage.ours("bench-long", true, 9_999, &one_name())?,
            Who::OursDlpOff => stage.ours("bench-long-off", false, 9_999, &one_name())?,
            _ => stage.start(who, &one_name())?,
        };
        let mut group = Group::start(stage, vec![way], 16)?;
        group.turn(stage, self.pace.slice / 2)?;
        self.running.insert(who, group);
        Ok(())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        self.running.get_mut(&who).context("it was not started")?.turn(stage, self.pace.slice)
    }
}
