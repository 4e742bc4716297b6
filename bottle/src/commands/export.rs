//! `bottle export`: tell Prometheus or an OpenTelemetry collector what all bottles do.
use crate::export::{self, Exporter, HEADERS, Scrape, Target};
use crate::failure::{Failure, Outcome};
use crate::say;
use clap::Args;
use policy::Host;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::net::SocketAddr;
use std::process::ExitCode;

/// Arguments of `bottle export`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExportArgs {
    /// Which bottles, by slug or name; all when none is named, those that start later too.
    #[arg(value_name = "SLUG|NAME")]
    pub bottles: Vec<String>,
    /// Serve `/metrics` to Prometheus here; port 0: any that is free.
    #[arg(long, value_name = "ADDR:PORT")]
    pub prometheus: Option<SocketAddr>,
    /// Let other machines ask: what is told names hosts of yours with `--by-host`, and bottles always.
    #[arg(long, requires = "prometheus")]
    pub expose: bool,
    /// A name by which Prometheus asks, where it is no address: a container's. May be repeated.
    #[arg(long, value_name = "NAME", requires = "prometheus", value_parser = host)]
    pub called: Vec<Host>,
    /// Push spans and metrics to this collector: OTLP over HTTP, in JSON.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    pub otlp: Option<Target>,
    /// Count exchanges and bytes by host: the first 1000, then `(others)`. Agents choose them.
    #[arg(long)]
    pub by_host: bool,
}

const AFTER_HELP: &str = "\
With neither `--prometheus` nor `--otlp`: prints the text for Prometheus once, of what the launchers remember (the last 500
lines of each), and ends. Otherwise it counts from when it was started, and SIGINT or SIGTERM ends it. Nobody attends to
bottles by this. Headers for the collector are read from OTEL_EXPORTER_OTLP_HEADERS, since others see arguments.

Exit codes: 0; 125 when it cannot start.

Examples:
  bottle export
  bottle export --prometheus 127.0.0.1:9464
  bottle export --otlp http://127.0.0.1:4318 dev
  bottle export --prometheus 0.0.0.0:9464 --expose --called metrics --by-host";

/// Tells until a signal comes, or once.
pub fn run(args: &ExportArgs) -> Outcome {
    if args.prometheus.is_none() && args.otlp.is_none() {
        say::out(export::once(&args.bottles, args.by_host)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (expose, called) = (args.expose, args.called.clone());
    let scrape = args.prometheus.map(|address| Scrape { address, expose, called });
    let target = args.otlp.clone().map(with_headers).transpose()?;
    let pushes = target.as_ref().map(|target| format!("bottle: pushes to {target}\n"));
    let exporter = Exporter::start(args.bottles.clone(), args.by_host, scrape, target)?;
    if let Some(address) = exporter.address() {
        say::out(format!("http://{address}/metrics\n"))?;
    }
    pushes.into_iter().for_each(|pushes| say::err(&pushes));
    // Any of them is the end.
    let _signal = signals.forever().next();
    exporter.end();
    Ok(ExitCode::SUCCESS)
}

fn with_headers(target: Target) -> Result<Target, Failure> {
    target.with_headers(&std::env::var(HEADERS).unwrap_or_default())
}

fn host(text: &str) -> Result<Host, String> {
    Host::parse(text).map_err(|error| error.to_string())
}
