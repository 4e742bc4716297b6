//! What is measured, and its numbers so far. Labels are few: what an agent or a manifest chooses is bounded, neutralised and cut.
use crate::style::neutral;
use std::collections::{BTreeMap, HashSet};

/// What stands for all values that are too many.
pub(super) const OTHERS: &str = "(others)";
/// Characters of a label.
const LONGEST: usize = 200;

/// What is measured. The order is that of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Up,
    KillSwitch,
    Locked,
    Running,
    Waiting,
    Exchanges,
    BytesUp,
    BytesDown,
    Findings,
    Petitions,
    CredentialUses,
    Spans,
}

/// What is said of a family.
pub(super) struct About {
    /// Its name for Prometheus; for OpenTelemetry it has dots and no `_total`.
    pub(super) name: &'static str,
    /// By UCUM.
    pub(super) unit: &'static str,
    /// It only grows.
    pub(super) sum: bool,
    pub(super) help: &'static str,
}

impl Family {
    pub(super) fn about(self) -> About {
        let (name, unit, help) = match self {
            Family::Up => ("bottle_up", "1", "1 as long as the launcher of the bottle answers."),
            Family::KillSwitch => ("bottle_kill_switch", "1", "1 while the kill switch of this user is on."),
            Family::Locked => ("bottle_locked", "1", "1 while the bottle refuses everything."),
            Family::Running => ("bottle_exchanges_running", "{exchange}", "Exchanges under way."),
            Family::Waiting => ("bottle_petitions_waiting", "{petition}", "Petitions without an answer."),
            Family::Exchanges => ("bottle_exchanges_total", "{exchange}", "Exchanges that ended."),
            Family::BytesUp => ("bottle_bytes_up_total", "By", "Bytes of bodies towards upstreams."),
            Family::BytesDown => ("bottle_bytes_down_total", "By", "Bytes of bodies towards the agent."),
            Family::Findings => ("bottle_findings_total", "{finding}", "What the scanner found."),
            Family::Petitions => {
                ("bottle_petitions_total", "{petition}", "Petitions that came into this state.")
            }
            Family::CredentialUses => (
                "bottle_credential_uses_total",
                "{exchange}",
                "Exchanges that carried the slot's credential.",
            ),
            Family::Spans => {
                ("bottle_export_spans_total", "{span}", "Spans of this exporter, by their fate.")
            }
        };
        About { name, unit, sum: name.ends_with("_total"), help }
    }
}

/// Names and values, in order; a value that is empty says nothing.
pub(super) type Labels = Vec<(&'static str, String)>;

/// The numbers so far.
#[derive(Debug, Default)]
pub(super) struct Sheet(BTreeMap<Family, BTreeMap<Labels, u64>>);

impl Sheet {
    pub(super) fn add(&mut self, family: Family, labels: Labels, more: u64) {
        let number = self.0.entry(family).or_default().entry(labels).or_default();
        *number = number.saturating_add(more);
    }

    pub(super) fn set(&mut self, family: Family, labels: Labels, number: u64) {
        self.0.entry(family).or_default().insert(labels, number);
    }

    /// Nothing more is said of a bottle.
    pub(super) fn forget(&mut self, slug: &str) {
        for points in self.0.values_mut() {
            points.retain(|labels, _| !labels.iter().any(|(name, value)| *name == "bottle" && value == slug));
        }
    }

    /// Every family that has numbers.
    pub(super) fn families(&self) -> impl Iterator<Item = (Family, &BTreeMap<Labels, u64>)> {
        self.0.iter().filter(|(_, points)| !points.is_empty()).map(|(family, points)| (*family, points))
    }
}

/// Values that a label may have: so many, then [`OTHERS`].
#[derive(Debug)]
pub(super) struct Bounded {
    known: HashSet<String>,
    most: usize,
}

impl Bounded {
    pub(super) fn new(most: usize) -> Bounded {
        Bounded { known: HashSet::new(), most }
    }

    /// The value to use for this text.
    pub(super) fn of(&mut self, text: &str) -> String {
        let value: String = neutral(text).chars().take(LONGEST).collect();
        if self.known.contains(&value) {
            return value;
        }
        if self.known.len() >= self.most {
            return OTHERS.to_owned();
        }
        self.known.insert(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent chooses the hosts: it must not choose how much memory a collector needs.
    #[test]
    fn a_label_has_so_many_values_and_then_one_for_all_others() {
        let mut hosts = Bounded::new(3);
        let values: Vec<String> = (0..10).map(|number| hosts.of(&format!("h{number}.test"))).collect();
        assert_eq!(values[..4], ["h0.test", "h1.test", "h2.test", OTHERS]);
        assert!(values[3..].iter().all(|value| value == OTHERS));
        assert_eq!(hosts.of("h1.test"), "h1.test", "a known one stays");
        assert_eq!(hosts.known.len(), 3);
    }

    #[test]
    fn a_label_is_short_and_harmless() {
        let mut values = Bounded::new(10);
        assert_eq!(values.of("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\u{a}b");
        assert_eq!(values.of(&"é".repeat(5000)).chars().count(), LONGEST);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_nothing_else() {
        let mut sheet = Sheet::default();
        let of = |slug: &str| vec![("bottle", slug.to_owned())];
        sheet.set(Family::Up, of("dev"), 1);
        sheet.set(Family::Up, of("dev-1"), 1);
        sheet.add(Family::Spans, vec![("fate", "sent".to_owned())], 2);
        sheet.forget("dev");
        let left: Vec<_> = sheet.families().flat_map(|(_, points)| points.keys().cloned()).collect();
        assert_eq!(left, [of("dev-1"), vec![("fate", "sent".to_owned())]]);
    }
}
