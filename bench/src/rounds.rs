//! Turns: in every round each way gets one slice, in an order that moves on from round to round, so that whatever slows the
//! machine for a while slows all of them. Figures are compared within a round.
use crate::child;
use crate::scenario::{Metric, Scenario, Slice};
use crate::stage::Stage;
use crate::stats::{Estimate, estimate};
use crate::way::Who;
use anyhow::Result;
use std::collections::BTreeMap;

/// What a scenario gave.
pub(crate) struct Measured {
    /// How it is called in options.
    pub(crate) id: &'static str,
    /// How it is called in tables.
    pub(crate) title: &'static str,
    /// What the CPU time is divided by.
    pub(crate) unit: &'static str,
    /// What its slices give.
    pub(crate) metrics: &'static [Metric],
    /// By way, in the order of tables: a slice for each round.
    pub(crate) slices: BTreeMap<Who, Vec<Slice>>,
    /// Who failed, and how.
    pub(crate) failed: Vec<(Who, String)>,
}

/// Takes all rounds of a scenario. A way that fails is left out from there on, and named.
pub(crate) fn measure(
    scenario: &mut dyn Scenario,
    stage: &Stage,
    ways: &[Who],
    rounds: usize,
) -> Result<Measured> {
    let mut measured = Measured {
        id: scenario.id(),
        title: scenario.title(),
        unit: scenario.unit(),
        metrics: scenario.metrics(),
        slices: BTreeMap::new(),
        failed: Vec::new(),
    };
    let mut taking_part: Vec<Who> = Vec::new();
    let wanted: Vec<Who> = ways.iter().copied().filter(|who| scenario.takes(*who)).collect();
    for who in wanted {
        let started = scenario.start(stage, who);
        child::go_on()?;
        match started {
            Ok(()) => taking_part.push(who),
            Err(error) => measured.fail(who, &error),
        }
    }
    let rounds = scenario.rounds(rounds);
    for round in 0..rounds {
        progress(scenario.title(), round, rounds);
        for who in turn(&taking_part, round) {
            let slice = scenario.slice(stage, who, round);
            child::go_on()?;
            match slice {
                Ok(slice) => measured.slices.entry(who).or_default().push(slice),
                Err(error) => {
                    measured.fail(who, &error);
                    taking_part.retain(|other| *other != who);
                }
            }
        }
    }
    Ok(measured)
}

/// The order of a round: everybody moves up by one.
fn turn(ways: &[Who], round: usize) -> Vec<Who> {
    let mut order = ways.to_vec();
    if !order.is_empty() {
        order.rotate_left(round % ways.len());
    }
    order
}

fn progress(title: &str, round: usize, rounds: usize) {
    eprintln!("{title}: round {} of {rounds}", round + 1);
}

impl Measured {
    fn fail(&mut self, who: Who, error: &anyhow::Error) {
        eprintln!("{}: {} failed: {error:#}", self.title, who.title());
        self.failed.push((who, format!("{error:#}")));
        self.slices.remove(&who);
    }

    /// Figures of a metric, by round.
    fn figures(&self, who: Who, metric: usize) -> Vec<f64> {
        let slices = self.slices.get(&who).map_or(&[][..], Vec::as_slice);
        slices.iter().filter_map(|slice| slice.figures.get(metric).copied()).collect()
    }

    /// A metric itself.
    pub(crate) fn value(&self, who: Who, metric: usize) -> Option<Estimate> {
        estimate(&self.figures(who, metric))
    }

    /// A metric as a ratio to another way's in the same round.
    pub(crate) fn ratio(&self, who: Who, to: Who, metric: usize) -> Option<Estimate> {
        let ratios: Vec<f64> = self
            .pairs(who, to, metric)
            .filter(|(_, base)| *base > 0.0)
            .map(|(own, base)| own / base)
            .collect();
        estimate(&ratios)
    }

    /// What a metric is more than another way's in the same round.
    pub(crate) fn difference(&self, who: Who, to: Who, metric: usize) -> Option<Estimate> {
        let more: Vec<f64> = self.pairs(who, to, metric).map(|(own, base)| own - base).collect();
        estimate(&more)
    }

    fn pairs(&self, who: Who, to: Who, metric: usize) -> impl Iterator<Item = (f64, f64)> {
        self.figures(who, metric).into_iter().zip(self.figures(to, metric))
    }

    /// CPU time of the proxy's process for each unit of work, in microseconds.
    pub(crate) fn cpu(&self, who: Who) -> Option<Estimate> {
        let slices = self.slices.get(&who)?;
        estimate(&slices.iter().filter_map(|slice| slice.cpu).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(floor: &[f64], ours: &[f64]) -> Measured {
        let slices = |figures: &[f64]| {
            figures.iter().map(|figure| Slice { figures: vec![*figure], cpu: None }).collect::<Vec<_>>()
        };
        let by_way = [(Who::Floor, slices(floor)), (Who::Ours, slices(ours))];
        Measured { id: "", title: "", unit: "", metrics: &[], slices: by_way.into(), failed: Vec::new() }
    }

    /// A machine that is ten times slower in one round changes no ratio.
    #[test]
    fn ratios_are_taken_within_a_round() {
        let ratio = measured(&[100.0, 10.0, 100.0], &[80.0, 8.0, 80.0]).ratio(Who::Ours, Who::Floor, 0);
        let ratio = ratio.expect("figures");
        assert!((ratio.median - 0.8).abs() < 1e-9 && (ratio.high - ratio.low).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn everybody_is_first_once() {
        let ways = [Who::Direct, Who::Floor, Who::Ours];
        let first: Vec<Who> = (0..3).map(|round| turn(&ways, round)[0]).collect();
        assert_eq!(first, ways);
        assert_eq!(turn(&[], 4), []);
    }
}
