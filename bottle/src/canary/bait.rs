//! What a canary looks like: the real kind, in a place that secrets are looked for, under names that no program uses.
use credentials::{Placeholder, PlaceholderFormat};
use manifest::plan::Canary;
use rand::distr::Alphanumeric;
use rand::rngs::OsRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, TryRngCore};
use serde::{Deserialize, Serialize};

/// A file and the values in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bait {
    /// From the home.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
    /// What of that is sought.
    pub(super) values: Vec<String>,
}

impl Bait {
    /// With new values.
    pub(super) fn new(kind: Canary) -> Bait {
        match kind {
            Canary::Aws => aws(),
            Canary::Env => env(),
            Canary::Netrc => netrc(),
        }
    }
}

/// A profile of its own: without one called `default`, programs ask for theirs as they do without the file.
fn aws() -> Bait {
    let id = format!("AKIA{}", of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16));
    let key = of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40);
    let text = format!("[legacy-admin]\naws_access_key_id = {id}\naws_secret_access_key = {key}\n");
    Bait { path: ".aws/credentials".into(), text, values: vec![id, key] }
}

/// Names that no library reads, for some read the nearest `.env` above the folder that they run in.
fn env() -> Bait {
    let password = letters(28);
    let token = Placeholder::random(PlaceholderFormat::Github).as_str().to_owned();
    let text = format!(
        "NIGHTLY_BACKUP_STORE=postgres://backup:{password}@db.backup.internal:5432/ledger\nNIGHTLY_BACKUP_REPO_TOKEN={token}\n"
    );
    Bait { path: ".env".into(), text, values: vec![password, token] }
}

/// The name cannot exist (RFC 6762, appendix G), so that no program ever asks for it.
fn netrc() -> Bait {
    let password = letters(28);
    let text = format!("machine archive.backup.internal\nlogin backup\npassword {password}\n");
    Bait { path: ".netrc".into(), text, values: vec![password] }
}

fn letters(count: usize) -> String {
    OsRng.unwrap_err().sample_iter(Alphanumeric).take(count).map(char::from).collect()
}

fn of(alphabet: &[u8], count: usize) -> String {
    let mut random = OsRng.unwrap_err();
    (0..count).filter_map(|_| alphabet.choose(&mut random)).map(|byte| char::from(*byte)).collect()
}
