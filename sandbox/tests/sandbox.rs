//! Bottles, started for real: every scenario runs in a process of its own, as an ordinary user and (where the tests
//! run as root) as root. This binary is the tests' list, a scenario, the cradle, and a program inside, by its arguments.

#[path = "sandbox/bottle.rs"]
mod bottle;
#[path = "sandbox/containers.rs"]
mod containers;
#[path = "sandbox/escape.rs"]
mod escape;
#[path = "sandbox/files.rs"]
mod files;
#[path = "sandbox/guards.rs"]
mod guards;
#[path = "sandbox/holder.rs"]
mod holder;
#[path = "sandbox/life.rs"]
mod life;
#[path = "sandbox/network.rs"]
mod network;
#[path = "sandbox/people.rs"]
mod people;
#[path = "sandbox/probe.rs"]
mod probe;
#[path = "sandbox/room.rs"]
mod room;
#[path = "sandbox/watched.rs"]
mod watched;
#[path = "sandbox/witness.rs"]
mod witness;

use libtest_mimic::{Arguments, Trial};
use people::Person;

/// A story with a bottle in it; panics when it does not end well.
type Scenario = fn();

fn scenarios() -> Vec<(&'static str, Scenario)> {
    [
        life::SCENARIOS,
        network::SCENARIOS,
        guards::SCENARIOS,
        files::SCENARIOS,
        watched::SCENARIOS,
        escape::SCENARIOS,
        holder::SCENARIOS,
    ]
    .concat()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some(sandbox::linux::CRADLE) => sandbox::linux::cradle_main(),
        Some("__scenario") => play(&arguments[2]),
        Some("__launcher") => life::launcher(&arguments[2], &arguments[3]),
        Some("__attack") => attack(&arguments[2]),
        Some(room::ROOM) => room::room(&arguments[2], &arguments[3]),
        Some(room::HELD) => room::held(&arguments[2], &arguments[3]),
        Some(room::JOIN) => room::join(&arguments[2], &arguments[3..]),
        Some(containers::TAKER) => containers::taker(&arguments[2]),
        Some(sandbox::linux::holder::HOLD) => containers::hold(&arguments[2]),
        Some(sandbox::linux::holder::SPLICE) => room::splice(&arguments[2]),
        Some("__probe") => probe::main(&arguments[2..]),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit(),
    }
}

/// The hostile program, inside: a report a line.
fn attack(world: &str) {
    let world = serde_json::from_str(world).expect("a world");
    sandbox::attack::run(&world, "", |report| println!("{}", serde_json::to_string(report).expect("JSON")));
}

fn play(name: &str) {
    let all = scenarios();
    let (_, scenario) = all.iter().find(|(known, _)| *known == name).expect("a scenario of that name");
    scenario();
}

fn trials() -> Vec<Trial> {
    let people = people::people();
    people
        .iter()
        .flat_map(|person| scenarios().into_iter().map(move |(name, _)| trial(person, name)))
        .chain([held_in_containers()])
        .collect()
}

fn trial(person: &Person, name: &'static str) -> Trial {
    let person = person.clone();
    let ignored = person.missing();
    Trial::test(format!("{name}::{person}"), move || person.play(name).map_err(Into::into))
        .with_ignored_flag(ignored)
}

fn held_in_containers() -> Trial {
    let story = || {
        containers::a_network_is_held_for_containers();
        Ok(())
    };
    Trial::test("containers::a_network_is_held_for_containers", story)
        .with_ignored_flag(containers::missing())
}
