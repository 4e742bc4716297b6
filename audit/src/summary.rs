//! What is told at the end of a run.
use crate::{Decision, Event, Exchange};
use std::collections::BTreeMap;

/// Hosts that are counted by name. The agent chooses the names, so there must be an end to them.
const NAMED_HOSTS: usize = 1000;
/// Excerpts that are kept.
const SPOKEN: usize = 5;
/// Under this name the others are counted.
const OTHERS: &str = "(others)";

/// Counts for the summary at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Host → (exchanges, bytes up, bytes down) that went out, those that broke off later included. Beyond a thousand
    /// hosts the rest is counted as `(others)`.
    pub reached: BTreeMap<String, (u64, u64, u64)>,
    /// Host → (code → times) that did not.
    pub refused: BTreeMap<String, BTreeMap<String, u64>>,
    /// Number of findings.
    pub findings: u64,
    /// Host and excerpt of the first answers that spoke to an agent.
    pub spoken: Vec<(String, String)>,
}

impl Summary {
    pub(crate) fn count(&mut self, event: &Event) {
        if let Event::Exchange(exchange) = event {
            self.findings = self.findings.saturating_add(exchange.findings.len() as u64);
            self.hear(exchange);
            match exchange.decision {
                Decision::Allowed | Decision::Aborted => self.count_reached(exchange),
                Decision::Denied => self.count_refused(exchange),
            }
        }
    }

    fn hear(&mut self, exchange: &Exchange) {
        let excerpts = exchange.findings.iter().filter_map(|finding| finding.excerpt.as_ref());
        for excerpt in excerpts {
            let said = (host(exchange).to_owned(), excerpt.clone());
            if self.spoken.len() < SPOKEN && !self.spoken.contains(&said) {
                self.spoken.push(said);
            }
        }
    }

    fn count_reached(&mut self, exchange: &Exchange) {
        let (times, up, down) = entry(&mut self.reached, host(exchange));
        *times = times.saturating_add(1);
        *up = up.saturating_add(exchange.bytes_up);
        *down = down.saturating_add(exchange.bytes_down);
    }

    fn count_refused(&mut self, exchange: &Exchange) {
        let code = exchange.code.clone().unwrap_or_default();
        let times = entry(&mut self.refused, host(exchange)).entry(code).or_default();
        *times = times.saturating_add(1);
    }
}

fn host(exchange: &Exchange) -> &str {
    exchange.host.as_deref().unwrap_or("(no host)")
}

fn entry<'a, T: Default>(counts: &'a mut BTreeMap<String, T>, host: &str) -> &'a mut T {
    let full = counts.len() >= NAMED_HOSTS && !counts.contains_key(host);
    counts.entry(if full { OTHERS } else { host }.to_owned()).or_default()
}
