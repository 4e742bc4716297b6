//! Age and failure, with a clock and sources of our own.
use super::*;
use crate::PlaceholderFormat;
use crate::source::file::Stamp;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Condvar;
use std::time::Duration;

/// 2026-11-24, about.
const TODAY: i64 = 1_795_000_000;

/// A world that stands still until it is moved.
#[derive(Default)]
struct Still {
    seconds: AtomicU64,
    asked: AtomicU64,
    /// What the source says next: a token, perhaps with the second it ends at; else it fails.
    says: Mutex<Option<(String, Option<i64>)>>,
    file: Mutex<Option<Stamp>>,
    /// Where a slow source waits.
    gate: Option<Gate>,
}

/// A source that is slow until it is let through. Whoever waits longer than a test can take goes on, so that a broken
/// guard is a red test and no hang.
#[derive(Default)]
struct Gate {
    state: Mutex<(u32, bool)>,
    moved: Condvar,
}

/// Far above what a loaded machine needs for a step of the tests below.
const PATIENCE: Duration = Duration::from_secs(10);

impl Gate {
    /// As the source: says that it is asked, and answers when let through.
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.moved.notify_all();
        let _late = self.moved.wait_timeout_while(state, PATIENCE, |(_, open)| !*open).unwrap();
    }
    /// Until the source is being asked.
    fn wait_for_one(&self) {
        let state = self.state.lock().unwrap();
        let (state, late) =
            self.moved.wait_timeout_while(state, PATIENCE, |(inside, _)| *inside == 0).unwrap();
        drop(state);
        assert!(!late.timed_out(), "the source was never asked");
    }
    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.moved.notify_all();
    }
}

impl Still {
    fn says(&self, token: &str, end: Option<i64>) {
        *self.says.lock().unwrap() = Some((token.to_owned(), end));
    }
    fn fails(&self) {
        *self.says.lock().unwrap() = None;
    }
    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl World for Arc<Still> {
    fn uptime(&self) -> Duration {
        Duration::from_secs(1000 + self.seconds.load(Ordering::SeqCst))
    }
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.seconds.load(Ordering::SeqCst)).unwrap();
        Timestamp::from_second(TODAY + passed).unwrap()
    }
    fn stamp(&self, _: &Path) -> Option<Stamp> {
        *self.file.lock().unwrap()
    }
    fn fetch(&self, _: &TokenRef) -> Result<Answer, String> {
        if self.asked.fetch_add(1, Ordering::SeqCst) > 0
            && let Some(gate) = &self.gate
        {
            gate.pass();
        }
        let (token, end) = self.says.lock().unwrap().clone().ok_or("log in first")?;
        let expires_at = end.map(|end| Timestamp::from_second(end).unwrap());
        let stamp = *self.file.lock().unwrap();
        Ok(Answer { expires_at, stamp, ..Answer::lasting(Secret::new(token.into_bytes())) })
    }
}

const SLOT: Slot = Slot(0);

fn command(ttl_secs: Option<u64>, stale_secs: u64) -> TokenRef {
    TokenRef::Command { argv: vec!["token".into()], ttl_secs, stale_secs }
}

fn vault_in(world: &Arc<Still>, source: TokenRef) -> Vault {
    let spec = SlotSpec { slot: SLOT, source, format: PlaceholderFormat::Opaque, env: vec![] };
    Vault::resolve_in(Box::new(world.clone()), &[spec]).unwrap()
}

fn text(secret: &Secret) -> String {
    String::from_utf8(secret.dangerous_expose().to_vec()).unwrap()
}

/// What a request gets, as the egress asks for it.
fn served(vault: &Vault) -> Result<String, String> {
    match vault.current(SLOT).map_err(|error| error.why)? {
        Resolution::Current(value) => Ok(text(&value)),
        Resolution::RefreshDue => vault.refresh(SLOT).map(|value| text(&value)).map_err(|error| error.why),
    }
}

fn a_world_that_says(token: &str) -> Arc<Still> {
    let world = Arc::new(Still::default());
    world.says(token, None);
    world
}

#[test]
fn a_value_is_asked_for_again_after_its_time_and_not_before() {
    let world = a_world_that_says("one");
    let vault = vault_in(&world, command(Some(60), 0));
    world.says("two", None);
    world.pass(59);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 1));
    world.pass(1);
    assert_eq!((served(&vault), world.asked()), (Ok("two".into()), 2));
    world.pass(59);
    assert_eq!((served(&vault), world.asked()), (Ok("two".into()), 2));
}

/// Threats 18 and 19: whoever has the new value finds it among those that are sought.
#[test]
fn a_new_value_is_never_had_before_the_generation_tells() {
    let world = a_world_that_says("value-0");
    let vault = vault_in(&world, command(Some(1), 0));
    for round in 1..2000_u64 {
        world.says(&format!("value-{round}"), None);
        world.pass(1);
        let before = vault.generation();
        thread::scope(|scope| {
            scope.spawn(|| vault.refresh(SLOT).unwrap());
            loop {
                match vault.current(SLOT).unwrap() {
                    Resolution::Current(value) if text(&value) == format!("value-{round}") => break,
                    _ => {}
                }
            }
            assert_ne!(vault.generation(), before, "round {round}");
        });
    }
}

