//! A bottle's life: start, end, exit codes, signals, terminals.
use crate::Scenario;
use crate::bottle::TestBottle;
use sandbox::linux::Ended;

pub(crate) const SCENARIOS: &[(&str, Scenario)] =
    &[("life::a_program_runs_and_its_exit_code_comes_back", exit_code)];

fn exit_code() {
    let outcome = TestBottle::script("echo hello; id -u; pwd; hostname; exit 7").run();
    assert_eq!(outcome.ended, Ended::Exited(7), "{}", outcome.said);
    assert!(outcome.said.starts_with("hello\n"), "{}", outcome.said);
    eprintln!("{}", outcome.said);
}
