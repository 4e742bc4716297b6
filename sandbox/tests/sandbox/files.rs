//! What the agent sees of the disk, and what it can write.
use crate::Scenario;
use crate::bottle::{TestBottle, hear};
use sandbox::InjectedFile;
use sandbox::linux::{Ended, Step, planned, prepare_steps};
use std::fs;
use std::path::Path;
use std::process::Command;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("files::the_workspace_is_writable_and_the_rest_is_not", workspace),
    ("files::the_users_home_is_out_of_sight_but_for_tools", home),
    ("files::the_private_home_lasts", private_home),
    ("files::no_credential_of_any_tool_is_in_sight", credentials),
    ("files::secrets_of_etc_are_not_there", etc),
    ("files::injected_files_are_there_and_read_only", injected),
    ("files::a_folder_that_is_opened_up_has_what_the_hosts_has", opened_up),
    ("files::links_do_not_lead_out", links),
    ("files::what_the_host_executes_cannot_be_written", protected),
    ("files::nested_repositories_are_protected_as_the_top_one", nested),
    ("files::what_is_made_inside_is_named_at_the_end", appeared),
    ("files::a_workspace_that_is_a_repository_itself_is_protected", bare_workspace),
    ("files::held_places_are_not_seen_by_git_on_the_host", unseen),
    ("files::placeholders_go_with_the_bottle", placeholders),
    ("files::two_bottles_share_placeholders", shared_placeholders),
    ("files::git_works_and_its_configuration_stands", git),
    ("files::a_linked_worktree_has_its_repository", worktree),
    ("files::unprotected_paths_are_free", unprotected),
    ("files::a_workspace_that_holds_the_home_is_refused", wide_workspace),
    ("files::a_link_in_a_protected_place_is_refused", linked_hooks),
    ("files::mounts_are_as_the_manifest_says", mounts),
];

fn lines(said: &str) -> Vec<&str> {
    said.lines().collect()
}

fn workspace() {
    let bottle = TestBottle::script(
        "echo kept > file; touch /usr/x /etc/x /x /dev/x /sys/x /opt/x 2>&1 | grep -c -E 'Read-only|denied'; \
         touch /tmp/x /var/tmp/x $HOME/x /dev/shm/x && echo temporary",
    );
    let outcome = bottle.run();
    assert!(outcome.said.ends_with("temporary\n"), "{}", outcome.said);
    let refused = lines(&outcome.said)[0].parse::<u32>().expect("a count");
    assert!(refused >= 5, "{}", outcome.said);
    assert_eq!(fs::read_to_string(bottle.workspace().join("file")).expect("the file"), "kept\n");
}

fn home() {
    let bottle = TestBottle::script(
        "cat $HOME/.ssh/id $HOME/.cargo/credentials.toml; cat $HOME/.cargo/bin/tool; \
                                     echo x >> $HOME/.cargo/bin/tool; ls -a $HOME",
    );
    let user = bottle.spec.sandbox.home_inside.clone();
    for (path, text) in
        [(".ssh/id", "SECRET"), (".cargo/credentials.toml", "SECRET"), (".cargo/bin/tool", "TOOL\n")]
    {
        fs::create_dir_all(user.join(path).parent().expect("a folder")).expect("a folder");
        fs::write(user.join(path), text).expect("a file");
    }
    let outcome = bottle.run();
    assert!(!outcome.said.contains("SECRET") && outcome.said.contains("TOOL\n"), "{}", outcome.said);
    assert!(outcome.said.contains("Read-only file system"), "{}", outcome.said);
    assert_eq!(fs::read_to_string(user.join(".cargo/bin/tool")).expect("the tool"), "TOOL\n");
}

/// Plants a token in every known place, and looks for it everywhere below the home, by any name.
fn credentials() {
    let mut bottle = TestBottle::script("");
    let user = bottle.spec.sandbox.home_inside.clone();
    for name in sandbox::attack::CREDENTIAL_FILES {
        let path = user.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, "PLANTED").expect("a file");
    }
    for program in [".local/bin/tool", ".nvm/versions/node/v22/bin/node", ".pyenv/versions/3.12/bin/python"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = user.join(program);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, "#!/bin/sh\necho a program\n").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    bottle.spec.command[2] =
        "grep -rl PLANTED $HOME /opt /usr/local/etc 2>/dev/null; $HOME/.local/bin/tool; \
        $HOME/.nvm/versions/node/v22/bin/node; $HOME/.pyenv/versions/3.12/bin/python"
            .to_owned();
    assert_eq!(bottle.run().said, "a program\n".repeat(3));
}

