//! The sealed network.
use crate::Scenario;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[];
