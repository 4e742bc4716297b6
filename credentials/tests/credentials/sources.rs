//! Secrets from the host: environment, files, commands.
use credentials::{PlaceholderFormat, Secret, Slot, SlotSpec, TokenRef, Unavailable, Vault};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn spec(number: u16, source: TokenRef) -> SlotSpec {
    SlotSpec {
        slot: Slot(number),
        source,
        format: PlaceholderFormat::Github,
        env: vec![format!("TOKEN_{number}"), format!("ALSO_{number}")],
    }
}

fn shell(script: &str) -> TokenRef {
    TokenRef::Command { argv: ["sh", "-c", script].map(str::to_owned).into(), ttl_secs: None, stale_secs: 0 }
}

fn file(path: &Path, json_pointer: Option<&str>) -> TokenRef {
    TokenRef::File { path: path.to_owned(), json_pointer: json_pointer.map(str::to_owned) }
}

fn env(name: &str) -> TokenRef {
    TokenRef::Env { name: name.to_owned() }
}

fn one(source: TokenRef) -> Result<Vec<u8>, Unavailable> {
    let vault = Vault::resolve(&[spec(0, source)]).map_err(|mut missing| missing.remove(0))?;
    vault.refresh(Slot(0)).map(|secret| secret.dangerous_expose().to_vec())
}

fn why(source: TokenRef) -> String {
    one(source).unwrap_err().why
}

#[test]
fn the_environment() {
    assert_eq!(one(env("CARGO_PKG_NAME")).unwrap(), b"credentials");
    assert_eq!(
        why(env("NOBODY_SETS_THIS")),
        "`NOBODY_SETS_THIS` is not set in the environment; set it with `export NOBODY_SETS_THIS=…`"
    );
}

#[test]
fn files_and_places_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, " \n token-1 \r\n\n").unwrap();
    assert_eq!(one(file(&path, None)).unwrap(), b"token-1");
    fs::write(&path, r#"{"a/b":[{"m~n":"token-2"}],"n":1}"#).unwrap();
    assert_eq!(one(file(&path, Some("/a~1b/0/m~0n"))).unwrap(), b"token-2");
    for pointer in ["/a", "/n", "/a~1b/00/m~0n", "/a~1b/-/m~0n", "n", ""] {
        assert!(why(file(&path, Some(pointer))).contains("no JSON with a text at"), "{pointer}");
    }
}

#[test]
fn files_that_hold_no_secret_are_named_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let told = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let told = why(file(&path, None));
        assert!(told.contains(&path.display().to_string()) && !told.contains("hush"), "{told}");
        told
    };
    assert!(told(b" \n").contains("is empty"));
    assert!(told(b"hush\nhush").contains("line break"));
    assert!(told(b"hush\0hush").contains("control character"));
    assert!(told(b"hush\xff\xfe").contains("is no text"));
    assert!(told(&[b'x'; 70_000]).contains("larger than 65536 bytes"));
    assert!(why(file(folder.path(), None)).contains("not a regular file"));
    assert!(why(file(&folder.path().join("none"), None)).contains("there is no such file"));
}

#[test]
fn a_pipe_is_no_file_and_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    // In a thread of its own: opening a pipe that nobody writes to would wait for ever.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(why(file(&path, None))));
    let told = told.recv_timeout(Duration::from_secs(10)).expect("it is waited for");
    assert!(told.contains("not a regular file"), "{told}");
}

#[test]
fn a_changed_file_is_read_again_and_the_old_value_stays_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "old-value").unwrap();
    let vault = Vault::resolve(&[spec(0, file(&path, None))]).unwrap();
    let before = vault.generation();
    fs::write(&path, "new-value").unwrap();
    let begun = Instant::now();
    while !matches!(vault.current(Slot(0)).unwrap(), credentials::Resolution::RefreshDue) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the change was not seen");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(vault.refresh(Slot(0)).unwrap().dangerous_expose(), b"new-value");
    assert_ne!(vault.generation(), before);
    let known: Vec<Secret> = vault.expose_to_scanner().into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(known.iter().map(Secret::dangerous_expose).collect::<Vec<_>>(), [b"new-value", b"old-value"]);
}

#[test]
fn commands_get_no_shell_and_nothing_to_read() {
    let echo = TokenRef::Command {
        argv: ["echo", "$HOME;x"].map(str::to_owned).into(),
        ttl_secs: None,
        stale_secs: 0,
    };
    assert_eq!(one(echo).unwrap(), b"$HOME;x");
    assert_eq!(one(shell("pwd")).unwrap(), b"/", "in the project it would find what the agent wrote");
    assert_eq!(one(shell("read line || echo nothing-to-read")).unwrap(), b"nothing-to-read");
    assert_eq!(
        one(shell("echo '{\"token\":\"json-token\",\"expires_at\":4102444800}'")).unwrap(),
        b"json-token"
    );
}

/// Threat 26: in the workspace many a program reads what to do from files that the agent writes.
#[test]
fn commands_do_not_run_in_the_working_folder() {
    assert_ne!(std::env::current_dir().unwrap(), Path::new("/"));
    assert_eq!(one(shell("pwd -P")).unwrap(), b"/");
}

