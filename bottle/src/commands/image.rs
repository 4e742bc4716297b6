//! `bottle image`: the image that a container engine's bottles have their egress from.
use crate::failure::{Failure, Outcome};
use clap::{Args, Subcommand};
use sandbox::docker::image::{self, Binary};
use sandbox::docker::{Engine, Facts};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `bottle image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// The commands of `bottle image`.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Lay the image into the engine now; `bottle run` does it by itself when it is needed.
    Build(BuildArgs),
    /// Write the image as an archive that `docker load` and `podman load` take.
    Export(ExportArgs),
}

/// Arguments of `bottle image build`.
#[derive(Debug, Args)]
#[command(after_help = BUILD_HELP)]
pub struct BuildArgs {
    /// The engine's address (`unix://`, `tcp://`, `ssh://`) or a context of Docker's client.
    #[arg(long, value_name = "ADDRESS|CONTEXT")]
    pub engine: Option<String>,
}

/// Arguments of `bottle image export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArgs {
    /// Where to write it; without it, standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

const BUILD_HELP: &str = "\
The image holds this very program and next to nothing else. It is made without a Dockerfile and without the network, and
made again only when the program changes. The engine is the one that Docker's client would use (`DOCKER_HOST`,
`DOCKER_CONTEXT`, its configuration), else the first of the usual sockets of Docker and Podman that answers.

Examples:
  bottle image build
  bottle image build --engine ssh://me@build-host";

const EXPORT_HELP: &str = "\
The same program gives the same bytes.

Examples:
  bottle image export --output bottle-egress.tar
  bottle image export | docker --context far load";

/// Does it.
pub fn run(args: &ImageArgs) -> Outcome {
    match &args.command {
        ImageCommand::Build(args) => build(args),
        ImageCommand::Export(args) => export(args.output.as_deref()),
    }
}

fn build(args: &BuildArgs) -> Outcome {
    let named = std::env::var(image::OVERRIDE).ok().filter(|name| !name.is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::connect(args.engine.as_deref()).await?;
        let facts = Facts::of(&engine).await?;
        let image = image::ensure(&engine, &facts, named.as_deref(), &|said| {
            crate::say::err(&format!("{}\n", crate::style::neutral(said)))
        })
        .await?;
        crate::say::out(format!("{} {}\n", image.name, if image.made { "made" } else { "there already" }))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn export(output: Option<&Path>) -> Outcome {
    let binary = Binary::running()?;
    match output {
        Some(path) => {
            let unwritable = |error| Failure::new(format!("cannot write `{}`: {error}", path.display()));
            image::export(&binary, &mut File::create(path).map_err(unwritable)?)?;
        }
        None => image::export(&binary, &mut standard_output()?)?,
    }
    crate::say::err(&format!("{}\n", binary.image_name()));
    Ok(ExitCode::SUCCESS)
}

fn standard_output() -> Result<impl Write, Failure> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::new("an archive is nothing for a terminal")
            .help("name a file with `--output`, or pipe it: `bottle image export | docker load`"));
    }
    Ok(std::io::stdout().lock())
}
