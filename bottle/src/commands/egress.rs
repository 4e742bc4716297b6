//! `bottle egress`: the engine alone, as an explicit proxy for sandboxes that exist already.
mod paper;
mod probe;

use crate::canary::Planted;
use crate::control::Hub;
use crate::control::steer::Near;
use crate::engine::{self, Own, Supplies};
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice, Wanted};
use crate::operate::{Operated, Operation};
use crate::places;
use crate::registry::{Claim, Record, Registry};
use crate::run::{self, journal, memory, preflight, summary};
use crate::say;
use crate::style::Style;
use audit::Auditor;
use clap::Args;
use credentials::Vault;
use egress::{CertificateAuthority, Engine, Listeners};
use manifest::Plan;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `bottle egress`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EgressArgs {
    /// The manifest; without it, the only `bottle.yaml` in this folder or above.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Use presets instead of a manifest; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", conflicts_with = "manifest", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Where to listen, as an explicit proxy; may be repeated.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9099")]
    pub listen: Vec<SocketAddr>,
    /// Listen on addresses that other machines reach too: whoever reaches one uses the routes and their credentials.
    #[arg(long)]
    pub expose: bool,
    /// Write the certificate that clients are to trust.
    #[arg(long, value_name = "FILE")]
    pub ca_out: Option<PathBuf>,
    /// Write the public roots of this machine and the certificate together, for clients that read one file only.
    #[arg(long, value_name = "FILE")]
    pub bundle_out: Option<PathBuf>,
    /// Sign with a CA of your own (PEM) instead of one made for this run.
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    pub ca: Option<PathBuf>,
    /// Its private key (PEM, no passphrase).
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub ca_key: Option<PathBuf>,
    /// Write shell exports for clients: proxy, trust and placeholders.
    #[arg(long, value_name = "FILE")]
    pub env_out: Option<PathBuf>,
    /// Print them on standard output.
    #[arg(long)]
    pub print_env: bool,
    /// What clients call the first address, in the exports: the name of a container, for example.
    #[arg(long, value_name = "HOST:PORT", value_parser = paper::called)]
    pub called: Option<String>,
    /// Nobody is to be asked: what no route allows is refused at once, also with `unmatched: ask`.
    #[arg(long)]
    pub unattended: bool,
    /// Neither preflight nor summary.
    #[arg(long, short)]
    pub quiet: bool,
    /// Ask whether an egress answers there, and end: for health checks.
    #[arg(long, value_name = "ADDR:PORT", exclusive = true)]
    pub probe: Option<SocketAddr>,
}

const AFTER_HELP: &str = "\
Nothing holds clients back here but the sandbox that they are in already: give it no other way out.

Examples:
  bottle egress --ca-out ca.pem --bundle-out bundle.pem --env-out env.sh
  bottle egress --listen 172.17.0.1:9099 --expose --ca-out ca.pem
  bottle egress --ca corp-ca.pem --ca-key corp-ca.key
  bottle egress --listen 0.0.0.0:9099 --expose --called egress:9099 --env-out env.sh
  bottle egress --probe 127.0.0.1:9099

The line `listening on http://…` on standard error says that everything is written and clients may come. SIGTERM and
SIGINT end it when running exchanges have ended, after 3 seconds at the latest. SIGHUP reads the
manifest again, as does a change of it. Exit code: 0 after a signal, 125 when it could not start or could not keep its audit.
With `--probe`: 0 when an egress answers, 1 when none does within 3 seconds.";

/// Runs it until a signal comes.
pub fn run(args: &EgressArgs) -> Outcome {
    if let Some(address) = args.probe {
        return probe::run(address);
    }
    memory::keep_secrets_in()?;
    egress::begin_ahead();
    let (mut plan, wanted) = plan(args)?;
    refuse_canaries(&plan)?;
    let ca = Signing::begin(args, &plan.name)?;
    let vault = engine::resolve(&plan.egress)?;
    let claim = Registry::open()?.claim(&plan.name)?;
    plan.audit_file = claim.own_file(&plan.audit_file);
    let auditor = journal::open_audit(&plan.audit_file, claim.slug())?;
    let record = record(&plan, &claim)?;
    let operation = Operation { wanted, unattended: args.unattended, learn: false };
    let operated = Operated::begin(&claim, &record, &plan, &operation, &auditor)?;
    // Its own log is standard error; what `logs` finds it by lies there.
    places::private_folders(record.log.parent().unwrap_or(Path::new("/")))?;
    claim.publish(&record)?;
    let serving = Serving { args, plan: &plan, vault: &vault, claim: &claim, auditor: &auditor };
    serving.serve(ca.end()?, operated)
}

