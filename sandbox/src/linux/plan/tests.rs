use super::*;
use crate::InjectedFile;
use crate::linux::host::PaperHost;
use crate::linux::step::{Access, Added, Stage};
use manifest::plan::{LimitsPlan, MountPlan};
use std::collections::BTreeMap;

fn host() -> PaperHost {
    let mut host = PaperHost::with(&[
        ("/tmp", Kind::Dir),
        ("/usr", Kind::Dir),
        ("/bin", Kind::Link("usr/bin".into())),
        ("/usr/bin", Kind::Dir),
        ("/etc/ssl/certs", Kind::Dir),
        ("/etc/ssl/private", Kind::Dir),
        ("/etc/shadow", Kind::File),
        ("/dev/null", Kind::Other),
        ("/proc/kcore", Kind::File),
        ("/proc/sys/net/ipv6", Kind::Dir),
        ("/home/u/.cargo/bin", Kind::Dir),
        ("/home/u/.cargo/credentials.toml", Kind::File),
        ("/home/u/.nvm", Kind::Link("/elsewhere".into())),
        ("/home/u/work", Kind::Dir),
        ("/state/home", Kind::Dir),
    ]);
    host.put("/etc/passwd", Kind::File, "root:x:0:0::/root:/bin/sh\nu:x:1000:1000:U,,,:/home/u:/bin/zsh\n");
    host
}

fn spec() -> Spec {
    Spec {
        slug: "dev".to_owned(),
        command: vec!["true".to_owned()],
        env: BTreeMap::new(),
        sandbox: SandboxPlan {
            workspace: "/home/u/work".into(),
            mounts: Vec::new(),
            home: "/state/home".into(),
            home_inside: "/home/u".into(),
            protect: Vec::new(),
            unprotect: Vec::new(),
            ports: Vec::new(),
            limits: LimitsPlan::default(),
        },
        files: Vec::new(),
        stdio: Stdio::Pty,
    }
}

fn plan(host: &PaperHost, spec: &Spec) -> Vec<Step> {
    steps(spec, host).expect("a plan")
}