fn private_home() {
    let mut bottle = TestBottle::script("echo state > $HOME/state");
    bottle.run();
    bottle.spec.command =
        ["/bin/cat".to_owned(), format!("{}/state", bottle.spec.sandbox.home_inside.display())].into();
    assert_eq!(bottle.run().said, "state\n");
    assert!(!bottle.spec.sandbox.home_inside.join("state").exists());
}

fn etc() {
    let outcome = TestBottle::script(
        "for f in shadow gshadow sudoers ssh/ssh_host_ed25519_key machine-id; do test -e /etc/$f && echo seen $f; done; \
         ls /etc/ssl/private 2>/dev/null | wc -l; ls -a /root /home /run /var/log /boot /mnt /srv 2>/dev/null | grep -v \
         -E '^(\\.|\\.\\.|lock|/.*:|)$'; id -un; getent hosts localhost",
    )
    .run();
    assert!(!outcome.said.contains("seen"), "{}", outcome.said);
    assert!(outcome.said.starts_with("0\n"), "{}", outcome.said);
}

fn injected() {
    let mut bottle = TestBottle::script("");
    let home = bottle.spec.sandbox.home_inside.join("deep/er/injected");
    let places = ["/etc/bottle/ca.pem", "/etc/os-release", "/etc/ssl/certs/bottle-test.pem", "/etc/hosts"];
    for path in places.iter().map(Path::new).chain([home.as_path()]) {
        let content = format!("content of {}\n", path.display()).into_bytes();
        bottle.spec.files.push(InjectedFile { path: path.to_owned(), content, mode: 0o444 });
    }
    for path in bottle.spec.files.iter().map(|file| file.path.clone()) {
        let script = format!(
            "exec </dev/null; cat {0}; echo x >> {0} || rm -f {0} || mv -f {0} /tmp/x || echo held",
            path.display()
        );
        bottle.spec.command[2] = script;
        let said = bottle.run().said;
        assert!(said.starts_with(&format!("content of {}\n", path.display())), "{said}");
        assert!(said.ends_with("held\n"), "{said}");
    }
}

/// By the kernel's layers, and where it has none by links and mounts.
fn opened_up() {
    let mut bottle = TestBottle::script(
        "cd /etc/ssl/certs && echo \"$(ls -A | wc -l) $(cat new.pem) $(cat -- * 2>/dev/null | cksum)\"; \
         grep -c ' /etc/ssl/certs overlay ' /proc/self/mounts; touch x 2>/dev/null || rm -f new.pem 2>/dev/null || echo held",
    );
    let path = "/etc/ssl/certs/new.pem".into();
    bottle.spec.files.push(InjectedFile { path, content: b"only inside".to_vec(), mode: 0o444 });
    let [layers, links] = [true, false].map(|by_layers| {
        let mut steps = bottle.steps();
        let opened = steps.iter_mut().find_map(|step| match step {
            Step::OpenUp { layered, .. } => Some(layered),
            _ => None,
        });
        *opened.expect("a folder is opened") = by_layers;
        let mut prepared = prepare_steps(&bottle.spec, steps).expect("walls");
        let terminal = prepared.take_pty().expect("a terminal");
        let mut running = prepared.launch().expect("the agent");
        let said = hear(terminal);
        running.wait();
        said
    });
    let count = fs::read_dir("/etc/ssl/certs").map_or(0, Iterator::count) + 1;
    assert!(layers.starts_with(&format!("{count} only inside ")), "{layers}");
    assert_eq!(layers.lines().next(), links.lines().next());
    assert_eq!(lines(&links)[1..], ["0", "held"]);
    let layers = lines(&layers);
    assert!(layers[1..] == ["1", "held"] || without_layers(&layers), "{layers:?}");
}

/// On a kernel that has none.
fn without_layers(said: &[&str]) -> bool {
    let systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    !systems.contains("overlay") && said[1..] == ["0", "held"]
}

