//! What a user may write.
use manifest::{Host, Overrides, Place, Plan, Registries, load};
use std::path::{Path, PathBuf};

/// A machine on which everything that is asked for is there.
struct Machine;

impl Host for Machine {
    fn home(&self) -> PathBuf {
        "/home/user".into()
    }
    fn state(&self) -> PathBuf {
        "/home/user/.local/state".into()
    }
    fn runtime(&self) -> PathBuf {
        PathBuf::from("/run/user/1000/bottle")
    }
    fn has_variable(&self, _name: &str) -> bool {
        true
    }
    fn exists(&self, _path: &Path) -> bool {
        true
    }
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }
    fn program(&self, name: &str) -> Option<PathBuf> {
        Some(Path::new("/usr/bin").join(name))
    }
    fn registries(&self, _workspace: &Path) -> Registries {
        Registries::default()
    }
}

/// Text becomes a plan that survives being written, or errors that can be shown.
pub fn manifest(text: &str) {
    let folder = Path::new("/home/user/project");
    let place = Place { name: "bottle.yaml", file: None, folder, overrides: Overrides::default() };
    match load(text, place, &Machine) {
        Ok(loaded) => assert_survives(&loaded.plan),
        Err(problems) => assert!(problems.has_errors() && !problems.to_string().is_empty()),
    }
}

fn assert_survives(plan: &Plan) {
    let written = serde_json::to_value(plan).expect("a plan can be written");
    let again: Plan = serde_json::from_value(written.clone()).expect("a plan can be read");
    assert_eq!(serde_json::to_value(&again).expect("a plan can be written"), written);
}
