//! What the bottle reaches.
use super::{Layer, Lower};
use crate::plan::EgressPlan;
use crate::problem::Span;
use crate::written::{self, Egress};
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
        if let Some(unmatched) = user.unmatched.as_ref().filter(|u| u.value == written::Unmatched::Ask) {
            let message = "`unmatched: ask` is not built yet";
            self.error_hint(
                unmatched.span,
                message,
                "use `unmatched: deny`; `bottle explain` says why something was refused",
            );
        }
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
        })
    }
}