fn links() {
    let bottle =
        TestBottle::script("cat out; ln $HOME/../outside hard; ln /etc/passwd hard; echo x > out/new; ls -1");
    let outside = bottle.folder.path().join("outside");
    fs::write(&outside, "OUTSIDE").expect("a file");
    std::os::unix::fs::symlink(&outside, bottle.workspace().join("out")).expect("a link");
    let outcome = bottle.run();
    assert!(!outcome.said.contains("OUTSIDE"), "{}", outcome.said);
    assert_eq!(lines(&outcome.said).last(), Some(&"out"), "{}", outcome.said);
    assert_eq!(fs::read_to_string(outside).expect("the file"), "OUTSIDE");
}

fn repository(bottle: &TestBottle) {
    for arguments in [&["init", "-q"][..], &["config", "user.email", "a@b"], &["config", "user.name", "n"]] {
        let done = Command::new("git")
            .args(arguments)
            .current_dir(bottle.workspace())
            .env("HOME", "/nonexistent")
            .output();
        assert!(done.expect("git").status.success());
    }
}

/// Ways to get at a protected path; none may leave a trace on the host.
const WAYS: &str = "exec </dev/null; echo evil > PATH; echo evil >> PATH; echo evil > /tmp/e; mv -T /tmp/e PATH; cp /tmp/e PATH; \
    ln -s /tmp/e PATH; rm -rf PATH; PROBE __probe rename PATH aside; mkdir PATH; echo evil > PATH/evil; mkdir -p PATH/evil; \
    ln -f /tmp/e PATH; PROBE __probe rename UP up; mkdir UP && echo evil > PATH; true";

fn protected() {
    let mut bottle = TestBottle::script("");
    repository(&bottle);
    let root = bottle.workspace().to_owned();
    fs::create_dir(root.join(".vscode")).expect("a folder");
    fs::write(root.join(".vscode/tasks.json"), "mine").expect("a file");
    fs::write(root.join(".envrc"), "mine").expect("a file");
    fs::write(root.join("own.toml"), "mine").expect("a file");
    bottle.spec.sandbox.protect.push("own.toml".into());
    let before = listing(&root);
    for path in [
        ".git/hooks/pre-commit",
        ".git/hooks",
        ".git/config",
        ".git/commondir",
        ".git/config.worktree",
        ".envrc",
        ".vscode/tasks.json",
        ".vscode",
        ".idea/x",
        ".husky/pre-commit",
        ".claude/settings.json",
        ".mcp.json",
        ".codex/config.toml",
        "bottle.yaml",
        ".githooks/pre-commit",
        "own.toml",
        ".exrc",
    ] {
        let up = Path::new(path)
            .parent()
            .filter(|up| !up.as_os_str().is_empty())
            .unwrap_or(Path::new("/tmp/nothing"));
        bottle.spec.command[2] = WAYS
            .replace("PROBE", crate::bottle::PROBE)
            .replace("PATH", path)
            .replace("UP", &up.display().to_string());
        assert_eq!(bottle.run().ended, Ended::Exited(0));
        let now = listing(&root);
        let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
        let lost: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
        assert!(new.is_empty() && lost.is_empty(), "{path}: new {new:?}, lost {lost:?}");
    }
    let mut hole = bottle.without(|step| matches!(step, Step::Pin { .. } | Step::Watch { .. }));
    hole.spec.command[2] = "echo evil > .git/hooks/pre-commit; echo evil > .envrc".to_owned();
    hole.run();
    assert_ne!(listing(&root), before);
}

fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.email=a@b", "-c", "user.name=n", "-c", "protocol.file.allow=always"];
    let done = Command::new("git")
        .args(who)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", "/nonexistent")
        .output()
        .expect("git");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A checkout that was put there, with a worktree beside it, a submodule, a mirror, and files of tools in a folder.
