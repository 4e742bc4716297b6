//! `bottle run` on Linux: how soon the agent's first instruction runs, and how long the shortest run takes. Beside it the same program
//! without a bottle.
use super::{Metric, Scenario, Slice, one_name};
use crate::clock;
use crate::stage::Stage;
use crate::way::Who;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A run of a program that says what time it is, and ends.
pub(super) struct Launch {
    manifest: Option<PathBuf>,
}

impl Launch {
    pub(super) fn boxed() -> Box<dyn Scenario> {
        Box::new(Launch { manifest: None })
    }
}

impl Scenario for Launch {
    fn id(&self) -> &'static str {
        "run"
    }

    fn title(&self) -> &'static str {
        "`bottle run` on Linux; direct: the same program without"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::time("first instruction ms", 1), Metric::time("whole ms", 1)] }
    }

    fn takes(&self, who: Who) -> bool {
        matches!(who, Who::Direct | Who::Ours)
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let manifest = stage.manifest("bench-run", &one_name())?;
        let inside = manifest.with_file_name("workspace").join("stamp");
        if !inside.exists() {
            std::fs::copy(std::env::current_exe()?, &inside)?;
        }
        self.manifest = Some(manifest);
        self.slice(stage, who, 0).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let manifest = self.manifest.as_ref().context("it was not started")?;
        let inside = manifest.with_file_name("workspace").join("stamp");
        let command = match who {
            Who::Ours => {
                let mut command = stage.product.command(&["run", "--manifest"]);
                command.arg(manifest).arg("--").arg(&inside).arg("stamp");
                command
            }
            _ => {
                let mut command = Command::new(&inside);
                command.arg("stamp");
                command
            }
        };
        timed(command)
    }
}

/// Runs what says what time it is: milliseconds to its first instruction, and to its end.
pub(super) fn timed(mut command: Command) -> Result<Slice> {
    let began = clock::now();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{command:?}`"))?;
    let ended = clock::now();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("`{command:?}` failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    let first: u64 = said.trim().parse().with_context(|| format!("the program said `{said}`"))?;
    let millis =
        |until: u64| std::time::Duration::from_nanos(until.saturating_sub(began)).as_secs_f64() * 1e3;
    Ok(Slice { figures: vec![millis(first), millis(ended)], cpu: None })
}

/// What runs inside: its first instructions.
pub(crate) fn stamp() {
    println!("{}", clock::now());
}
