//! `bottle engine`: the egress engine as a sidecar. Started by `bottle run`, not by people.
use crate::failure::{Failure, Outcome};
use crate::run::memory;
use crate::run::start::walls_failure;
use crate::sidecar::health;
use crate::sidecar::room::{self, Ears};
use clap::Args;
use egress::Listeners;
use sandbox::linux::InsideListeners;
use std::io::BufReader;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the holder may take to hand its listeners over.
const HANDOVER_WAIT: Duration = Duration::from_secs(20);

/// Arguments of `bottle engine`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EngineArgs {
    /// Take the listeners of a holder, from this Unix socket.
    #[arg(long, value_name = "SOCKET", required_unless_present_any = ["listen", "health"])]
    pub handover: Option<PathBuf>,
    /// Listen here instead, as an explicit proxy; may be repeated.
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "handover")]
    pub listen: Vec<SocketAddr>,
    /// Answer names here as well; may be repeated.
    #[arg(long, value_name = "ADDR:PORT", requires = "listen")]
    pub names: Vec<SocketAddr>,
    /// End with the holder at this Unix socket, and let it end with this engine.
    #[arg(long, value_name = "SOCKET", requires = "listen")]
    pub tether: Option<PathBuf>,
    /// Ask the engine of this container whether it is well, and end.
    #[arg(long, conflicts_with_all = ["handover", "listen"])]
    pub health: bool,
}

const AFTER_HELP: &str = "\
The launcher says on standard input what the bottle may reach, with the secrets for it, and hears on standard output what
to write down. When standard input closes, the engine ends at once.

Exit code: 0 at the launcher's end; with `--health` 0 when the engine is well and 1 when not; 125 when it cannot start.";

/// Runs it.
pub fn run(args: &EngineArgs) -> Outcome {
    if args.health {
        let well = health::is_well(Path::new(health::SOCKET));
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    memory::keep_secrets_in()?;
    egress::begin_ahead();
    egress::begin_roots();
    log_to_standard_error();
    health::answer(Path::new(health::SOCKET));
    room::serve(BufReader::new(std::io::stdin()), std::io::stdout(), |inner| ears(args, inner))
}

/// The container engine keeps it, and the launcher copies it into the bottle's log.
fn log_to_standard_error() {
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr);
    let _set_once = lines.with_max_level(tracing::Level::INFO).try_init();
}

fn ears(args: &EngineArgs, inner: Option<IpAddr>) -> Result<Ears, Failure> {
    if let Some(socket) = &args.handover {
        let (inside, tether) = sandbox::linux::holder::take(socket, HANDOVER_WAIT).map_err(walls_failure)?;
        let InsideListeners { tcp, dns_udp, dns_tcp } = inside;
        let listeners = Listeners { tcp, dns_udp, dns_tcp, captured: true };
        return Ok(Ears { listeners, tether: Some(tether) });
    }
    let at = |address: &SocketAddr| SocketAddr::new(inner.unwrap_or(address.ip()), address.port());
    let listeners = Listeners {
        tcp: args.listen.iter().map(|address| tcp(at(address))).collect::<Result<_, _>>()?,
        dns_tcp: args.names.iter().map(|address| tcp(at(address))).collect::<Result<_, _>>()?,
        dns_udp: args.names.iter().map(|address| udp(at(address))).collect::<Result<_, _>>()?,
        captured: false,
    };
    let tie = |socket: &PathBuf| sandbox::linux::holder::tie(socket, HANDOVER_WAIT).map_err(walls_failure);
    Ok(Ears { listeners, tether: args.tether.as_ref().map(tie).transpose()? })
}

fn tcp(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::new(format!("cannot listen on `{address}`: {error}")))
}

fn udp(address: SocketAddr) -> Result<UdpSocket, Failure> {
    UdpSocket::bind(address).map_err(|error| Failure::new(format!("cannot listen on `{address}`: {error}")))
}
