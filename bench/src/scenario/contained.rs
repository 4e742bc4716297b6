//! `bottle run` with Docker: how soon the agent's first instruction runs, beside two whole runs of the same program by `docker run`, as a
//! bottle has two containers at least. Only where the `docker` client reaches an engine.
use super::launch::timed;
use super::{Metric, Scenario, Slice};
use crate::clock;
use crate::stage::Stage;
use crate::way::Who;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the scenario makes in the engine and takes away again; the sidecar's image stays, as after any bottle.
const IMAGE: &str = "bottle-bench:stamp";
/// What an engine's client goes by.
const CLIENT_VARIABLES: [&str; 4] =
    ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];

/// A run of a program that says what time it is, and ends.
pub(super) struct Contained {
    manifest: Option<PathBuf>,
}

impl Contained {
    pub(super) fn boxed() -> Box<dyn Scenario> {
        Box::new(Contained { manifest: None })
    }

    fn bottle(&self, stage: &Stage) -> Result<Slice> {
        let manifest = self.manifest.as_ref().context("it was not started")?;
        let mut command = stage.product.command(&["run", "--manifest"]);
        for name in CLIENT_VARIABLES {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.arg(manifest).args(["--", "/stamp", "stamp"]);
        let slice = timed(command)?;
        Ok(Slice { figures: slice.figures[..1].to_vec(), cpu: None })
    }
}

impl Scenario for Contained {
    fn id(&self) -> &'static str {
        "docker"
    }

    fn title(&self) -> &'static str {
        "`bottle run` with Docker, to the first instruction; floor: two whole `docker run`s"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::time("ms", 0)] }
    }

    fn takes(&self, who: Who) -> bool {
        matches!(who, Who::Floor | Who::Ours)
    }

    /// Only when it is named: an engine is not everywhere, and it is not ours.
    fn is_optional(&self) -> bool {
        true
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        if who == Who::Floor {
            make_image(stage.folder())?;
        }
        let folder = stage.folder().join("bench-docker");
        std::fs::create_dir_all(folder.join("workspace"))?;
        let path = folder.join("bottle.yaml");
        let text = format!(
            "name: bench-docker\nworkspace: ./workspace\nbackend: docker\nimage: {IMAGE}\nnetwork: sealed\n"
        );
        std::fs::write(&path, text)?;
        self.manifest = Some(path);
        self.slice(stage, who, 0).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        if who == Who::Ours {
            return self.bottle(stage);
        }
        let began = clock::now();
        for _ in 0..2 {
            docker(&["run", "--rm", "--network", "none", IMAGE, "/stamp", "stamp"])?;
        }
        let spent = std::time::Duration::from_nanos(clock::now().saturating_sub(began));
        Ok(Slice { figures: vec![spent.as_secs_f64() * 1e3], cpu: None })
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        if self.manifest.is_some() {
            // Whoever ends the run early removes it by hand: its name says whose it is.
            let _stays = docker(&["image", "rm", IMAGE]);
        }
    }
}

/// An image that holds this very program, and nothing else: it is static.
fn make_image(folder: &Path) -> Result<()> {
    let root = folder.join("image");
    std::fs::create_dir_all(&root)?;
    std::fs::copy(std::env::current_exe()?, root.join("stamp"))?;
    let archive = folder.join("image.tar");
    let packed = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg("stamp").status();
    if !packed.context("cannot run tar")?.success() {
        bail!("the image cannot be packed");
    }
    docker(&["import", &archive.to_string_lossy(), IMAGE])
}

fn docker(arguments: &[&str]) -> Result<()> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output();
    let output = output.context("no `docker` client: set it up, or leave this scenario out")?;
    if !output.status.success() {
        bail!("`docker {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
