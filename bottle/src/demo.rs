//! `bottle demo`: a real bottle, offline. An upstream of its own on loopback stands for the world; the program inside is
//! this binary again, and says what it tries.

mod inside;
mod scene;

pub use inside::{Scene, inside};

use crate::failure::{Failure, Outcome};
use crate::say;
use crate::style::{self, Style};
use credentials::{Placeholder, PlaceholderFormat};
use egress::{CertificateAuthority, loopback};
use policy::Host;
use scene::Folder;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// argv[1] of this binary inside the demonstration's bottle.
pub const INSIDE: &str = "__demo";
/// The host that the demonstration's manifest allows.
const ALLOWED: &str = "api.demo.test";

/// Shows it.
pub fn command() -> Outcome {
    let style = Style::stdout();
    let folder = Folder::make()?;
    // Looks like a provider's own; nobody has ever issued it.
    let token = Placeholder::random(PlaceholderFormat::Opaque).as_str().replacen("bottle_", "real_", 1);
    let upstream = Upstream::start(&token)?;
    folder.furnish(&upstream.root_pem, upstream.port, &token)?;
    let title = "A bottle, offline: an API on this machine's loopback stands for the world.\n";
    say::line(&style.bold(title));
    say::line(&format!("{}\n", indented(&folder.manifest()?)));
    let held = run_inside(&folder, upstream.port)?;
    say::line(&style.bold("Outside the bottle, afterwards"));
    let seen = u64::from(upstream.seen.load(Ordering::SeqCst));
    say::line(&format!("  the API saw the real credential {}", style::count(seen, "time")));
    let (lines, _) = audit::verify(&folder.audit())?;
    say::line(&format!("  the audit holds {lines} lines, each chained to the one before"));
    let all = held && seen > 0;
    say::line(&if all { style.green("  all of it held") } else { style.red("  NOT all of it held") });
    Ok(ExitCode::from(u8::from(!all)))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// An API that counts how often it saw the credential, and echoes it.
struct Upstream {
    port: u16,
    root_pem: String,
    seen: Arc<AtomicU32>,
    _runtime: tokio::runtime::Runtime,
}

impl Upstream {
    fn start(token: &str) -> Result<Upstream, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let ca = CertificateAuthority::generate("demo upstream")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (port, root_pem) = (listener.local_addr()?.port(), ca.certificate_pem().to_owned());
        let seen = Arc::new(AtomicU32::new(0));
        let (count, expected) = (Arc::clone(&seen), format!("authorization: bearer {token}").to_lowercase());
        let answer = move |head: &str| answer(head, &expected, &count);
        let host = Host::parse(ALLOWED)?;
        runtime.spawn(async move {
            if let Err(error) = loopback::serve(listener, &ca, &host, answer).await {
                say::err(&format!("bottle: the demonstration's API ended: {error}\n"));
            }
        });
        Ok(Upstream { port, root_pem, seen, _runtime: runtime })
    }
}

fn answer(head: &str, expected: &str, count: &AtomicU32) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with("authorization:"));
    let is_real = line.is_some_and(|line| line.to_lowercase() == expected);
    count.fetch_add(u32::from(is_real), Ordering::SeqCst);
    let verdict = if is_real { "your credential is the real one" } else { "who are you" };
    format!("{verdict}; you sent `{}`\n", line.unwrap_or("no credential"))
}

/// `bottle run`, as a user would call it.
fn run_inside(folder: &Folder, port: u16) -> Result<bool, Failure> {
    let binary = std::env::current_exe()?;
    let mut command = Command::new(&binary);
    command.args(["run", "--quiet", "--manifest"]).arg(folder.manifest_file()).arg("--");
    command.arg(&binary).arg(INSIDE).arg(port.to_string()).current_dir(folder.workspace());
    command.env("XDG_STATE_HOME", folder.state()).stdin(Stdio::null());
    Ok(command.status()?.success())
}