fn furnish_nested(bottle: &TestBottle) {
    repository(bottle);
    let root = bottle.workspace();
    for folder in ["vendor/lib", "pkg/.vscode"] {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let lib = root.join("vendor/lib");
    git_in(&lib, &["init", "-q"]);
    git_in(&lib, &["commit", "-q", "--allow-empty", "-m", "x"]);
    git_in(&lib, &["worktree", "add", "-q", "../../wt"]);
    git_in(root, &["submodule", "--quiet", "add", "./vendor/lib/.git", "mod"]);
    git_in(root, &["clone", "-q", "--bare", "vendor/lib", "mirrors/x.git"]);
    fs::write(root.join("pkg/.envrc"), "mine").expect("a file");
    fs::write(root.join("pkg/.vscode/tasks.json"), "mine").expect("a file");
}

fn nested() {
    let mut bottle = TestBottle::script("");
    furnish_nested(&bottle);
    let root = bottle.workspace().to_owned();
    let before = listing(&root);
    for path in [
        "vendor/lib/.git/hooks/pre-commit",
        "vendor/lib/.git/config",
        "vendor/lib/.git/config.worktree",
        "vendor/lib/.git/commondir",
        "vendor/lib/.git/worktrees/wt/commondir",
        ".git/modules/mod/config",
        ".git/modules/mod/hooks/post-checkout",
        "mod/.git",
        "wt/.git",
        "mirrors/x.git/config",
        "mirrors/x.git/hooks/update",
        "pkg/.envrc",
        "pkg/.vscode/tasks.json",
    ] {
        let path = Path::new(path);
        let tries = WAYS
            .replace("PROBE", crate::bottle::PROBE)
            .replace("PATH", &path.display().to_string())
            .replace("UP", &path.parent().expect("a folder").display().to_string());
        let top = path.iter().next().expect("a folder").display().to_string();
        bottle.spec.command[2] = format!("{} __probe rename {top} top; {tries}", crate::bottle::PROBE);
        assert_eq!(bottle.run().ended, Ended::Exited(0));
        let now = listing(&root);
        let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
        let lost: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
        assert!(new.is_empty() && lost.is_empty(), "{}: new {new:?}, lost {lost:?}", path.display());
    }
    bottle.spec.command[2] =
        "cd vendor/lib && echo a > a && git add a && git -c user.name=n -c user.email=a@b commit -qm inside \
         && cd ../../mod && git log --format=%s | cat"
            .to_owned();
    assert_eq!(bottle.run().said, "x\n");
    assert!(git_in(&root.join("vendor/lib"), &["log", "--format=%s"]).starts_with("inside\n"));
    let mut hole = bottle.without(|step| matches!(step, Step::Pin { .. } | Step::Watch { .. }));
    hole.spec.command[2] = "echo evil > vendor/lib/.git/config; echo evil > pkg/.envrc".to_owned();
    hole.run();
    assert_eq!(fs::read_to_string(root.join("pkg/.envrc")).expect("the file"), "evil\n");
}

fn appeared() {
    let mut bottle = TestBottle::script(
        "for r in new node_modules/r; do mkdir -p $r/.git/objects $r/.git/refs; echo 'ref: refs/heads/m' > $r/.git/HEAD; done; \
         mkdir -p b/objects b/refs node_modules/q/.vscode pkg2 made; echo x > b/HEAD; echo x > node_modules/q/.vscode/tasks.json; \
         echo x > pkg2/.envrc; echo '{}' > .devcontainer.json; ln -s ../vendor/lib/.git made/.git; echo x > mirrors/x.git/commondir; \
         mkdir empty; mkdir empty/.idea",
    );
    furnish_nested(&bottle);
    bottle.spec.stdio = sandbox::Stdio::Pty;
    let mut prepared = sandbox::linux::prepare(&bottle.spec).expect("the walls");
    let survey = prepared.take_survey();
    assert_eq!((survey.counts(), survey.gaps()), ((4, 3), &[][..]), "{survey:?}");
    let _terminal = prepared.take_pty();
    assert_eq!(prepared.launch().expect("the agent").wait(), Ended::Exited(0));
    let appeared = survey.again();
    let below = |paths: &[std::path::PathBuf]| -> Vec<String> {
        let below = paths.iter().map(|path| path.strip_prefix(bottle.workspace()).expect("below"));
        below.map(|path| path.display().to_string()).collect()
    };
    assert_eq!(below(&appeared.repositories), ["b", "made/.git", "new/.git", "node_modules/r/.git"]);
    assert_eq!(below(&appeared.files), [".devcontainer.json", "mirrors/x.git/commondir", "pkg2/.envrc"]);
    assert!(appeared.gaps.is_empty());
}

fn bare_workspace() {
    let mut bottle = TestBottle::script(
        "echo evil >> config; echo evil > hooks/update; rm -f config; mv hooks h; ls -a hooks",
    );
    git_in(bottle.workspace(), &["init", "-q", "--bare", "."]);
    let before = listing(bottle.workspace());
    bottle.run();
    assert_eq!(listing(bottle.workspace()), before);
    bottle = bottle.without(|step| matches!(step, Step::Pin { .. } | Step::Watch { .. }));
    bottle.run();
    assert_ne!(listing(bottle.workspace()), before);
}

/// While the agent runs, the user's git on the host has nothing new to tell, and git inside has not either; both with
/// and without a file of excludes, and in a worktree.
fn unseen() {
    let mut bottle =
        TestBottle::script("git status --porcelain; read line; git status --porcelain; cat .envrc; echo end");
    repository(&bottle);
    let main = bottle.workspace().to_owned();
    fs::write(main.join(".nvimrc"), "").expect("a file");
    git_in(&main, &["add", "-A"]);
    git_in(&main, &["commit", "-qm", "x"]);
    let linked = bottle.folder.path().canonicalize().expect("a path").join("linked");
    git_in(&main, &["worktree", "add", "-q", "../linked"]);
    for (workspace, excludes) in [(&main, true), (&linked, true), (&main, false)] {
        if !excludes {
            fs::remove_file(main.join(".git/info/exclude")).expect("excludes");
        }
        let before = listing(workspace);
        bottle.spec.sandbox.workspace = workspace.clone();
        let (mut running, terminal) = bottle.start();
        assert!(fs::symlink_metadata(workspace.join(".envrc")).is_ok(), "nothing is held");
        assert_eq!(git_in(workspace, &["status", "--porcelain", "--ignored", "-uall"]), "");
        crate::bottle::say(&terminal, "\n");
        let said = crate::bottle::hear(terminal);
        running.wait();
        assert_eq!(said.trim_start(), "# this place is held by bottle while an agent runs\nend\n");
        assert_eq!(listing(workspace), before);
    }
}

/// Every path below a folder, with the content of files; git's own index and logs aside.
fn listing(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder").flatten() {
            let path = entry.path();
            let text =
                if path.is_dir() { String::new() } else { fs::read_to_string(&path).unwrap_or_default() };
            all.push(format!("{} {text}", path.display()));
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            }
        }
    }
    all.sort();
    all
}

