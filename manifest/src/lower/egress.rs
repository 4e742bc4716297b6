//! What the bottle reaches.
use super::apart::Purpose;
use super::units;
use super::{Layer, Lower};
use crate::plan::{EgressPlan, UnmatchedPlan};
use crate::problem::Span;
use crate::written::{self, Egress, Manifest};
use policy::Policy;
use std::path::{Path, PathBuf};

impl Lower<'_> {
    pub(super) fn egress(
        &mut self,
        layers: &[Layer],
        registries_at: Option<Span>,
        workspace: Option<&Path>,
    ) -> Option<EgressPlan> {
        let mut routes = self.routes(layers, registries_at, workspace);
        let nothing = Egress::default();
        let user = layers.first().and_then(|layer| layer.manifest.egress.as_ref()).unwrap_or(&nothing);
        let unmatched = self.unmatched(user);
        let resolve = self.resolve(user, &routes.list);
        let dlp = self.dlp(layers, &routes);
        let budget = self.budget(user.budget.as_ref());
        let upstream_proxy = user.upstream_proxy.as_ref().map(|proxy| self.proxy(proxy, &mut routes.slots));
        if let Some(Some(proxy)) = &upstream_proxy {
            self.resolved_elsewhere(user, proxy);
        }
        let roots = user.upstream_roots.iter();
        let upstream_roots: Vec<Option<PathBuf>> =
            roots.map(|r| self.trusted(r, "the root certificate")).collect();
        Some(EgressPlan {
            policy: Policy::new(routes.list, resolve),
            bindings: routes.bindings,
            slots: routes.slots.0,
            dlp,
            upstream_roots: upstream_roots.into_iter().collect::<Option<_>>()?,
            upstream_proxy: match upstream_proxy {
                Some(proxy) => Some(proxy?),
                None => None,
            },
            budget,
            route_budgets: routes.budgets,
            unmatched: unmatched?,
        })
    }

    /// Refused, or asked about and for how long.
    fn unmatched(&mut self, user: &Egress) -> Option<UnmatchedPlan> {
        let asks =
            user.unmatched.as_ref().is_some_and(|unmatched| unmatched.value == written::Unmatched::Ask);
        let Some(within) = &user.answer_within else {
            return Some(if asks {
                UnmatchedPlan::Ask { wait_secs: ANSWER_WITHIN }
            } else {
                UnmatchedPlan::Deny
            });
        };
        if !asks {
            let message = "`answer_within` means something with `unmatched: ask` alone";
            self.error_hint(within.span, message, "write `unmatched: ask` beside it, or take it out");
            return None;
        }
        match units::duration(within).and_then(bounded) {
            Ok(wait_secs) => Some(UnmatchedPlan::Ask { wait_secs }),
            Err(why) => {
                self.error(within.span, why);
                None
            }
        }
    }

    /// The command that hears of requests.
    pub(super) fn on_request(&mut self, user: &Manifest) -> Option<Option<Vec<String>>> {
        let written = user.egress.as_ref().and_then(|egress| egress.on_request.as_ref());
        match written {
            Some(command) => self.program_on_the_host(command).map(Some),
            None => Some(None),
        }
    }

    /// Where bottles are steered from is in nobody's reach.
    pub(super) fn steered_apart(&mut self) {
        let runtime = self.host.runtime();
        self.apart(None, &runtime, Purpose::Control);
        let switch = self.host.state().join("bottle").join("kill-switch");
        self.apart(None, &switch, Purpose::Audit);
    }
}

/// Seconds that a request waits for an answer by default: longer than a person needs to look, shorter than most clients wait.
const ANSWER_WITHIN: u64 = 300;
/// A day: whoever answers later answers something else.
const LATEST: u64 = 86_400;

fn bounded(seconds: u64) -> Result<u64, String> {
    if seconds <= LATEST {
        Ok(seconds)
    } else {
        Err("nothing waits longer than a day for an answer: `1d`".to_owned())
    }
}
