//! `bottle ca`: a certificate authority for another program to sign with, an intercepting proxy for example.
use crate::failure::{Failure, Outcome};
use crate::whole;
use clap::Args;
use credentials::Secret;
use egress::{WrittenCa, dangerous_written_ca};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Whoever may read a key may pose as every host to who trusts its certificate.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Arguments of `bottle ca`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CaArgs {
    /// Where the certificate goes, PEM: what clients are to trust.
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// Where the private key goes, PEM (PKCS#8, no passphrase), readable by you alone.
    #[arg(long, value_name = "FILE", required_unless_present = "joined")]
    pub key: Option<PathBuf>,
    /// Where key and certificate go together, readable by you alone: mitmproxy reads its CA as `mitmproxy-ca.pem`.
    #[arg(long, value_name = "FILE")]
    pub joined: Option<PathBuf>,
    /// Name in the certificate, beside a part of the key's hash.
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub name: String,
    /// How many days it is good.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    /// Write over files that are there. What trusts the old certificate does not trust the new one.
    #[arg(long)]
    pub force: bool,
}

const AFTER_HELP: &str = "\
Bottles need none: each makes a CA of its own in memory and never writes its key. This one is for
a program beside them that opens TLS, such as the proxy that `upstream_proxy` names. Keep its key
out of every bottle's sight: whoever holds it can pose as any host to whoever trusts the
certificate.

P-256; signs leaves and no further CAs; what it signs passes strict verification (OpenSSL's
`-x509_strict`, Python 3.13).

Examples:
  bottle ca --cert proxy-ca.pem --key proxy-ca.key
  bottle ca --cert proxy-ca.pem --joined ~/.mitmproxy/mitmproxy-ca.pem --name mitmproxy

Exit code: 0 when all files are written, 125 when none is.";

/// Writes it.
///
/// # Errors
/// When a file is there already, or cannot be written; then none of this run is left.
pub fn run(args: &CaArgs) -> Outcome {
    let places = places(args)?;
    let ca = dangerous_written_ca(&args.name, Duration::from_secs(u64::from(args.days) * 24 * 3600))?;
    let mut written = Vec::new();
    for (path, part) in places {
        if let Err(failure) = write(path, part, &ca, args.force) {
            // Half an authority is of no use. What `--force` has written over is gone all the same.
            written.iter().for_each(|path| drop(std::fs::remove_file(path)));
            return Err(failure);
        }
        written.push(path);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Certificate,
    Key,
    Joined,
}

/// Every file, all different, none of them there yet unless they may be written over.
fn places(args: &CaArgs) -> Result<Vec<(&Path, Part)>, Failure> {
    let key = args.key.as_deref().map(|path| (path, Part::Key));
    let joined = args.joined.as_deref().map(|path| (path, Part::Joined));
    // Keys first: a certificate without its key says that there is an authority where there is none.
    let places: Vec<_> =
        key.into_iter().chain(joined).chain([(args.cert.as_path(), Part::Certificate)]).collect();
    for (number, (path, _)) in places.iter().enumerate() {
        let full = std::path::absolute(path)?;
        if places[..number]
            .iter()
            .any(|(other, _)| std::path::absolute(other).is_ok_and(|other| other == full))
        {
            return Err(Failure::new(format!("`{}` cannot hold two of the files", path.display()))
                .help("give each a file of its own; `--joined` holds key and certificate together"));
        }
        if !args.force && path.symlink_metadata().is_ok() {
            return Err(Failure::new(format!("`{}` is there already", path.display()))
                .help("choose another file, or write over it with `--force`"));
        }
    }
    Ok(places)
}

fn write(path: &Path, part: Part, ca: &WrittenCa, force: bool) -> Result<(), Failure> {
    let certificate = ca.certificate_pem.as_bytes();
    let (bytes, mode) = match part {
        Part::Certificate => (Secret::new(certificate.to_vec()), PUBLIC),
        Part::Key => (ca.key_pem.clone(), PRIVATE),
        Part::Joined => (Secret::new([ca.key_pem.dangerous_expose(), certificate].concat()), PRIVATE),
    };
    if force {
        whole::replace(path, bytes.dangerous_expose(), mode)
    } else {
        whole::create(path, bytes.dangerous_expose(), mode)
    }
}
