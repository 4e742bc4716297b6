//! What this machine's kernel may not be able to show: a virtual machine under software emulation, whose kernel is
//! Debian's, with control groups of version 2 delegated to root and to an ordinary user, and the binary under test in it.
//!
//! One boot plays all scenes, one after another; a trial looks at what its scene said. The machine has no network but its
//! own loopback, no disk, and an end: see `boot.rs`. Without an emulator or a kernel (`tests/setup` fetches one) all of it
//! is listed as skipped.

mod boot;
mod image;
mod memory;
mod processes;
mod processors;
mod scene;
mod whole;

use boot::Machine;
use libtest_mimic::{Arguments, Trial};
use scene::{Played, Scene, User};
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

fn main() {
    let arguments = Arguments::from_args();
    let played = played(&arguments);
    let machine = match Machine::find() {
        Ok(machine) => machine,
        Err(why) => {
            skip(&format!("a machine with control groups of version 2: {why}"));
            libtest_mimic::run(&arguments, Vec::new()).exit();
        }
    };
    let log: Arc<OnceLock<Result<String, String>>> = Arc::default();
    let (machine, scenes) = (Arc::new(machine), Arc::new(played.clone()));
    let trials = played.into_iter().map(|one| {
        let (log, machine, scenes) = (Arc::clone(&log), Arc::clone(&machine), Arc::clone(&scenes));
        Trial::test(one.title(), move || {
            let log = log.get_or_init(|| machine.play(&scenes)).as_ref()?;
            one.check(log)?;
            Ok(())
        })
    });
    let trials = trials.collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// Every scene as each of its users, but those that nobody asked for.
fn played(arguments: &Arguments) -> Vec<Played> {
    let scenes = [memory::SCENES, processes::SCENES, processors::SCENES, whole::SCENES].concat();
    let all = scenes.into_iter().flat_map(|scene: Scene| {
        scene.users.iter().map(move |user: &User| Played { scene: scene.clone(), user: *user })
    });
    let wanted = |one: &Played| arguments.filter.as_ref().is_none_or(|part| one.title().contains(part));
    all.filter(wanted).collect()
}

fn skip(line: &str) {
    eprintln!("skipped: {line}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS").filter(|list| !list.is_empty()) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips is written");
    }
}
