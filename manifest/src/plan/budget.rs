//! What may leave within a time.
use serde::{Deserialize, Serialize};

/// What a route or the whole bottle may use up; `None`: as much as is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetPlan {
    /// Bytes that the agent sends.
    pub bytes_up: Option<RatePlan>,
    /// Requests.
    pub requests: Option<RatePlan>,
    /// New connections to upstreams.
    pub connections: Option<RatePlan>,
}

impl BudgetPlan {
    /// Nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == BudgetPlan::default()
    }

    /// Each limit as the manifest writes it: `bytes_up 10MiB/min`.
    pub fn lines(&self) -> Vec<String> {
        let line = |key: &str, rate: Option<RatePlan>, text: fn(u64) -> String| {
            rate.map(|rate| format!("{key} {}/{}", text(rate.amount), rate.unit()))
        };
        let all = [
            line("bytes_up", self.bytes_up, bytes),
            line("requests", self.requests, |count| count.to_string()),
            line("connections", self.connections, |count| count.to_string()),
        ];
        all.into_iter().flatten().collect()
    }
}

/// An amount within a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatePlan {
    /// Bytes, requests or connections.
    pub amount: u64,
    /// Seconds; `None`: the whole run.
    pub per_secs: Option<u64>,
}

impl RatePlan {
    fn unit(&self) -> String {
        match self.per_secs {
            None => "run".to_owned(),
            Some(1) => "s".to_owned(),
            Some(60) => "min".to_owned(),
            Some(3_600) => "h".to_owned(),
            Some(86_400) => "d".to_owned(),
            Some(other) => format!("{other}s"),
        }
    }
}

fn bytes(count: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| count.is_multiple_of(1 << shift));
    unit.map_or_else(|| count.to_string(), |(shift, unit)| format!("{}{unit}", count >> shift))
}
