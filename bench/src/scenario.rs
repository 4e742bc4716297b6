//! What is measured. A scenario starts those who take part, and takes a slice of one of them at a time.
mod alone;
mod contained;
mod crowd;
mod events;
mod fresh;
mod kept;
mod launch;
mod long;
mod multiplexed;
mod paced;

pub(crate) use launch::stamp;

use crate::stage::Stage;
use crate::way::Who;
use anyhow::Result;
use std::time::Duration;

/// A figure that a scenario gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// What it is, with its unit.
    pub(crate) title: &'static str,
    /// Whether more is better.
    pub(crate) more_is_better: bool,
    /// Digits after the point.
    pub(crate) digits: usize,
}

impl Metric {
    const fn rate(title: &'static str) -> Metric {
        Metric { title, more_is_better: true, digits: 0 }
    }

    const fn time(title: &'static str, digits: usize) -> Metric {
        Metric { title, more_is_better: false, digits }
    }
}

/// A short time of one way.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    /// One for each metric.
    pub(crate) figures: Vec<f64>,
    /// CPU time of the proxy's own process for each unit of work, in microseconds.
    pub(crate) cpu: Option<f64>,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// A slice.
    pub(crate) slice: Duration,
    /// Rounds of slices.
    pub(crate) rounds: usize,
}

/// Something that is measured.
pub(crate) trait Scenario {
    /// How it is called in options.
    fn id(&self) -> &'static str;
    /// How it is called in tables.
    fn title(&self) -> &'static str;
    /// What its slices give.
    fn metrics(&self) -> &'static [Metric];
    /// What the CPU time is divided by.
    fn unit(&self) -> &'static str {
        "request"
    }
    /// Who takes part.
    fn takes(&self, who: Who) -> bool {
        who != Who::FloorResuming
    }
    /// Whether it runs only when it is asked for.
    fn is_optional(&self) -> bool {
        false
    }
    /// How many rounds it wants, of those that were asked for.
    fn rounds(&self, asked: usize) -> usize {
        asked
    }
    /// Starts this one.
    fn start(&mut self, stage: &Stage, who: Who) -> Result<()>;
    /// Takes a slice of it.
    fn slice(&mut self, stage: &Stage, who: Who, round: usize) -> Result<Slice>;
}

/// All of them, in the order of the table.
pub(crate) fn all(pace: Pace) -> Vec<Box<dyn Scenario>> {
    let mut all: Vec<Box<dyn Scenario>> = Vec::new();
    all.extend(kept::gets(pace));
    all.push(multiplexed::scenario(pace));
    all.extend(kept::bodies(pace));
    all.push(fresh::OneName::boxed(pace));
    all.push(fresh::ManyNames::boxed(pace));
    all.push(paced::Paced::boxed(pace));
    all.push(events::Events::boxed());
    all.push(Box::new(alone::Idle));
    all.push(Box::new(alone::Cold));
    all.push(crowd::Ten::boxed(pace));
    all.push(crowd::LongPolicy::boxed(pace));
    all.push(launch::Launch::boxed());
    all.push(contained::Contained::boxed());
    all.push(Box::new(long::Long));
    all
}

/// The host of scenarios that need one only.
pub(crate) const HOST: &str = "api.bench.test";

/// The labels below the domain for such a scenario.
pub(crate) fn one_name() -> Vec<String> {
    vec!["api".to_owned()]
}

/// Microseconds for each of so many.
pub(crate) fn each(spent: Option<Duration>, count: usize) -> Option<f64> {
    spent.filter(|_| count > 0).map(|spent| spent.as_secs_f64() * 1e6 / crate::stats::fraction(count))
}