/// For `ps`, `stop` and whoever watches. Nothing of this machine is written from inside: there is no inside.
fn record(plan: &Plan, claim: &Claim) -> Result<Record, Failure> {
    Ok(Record {
        writable: Vec::new(),
        protection: String::new(),
        command: vec!["bottle".to_owned(), "egress".to_owned()],
        ports: Vec::new(),
        ..run::record(plan, claim)?
    })
}

fn plan(args: &EgressArgs) -> Result<(Plan, Wanted), Failure> {
    let choice = Choice { manifest: args.manifest.as_deref(), presets: &args.preset, ..Choice::default() };
    let (written, loaded) = load::load(&choice)?;
    if !args.quiet && !loaded.warnings.list.is_empty() {
        say::err(&format!("{}\n", loaded.warnings.render(load::colours())));
    }
    Ok((loaded.plan, Wanted::of(&choice, &written)))
}

/// Whoever comes has a home of its own, in which nothing can be planted from here; and what nobody planted gives nobody away.
fn refuse_canaries(plan: &Plan) -> Result<(), Failure> {
    if plan.egress.dlp.canaries.is_empty() {
        return Ok(());
    }
    Err(Failure::new("the manifest asks for canaries, and `bottle egress` can plant none: it does not hold its clients' homes")
        .help("take `canaries` out of `egress.dlp`, or hold the agent with `bottle run`"))
}

/// The authority that signs; a new one is made on a thread beside the start, for it takes as long as all files of a start.
enum Signing {
    Loaded(CertificateAuthority),
    Begun(JoinHandle<Result<CertificateAuthority, Failure>>),
}

impl Signing {
    /// One that is given is read at once: when it is of no use, nothing was begun.
    fn begin(args: &EgressArgs, name: &str) -> Result<Signing, Failure> {
        if let (Some(certificate), Some(key)) = (&args.ca, &args.ca_key) {
            return authority(certificate, key).map(Signing::Loaded);
        }
        let name = name.to_owned();
        let making =
            Builder::new().name("ca".to_owned()).spawn(move || Ok(CertificateAuthority::generate(&name)?));
        let none =
            |error| Failure::new(format!("cannot start a thread for the certificate authority: {error}"));
        making.map(Signing::Begun).map_err(none)
    }

    fn end(self) -> Result<CertificateAuthority, Failure> {
        match self {
            Signing::Loaded(ca) => Ok(ca),
            Signing::Begun(making) => {
                making.join().map_err(|_| Failure::new("the certificate authority could not be made"))?
            }
        }
    }
}

fn authority(certificate: &Path, key: &Path) -> Result<CertificateAuthority, Failure> {
    let (certificate_pem, key_pem) = (read(certificate)?, read(key)?);
    warn_of_mode(key);
    CertificateAuthority::load(&certificate_pem, &key_pem).map_err(|error| {
        Failure::new(format!("cannot sign with `{}` and `{}`: {error}", certificate.display(), key.display()))
            .help("leave `--ca` and `--ca-key` out: a CA is made for each run then")
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", path.display())))
}

/// Said, not refused: some mounts have no modes.
fn warn_of_mode(key: &Path) {
    let others =
        std::fs::metadata(key).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o077 != 0);
    if others {
        let key = key.display();
        say::err(&format!("bottle: warning: other users may read the key `{key}`: `chmod 600` it\n"));
    }
}

struct Serving<'a> {
    args: &'a EgressArgs,
    plan: &'a Plan,
    vault: &'a Vault,
    claim: &'a Claim,
    auditor: &'a Auditor,
}

