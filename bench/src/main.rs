//! How fast the egress is, beside the least that a proxy can do and beside other proxies: one command, one table.
//!
//! This program is driver, upstream, tunnel and floor (each a process of its own); the product is measured as it ships.
mod bodies;
mod check;
mod child;
mod circumstances;
mod clock;
mod closed_loop;
mod h1;
mod limits;
mod ours;
mod peers;
mod pki;
mod relay;
mod rounds;
mod scenario;
mod setup;
mod spinners;
mod stage;
mod stats;
mod table;
mod ticks;
mod upstream;
mod way;
mod workers;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use scenario::Pace;
use setup::Peers;
use stage::Stage;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use way::Who;

#[derive(Parser)]
#[command(name = "bench", about, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    part: Option<Part>,
}

const AFTER_HELP: &str = "\
Prints Markdown on standard output, progress on standard error. Whatever is not built or installed yet is, first: the release
`bottle`, the example of hudsucker, and mitmproxy by this user's pip.

Examples:
  bench/run
  bench/run --scenario get-64,h2-64 --peers none
  bench/run --quick --json > figures.json
  bench/run --write docs/performance.md";

#[derive(Args)]
struct Run {
    /// Only these scenarios, by their ids.
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    scenario: Vec<String>,
    /// List the scenarios, and end.
    #[arg(long)]
    list: bool,
    /// Rounds: in each, every way gets one slice.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Length of a slice in milliseconds.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(10..))]
    slice: u16,
    /// Which other proxies to measure: `hudsucker`, `mitmproxy`, or `none`.
    #[arg(long, value_delimiter = ',', value_name = "NAME", default_value = "hudsucker,mitmproxy")]
    peers: Vec<String>,
    /// Three rounds of short slices, to see that everything works; such figures say little.
    #[arg(long, conflicts_with_all = ["rounds", "slice"])]
    quick: bool,
    /// Print JSON instead, with every slice.
    #[arg(long)]
    json: bool,
    /// Put the tables between the marks of this document, too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure this `bottle` instead of the one that is built here.
    #[arg(long, value_name = "FILE")]
    bottle: Option<PathBuf>,
    /// Build and install nothing: measure what was built before.
    #[arg(long)]
    no_build: bool,
}

/// The processes that this program starts of itself.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Upstream { folder: PathBuf },
    #[command(hide = true)]
    Tunnel { upstream: SocketAddr },
    #[command(hide = true)]
    Spin,
    #[command(hide = true)]
    Stamp,
    #[command(hide = true)]
    Floor {
        upstream: SocketAddr,
        folder: PathBuf,
        #[arg(long)]
        resume: bool,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.part {
        None => run(&cli.run),
        Some(Part::Upstream { folder }) => upstream::serve(&folder),
        Some(Part::Tunnel { upstream }) => relay::tunnel(upstream),
        Some(Part::Stamp) => {
            scenario::stamp();
            Ok(())
        }
        Some(Part::Spin) => spinners::spin(),
        Some(Part::Floor { upstream, folder, resume }) => relay::floor(upstream, &folder, resume),
    }
}

fn run(args: &Run) -> Result<()> {
    let pace = match args.quick {
        true => Pace { slice: Duration::from_millis(100), rounds: 3 },
        false => Pace { slice: Duration::from_millis(args.slice.into()), rounds: args.rounds.into() },
    };
    if args.list {
        for scenario in scenario::all(pace) {
            let only_then = if scenario.is_optional() { " (only when it is named)" } else { "" };
            println!("{:12} {}{only_then}", scenario.id(), scenario.title());
        }
        return Ok(());
    }
    let scenarios = chosen(&args.scenario, pace)?;
    let programs = setup::programs(args.bottle.clone(), peers(&args.peers)?, args.no_build)?;
    let circumstances = circumstances::lines(&programs, pace)?;
    child::end_on_signals()?;
    let stage = Stage::set(programs)?;
    let ways: Vec<Who> = Who::ALL.into_iter().filter(|who| stage.has(*who)).collect();
    eprintln!("looking whether everybody does their work");
    check::everybody(&stage, &ways)?;
    let mut all = Vec::new();
    // Each ends with its processes before the next one begins.
    for mut scenario in scenarios {
        all.push(rounds::measure(scenario.as_mut(), &stage, &ways, pace.rounds)?);
    }
    let tables = table::markdown(&all, &circumstances);
    if args.json {
        println!("{:#}", table::json(&all, &circumstances));
    } else {
        print!("{tables}");
    }
    if let Some(document) = &args.write {
        table::write_into(document, &tables)?;
    }
    Ok(())
}

fn chosen(ids: &[String], pace: Pace) -> Result<Vec<Box<dyn scenario::Scenario>>> {
    let mut all = scenario::all(pace);
    if let Some(unknown) = ids.iter().find(|id| all.iter().all(|scenario| scenario.id() != id.as_str())) {
        let known: Vec<_> = all.iter().map(|scenario| scenario.id()).collect();
        bail!("there is no scenario `{unknown}`; there are {}", known.join(", "));
    }
    all.retain(|scenario| match ids {
        [] => !scenario.is_optional(),
        ids => ids.iter().any(|id| id == scenario.id()),
    });
    Ok(all)
}

fn peers(names: &[String]) -> Result<Peers> {
    let mut peers = Peers { hudsucker: false, mitmproxy: false };
    for name in names {
        match name.as_str() {
            "hudsucker" => peers.hudsucker = true,
            "mitmproxy" => peers.mitmproxy = true,
            "none" => {}
            other => bail!("there is no peer `{other}`; there are hudsucker, mitmproxy and none"),
        }
    }
    Ok(peers)
}
