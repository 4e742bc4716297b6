//! `bottle ui`: a web page of this machine alone that shows all bottles and answers what they ask for.
use crate::failure::{Failure, Outcome};
use crate::ui::{Machine, Ui};
use crate::{places, say};
use clap::Args;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::OpenOptions;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often signals are looked for.
const PULSE: Duration = Duration::from_millis(200);

/// Arguments of `bottle ui`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UiArgs {
    /// Listen at this port of 127.0.0.1; 0: any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Open the page in the browser (`xdg-open`).
    #[arg(long)]
    pub open: bool,
    /// Print the link as JSON: `{\"url\": …, \"port\": …}`.
    #[arg(long)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
The link opens one page, once: what is behind its `#` is a secret that is used up by that. Press Enter for another one.
Bottles are attended (their agents may ask) as long as a page is open. Ctrl-C ends it.

Examples:
  bottle ui --open
  bottle ui --port 8650
  bottle ui --json | jq -r .url";

/// Serves the page until a signal comes.
pub fn run(args: &UiArgs) -> Outcome {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let ui = Arc::new(Ui::start(args.port, Arc::new(Machine))?);
    let mut opener = args.open.then(|| Opener::start(&ui.link())).transpose()?;
    if args.json {
        say::out(format!("{}\n", json!({ "url": ui.link(), "port": ui.port() })))?;
    } else {
        say::out(format!("{}\n", ui.link()))?;
        say::err("bottle: this link opens one page, once; Enter: another link; Ctrl-C: the end\n");
        if std::io::stdin().is_terminal() {
            more_links(Arc::downgrade(&ui))?;
        }
    }
    while signals.pending().next().is_none() {
        if ui.opened_within(PULSE) {
            opener = None;
            say::err("bottle: a page was opened with a link\n");
        }
    }
    drop(opener);
    Ok(ExitCode::SUCCESS)
}

/// Each Enter is a wish for another link.
fn more_links(ui: Weak<Ui>) -> Result<(), Failure> {
    let links = move || {
        for _line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(ui) = ui.upgrade() else { return };
            say::line(&ui.link());
        }
    };
    std::thread::Builder::new().name("ui".to_owned()).spawn(links)?;
    Ok(())
}

/// A file that leads a browser to a link. Arguments of programs are shown to everybody on the machine; a file is not.
struct Opener(PathBuf);

impl Opener {
    fn start(link: &str) -> Result<Opener, Failure> {
        let path = places::runtime_root()?.join(format!("ui-{}.html", std::process::id()));
        let opener = Opener(path);
        write(&opener.0, link)
            .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", opener.0.display())))?;
        let mut open = Command::new("xdg-open");
        open.arg(&opener.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = open.spawn() {
            say::err(&format!(
                "bottle: warning: cannot start `xdg-open` ({error}); open the link yourself\n"
            ));
        }
        Ok(opener)
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        let _gone_with_its_folder = std::fs::remove_file(&self.0);
    }
}

fn write(path: &Path, link: &str) -> std::io::Result<()> {
    let _none_was_left = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(
        file,
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0;url={link}\"><title>bottle</title><a href=\"{link}\">bottle</a>"
    )
}