fn position(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> usize {
    steps.iter().position(wanted).expect("a step")
}

fn bound(steps: &[Step], path: &str) -> Option<Access> {
    steps.iter().find_map(|step| match step {
        Step::Bind { to, access, .. } if to == Path::new(path) => Some(*access),
        _ => None,
    })
}

#[test]
fn stages_come_in_order_and_every_guard_is_there() {
    let steps = plan(&host(), &spec());
    let stages: Vec<_> = steps.iter().map(Step::stage).collect();
    let rank = |stage: &Stage| match stage {
        Stage::Host => 0,
        Stage::Walls => 1,
        Stage::Agent => 2,
    };
    assert!(stages.is_sorted_by_key(rank));
    for guard in [
        Step::Enter,
        Step::ForbidNamespaces,
        Step::Seal,
        Step::NoNewPrivileges,
        Step::DropCapabilities,
        Step::Seccomp,
    ] {
        assert_eq!(steps.iter().filter(|step| **step == guard).count(), 1, "{guard}");
    }
    assert!(position(&steps, |s| *s == Step::Seal) < position(&steps, |s| *s == Step::DropCapabilities));
}

#[test]
fn rules_stand_before_the_interface_is_up() {
    let steps = plan(&host(), &spec());
    let rules = position(&steps, |s| matches!(s, Step::Redirect { .. }));
    assert!(rules < position(&steps, |s| *s == Step::LoopbackUp));
}

#[test]
fn the_home_is_private_and_tools_come_without_credentials() {
    let steps = plan(&host(), &spec());
    assert_eq!(bound(&steps, "/home/u"), Some(Access::ReadWrite));
    assert_eq!(bound(&steps, "/home/u/.cargo/bin"), Some(Access::ReadOnly));
    assert_eq!(bound(&steps, "/home/u/work"), Some(Access::ReadWrite));
    let text = serde_json::to_string(&steps).expect("json");
    assert!(!text.contains("credentials.toml") && !text.contains("/elsewhere") && !text.contains("shadow\""));
    let sources = steps.iter().filter_map(|s| match s {
        Step::Bind { from, .. } => Some(from.as_path()),
        _ => None,
    });
    assert!(
        !sources
            .into_iter()
            .any(|from| from == Path::new("/home/u") || from == Path::new("/") || from == Path::new("/etc"))
    );
}

#[test]
fn keys_in_etc_are_masked_and_links_stay_links() {
    let steps = plan(&host(), &spec());
    assert!(steps.contains(&Step::Mask { path: "/etc/ssl/private".into(), dir: true }));
    assert!(steps.contains(&Step::Symlink { path: "/bin".into(), target: "usr/bin".into() }));
    assert!(steps.contains(&Step::Mask { path: "/proc/kcore".into(), dir: false }));
}

#[test]
fn a_new_file_in_a_host_folder_opens_that_folder_up() {
    let mut host = host();
    host.put("/etc/ssl/certs/a.pem", Kind::File, "");
    host.put("/etc/ssl/certs/b.0", Kind::Link("a.pem".into()), "");
    let mut spec = spec();
    for name in ["new.pem", "a.pem", "other.pem", "new.pem"] {
        let path = Path::new("/etc/ssl/certs").join(name);
        spec.files.push(InjectedFile { path, content: Vec::new(), mode: 0o444 });
    }
    let steps = plan(&host, &spec);
    let added = |at: &str, file| Added { at: at.into(), mode: 0o444, file };
    let files = vec![added("new.pem", 0), added("other.pem", 2)];
    let opened = position(&steps, |s| *s == opens("/etc/ssl/certs", files.clone()));
    // What the host has is covered, and so is what was put there before.
    for (name, file) in [("a.pem", 1), ("new.pem", 3)] {
        let path = Path::new("/etc/ssl/certs").join(name);
        let covered = position(&steps, |s| *s == Step::Cover { path: path.clone(), mode: 0o444, file });
        assert!(opened < covered);
    }
}

fn opens(path: &str, files: Vec<Added>) -> Step {
    Step::OpenUp { from: path.into(), path: path.into(), files, layered: true }
}

#[test]
fn a_file_whose_folder_the_host_lacks_opens_the_one_above_up() {
    let mut host = host();
    host.put("/etc/chromium/preferences", Kind::File, "");
    let mut spec = spec();
    let path = PathBuf::from("/etc/chromium/policies/managed/bottle.json");
    spec.files.push(InjectedFile { path, content: Vec::new(), mode: 0o444 });
    let steps = plan(&host, &spec);
    let added = Added { at: "policies/managed/bottle.json".into(), mode: 0o444, file: 0 };
    assert!(steps.contains(&opens("/etc/chromium", vec![added])));
    // A file is no folder.
    spec.files[0].path = PathBuf::from("/etc/chromium/preferences/bottle.json");
    assert!(super::steps(&spec, &host).is_err());
}

/// A container engine can only mount what is on the host.
#[test]
fn walls_of_others_get_a_file_and_a_pin_for_each_held_place() {
    use crate::linux::step::Held;
    let places = places(&spec().sandbox, &host()).expect("places");
    let held = |step: &Step| match step {
        Step::Placeholder { path, held: Held::File(_) } => path == Path::new("/home/u/work/.envrc"),
        _ => false,
    };
    assert!(places.steps.iter().any(held), "{:?}", places.steps);
    assert!(!places.steps.iter().any(|s| matches!(s, Step::Placeholder { held: Held::Socket(_), .. })));
    assert!(places.pins.contains(&("/home/u/work/.envrc".into(), false)), "{:?}", places.pins);
}

/// In a mount at another path the pin is where the agent sees the place, not where the host has it.
#[test]
fn a_held_place_of_a_mount_at_another_path_is_pinned_there() {
    let mut host = host();
    host.put("/home/u/beside", Kind::Dir, "");
    let mut sandbox = spec().sandbox;
    sandbox.mounts.push(MountPlan {
        path: "/home/u/beside".into(),
        at: "/elsewhere".into(),
        writable: true,
        optional: false,
    });
    let places = places(&sandbox, &host).expect("places");
    assert!(places.pins.contains(&("/elsewhere/.envrc".into(), false)), "{:?}", places.pins);
    assert!(!places.pins.iter().any(|(path, _)| path.starts_with("/home/u/beside")), "{:?}", places.pins);
}

#[test]
fn programs_of_a_mixed_folder_are_seen_and_keys_beside_tools_are_covered() {
    let mut host = host();
    host.put("/home/u/.local/bin/tool", Kind::File, "#!/bin/sh");
    host.put("/home/u/.local/bin/.env", Kind::File, "TOKEN=x");
    host.put("/home/u/.nvm/versions", Kind::Dir, "");
    host.entries.remove(Path::new("/home/u/.nvm"));
    host.put("/home/u/.nvm/versions/node/v22/etc/npmrc", Kind::File, "//x/:_authToken=x");
    let steps = plan(&host, &spec());
    assert_eq!(bound(&steps, "/home/u/.local/bin/tool"), Some(Access::ReadOnly));
    assert_eq!(bound(&steps, "/home/u/.local/bin/.env"), None);
    assert_eq!(bound(&steps, "/home/u/.local/bin"), None);
    let shown =
        position(&steps, |s| matches!(s, Step::Bind { to, .. } if to == Path::new("/home/u/.nvm/versions")));
    let npmrc = PathBuf::from("/home/u/.nvm/versions/node/v22/etc/npmrc");
    assert!(shown < position(&steps, |s| *s == Step::CoverText { path: npmrc.clone(), text: String::new() }));
}

#[test]
fn the_user_keeps_name_and_shell_and_no_one_else_is_known() {
    let steps = plan(&host(), &spec());
    let passwd = steps.iter().find_map(|s| match s {
        Step::Text { path, text, .. } if path == Path::new("/etc/passwd") => Some(text.as_str()),
        _ => None,
    });
    assert!(passwd.is_some_and(|text| text.starts_with("u:x:1000:1000:u:/home/u:/bin/zsh\n")), "{passwd:?}");
}

#[test]
fn every_folder_above_a_protected_file_is_pinned_first() {
    let mut host = host();
    for file in ["HEAD", "config", "hooks", "modules/sub/HEAD", "modules/sub/config", "info/exclude"] {
        let kind = if file == "hooks" { Kind::Dir } else { Kind::File };
        host.put(&format!("/home/u/work/.git/{file}"), kind, "");
    }
    host.put("/home/u/work/.git/config", Kind::File, "[core]\n\thooksPath = scripts/hooks\n");
    host.put("/home/u/work/scripts/hooks", Kind::Dir, "");
    let steps = plan(&host, &spec());
    let pin = |path: &str, writable| {
        let path = Path::new("/home/u/work").join(path);
        position(&steps, |s| *s == Step::Pin { path: path.clone(), writable })
    };
    assert!(pin(".git", true) < pin(".git/config", false));
    assert!(pin(".git/modules", true) < pin(".git/modules/sub", true));
    assert!(pin(".git/modules/sub", true) < pin(".git/modules/sub/config", false));
    assert!(pin("scripts", true) < pin("scripts/hooks", false));
    assert!(
        pin(".git/commondir", false)
            > position(&steps, |s| matches!(s, Step::Bind { to, .. } if to == Path::new("/home/u/work")))
    );
}

#[test]
fn a_forged_worktree_file_mounts_nothing() {
    let mut host = host();
    host.put("/home/u/work/.git", Kind::File, "gitdir: /home/u/secrets/worktrees/x\n");
    host.put("/home/u/secrets/worktrees/x/gitdir", Kind::File, "/home/u/other/.git\n");
    assert_eq!(bound(&plan(&host, &spec()), "/home/u/secrets"), None);
    host.put("/home/u/secrets/worktrees/x/gitdir", Kind::File, "/home/u/work/.git\n");
    assert_eq!(bound(&plan(&host, &spec()), "/home/u/secrets"), Some(Access::ReadWrite));
}

#[test]
fn root_drops_its_groups_before_it_enters() {
    let mut host = host();
    host.uid = 0;
    let steps = plan(&host, &spec());
    assert!(position(&steps, |s| *s == Step::DropGroups) < position(&steps, |s| *s == Step::Enter));
    host.uid = 1000;
    assert!(!plan(&host, &spec()).contains(&Step::DropGroups));
}

#[test]
fn a_limit_that_cannot_be_kept_stops_the_start() {
    let mut spec = spec();
    spec.sandbox.limits.memory = Some(1);
    assert!(steps(&spec, &host()).is_err_and(|error| error.what.contains("memory")));
}

#[test]
fn steps_survive_the_wire_and_can_be_read() {
    let steps = plan(&host(), &spec());
    let text = serde_json::to_string(&steps).expect("json");
    assert_eq!(serde_json::from_str::<Vec<Step>>(&text).expect("steps"), steps);
    let said: Vec<_> = steps.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line == "mount `/state/home` at `/home/u` (read-write)"), "{said:#?}");
}
