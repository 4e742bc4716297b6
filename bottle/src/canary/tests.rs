use super::*;
use crate::machine::Machine;
use manifest::{Overrides, Place};
use std::os::unix::fs::symlink;

fn plan(folder: &Path, canaries: &str) -> Plan {
    let text = format!("egress: {{ dlp: {{ canaries: {canaries} }} }}\n");
    let name = format!("canary-test-{}", std::process::id());
    let overrides = Overrides { name: Some(&name), workspace: Some(folder), ..Overrides::default() };
    let place = Place { name: "bottle.yaml", file: None, folder: Path::new("/"), overrides };
    let machine = Machine::this().expect("a machine");
    let mut plan =
        manifest::load(&text, place, &machine).unwrap_or_else(|problems| panic!("{problems}")).plan;
    plan.sandbox.home = folder.join("state/home");
    std::fs::create_dir_all(&plan.sandbox.home).expect("made");
    plan
}

fn texts(planted: &Planted) -> Vec<String> {
    planted
        .values()
        .iter()
        .map(|one| String::from_utf8_lossy(one.value.dangerous_expose()).into_owned())
        .collect()
}

#[test]
fn they_are_there_while_it_runs_new_each_time_and_gone_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), "true");
    let home = plan.sandbox.home.clone();
    let planted = Planted::plant(&plan, "a").expect("planted");
    assert_eq!(planted.places(), ["~/.aws/credentials", "~/.env", "~/.netrc"]);
    let held: String = [".aws/credentials", ".env", ".netrc"]
        .map(|file| std::fs::read_to_string(home.join(file)).expect("it is there"))
        .concat();
    let first = texts(&planted);
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|value| held.contains(value) && value.len() >= 20), "{first:?}");
    drop(planted);
    assert_eq!(std::fs::read_dir(&home).expect("the home").count(), 0, "nothing is left");
    let planted = Planted::plant(&plan, "a").expect("planted again");
    assert!(texts(&planted).iter().all(|value| !first.contains(value)));
}

#[test]
fn what_a_killed_run_left_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), "[env]");
    let killed = Planted::plant(&plan, "a").expect("planted");
    let old = texts(&killed);
    std::mem::forget(killed);
    let planted = Planted::plant(&plan, "a").expect("planted again");
    assert_eq!(planted.places(), ["~/.env"]);
    let held = std::fs::read_to_string(plan.sandbox.home.join(".env")).expect("it is there");
    assert!(texts(&planted).iter().all(|value| held.contains(value) && !old.contains(value)));
}

#[test]
fn what_is_somebodys_own_stays_and_no_link_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), "true");
    let (home, outside) = (plan.sandbox.home.clone(), folder.path().join("outside"));
    std::fs::create_dir(&outside).expect("made");
    symlink(&outside, home.join(".aws")).expect("linked");
    symlink(outside.join("dangling"), home.join(".netrc")).expect("linked");
    std::fs::write(home.join(".env"), "OWN=1\n").expect("written");
    let planted = Planted::plant(&plan, "a").expect("planted");
    assert!(planted.places().is_empty(), "{:?}", planted.places());
    assert_eq!(planted.taken, ["~/.aws/credentials", "~/.env", "~/.netrc"]);
    drop(planted);
    assert_eq!(std::fs::read_dir(&outside).expect("there").count(), 0, "nothing was made through a link");
    assert_eq!(std::fs::read_to_string(home.join(".env")).expect("there"), "OWN=1\n");
    // What an agent changed is its own, too.
    std::fs::remove_file(home.join(".env")).expect("removed");
    let planted = Planted::plant(&plan, "a").expect("planted");
    std::fs::write(home.join(".env"), "MINE=2\n").expect("written");
    drop(planted);
    assert_eq!(std::fs::read_to_string(home.join(".env")).expect("there"), "MINE=2\n");
}

#[test]
fn without_the_key_nothing_is_planted() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan(folder.path(), "false");
    let planted = Planted::plant(&plan, "a").expect("nothing to do");
    assert!(planted.values().is_empty() && planted.places().is_empty());
    assert_eq!(std::fs::read_dir(&plan.sandbox.home).expect("the home").count(), 0);
}
