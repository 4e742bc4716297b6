//! Whether an image at an engine is the one that this program would make. What an image's label says is the word of
//! whoever loaded it there; the digests of its layers are the engine's own.
use super::{BINARY_LABEL, VERSION_LABEL, archive, cannot_read};
use super::{Binary, label};
use crate::SandboxError;
use bollard::models::{ImageConfig, ImageInspect};

/// What an image of a binary must be.
pub(super) struct Proof {
    layer: String,
    binary: String,
}

impl Proof {
    /// Reads the binary once more: its layer has a digest of its own.
    pub(super) async fn of(binary: &Binary) -> Result<Proof, SandboxError> {
        let (copy, digest) = (binary.try_clone()?, binary.digest().to_owned());
        let layer = tokio::task::spawn_blocking(move || archive::layer_digest(&copy)).await;
        let layer = layer.map_err(|error| cannot_read(&error))?.map_err(|error| cannot_read(&error))?;
        Ok(Proof { layer, binary: digest })
    }

    /// What about this image is not as it was made; `None` when all is.
    pub(super) fn mismatch(&self, image: &ImageInspect) -> Option<&'static str> {
        let layers = image.root_fs.as_ref().and_then(|root| root.layers.as_deref()).unwrap_or_default();
        if layers != [format!("sha256:{}", self.layer)] {
            return Some("holds other files");
        }
        let said = (label(image, BINARY_LABEL), label(image, VERSION_LABEL));
        if said != (Some(self.binary.as_str()), Some(env!("CARGO_PKG_VERSION"))) {
            return Some("has other labels");
        }
        let settings = image.config.as_ref().is_some_and(as_made);
        (!settings).then_some("is set up to run otherwise")
    }
}

fn as_made(config: &ImageConfig) -> bool {
    let none = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    let test = config.healthcheck.as_ref().and_then(|health| health.test.clone());
    config.entrypoint.as_deref() == Some(&[archive::ENTRYPOINT.to_owned()])
        && config.user.as_deref() == Some(&archive::user())
        && config.env.as_deref() == Some(&[archive::environment()])
        && none(&config.cmd)
        && none(&config.volumes)
        && none(&config.on_build)
        && none(&test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{HealthConfig, ImageInspectRootFs};
    use std::collections::HashMap;

    fn proof() -> Proof {
        Proof { layer: "aa".into(), binary: "bb".into() }
    }

    fn made() -> ImageInspect {
        let labels = [(BINARY_LABEL, "bb"), (VERSION_LABEL, env!("CARGO_PKG_VERSION"))];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = ImageConfig {
            entrypoint: Some(vec!["/bottle".into()]),
            user: Some("65532:65532".into()),
            env: Some(vec!["XDG_STATE_HOME=/state".into()]),
            cmd: Some(Vec::new()),
            labels: Some(HashMap::from(labels)),
            ..ImageConfig::default()
        };
        let root = ImageInspectRootFs { layers: Some(vec!["sha256:aa".into()]), ..Default::default() };
        ImageInspect { config: Some(config), root_fs: Some(root), ..ImageInspect::default() }
    }

    fn changed(change: impl FnOnce(&mut ImageConfig)) -> Option<&'static str> {
        let mut image = made();
        change(image.config.as_mut().expect("there"));
        proof().mismatch(&image)
    }

    #[test]
    fn an_image_is_ours_by_its_files_and_by_what_it_runs() {
        assert_eq!(proof().mismatch(&made()), None);
        let mut other = made();
        other.root_fs.as_mut().expect("there").layers = Some(vec!["sha256:ab".into()]);
        assert_eq!(proof().mismatch(&other), Some("holds other files"));
        let more = Some(vec!["sha256:aa".into(), "sha256:cc".into()]);
        other.root_fs.as_mut().expect("there").layers = more;
        assert_eq!(proof().mismatch(&other), Some("holds other files"));
        assert_eq!(proof().mismatch(&ImageInspect::default()), Some("holds other files"));
        let otherwise = Some("is set up to run otherwise");
        assert_eq!(changed(|config| config.user = Some("0".into())), otherwise);
        assert_eq!(changed(|config| config.entrypoint = Some(vec!["/x".into()])), otherwise);
        assert_eq!(changed(|config| config.env.as_mut().expect("some").push("A=b".into())), otherwise);
        assert_eq!(changed(|config| config.volumes = Some(vec!["/state".into()])), otherwise);
        let test = HealthConfig { test: Some(vec!["CMD".into()]), ..HealthConfig::default() };
        assert_eq!(changed(|config| config.healthcheck = Some(test)), otherwise);
        assert_eq!(changed(|config| config.labels = None), Some("has other labels"));
    }
}
