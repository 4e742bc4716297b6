//! What the bottle reaches.
use super::apart::Purpose;
use super::{Layer, Lower};
use crate::at::At;
use crate::plan::{DlpAction, DlpPlan, DlpSecret, EgressPlan};
use crate::problem::Span;
use crate::written::{self, Egress, Manifest};
use policy::Policy;
use std::path::{Path, PathBuf};

pub(super) fn action(action: written::DlpAction) -> DlpAction {
    match action {
        written::DlpAction::Block => DlpAction::Block,
        written::DlpAction::Redact => DlpAction::Redact,
        written::DlpAction::Warn => DlpAction::Warn,
    }
}

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
        let dlp = self.dlp(layers, routes.dlp);
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
        })
    }

    fn dlp(
        &mut self,
        layers: &[Layer],
        routes: std::collections::BTreeMap<policy::RouteId, DlpAction>,
    ) -> DlpPlan {
        let dlp = |manifest: &Manifest| manifest.egress.as_ref().and_then(|egress| egress.dlp.clone());
        let user = layers.first().and_then(|layer| dlp(&layer.manifest)).unwrap_or_default();
        let secrets = user.secrets.iter().filter_map(|secret| match (&secret.env, &secret.file) {
            (Some(name), None) => self.variable(name).then(|| DlpSecret::Env { name: name.value.clone() }),
            (None, Some(file)) => self.trusted(file, "the file").map(|path| DlpSecret::File { path }),
            _ => {
                self.error(
                    secret.span,
                    "a secret to keep inside needs exactly one of the keys `env` and `file`",
                );
                None
            }
        });
        let secrets = secrets.collect();
        DlpPlan { action: user.action.map_or(DlpAction::Block, action), routes, secrets }
    }

    /// A file that is there and is believed.
    pub(super) fn trusted(&mut self, written: &At<String>, what: &str) -> Option<PathBuf> {
        let path = self.existing(written, what)?;
        self.apart(Some(written.span), &path, Purpose::Trusted);
        Some(path)
    }
}