#[test]
fn failing_commands_say_why_and_never_what_they_printed() {
    let told = why(shell(
        "printf 'hush'; printf '\\033[31mlog in\\033[0m first\\n\\342\\200\\256with x' >&2; exit 3",
    ));
    assert_eq!(told, "`sh` failed (exit status: 3): [31mlog in [0m first with x");
    assert!(why(shell("kill -9 $$")).contains("signal: 9"));
    assert!(why(shell("true")).contains("what it prints is empty"));
    assert!(!why(shell("echo hush; echo hush")).contains("hush"));
    assert!(why(shell("exit 1; head -c 9000 /dev/zero | tr '\\0' x >&2")).len() < 1000);
    assert!(why(shell("head -c 9000 /dev/zero | tr '\\0' x >&2; exit 1")).len() < 1000);
    let none = TokenRef::Command { argv: vec!["/no/such/program".into()], ttl_secs: None, stale_secs: 0 };
    assert!(why(none).contains("`/no/such/program` cannot be run: there is no such file"));
    let unknown = TokenRef::Command { argv: vec!["nobody-has-this".into()], ttl_secs: None, stale_secs: 0 };
    assert!(why(unknown).starts_with("`nobody-has-this` cannot be run: no folder of `PATH` has it"));
    let empty = TokenRef::Command { argv: vec![], ttl_secs: None, stale_secs: 0 };
    assert!(why(empty).contains("the command is empty"));
}

#[test]
fn endless_output_ends_the_command() {
    let begun = Instant::now();
    assert!(why(shell("yes hush")).contains("prints more than 65536 bytes"));
    assert!(why(shell("head -c 70000 /dev/zero | tr '\\0' x")).contains("prints more than 65536 bytes"));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_child_in_the_background_ends_with_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let number = folder.path().join("pid");
    let told = why(shell(&format!("sleep 20 & echo $! > {}; echo token", number.display())));
    assert!(told.contains("left a process behind"), "{told}");
    let begun = Instant::now();
    while is_alive(&number) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
    let quiet = format!("sleep 1 >/dev/null 2>&1 & echo $! > {}; echo token", number.display());
    assert_eq!(one(shell(&quiet)).unwrap(), b"token");
}

/// A zombie that nobody reaps counts as dead.
fn is_alive(number: &Path) -> bool {
    let number = fs::read_to_string(number).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z")
}

#[test]
fn every_missing_secret_is_told_at_once() {
    let specs = [
        spec(0, env("NOBODY_SETS_THIS")),
        spec(1, env("CARGO_PKG_NAME")),
        spec(2, file(Path::new("/no/such/file"), None)),
        spec(3, shell("echo log in first >&2; exit 1")),
    ];
    let missing = Vault::resolve(&specs).unwrap_err();
    let told: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing.iter().map(|one| one.slot).collect::<Vec<_>>(), [Slot(0), Slot(2), Slot(3)]);
    assert!(
        told[0].starts_with("EGRESS_TOKEN_0: ") && told[0].contains("export NOBODY_SETS_THIS=…"),
        "{told:?}"
    );
    assert!(told[1].contains("/no/such/file") && told[2].contains("log in first"), "{told:?}");
    assert_eq!(missing[2].reference, specs[3].source);
}

#[test]
fn commands_run_at_the_same_time() {
    let specs: Vec<SlotSpec> = (0..8).map(|number| spec(number, shell("sleep 0.5; echo token"))).collect();
    let begun = Instant::now();
    Vault::resolve(&specs).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn an_unreadable_file_says_so() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "hush").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    assert!(why(file(&path, None)).contains("permission denied"));
}

#[test]
fn a_vault_shows_names_only() {
    let vault = Vault::resolve(&[spec(7, shell("echo hush-hush"))]).unwrap();
    assert_eq!(format!("{vault:?}"), "Vault([Slot(7)])");
    assert_eq!(format!("{:?}", vault.refresh(Slot(7)).unwrap()), "[secret]");
    assert_eq!(format!("{:?}", vault.current(Slot(7)).unwrap()), "Current([secret])");
    assert!(vault.current(Slot(8)).unwrap_err().why.contains("no such slot"));
}

#[test]
fn the_agent_gets_the_placeholder_under_every_name() {
    let vault = Vault::resolve(&[spec(0, shell("echo hush"))]).unwrap();
    let stand_in = vault.placeholder(Slot(0)).unwrap().as_str().to_owned();
    assert!(stand_in.starts_with("ghp_"));
    let wanted = [("TOKEN_0".to_owned(), stand_in.clone()), ("ALSO_0".to_owned(), stand_in)];
    assert_eq!(vault.agent_env(), wanted);
}

#[test]
fn values_that_arrive_by_descriptor_keep_their_placeholders() {
    let first = Vault::resolve(&[spec(0, shell("echo hush"))]).unwrap();
    let handed = first.expose_to_scanner().into_iter().map(|(slot, stand_in, value)| {
        (
            spec(slot.0, env("NOT_ASKED_AGAIN")),
            value,
            credentials::Placeholder::parse(stand_in.as_str()).unwrap(),
        )
    });
    let second = Vault::from_values(handed.collect());
    assert_eq!(second.placeholder(Slot(0)), first.placeholder(Slot(0)));
    assert_eq!(second.refresh(Slot(0)).unwrap().dangerous_expose(), b"hush");
}

/// A value of seven bytes is injected like any other, and nobody can look for it.
#[test]
fn tokens_too_short_to_be_sought_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "1234567").unwrap();
    let ran = folder.path().join("ran");
    let command = shell(&format!("touch {}; echo 1234567", ran.display()));
    let specs = [spec(0, file(&path, None)), spec(1, shell("echo 12345678")), spec(2, command)];
    assert_eq!(credentials::unsought(&specs), [Slot(0)]);
    assert!(!ran.exists(), "a look starts nothing");
    assert_eq!(Vault::resolve(&specs).unwrap().unsought(), [Slot(0), Slot(2)]);
}