impl Serving<'_> {
    fn serve(&self, ca: CertificateAuthority, mut operated: Operated) -> Outcome {
        let listeners = self.listen()?;
        let addresses = addresses(&listeners)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("egress").build()?;
        let certificate = ca.certificate_pem().to_owned();
        let (slug, auditor) = (self.claim.slug(), self.auditor.clone());
        let supplies = Supplies::read(&self.plan.egress)?;
        let unsought = engine::unsought(&self.plan.egress, self.vault, &supplies);
        let config = engine::config(
            &self.plan.egress,
            supplies,
            self.vault.clone(),
            Own { slug, ca, audit: auditor },
            operated.posture(),
        )?;
        let started = Instant::now();
        let engine = start(&runtime, config, listeners)?;
        operated.engine(Arc::new(Near(engine.steering())), self.vault, &Planted::default());
        self.show_preflight(&unsought);
        paper::write(self.args, &certificate, addresses[0], &self.vault.agent_env())?;
        journal::step(self.auditor, "egress-listening", Some(list(&addresses)));
        let ended = runtime.block_on(until_signal(engine, &list(&addresses), &operated.hub));
        journal::step(self.auditor, "egress-ended", ended.as_ref().err().map(|failure| failure.what.clone()));
        drop(runtime);
        self.auditor.flush()?;
        self.show_summary(started);
        ended.map(|()| ExitCode::SUCCESS)
    }

    fn listen(&self) -> Result<Vec<TcpListener>, Failure> {
        self.args.listen.iter().map(|address| listen(*address, self.args.expose)).collect()
    }

    fn show_preflight(&self, unsought: &[String]) {
        if self.args.quiet {
            return;
        }
        say::err(&format!("egress {}  audit {}\n", self.claim.slug(), self.plan.audit_file.display()));
        let style = Style::stderr();
        for line in
            preflight::reach(&self.plan.egress, style).iter().chain(&preflight::careful(unsought, style))
        {
            say::err(&format!("  {line}\n"));
        }
    }

    fn show_summary(&self, started: Instant) {
        if self.args.quiet {
            return;
        }
        let end = summary::End {
            slug: self.claim.slug(),
            how: "ended",
            starved: false,
            lasted: started.elapsed(),
            exchanges: &self.auditor.summary(),
            appeared: &sandbox::linux::Appeared::default(),
            workspace: &self.plan.sandbox.workspace,
            audit: &self.plan.audit_file,
        };
        say::err(&summary::text(&end, Style::stderr()));
    }
}

fn listen(address: SocketAddr, expose: bool) -> Result<TcpListener, Failure> {
    if !expose && !address.ip().to_canonical().is_loopback() {
        let what = format!(
            "`{address}` can be reached from other machines, which could use the routes' credentials"
        );
        return Err(Failure::new(what).help("listen on 127.0.0.1, or say that this is meant with `--expose`"));
    }
    let bound =
        TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| {
        Failure::new(format!("cannot listen on `{address}`: {error}"))
            .help("choose another with `--listen ADDR:PORT`")
    })
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(|address| format!("http://{address}")).collect::<Vec<_>>().join(" ")
}

fn start(runtime: &Runtime, config: egress::Config, tcp: Vec<TcpListener>) -> Result<Engine, Failure> {
    let _on = runtime.enter();
    Ok(Engine::start(config, Listeners { tcp, ..Listeners::default() })?)
}

/// Says that clients may come, and ends when told to.
async fn until_signal(engine: Engine, addresses: &str, hub: &Hub) -> Result<(), Failure> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hup = signal(SignalKind::hangup())?;
    say::err(&format!("listening on {addresses}\n"));
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => reload(hub),
        }
    }
    engine.shutdown().await;
    Ok(())
}

/// On a thread of its own: credentials may have to be asked for.
fn reload(hub: &Hub) {
    let hub = hub.clone();
    std::thread::spawn(move || match hub.reload("SIGHUP", false) {
        Ok(_) => say::err("the manifest was read again\n"),
        Err(failure) => {
            hub.complain(&failure);
            let _not_the_end = failure.report();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_without_expose() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = listen(address.parse().expect("an address"), false).expect_err("exposed");
            assert!(refused.what.contains("other machines"), "{address}: {}", refused.what);
        }
        listen("127.0.0.1:0".parse().expect("an address"), false).expect("loopback is allowed");
    }
}
