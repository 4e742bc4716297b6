//! `bottle man`: a manual page per command, made from the same text as `--help`.
use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use clap::{Args, Command, CommandFactory};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `bottle man`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ManArgs {
    /// Folder for the pages, made when missing; without it the main page goes to standard output.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  bottle man --out ~/.local/share/man/man1
  bottle man | man -l -";

/// Writes them.
pub fn run(args: &ManArgs) -> Outcome {
    let mut root = Cli::command();
    root.build();
    match &args.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(root).render(&mut page)?;
            crate::say::out(page)?;
        }
        Some(folder) => write_pages(folder, &root)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_pages(folder: &Path, root: &Command) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    write_page(folder, root.clone(), "bottle")?;
    write_subpages(folder, root, "bottle")
}

fn write_subpages(folder: &Path, command: &Command, prefix: &str) -> Result<(), Failure> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{prefix}-{}", sub.get_name());
        write_page(folder, sub.clone(), &name)?;
        write_subpages(folder, sub, &name)?;
    }
    Ok(())
}

fn write_page(folder: &Path, command: Command, name: &str) -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).title(name.to_uppercase()).render(&mut page)?;
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page).map_err(|error| cannot_write(&path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write `{}`: {error}", path.display()))
        .help("choose a folder you may write to with `--out DIR`")
}
