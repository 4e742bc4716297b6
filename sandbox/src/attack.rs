//! A hostile program: what an agent might try against its bottle, as a list. `bottle doctor --attack` runs it inside a
//! bottle on the user's own machine; the escape tests run it whole, and again with single guards removed, to see that
//! each attempt can succeed.
//!
//! Every attempt is harmless where it succeeds: it opens and does not write, asks with arguments that the kernel
//! refuses after the permission check, or touches what the caller laid out as a witness.

mod files;
mod kernel;
mod keys;
mod names;
mod network;
mod process;
mod terminal;

pub use keys::CREDENTIAL_FILES;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// What the caller laid out around the bottle, so that a success can be told from luck.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// Port of a listener of the host, on every address, that greets with [`World::greeting`].
    pub witness_port: u16,
    /// UDP port of the host that answers with the greeting.
    pub witness_udp_port: u16,
    /// What the witnesses say.
    pub greeting: String,
    /// Addresses of the host, besides loopback.
    pub host_addresses: Vec<IpAddr>,
    /// Name of an abstract Unix socket of the host that greets.
    pub abstract_socket: String,
    /// Path of a Unix socket of the host that greets, in a folder that the bottle does not mount.
    pub unix_socket: PathBuf,
    /// A file of the host, outside everything mounted, readable by the user.
    pub secret_file: PathBuf,
    /// The first half of a marker that begins every real secret of this run (the halves are joined only in memory).
    pub marker_a: String,
    /// The second half.
    pub marker_b: String,
    /// Process id of the launcher, in the host's numbers.
    pub launcher_pid: i32,
    /// The workspace; a git repository.
    pub workspace: PathBuf,
    /// Where the egress answers as an explicit proxy.
    pub proxy: std::net::SocketAddr,
    /// A name that no route allows.
    pub refused_name: String,
}

/// Where the egress answers as an explicit proxy, seen from inside: the capture redirects any address but loopback, so
/// that a fixed one will do.
pub const PROXY: std::net::SocketAddr =
    std::net::SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 0, 1)), 9099);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome", content = "saw")]
pub enum Outcome {
    /// The bottle held; what was seen.
    Held(String),
    /// The attempt succeeded; what was reached.
    Broke(String),
    /// It cannot be tried here, and why.
    Skipped(String),
}

/// What an attempt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Packets that leave, hosts that are reached.
    Network,
    /// DNS as a way out.
    Names,
    /// Other processes: memory, signals, namespaces.
    Process,
    /// Kernel interfaces.
    Kernel,
    /// Files and mounts.
    Files,
    /// The operator's terminal.
    Terminal,
}

/// One thing to try.
pub struct Attempt {
    /// Stable name, for tables and tests.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// What would be gained.
    pub gain: &'static str,
    run: fn(&World) -> Outcome,
}

/// A tried attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The attempt's name.
    pub name: String,
    /// Its group.
    pub group: Group,
    /// What would be gained.
    pub gain: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// All attempts, in the order in which they are made.
pub fn attempts() -> Vec<Attempt> {
    [
        process::ATTEMPTS,
        network::ATTEMPTS,
        names::ATTEMPTS,
        kernel::ATTEMPTS,
        files::ATTEMPTS,
        terminal::ATTEMPTS,
    ]
    .into_iter()
    .flat_map(|list| list.iter().map(|a| Attempt { ..*a }))
    .collect()
}

/// Makes every attempt whose name contains `only` (all of them, when it is empty) and tells of each as it ends.
pub fn run(world: &World, only: &str, mut tell: impl FnMut(&Report)) {
    for attempt in attempts().iter().filter(|a| a.name.contains(only)) {
        let outcome = (attempt.run)(world);
        tell(&Report { name: attempt.name.into(), group: attempt.group, gain: attempt.gain.into(), outcome });
    }
}

/// An answer of the kernel, judged: an error of `refusals` means that the bottle held; success, or any other error,
/// means that the kernel's own code was reached.
fn refused<T: std::fmt::Debug>(
    answer: Result<T, nix::errno::Errno>,
    refusals: &[nix::errno::Errno],
) -> Outcome {
    match answer {
        Err(errno) if refusals.contains(&errno) => Outcome::Held(format!("{errno}")),
        Err(errno) => Outcome::Broke(format!("the kernel went on to {errno}")),
        Ok(value) => Outcome::Broke(format!("the kernel answered {value:?}")),
    }
}