#[test]
fn without_a_time_a_value_lasts() {
    let world = a_world_that_says("one");
    let vault = vault_in(&world, command(None, 0));
    world.pass(1_000_000);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 1));
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let world = Arc::new(Still::default());
    world.says("one", Some(TODAY + 3600));
    let vault = vault_in(&world, command(None, 0));
    world.says("two", Some(TODAY + 7200));
    world.pass(3600 - 31);
    assert_eq!(served(&vault), Ok("one".into()));
    world.pass(1);
    assert_eq!(served(&vault), Ok("two".into()));
}

#[test]
fn the_shorter_of_ttl_and_end_counts() {
    let world = Arc::new(Still::default());
    world.says("one", Some(TODAY + 3600));
    let vault = vault_in(&world, command(Some(60), 0));
    world.says("two", None);
    world.pass(60);
    assert_eq!(served(&vault), Ok("two".into()));
}

#[test]
fn a_token_that_has_ended_is_none() {
    let world = Arc::new(Still::default());
    world.says("one", Some(TODAY));
    let spec =
        SlotSpec { slot: SLOT, source: command(None, 0), format: PlaceholderFormat::Opaque, env: vec![] };
    let missing = Vault::resolve_in(Box::new(world.clone()), &[spec]).unwrap_err();
    assert!(missing[0].why.contains("ended at 2026-11-"), "{missing:?}");
}

#[test]
fn a_failing_source_is_bridged_for_the_stated_time_then_denied() {
    let world = a_world_that_says("one");
    let vault = vault_in(&world, command(Some(60), 300));
    world.fails();
    world.pass(60);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 2));
    world.pass(4);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 2), "it is left in peace for a moment");
    world.pass(1);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 3));
    world.pass(294);
    assert_eq!(served(&vault), Ok("one".into()));
    world.pass(1);
    assert_eq!(served(&vault), Err("log in first".into()));
    world.pass(100);
    assert_eq!(served(&vault), Err("log in first".into()));
    world.says("two", None);
    world.pass(5);
    assert_eq!(served(&vault), Ok("two".into()));
}

#[test]
fn without_a_stale_time_failure_denies_at_once() {
    let world = a_world_that_says("one");
    let vault = vault_in(&world, command(Some(60), 0));
    world.fails();
    world.pass(60);
    assert_eq!(served(&vault), Err("log in first".into()));
    assert_eq!(vault.current(SLOT).unwrap_err().why, "log in first");
}

#[test]
fn old_values_stay_known_after_rotation() {
    let world = a_world_that_says("one");
    let vault = vault_in(&world, command(Some(60), 0));
    let mut generations = vec![vault.generation()];
    for token in ["two", "two", "three"] {
        world.says(token, None);
        world.pass(60);
        served(&vault).unwrap();
        generations.push(vault.generation());
    }
    assert_eq!(generations, [0, 1, 1, 2], "the list changes with another value only");
    let known: Vec<String> = vault.expose_to_scanner().iter().map(|(_, _, value)| text(value)).collect();
    assert_eq!(known, ["three", "one", "two"]);
}

#[test]
fn a_file_is_looked_at_once_a_second_and_denied_when_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let stamp = |content: &str| {
        std::fs::write(folder.path().join("token"), content).unwrap();
        Stamp::of(&folder.path().join("token"))
    };
    let world = a_world_that_says("one");
    *world.file.lock().unwrap() = stamp("a");
    let vault = vault_in(&world, TokenRef::File { path: "/token".into(), json_pointer: None });
    world.pass(100);
    assert_eq!((served(&vault), world.asked()), (Ok("one".into()), 1));
    *world.file.lock().unwrap() = stamp("longer");
    world.says("two", None);
    assert_eq!(served(&vault), Ok("one".into()), "it was looked at within this second");
    world.pass(1);
    assert_eq!(served(&vault), Ok("two".into()));
    *world.file.lock().unwrap() = None;
    world.fails();
    world.pass(1);
    assert_eq!(served(&vault), Err("log in first".into()));
}

#[test]
fn many_who_need_a_value_ask_once() {
    let world = Arc::new(Still { gate: Some(Gate::default()), ..Still::default() });
    world.says("one", None);
    let vault = vault_in(&world, command(Some(60), 0));
    world.says("two", None);
    world.pass(60);
    let gate = world.gate.as_ref().unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| vault.refresh(SLOT));
        gate.wait_for_one();
        // The source is being asked: nobody else blocks on a look, and whoever needs the value waits for this answer.
        let begun = std::time::Instant::now();
        assert!(matches!(vault.current(SLOT).unwrap(), Resolution::RefreshDue));
        assert!(begun.elapsed() < PATIENCE / 2, "a look waited for the source");
        let others: Vec<_> = (0..8).map(|_| scope.spawn(|| vault.refresh(SLOT))).collect();
        thread::sleep(Duration::from_millis(50));
        gate.open();
        for thread in others.into_iter().chain([first]) {
            assert_eq!(text(&thread.join().unwrap().unwrap()), "two");
        }
    });
    assert_eq!(world.asked(), 2);
}
