//! The manifest's limits, kept by the engine. (Those of Linux: `bottle/tests/machine`.)
use crate::Scenario;
use crate::ground::Ground;
use crate::stage::eventually;

/// Once is enough: the layout has no part in it.
pub(crate) const SCENARIOS: &[(&str, Scenario)] =
    &[("limits::memory_is_kept_without_swap_and_the_summary_says_when_it_was_used_up", memory)];

fn memory(ground: Ground) {
    let scene = ground.scene("limits: { memory: 64MiB }\n");
    let take = |size: &str| {
        format!("dd if=/dev/zero of=/dev/null bs={size} count=1 2>/dev/null; echo ended with $?")
    };
    let ran = scene.stage.run(&["run", "--", "sh", "-c", &take("8M")]).ended_with(0);
    assert!(ran.out.contains("ended with 0") && !ran.err.contains("was used up"), "{ran:?}");
    let ran = scene.stage.run(&["run", "--", "sh", "-c", &take("160M")]).ended_with(0);
    assert!(ran.out.contains("ended with 137"), "{ran:?}");
    assert!(ran.err.contains("memory   was used up"), "{ran:?}");
    let _launcher = scene.start_and_wait("sleep 60");
    let agent = format!("label=bot-bottle.name={}", scene.name);
    let role = "label=bot-bottle.role=agent";
    // The engine takes a container for running a little after its first process does.
    let running = || ground.engine().said(&["ps", "--quiet", "--filter", &agent, "--filter", role]);
    eventually("the engine to list the agent", || !running().is_empty());
    let id = running();
    let form = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}";
    let said = ground.engine().said(&["inspect", "--format", form, id.trim()]);
    assert_eq!(said.trim(), "67108864 67108864");
}
