//! The agent's image, found, pulled and built by engines that the test starts itself. Every scenario runs with each of
//! them; where there is none, it is listed as ignored.

#[path = "user_image/building.rs"]
mod building;
#[path = "user_image/engine.rs"]
mod engine;
#[path = "user_image/naming.rs"]
mod naming;
#[path = "user_image/registry.rs"]
mod registry;

use engine::{Make, TestEngine};
use libtest_mimic::{Arguments, Failed, Trial};
use manifest::plan::ImagePlan;
use sandbox::SandboxError;
use sandbox::docker::user_image::find_or_make;
use sandbox::docker::{Engine, Facts, UserImage};
use std::os::unix::process::CommandExt as _;
use std::sync::{Arc, Mutex, PoisonError};

/// A story with an image in it; panics when it does not end well.
type Scenario = fn(&TestEngine);

/// Where the logins of this run are: never the user's own.
const LOGINS: &str = "BOTTLE_TEST_LOGINS";

fn main() {
    if std::env::var_os(LOGINS).is_none() {
        return with_logins_of_its_own();
    }
    let makes = [Make::Dockerd, Make::Podman].map(|make| (make, Arc::new(Mutex::new(None))));
    let trials = makes.iter().flat_map(|(make, engine)| trials(*make, engine)).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    for (_, engine) in &makes {
        drop(engine.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
    let _ = std::env::var_os(LOGINS).map(std::fs::remove_dir_all);
    conclusion.exit()
}

/// The environment of a process is set before its first thread, or by its parent.
fn with_logins_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder for logins").keep();
    let program = std::env::current_exe().expect("this program's path");
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1)).env(LOGINS, &folder).env("DOCKER_CONFIG", &folder);
    panic!("cannot run again: {}", again.exec());
}

type Shared = Arc<Mutex<Option<Arc<TestEngine>>>>;

fn trials(make: Make, engine: &Shared) -> Vec<Trial> {
    let scenarios = [building::SCENARIOS, naming::SCENARIOS].concat();
    let trial = |(name, scenario): (&'static str, Scenario)| {
        let engine = engine.clone();
        let play = move || played(scenario, &running(make, &engine));
        Trial::test(format!("{name}::{}", make.program()), play).with_ignored_flag(make.missing())
    };
    scenarios.into_iter().map(trial).collect()
}

fn played(scenario: Scenario, engine: &TestEngine) -> Result<(), Failed> {
    scenario(engine);
    Ok(())
}

fn running(make: Make, shared: &Shared) -> Arc<TestEngine> {
    let mut engine = shared.lock().unwrap_or_else(PoisonError::into_inner);
    engine.get_or_insert_with(|| Arc::new(TestEngine::start(make))).clone()
}

/// Finds or makes, and gives what was said meanwhile.
fn get(engine: &TestEngine, plan: &ImagePlan) -> (Result<UserImage, SandboxError>, Vec<String>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let said = Mutex::new(Vec::new());
    let got = runtime.block_on(async {
        let engine = Engine::connect(Some(&engine.address())).await?;
        let facts = Facts::of(&engine).await?;
        find_or_make(&engine, &facts, plan, &|text| said.lock().expect("the list").push(text.to_owned()))
            .await
    });
    (got, said.into_inner().expect("the list"))
}
