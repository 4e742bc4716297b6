//! Fake credentials in the private home. No program uses one unasked; who sends one out was looking for secrets.
//!
//! The home lasts from run to run, several bottles of one name share it, and what lies in it is an agent's own: files are
//! made anew and never through a link, and only what is still as we made it is removed.
mod bait;
mod home;

use crate::failure::Failure;
use crate::registry::Registry;
use bait::Bait;
use credentials::Secret;
use credentials::remote::HandedExact;
use home::Home;
use manifest::Plan;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What lies in the home, as it was made: a run that was killed left it there. Beside the home, where no agent looks.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    baits: Vec<Bait>,
}

/// Canaries that are planted, until this goes.
#[derive(Debug, Default)]
pub struct Planted {
    home: PathBuf,
    record: PathBuf,
    name: String,
    slug: String,
    baits: Vec<Bait>,
    /// Places where something lay already, for people.
    pub taken: Vec<String>,
}

impl Planted {
    /// Plants what the plan names. Where something of the user's or the agent's own lies nothing is planted.
    ///
    /// # Errors
    /// When the home or the record cannot be written.
    pub fn plant(plan: &Plan, slug: &str) -> Result<Planted, Failure> {
        if plan.egress.dlp.canaries.is_empty() {
            return Ok(Planted::default());
        }
        let home = plan.sandbox.home.clone();
        let record = home.with_file_name("canaries.json");
        let (name, slug) = (plan.name.clone(), slug.to_owned());
        let mut planted = Planted { home, record, name, slug, baits: Vec::new(), taken: Vec::new() };
        let shared = planted.is_shared();
        let left = read(&planted.record);
        let home = Home::open(&planted.home).map_err(|error| unusable(&planted.home, &error))?;
        for kind in &plan.egress.dlp.canaries {
            let fresh = Bait::new(*kind);
            let found = home.read(&fresh.path);
            let old = left.baits.iter().find(|old| old.path == fresh.path);
            let bait = match (found, old) {
                // Another bottle of this name has planted it, and seeks it: so does this one.
                (Some(text), Some(old)) if text == old.text && shared => old.clone(),
                (Some(text), Some(old)) if text == old.text => {
                    home.remove(&old.path);
                    fresh
                }
                (Some(_), _) => {
                    planted.taken.push(format!("~/{}", fresh.path));
                    continue;
                }
                (None, _) => fresh,
            };
            planted.baits.push(bait);
        }
        // Written before the files: what is planted is always known.
        planted.remember()?;
        for bait in &planted.baits {
            home.make(&bait.path, &bait.text).map_err(|error| unusable(&planted.home, &error))?;
        }
        Ok(planted)
    }

    /// What to look for.
    pub fn values(&self) -> Vec<HandedExact> {
        let values = self.baits.iter().flat_map(|bait| bait.values.iter().map(move |value| (bait, value)));
        let handed = values.map(|(bait, value)| HandedExact {
            name: format!("~/{}", bait.path),
            value: Secret::new(value.clone().into_bytes()),
        });
        handed.collect()
    }

    /// Where they are, for people.
    pub fn places(&self) -> Vec<String> {
        self.baits.iter().map(|bait| format!("~/{}", bait.path)).collect()
    }

    fn remember(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec(&Record { baits: self.baits.clone() })?;
        home::write_private(&self.record, &text).map_err(|error| unusable(&self.record, &error))
    }

    /// Whether another bottle of this name runs, in the same home.
    fn is_shared(&self) -> bool {
        let running = Registry::open().and_then(|registry| registry.running()).unwrap_or_default();
        running.iter().any(|record| record.name == self.name && record.slug != self.slug)
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        if self.baits.is_empty() || self.is_shared() {
            return;
        }
        let Ok(home) = Home::open(&self.home) else { return };
        for bait in &self.baits {
            if home.read(&bait.path).is_some_and(|text| text == bait.text) {
                home.remove(&bait.path);
            }
        }
        // A record that stays names files that are gone, which the next start finds.
        let _gone = std::fs::remove_file(&self.record);
    }
}

fn read(record: &Path) -> Record {
    std::fs::read(record).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot plant canaries in `{}`: {error}", path.display()))
        .help("make it writable for you, or take `canaries` out of the manifest")
}

#[cfg(test)]
mod tests;
