//! What starts the bottle, and what it needs to know for that.
use super::Lower;
use super::apart::Purpose;
use crate::at::At;
use crate::plan::{Backend, BuildPlan, DockerPlan, ImagePlan, NetworkLayout};
use crate::problem::{Problem, Span};
use crate::written::{self, Build, Manifest, Network};
use std::collections::BTreeMap;
use std::path::Path;

/// The network of the engine that every installation has.
const OUTWARD: &str = "bridge";

impl Lower<'_> {
    /// The command line's word counts before the manifest's.
    pub(super) fn backend(&mut self, user: &Manifest) -> Option<Backend> {
        let (name, span) = match (self.place.overrides.backend, &user.backend) {
            (Some(name), _) => (name, Span::default()),
            (None, Some(backend)) => (name_of(backend.value), backend.span),
            (None, None) => return Some(Backend::Linux),
        };
        match name {
            "linux" => Some(Backend::Linux),
            "docker" => Some(Backend::Docker),
            "kubernetes" => {
                let message = "the backend `kubernetes` is not built yet";
                self.error_hint(span, message, "use `backend: linux` or `backend: docker`");
                None
            }
            other => {
                let message = format!("there is no backend `{other}`");
                self.error_hint(span, message, "there are `linux` and `docker`");
                None
            }
        }
    }

    /// `Some(None)` for a backend without containers, `None` when something is wrong.
    pub(super) fn docker(
        &mut self,
        user: &Manifest,
        backend: Option<Backend>,
        workspace: Option<&Path>,
    ) -> Option<Option<DockerPlan>> {
        let image = self.image(user, workspace);
        let outward = user.outward_network.as_ref().map(|network| self.reference(network, "a network"));
        if backend? == Backend::Linux {
            self.warn_of_unused(user);
            return Some(None);
        }
        let image = image?;
        if image.is_none() {
            let message = "the backend `docker` needs an image for the agent";
            let hint = "name one with `image:`, or a folder with a Dockerfile with `build:`";
            let span = user.backend.as_ref().map(|backend| backend.span).unwrap_or_default();
            self.error_hint(span, message, hint);
        }
        let outward = match outward {
            Some(outward) => outward?,
            None => OUTWARD.to_owned(),
        };
        Some(Some(DockerPlan { image: image?, network: layout(user.network.as_ref()), outward }))
    }

    /// Whoever says nothing of a backend may think that the image decides it.
    fn warn_of_unused(&mut self, user: &Manifest) {
        if user.backend.is_some() || self.place.overrides.backend.is_some() {
            return;
        }
        let keys = [
            ("image", user.image.as_ref().map(|key| key.span)),
            ("build", user.build.as_ref().map(|key| key.span)),
            ("network", user.network.as_ref().map(|key| key.span)),
            ("outward_network", user.outward_network.as_ref().map(|key| key.span)),
        ];
        for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
            let message = format!("`{key}` means nothing to the backend `linux`, which starts this bottle");
            let hint = "say `backend: docker` to run in a container, or `backend: linux` to keep this quiet";
            self.problems.push(Problem::warning(span, message).hint(hint));
        }
    }

    /// `Some(None)` when there is none.
    fn image(&mut self, user: &Manifest, workspace: Option<&Path>) -> Option<Option<ImagePlan>> {
        match (&user.image, &user.build) {
            (None, None) => Some(None),
            (Some(image), None) => self.reference(image, "an image").map(|name| Some(ImagePlan::Named(name))),
            (None, Some(build)) => self.build(build, workspace).map(|build| Some(ImagePlan::Build(build))),
            (Some(_), Some(build)) => {
                self.error_hint(
                    build.span,
                    "`image` and `build` both say what the agent runs in",
                    "keep one of them",
                );
                None
            }
        }
    }

    /// A build runs on the engine's own network, with all that is in its folder: what the agent wrote there would be
    /// executed past the egress at the next start.
    fn build(&mut self, build: &Build, workspace: Option<&Path>) -> Option<BuildPlan> {
        let context = self.existing(&build.context, "the folder to build")?;
        let real = self.host.canonical(&context).unwrap_or_else(|| context.clone());
        if workspace.is_some_and(|workspace| workspace.starts_with(&real)) {
            let message =
                "the whole workspace would be built, outside of the bottle, with what the agent wrote there";
            let hint = "put the Dockerfile and what it needs into a folder of its own, which is write-protected then";
            self.error_hint(build.context.span, message, hint);
            return None;
        }
        self.apart(Some(build.context.span), &context, Purpose::Trusted);
        let dockerfile =
            build.dockerfile.as_ref().map_or_else(|| "Dockerfile".to_owned(), |d| d.value.clone());
        if dockerfile.starts_with('/') || dockerfile.split('/').any(|part| part == "..") {
            let span = build.dockerfile.as_ref().map(|d| d.span).unwrap_or_default();
            let message = format!("`{dockerfile}` is not a file of the folder that is built");
            self.error_hint(span, message, "write it as it is seen from `context`");
            return None;
        }
        Some(BuildPlan {
            context,
            dockerfile,
            target: build.target.as_ref().map(|target| target.value.clone()),
            args: self.arguments(build),
        })
    }

    fn arguments(&mut self, build: &Build) -> BTreeMap<String, String> {
        let mut args = BTreeMap::new();
        for (name, value) in build.args.iter().flat_map(|table| &table.0) {
            self.variable(name);
            self.no_secret(value);
            args.insert(name.value.clone(), value.value.clone());
        }
        args
    }

    /// A name that an engine could know something by. It says no more than that: the engine has the last word.
    fn reference(&mut self, name: &At<String>, what: &str) -> Option<String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@+".contains(&b);
        if !name.is_empty() && name.len() <= 255 && name.bytes().all(fits) && !name.starts_with('-') {
            return Some(name.value.clone());
        }
        self.error(name.span, format!("`{}` is not the name of {what}", name.value));
        None
    }
}

fn name_of(backend: written::Backend) -> &'static str {
    match backend {
        written::Backend::Linux => "linux",
        written::Backend::Docker => "docker",
        written::Backend::Kubernetes => "kubernetes",
    }
}

fn layout(network: Option<&At<Network>>) -> NetworkLayout {
    match network.map(|network| network.value) {
        None | Some(Network::Sealed) => NetworkLayout::Sealed,
        Some(Network::Internal) => NetworkLayout::Internal,
    }
}
