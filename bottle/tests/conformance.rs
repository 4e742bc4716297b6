//! One suite for every backend: the same scenarios on Linux, on Docker and on Podman, in both network layouts, and what
//! only containers have besides. This binary is the tests' list and the program inside the bottles, by its arguments.
//!
//! Engines are the tests' own, see `conformance/engine.rs`. Root has all of them; other users have Linux, and a rootless
//! Podman where they can.

#[path = "conformance/apart.rs"]
mod apart;
#[path = "conformance/asked.rs"]
mod asked;
#[path = "conformance/engine.rs"]
mod engine;
#[path = "conformance/ground.rs"]
mod ground;
#[path = "conformance/hidden.rs"]
mod hidden;
#[path = "conformance/images.rs"]
mod images;
#[path = "conformance/killed.rs"]
mod killed;
#[path = "conformance/leak.rs"]
mod leak;
#[path = "conformance/life.rs"]
mod life;
#[path = "conformance/limits.rs"]
mod limits;
#[path = "conformance/many.rs"]
mod many;
#[path = "bottle/person.rs"]
mod person;
#[path = "conformance/probe.rs"]
mod probe;
#[path = "conformance/requests.rs"]
mod requests;
#[path = "conformance/roots.rs"]
mod roots;
#[path = "conformance/searched.rs"]
mod searched;
#[allow(dead_code)] // shared with the other tests, which need all of it
#[path = "bottle/stage.rs"]
mod stage;
#[path = "conformance/terminal.rs"]
mod terminal;
#[path = "clients/world/tls.rs"]
mod tls;
#[path = "conformance/tools.rs"]
mod tools;
#[path = "conformance/walls.rs"]
mod walls;
#[path = "conformance/world.rs"]
mod world;

use engine::Kind;
use ground::Ground;
use libtest_mimic::{Arguments, Trial};
use std::io::Write as _;

/// A story on a ground; panics when it does not end well.
type Scenario = fn(Ground);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == probe::PROBE) {
        std::process::exit(probe::main(&arguments[2..]));
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials());
    ground::end();
    conclusion.exit()
}

fn trials() -> Vec<Trial> {
    let everywhere = [
        requests::SCENARIOS,
        asked::SCENARIOS,
        searched::SCENARIOS,
        leak::SCENARIOS,
        walls::SCENARIOS,
        life::SCENARIOS,
        terminal::SCENARIOS,
        tools::SCENARIOS,
    ]
    .concat();
    let grounds = grounds();
    let common = grounds.iter().flat_map(|ground| everywhere.iter().map(|story| trial(*ground, *story)));
    let internal = grounds.iter().filter(|ground| **ground == Ground::Internal(Kind::Podman));
    let internal = internal.map(|ground| trial(*ground, leak::EXCEPTION));
    let contained = grounds.iter().filter(|ground| **ground != Ground::Linux);
    let of_containers = [terminal::NO_JOB, life::BROKEN_OFF];
    let contained = contained.flat_map(|ground| of_containers.map(|story| trial(*ground, story)));
    // Once is enough for what does not depend on the layout.
    let sealed = [
        hidden::SCENARIOS,
        killed::SCENARIOS,
        limits::SCENARIOS,
        many::SCENARIOS,
        roots::SCENARIOS,
        apart::SCENARIOS,
    ]
    .concat();
    let both = [hidden::SCENARIOS, killed::SCENARIOS].concat();
    let more = |ground: &Ground| match ground {
        Ground::Linux => tools::AGENTS.to_vec(),
        Ground::Sealed(Kind::Docker) => [&sealed[..], tools::AGENTS].concat(),
        Ground::Internal(Kind::Docker) => [&both[..], tools::AGENTS, &[leak::NEIGHBOUR]].concat(),
        Ground::Sealed(Kind::Podman) if !engine::rootless() => [apart::SCENARIOS, tools::AGENTS].concat(),
        _ => Vec::new(),
    };
    let docker =
        grounds.iter().flat_map(|ground| more(ground).into_iter().map(|story| trial(*ground, story)));
    // Fifty networks as well, for a minute and a half of the whole machine: by hand, with `--ignored`.
    let internal_docker = grounds.iter().filter(|ground| **ground == Ground::Internal(Kind::Docker));
    let fifty = internal_docker.map(|ground| trial(*ground, many::FIFTY).with_ignored_flag(true));
    common.chain(internal).chain(contained).chain(docker).chain(fifty).collect()
}

fn trial(ground: Ground, (name, scenario): (&'static str, Scenario)) -> Trial {
    Trial::test(format!("{}::{name}", ground.name()), move || {
        scenario(ground);
        Ok(())
    })
}

/// What can be had here. What root could have and lacks is listed as skipped, by name.
fn grounds() -> Vec<Ground> {
    let mut grounds = vec![Ground::Linux];
    if engine::rootless() {
        // Its sidecars are on the machine's own network: nothing of the tests' is reachable through another.
        grounds.extend(Kind::runs_rootless().then_some(Ground::Sealed(Kind::Podman)));
        return grounds;
    }
    for kind in [Kind::Docker, Kind::Podman] {
        match kind.missing() {
            None => grounds.extend([Ground::Sealed(kind), Ground::Internal(kind)]),
            Some(why) => skip(&why),
        }
    }
    match Kind::Rootless.missing() {
        None => grounds.push(Ground::Sealed(Kind::Rootless)),
        Some(why) => skip(&why),
    }
    grounds
}

pub(crate) fn skip(line: &str) {
    eprintln!("skipped: {line}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS").filter(|list| !list.is_empty()) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips is written");
    }
}
