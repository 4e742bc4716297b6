//! What is well formed and cannot be meant.
use crate::support::{Paper, load_here, load_on, problems, warnings};

fn routes(routes: &str) -> String {
    format!("egress:\n  routes:\n{routes}")
}

/// Each manifest and a part of what must be told about it.
fn all_told(table: &[(&str, &str)]) {
    for (text, wanted) in table {
        let told = problems(text);
        assert!(told.contains(wanted), "about\n{text}\nit says\n{told}\nand not {wanted:?}");
    }
}

#[test]
fn nothing_is_allowed_by_leaving_something_out() {
    for text in ["", "name: x\n", "egress: {}\n", "egress: { routes: [] }\n"] {
        let loaded = load_here(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(loaded.plan.egress.policy.routes().is_empty(), "{text}");
        assert!(loaded.warnings.to_string().contains("the bottle reaches nothing"), "{text}");
    }
    all_told(&[
        ("egress:\n", "`egress` has no value"),
        ("egress:\n  routes:\n", "`routes` has no value"),
        ("egress: { routes: [{ host: a.test, paths: [] }] }\n", "`paths` is an empty list"),
        ("egress: { routes: [{ host: a.test, methods: [] }] }\n", "`methods` is an empty list"),
        ("egress: { routes: [{ host: a.test, methods: }] }\n", "`methods` has no value"),
        ("egress: { routes: [{ host: \"\" }] }\n", "is not a host"),
        ("egress: { routes: [{ host: \"*\" }] }\n", "is not a host"),
    ]);
}

#[test]
fn a_credential_needs_tls_that_is_opened() {
    let auth = "auth: { scheme: bearer, token: { env: T } }";
    all_told(&[
        (
            &routes(&format!("    - {{ host: a.test, scheme: http, {auth} }}\n")),
            "cannot go out over `scheme: http`",
        ),
        (
            &routes(&format!("    - {{ host: a.test, tls: passthrough, {auth} }}\n")),
            "`auth` cannot be enforced",
        ),
        (
            &routes(&format!("    - {{ host: a.test, port: 1, protocol: tcp, {auth} }}\n")),
            "`auth` cannot be enforced",
        ),
    ]);
}

#[test]
fn rules_that_cannot_be_enforced_are_mistakes() {
    all_told(&[
        (&routes("    - { host: a.test, tls: passthrough, paths: [/x] }\n"), "`paths` cannot be enforced"),
        (
            &routes("    - { host: a.test, tls: passthrough, methods: [GET] }\n"),
            "`methods` cannot be enforced",
        ),
        (
            &routes("    - { host: a.test, port: 1, protocol: tcp, dlp: { action: warn } }\n"),
            "`dlp` cannot be enforced",
        ),
        (&routes("    - { host: a.test, protocol: tcp }\n"), "needs the key `port`"),
        (&routes("    - { host: \"*.a.test\", port: 1, protocol: tcp }\n"), "leads to one host"),
    ]);
}

#[test]
fn private_addresses_need_a_word_and_some_are_never_reached() {
    for host in ["10.0.0.1", "192.168.1.1", "\"fd00::1\"", "100.64.0.1"] {
        assert!(problems(&routes(&format!("    - host: {host}\n"))).contains("allow_private"), "{host}");
        assert!(
            load_here(&routes(&format!("    - {{ host: {host}, allow_private: true }}\n"))).is_ok(),
            "{host}"
        );
    }
    for host in ["169.254.169.254", "0x7f.1", "2130706433", "\"[::1%lo]\""] {
        let text = routes(&format!("    - {{ host: {host}, allow_private: true }}\n"));
        assert!(load_here(&text).is_err(), "{host}");
    }
    let wide = routes("    - { host: \"*.corp.test\", allow_private: true }\n");
    assert!(warnings(&wide, &Paper::default())[0].contains("private network"));
}

#[test]
fn a_route_that_is_never_reached_is_told() {
    let hidden = [
        "    - host: a.test\n    - { host: a.test, paths: [\"/x/**\"] }\n",
        "    - host: \"*.a.test\"\n    - host: b.a.test\n",
        "    - host: \"*.a.test\"\n    - host: b.c.a.test\n",
        "    - host: \"*.a.test\"\n    - host: \"*.b.c.a.test\"\n",
        "    - host: \"*.a.test\"\n    - host: \"*.a.test\"\n",
        "    - { host: a.test, methods: [GET, POST] }\n    - { host: a.test, methods: [GET] }\n",
        "    - { host: a.test, paths: [\"/x/**\"] }\n    - { host: a.test, paths: [\"/x/y/*\"] }\n",
    ];
    for text in hidden {
        assert!(problems(&routes(text)).contains("no request ever comes to this route"), "{text}");
    }
    let twice = "    - { name: one, host: \"*.a.test\", methods: [GET, PUT] }\n    - { name: two, host: b.a.test, methods: [GET, POST] }\n    - { host: b.a.test, methods: [GET] }\n";
    assert!(problems(&routes(twice)).contains("`one`"), "the first is named");
    let not_hidden = [
        "    - { host: a.test, paths: [\"/x/**\"] }\n    - host: a.test\n",
        "    - host: \"*.a.test\"\n    - host: a.test\n",
        "    - host: a.test\n    - { host: a.test, port: 8443 }\n",
        "    - { host: a.test, methods: [GET] }\n    - { host: a.test, methods: [GET, POST] }\n",
        "    - { host: a.test, paths: [\"/x*\"] }\n    - { host: a.test, paths: [\"/xy\"] }\n",
        "    - host: b.test\n    - host: a.b.test\n",
        "    - host: \"*.b.a.test\"\n    - host: \"*.a.test\"\n",
        "    - host: \"*.a.test\"\n    - host: \"*.ba.test\"\n",
    ];
    for text in not_hidden {
        assert!(load_here(&routes(text)).is_ok(), "{text}");
    }
}

#[test]
fn a_route_that_takes_a_presets_credential_away_is_told() {
    let text = format!("presets: [claude-code]\n{}", routes("    - host: api.anthropic.com\n"));
    let host = Paper { variables: vec!["ANTHROPIC_API_KEY"], ..Paper::default() };
    assert!(
        warnings(&text, &host)
            .iter()
            .any(|w| w.contains("takes the place of `claude-code: api.anthropic.com`"))
    );
}

#[test]
fn names_are_used_once() {
    all_told(&[
        (
            &routes("    - { host: a.test, name: x }\n    - { host: b.test, name: x }\n"),
            "two routes are called `x`",
        ),
        ("ports: [3000, \"3000:80\"]\n", "published twice"),
        (
            "mounts: [{ path: bottle.yaml, at: /x }, { path: \"bottle.yaml\", at: /x }]\n",
            "two mounts stand at `/x`",
        ),
    ]);
    let two = "    - { host: a.test, auth: { scheme: bearer, token: { env: A }, placeholder_env: [T] } }\n    - { host: b.test, auth: { scheme: bearer, token: { env: B }, placeholder_env: [T] } }\n";
    assert!(problems(&routes(two)).contains("two credentials want their placeholder in `T`"));
}

#[test]
fn secrets_stay_out_of_manifests_and_of_the_agents_environment() {
    let auth = routes("    - { host: a.test, auth: { scheme: bearer, token: { env: MY_TOKEN } } }\n");
    all_told(&[
        ("agent: { env: { K: sk-ant-api03-0123456789abcdef } }\n", "looks like a secret"),
        ("agent: { command: [x, --token, ghp_0123456789abcdef0123] }\n", "looks like a secret"),
        ("egress: { upstream_proxy: { url: \"http://u:p@proxy.test:1\" } }\n", "must not hold a password"),
        (&format!("agent: {{ pass_env: [MY_TOKEN] }}\n{auth}"), "`MY_TOKEN` holds a placeholder"),
        (&format!("agent: {{ env: {{ MY_TOKEN: x }} }}\n{auth}"), "`MY_TOKEN` holds a placeholder"),
    ]);
    let told = problems("agent: { env: { K: sk-ant-api03-0123456789abcdef } }\n");
    assert!(!told.split("error: ").any(|t| t.lines().next().is_some_and(|l| l.contains("0123456789"))));
    assert!(warnings("agent: { pass_env: [NPM_TOKEN] }\n", &Paper::default())[0].contains("real value"));
}

/// Each with what must be told; the password never is.
#[test]
fn an_upstream_proxy_says_what_is_meant() {
    let proxy = |text: &str| format!("egress: {{ upstream_proxy: {{ {text} }} }}\n");
    all_told(&[
        (&proxy("url: \"http://u:p@proxy.test:1\""), "write `auth: { username"),
        (&proxy("url: \"http://proxy.test\""), "a proxy needs a port"),
        (&proxy("url: \"socks5://proxy.test:1\""), "is not a proxy"),
        (&proxy("url: \"http://p:1\", auth: { username: \"a:b\", token: { env: T } }"), "cannot hold `:`"),
        (&proxy("url: \"http://p:1\", auth: { username: u, token: {} }"), "exactly one of the keys"),
        (&proxy("url: \"http://p:1\", auth: { username: u, token: ghp_0123456789abcdef0123 }"), "token"),
        (&proxy("url: \"http://p:1\", roots: bottle.yaml"), "has none"),
        (&proxy("url: \"https://p:1\", roots: missing.pem"), "does not exist"),
        (&proxy("url: \"http://p:1\", except: [\".corp.test\"]"), "`*.corp.test`"),
        (&proxy("url: \"http://p:1\", except: [\"*\"]"), "take `upstream_proxy` out"),
        (&proxy("url: \"http://p:1\", except: [\"10.0.0.1/8\"]"), "behind its prefix"),
        (&proxy("url: \"http://p:1\", except: [\"a.test:443\"]"), "without a port"),
    ]);
    let told = problems(&proxy("url: \"socks5://u:hunter2@proxy.test:1\""));
    assert!(
        !told.split("error: ").any(|t| t.lines().next().is_some_and(|l| l.contains("hunter2"))),
        "{told}"
    );
}

#[test]
fn a_proxys_password_in_clear_and_entries_that_mean_nothing_are_told() {
    let host = Paper { variables: vec!["P"], ..Paper::default() };
    let auth = |url: &str| {
        format!(
            "egress: {{ upstream_proxy: {{ url: \"{url}\", auth: {{ username: u, token: {{ env: P }} }} }} }}\n"
        )
    };
    let in_clear = |url: &str| warnings(&auth(url), &host).iter().any(|w| w.contains("in clear"));
    assert!(in_clear("http://proxy.test:1") && in_clear("http://10.0.0.1:1"));
    assert!(
        !in_clear("https://proxy.test:1") && !in_clear("http://127.0.0.1:1") && !in_clear("http://[::1]:1")
    );
    assert!(warnings(&auth("https://p:1"), &Paper::default()).iter().any(|w| w.contains("`P` is not set")));
    let resolve = "egress:\n  routes: [{ host: a.test }, { host: b.test }]\n  resolve: { a.test: 10.0.0.1, \"b.test:443\": 10.0.0.2 }\n  upstream_proxy: { url: \"http://p:1\", except: [b.test] }\n";
    let told = warnings(resolve, &host);
    assert_eq!(told.iter().filter(|w| w.contains("is not used")).count(), 1, "{told:?}");
    assert!(told.iter().any(|w| w.contains("`a.test` goes through")), "{told:?}");
}

#[test]
fn mounts_that_open_the_machine_are_refused() {
    let host =
        Paper { files: vec!["/var/run/docker.sock", "/usr", "/home/ada/.ssh", "/proc"], ..Paper::default() };
    for (mount, wanted) in [
        ("{ path: /var/run/docker.sock, mode: rw }", "container engine"),
        ("{ path: \"~\" }", "whole home"),
        ("{ path: / }", "whole home"),
        ("{ path: /usr, mode: rw }", "belongs to the system"),
        ("{ path: /proc }", "running system"),
        ("{ path: ../../../etc/../ }", "whole home"),
    ] {
        let told = load_on(&format!("mounts: [{mount}]\n"), &host).expect_err(mount).to_string();
        assert!(told.contains(wanted), "{mount}: {told}");
    }
    assert!(warnings("mounts: [{ path: ~/.ssh }]\n", &host)[0].contains("could read secrets"));
}

#[test]
fn the_workspace_is_a_project() {
    let host = Paper { files: vec!["/etc", "/usr/lib", "/tmp"], ..Paper::default() };
    for workspace in ["\"~\"", "/", "/home", "/etc", "/usr/lib", "/tmp"] {
        let told = load_on(&format!("workspace: {workspace}\n"), &host).expect_err(workspace).to_string();
        assert!(told.contains("more than a project"), "{told}");
    }
    all_told(&[("workspace: ~/nowhere\n", "does not exist"), ("workspace: $HOME/x\n", "is not a path")]);
}

#[test]
fn what_is_not_built_is_refused_as_such() {
    all_told(&[
        ("backend: kubernetes\n", "the backend `kubernetes` is not built yet"),
        ("egress: { answer_within: 5m }\n", "`answer_within` means something with `unmatched: ask` alone"),
        ("egress: { unmatched: ask, answer_within: 2d }\n", "nothing waits longer than a day"),
    ]);
}

/// A socket can be spoken to through a read-only mount too.
#[test]
fn where_bottles_are_steered_from_is_out_of_the_agents_reach() {
    all_told(&[
        (
            "mounts: [{ path: /run/user/1000, mode: ro, optional: true }]\n",
            "the agent could answer its own requests",
        ),
        (
            "mounts: [{ path: ~/.local/state/bottle, mode: rw, optional: true }]\n",
            "where the agent could rewrite it",
        ),
    ]);
}

#[test]
fn a_path_to_protect_is_inside_the_workspace() {
    all_told(&[
        ("protect: [../x]\n", "is not inside the workspace"),
        ("unprotect: [/etc/passwd]\n", "is not inside the workspace"),
        ("protect: [.]\n", "is not inside the workspace"),
        ("protect: [a]\nunprotect: [a]\n", "under `protect` and under `unprotect`"),
    ]);
}

/// The agent writes the workspace and reads it: what this machine runs, reads or writes for the bottle is elsewhere.
#[test]
fn what_this_machine_relies_on_is_out_of_the_agents_reach() {
    let host = Paper {
        programs: vec!["/home/ada/project/.venv/bin/token", "/usr/bin/sh"],
        files: vec![
            "/home/ada/project/tok",
            "/home/ada/tokens",
            "/home/ada/shared",
            "/home/ada/.local/state",
            "/home/ada/.local/state/bottle/project",
        ],
        links: vec![("/home/ada/link", "/home/ada/project/tok"), ("/home/ada/project/out", "/home/ada/x")],
        ..Paper::default()
    };
    let token = |source: &str| {
        routes(&format!(
            "    - {{ host: a.test, auth: {{ scheme: bearer, token: {{ {source} }}, placeholder_env: [T] }} }}\n"
        ))
    };
    let mount = |path: &str, mode: &str| format!("mounts: [{{ path: {path}, mode: {mode} }}]\n");
    for (text, wanted) in [
        (token("file: tok"), "could read the secret itself"),
        (token("file: ~/link"), "could read the secret itself"),
        (token("file: out"), "could read the secret itself"),
        (mount("~/tokens", "ro") + &token("file: ~/tokens/api"), "could read the secret itself"),
        (token("file: ~/.local/state/bottle/project/home/t"), "the bottle's private home"),
        (token("command: [./get.sh]"), "run or read there what the agent wrote"),
        (token("command: [../project/get.sh]"), "run or read there what the agent wrote"),
        (token("command: [token]"), "run or read there what the agent wrote"),
        (token("command: [sh, /home/ada/project/get.sh]"), "run or read there what the agent wrote"),
        (mount("~/shared", "rw") + &token("command: [~/shared/get]"), "the mount `/home/ada/shared`"),
        ("audit: { file: audit.jsonl }\n".to_owned(), "could rewrite it"),
        (mount("~/.local/state", "rw"), "could rewrite it"),
        ("workspace: ~/.local/state\n".to_owned(), "could rewrite it"),
    ] {
        let told = load_on(&text, &host).expect_err(&text).to_string();
        assert!(told.contains(wanted), "about\n{text}\nit says\n{told}");
    }
    for text in [
        token("file: ~/tokens/api"),
        token("command: [sh, -c, x]"),
        token("command: [~/shared/get]"),
        mount("~/shared", "ro") + &token("command: [~/shared/get]"),
    ] {
        load_on(&text, &host).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    }
}

/// Roots, certificates and lists of secrets may lie in the workspace; the agent reads them there and changes nothing.
#[test]
fn what_is_trusted_in_the_workspace_is_write_protected() {
    let host = Paper {
        files: vec![
            "/home/ada/project/root.pem",
            "/home/ada/project/.env",
            "/home/ada/shared",
            "/home/ada/shared/ca.pem",
        ],
        ..Paper::default()
    };
    let egress = "egress:\n  upstream_roots: [root.pem]\n  upstream_proxy: { url: \"http://p:1\", ca: root.pem }\n  dlp: { secrets: [{ file: .env }] }\n";
    let protected = |text: &str| load_on(text, &host).unwrap_or_else(|p| panic!("{p}")).plan.sandbox.protect;
    let all = protected(egress);
    for file in ["root.pem", ".env"] {
        let path = std::path::Path::new("/home/ada/project").join(file);
        assert_eq!(all.iter().filter(|protected| **protected == path).count(), 1, "{file}: {all:?}");
    }
    assert!(!protected(&format!("unprotect: [.env]\n{egress}")).iter().any(|path| path.ends_with(".env")));
    let mounted = "mounts: [{ path: ~/shared, mode: rw }]\negress: { upstream_roots: [~/shared/ca.pem] }\n";
    assert!(
        load_on(mounted, &host).expect_err("writable").to_string().contains("could change what is trusted")
    );
}

#[test]
fn a_command_of_this_machine_is_looked_up_once() {
    let host = Paper { programs: vec!["/usr/bin/gh"], ..Paper::default() };
    let text = |command: &str| {
        routes(&format!(
            "    - {{ host: a.test, auth: {{ scheme: bearer, token: {{ command: {command} }} }} }}\n"
        ))
    };
    let argv = |command: &str| {
        let plan = load_on(&text(command), &host).unwrap_or_else(|problems| panic!("{problems}")).plan;
        match &plan.egress.slots[0].source {
            credentials::TokenRef::Command { argv, .. } => argv.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(argv("[gh, auth, token]"), ["/usr/bin/gh", "auth", "token"]);
    assert_eq!(argv("[~/bin/get]"), ["/home/ada/bin/get"]);
    assert_eq!(argv("[nowhere]"), ["nowhere"], "the start says that it is not there");
}
