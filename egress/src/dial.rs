//! Opens connections to vetted addresses, or to the next hop.
use crate::{Limits, Upstream};
use arc_swap::ArcSwap;
use policy::Policy;
use std::sync::Arc;

/// The policy in force; swapped whole.
pub type SharedPolicy = Arc<ArcSwap<Policy>>;

/// What cannot be used at the start: a root, a proxy URL, the resolver's configuration.
#[derive(Debug, thiserror::Error)]
#[error("upstream: {0}")]
pub struct SetupError(pub String);

/// Resolves, vets and connects.
pub struct Dialer {}

impl Dialer {
    /// From the operator's settings.
    /// # Errors
    /// When the resolver's configuration, a root or the proxy's URL is unusable.
    pub fn new(upstream: &Upstream, policy: SharedPolicy, limits: &Limits) -> Result<Dialer, SetupError> {
        let _ = (upstream, policy, limits);
        todo!()
    }
}