fn placeholders() {
    let bottle = TestBottle::script("ls -a; git status --short 2>&1");
    repository(&bottle);
    let before = listing(bottle.workspace());
    let outcome = bottle.run();
    assert!(outcome.said.contains(".envrc"), "{}", outcome.said);
    assert!(!outcome.said.contains("??"), "git sees them: {}", outcome.said);
    assert_eq!(listing(bottle.workspace()), before);
}

fn shared_placeholders() {
    let bottle = TestBottle::script("echo ready; read line; echo evil > .envrc || echo held");
    let before = listing(bottle.workspace());
    let (mut second, terminal) = {
        let (first, _one) = bottle.start();
        let second = bottle.start();
        drop(first);
        second
    };
    let listening = std::thread::spawn({
        let terminal = terminal.try_clone().expect("a descriptor");
        move || crate::bottle::hear(terminal)
    });
    crate::bottle::say(&terminal, "\n");
    second.wait();
    assert!(listening.join().expect("what it said").contains("held"));
    assert_eq!(listing(bottle.workspace()), before);
}

fn git() {
    let bottle = TestBottle::script(
        "set -e; echo a > a; git add -A; git commit -qm one; git checkout -qb other; git commit -q --allow-empty -m two; \
         git merge -q master 2>/dev/null || git merge -q main; git gc -q; git log --format=%s | cat; git stash list; \
         git config x.y z || echo config held; git remote add o https://x 2>/dev/null || echo remote held",
    );
    repository(&bottle);
    let before = fs::read_to_string(bottle.workspace().join(".git/config")).expect("the configuration");
    let outcome = bottle.run();
    assert!(outcome.said.contains("two\none\n"), "{}", outcome.said);
    assert!(outcome.said.contains("config held") && outcome.said.contains("remote held"), "{}", outcome.said);
    assert_eq!(
        fs::read_to_string(bottle.workspace().join(".git/config")).expect("the configuration"),
        before
    );
    let tree =
        Command::new("git").args(["ls-tree", "--name-only", "HEAD"]).current_dir(bottle.workspace()).output();
    assert_eq!(String::from_utf8_lossy(&tree.expect("git").stdout), "a\n");
}

