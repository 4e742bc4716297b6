//! What a run needs: certificates, an upstream, the programs that are measured, and a runtime for the driver.
use crate::child::Process;
use crate::ours::{Manifest, Product};
use crate::pki::Authority;
use crate::upstream::CREDENTIAL;
use crate::way::{Way, Who};
use crate::{limits, peers};
use anyhow::{Context, Result, bail};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// Routes to other hosts in the product's manifest.
const OTHER_ROUTES: usize = 9;

/// Where the programs are; what is missing cannot be measured.
pub(crate) struct Programs {
    /// The release `bottle`.
    pub(crate) bottle: PathBuf,
    /// The example of hudsucker.
    pub(crate) hudsucker: Option<PathBuf>,
    /// mitmdump.
    pub(crate) mitmdump: Option<PathBuf>,
}

/// How long anything may take that is a matter of seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that a scenario stands on. All of it is gone when it is dropped.
pub(crate) struct Stage {
    /// The product.
    pub(crate) product: Product,
    programs: Programs,
    upstream: SocketAddr,
    _upstream: Process,
    local: LocalSet,
    runtime: Runtime,
    folder: TempDir,
}

impl Stage {
    /// Makes certificates and starts the upstream.
    pub(crate) fn set(programs: Programs) -> Result<Stage> {
        limits::raise();
        let folder = tempfile::Builder::new().prefix("bench.").tempdir()?;
        Authority::generate("bench upstream")?.write(folder.path(), "upstream")?;
        Authority::generate("bench middle")?.write(folder.path(), "middle")?;
        let mut command = myself("upstream")?;
        command.arg(folder.path());
        let (process, upstream) = Process::listening(command, false)?;
        let product = Product::new(&programs.bottle, folder.path())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Stage { product, programs, upstream, _upstream: process, local: LocalSet::new(), runtime, folder })
    }

    /// The folder of the run's certificates.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether this one can be started here.
    pub(crate) fn has(&self, who: Who) -> bool {
        match who {
            Who::Hudsucker => self.programs.hudsucker.is_some(),
            Who::Mitmproxy => self.programs.mitmdump.is_some(),
            _ => true,
        }
    }

    /// Runs the driver's side to its end, which must come within two minutes.
    pub(crate) fn drive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.drive_for(PATIENCE, work)
    }

    /// The same for what may take longer.
    pub(crate) fn drive_for<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.local.block_on(&self.runtime, async {
            let ended = tokio::time::timeout(patience, work).await;
            ended.unwrap_or_else(|_| bail!("it stalls: not done after {} s", patience.as_secs()))
        })
    }

    /// An upstream whose certificate nobody should take: it is signed by another authority.
    pub(crate) fn impostor(&self) -> Result<(Process, SocketAddr)> {
        let folder = self.folder().join("impostor");
        std::fs::create_dir_all(&folder)?;
        Authority::generate("somebody else")?.write(&folder, "upstream")?;
        let mut command = myself("upstream")?;
        command.arg(folder);
        Process::listening(command, false)
    }

    /// Starts one of them, for these names of the upstream.
    pub(crate) fn start(&self, who: Who, names: &[String]) -> Result<Way> {
        self.start_to(who, names, self.upstream)
    }

    /// Starts one of them, for these names of an upstream at another address.
    pub(crate) fn start_to(&self, who: Who, names: &[String], upstream: SocketAddr) -> Result<Way> {
        let upstream_ca = self.folder().join("upstream.pem");
        match who {
            Who::Direct => Way::new(who, upstream, &upstream_ca, CREDENTIAL),
            Who::Tunnel => {
                let mut command = myself("tunnel")?;
                command.arg(upstream.to_string());
                let (process, address) = Process::listening(command, false)?;
                Ok(Way::new(who, address, &upstream_ca, CREDENTIAL)?.of(process))
            }
            Who::Floor | Who::FloorResuming => {
                let mut command = myself("floor")?;
                command.arg(upstream.to_string()).arg(self.folder());
                if who == Who::FloorResuming {
                    command.arg("--resume");
                }
                let (process, address) = Process::listening(command, false)?;
                Ok(Way::new(who, address, &self.folder().join("middle.pem"), CREDENTIAL)?.of(process))
            }
            Who::OursDlpOff => self.ours_to(upstream, "bench-off", (false, OTHER_ROUTES), names),
            Who::Ours => self.ours_to(upstream, "bench-on", (true, OTHER_ROUTES), names),
            Who::Hudsucker => {
                let program = self.programs.hudsucker.as_deref().context("hudsucker is not built")?;
                peers::hudsucker(program, self.folder(), upstream)
            }
            Who::Mitmproxy => {
                let program = self.programs.mitmdump.as_deref().context("mitmdump is not installed")?;
                peers::mitmproxy(program, self.folder(), upstream)
            }
        }
    }

    /// Starts the product under this name of a bottle, with so many routes to other hosts.
    pub(crate) fn ours(&self, name: &str, dlp: bool, other_routes: usize, names: &[String]) -> Result<Way> {
        self.ours_to(self.upstream, name, (dlp, other_routes), names)
    }

    /// Writes the usual manifest under this name of a bottle; its path.
    pub(crate) fn manifest(&self, name: &str, names: &[String]) -> Result<PathBuf> {
        let manifest = Manifest {
            upstream: self.upstream,
            pki: self.folder(),
            dlp: true,
            other_routes: OTHER_ROUTES,
            names,
        };
        self.product.write(name, &manifest)
    }

    fn ours_to(
        &self,
        upstream: SocketAddr,
        name: &str,
        (dlp, other_routes): (bool, usize),
        names: &[String],
    ) -> Result<Way> {
        let manifest = Manifest { upstream, pki: self.folder(), dlp, other_routes, names };
        let path = self.product.write(name, &manifest)?;
        self.product.start(if dlp { Who::Ours } else { Who::OursDlpOff }, &path)
    }
}

/// A command of this very program.
pub(crate) fn myself(subcommand: &str) -> Result<Command> {
    let program = std::env::current_exe()?;
    if !program.exists() {
        bail!("this program was replaced while it ran: start it again");
    }
    let mut command = Command::new(program);
    command.arg(subcommand);
    Ok(command)
}