fn worktree() {
    let mut bottle = TestBottle::script(
        "git commit -q --allow-empty -m inside; git log -1 --format=%s | cat; \
                                         echo evil > $(git rev-parse --git-common-dir)/hooks/pre-commit || echo held",
    );
    repository(&bottle);
    let main = bottle.workspace().to_owned();
    let linked = bottle.folder.path().canonicalize().expect("a path").join("linked");
    for arguments in
        [&["commit", "-q", "--allow-empty", "-m", "x"][..], &["worktree", "add", "-q", "../linked"]]
    {
        let done =
            Command::new("git").args(arguments).current_dir(&main).env("HOME", "/nonexistent").output();
        assert!(done.expect("git").status.success());
    }
    bottle.spec.sandbox.workspace = linked;
    let outcome = bottle.run();
    assert!(outcome.said.starts_with("inside\n") && outcome.said.ends_with("held\n"), "{}", outcome.said);
    assert!(!main.join(".git/hooks/pre-commit").exists());
}

fn unprotected() {
    let mut bottle = TestBottle::script("echo mine > .envrc && git init -q . && echo done");
    bottle.spec.sandbox.unprotect = vec![".envrc".into(), ".git".into()];
    assert!(bottle.run().said.ends_with("done\n"));
    assert_eq!(fs::read_to_string(bottle.workspace().join(".envrc")).expect("the file"), "mine\n");
}

fn wide_workspace() {
    let mut bottle = TestBottle::script("true");
    let user = bottle.spec.sandbox.home_inside.clone();
    for wide in [user.clone(), user.parent().expect("a folder").to_owned(), "/".into()] {
        bottle.spec.sandbox.workspace = wide;
        let error = planned(&bottle.spec).expect_err("too wide");
        assert!(error.what.contains("holds the whole home folder") && error.hint.is_some(), "{error}");
    }
}

fn linked_hooks() {
    let bottle = TestBottle::script("true");
    repository(&bottle);
    let hooks = bottle.workspace().join(".git/hooks");
    fs::remove_dir_all(&hooks).expect("no hooks");
    std::os::unix::fs::symlink("../scripts", &hooks).expect("a link");
    let error = planned(&bottle.spec).expect_err("a link");
    assert!(error.what.contains(".git/hooks") && error.hint.is_some(), "{error}");
}

fn mounts() {
    use manifest::plan::MountPlan;
    let mut bottle =
        TestBottle::script("cat /data/ro/file; touch /data/ro/x || echo held; touch /data/rw/x; ls -1 /data");
    let base = bottle.folder.path().canonicalize().expect("a path");
    for name in ["ro", "rw"] {
        fs::create_dir(base.join(name)).expect("a folder");
        fs::write(base.join(name).join("file"), "data\n").expect("a file");
        let at = Path::new("/data").join(name);
        bottle.spec.sandbox.mounts.push(MountPlan {
            path: base.join(name),
            at,
            writable: name == "rw",
            optional: false,
        });
    }
    let absent =
        MountPlan { path: base.join("absent"), at: "/data/absent".into(), writable: false, optional: true };
    bottle.spec.sandbox.mounts.push(absent.clone());
    let outcome = bottle.run();
    assert!(
        outcome.said.starts_with("data\n") && outcome.said.ends_with("held\nro\nrw\n"),
        "{}",
        outcome.said
    );
    assert!(base.join("rw/x").exists() && !base.join("ro/x").exists());
    bottle.spec.sandbox.mounts.push(MountPlan { optional: false, ..absent });
    assert!(planned(&bottle.spec).expect_err("absent").what.contains("absent"));
}
