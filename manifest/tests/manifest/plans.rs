//! What manifests mean.
use crate::support::{Paper, load_on};
use credentials::reference::Places;
use credentials::{AuthScheme, PlaceholderFormat, TokenRef};
use manifest::Plan;
use policy::{Opening, Request, decide};
use std::path::{Path, PathBuf};

fn plan_on(text: &str, host: &Paper) -> Plan {
    load_on(text, host).unwrap_or_else(|problems| panic!("{problems}")).plan
}

fn machine() -> Paper {
    Paper {
        variables: vec!["ANTHROPIC_API_KEY", "PROXY_PASSWORD"],
        programs: vec!["/usr/bin/gh"],
        files: vec![
            "/home/ada/.nvm",
            "/home/ada/project/.env",
            "/home/ada/project/corp-root.pem",
            "/home/ada/project/pipelock-ca.pem",
            "/home/ada/.config/internal/token",
        ],
        ..Paper::default()
    }
}

/// Section 2 of the design, without what is not built.
const EVERYTHING: &str = r#"
name: dev
backend: linux
workspace: .
agent:
  command: [claude, --dangerously-skip-permissions]
  preset: claude-code
  env: { EDITOR: vi }
  pass_env: [COLORFGBG]
mounts:
  - { path: ~/.nvm, mode: ro }
ports: [3000, "8080:80"]
protect: [scripts]
unprotect: [.vscode]
limits: { memory: 4GiB, processes: 512, cpus: 1.5, open_files: 1024 }
time_limit: 8h
egress:
  unmatched: deny
  routes:
    - host: api.anthropic.com
      auth: { scheme: header, header: X-Api-Key, token: { env: ANTHROPIC_API_KEY } }
    - host: github.com
      paths: ["/acme/**"]
      methods: [GET, POST]
      auth: { scheme: basic, username: x-access-token, token: { command: [gh, auth, token], ttl: 10m } }
    - host: "*.cdn.example.com"
      methods: [GET, HEAD]
    - host: internal.example.com
      port: 8443
      allow_private: true
      auth: { scheme: bearer, token: { file: ~/.config/internal/token, json_pointer: /access_token } }
    - host: db.example.com
      port: 5432
      protocol: tcp
    - host: pinned.example.com
      tls: passthrough
    - host: api.test
      dlp: { action: warn }
  dlp:
    action: block
    secrets: [{ file: .env }]
  upstream_proxy:
    url: https://pipelock:8888
    ca: ./pipelock-ca.pem
    roots: ./corp-root.pem
    auth: { username: dev, token: { env: PROXY_PASSWORD } }
    except: [api.test, "*.corp.example.com", 10.0.0.0/8]
  upstream_roots: [./corp-root.pem]
  resolve: { "api.test": "127.0.0.1:8443" }
audit: { file: ~/.local/state/bottle/dev/audit.jsonl }
"#;

#[test]
fn the_whole_of_the_design_means_this() {
    insta::assert_json_snapshot!(plan_on(EVERYTHING, &machine()));
}

#[test]
fn a_plan_survives_being_written_down() {
    let plan = plan_on(EVERYTHING, &machine());
    let text = serde_json::to_string(&plan).expect("plans can be written");
    let again: Plan = serde_json::from_str(&text).expect("and read");
    assert_eq!(serde_json::to_string(&again).expect("and written"), text);
}

#[test]
fn the_plan_decides_as_the_manifest_says() {
    let plan = plan_on(EVERYTHING, &machine());
    let policy = &plan.egress.policy;
    let goes = |method: &str, url: &str| {
        let request = Request::from_url(method, url).expect("a request");
        decide(policy, request)
            .map(|permitted| permitted.route().name.clone())
            .map_err(|denial| denial.code.as_str())
    };
    assert_eq!(goes("GET", "https://github.com/acme/x"), Ok("github.com /acme/**".to_owned()));
    assert_eq!(goes("GET", "https://github.com/other/x"), Err("path-not-allowed"));
    assert_eq!(goes("DELETE", "https://github.com/acme/x"), Err("method-not-allowed"));
    assert_eq!(goes("GET", "https://cdn.example.com/"), Err("host-not-allowed"));
    assert!(goes("GET", "https://a.b.cdn.example.com/").is_ok());
    assert!(goes("GET", "http://api.anthropic.com/").is_err());
    let pinned = policy::Host::parse("pinned.example.com").expect("a host");
    assert!(matches!(policy::open(policy, &pinned, 443), Opening::Passthrough(_)));
    let api = policy::Host::parse("api.test").expect("a host");
    assert_eq!(policy.pinned(&api, 443), Some("127.0.0.1:8443".parse().expect("an address")));
}

#[test]
fn defaults_come_from_the_place() {
    let plan = plan_on("", &Paper::default());
    assert_eq!(plan.name, "project");
    assert_eq!(plan.sandbox.workspace, Path::new("/home/ada/project"));
    assert_eq!(plan.sandbox.home, Path::new("/home/ada/.local/state/bottle/project/home"));
    assert_eq!(plan.sandbox.home_inside, Path::new("/home/ada"));
    assert_eq!(plan.audit_file, Path::new("/home/ada/.local/state/bottle/project/audit.jsonl"));
    assert!(plan.agent.command.is_empty());
}

#[test]
fn the_manifest_cannot_be_written_from_inside() {
    let file = PathBuf::from("/home/ada/project/bottle.yaml");
    assert!(plan_on("", &Paper::default()).sandbox.protect.contains(&file));
    assert!(!plan_on("unprotect: [bottle.yaml]\n", &Paper::default()).sandbox.protect.contains(&file));
}

#[test]
fn placeholders_look_as_their_variable_or_host_wants() {
    let format = |host: &str, variable: &str, scheme: &str| {
        let text = format!(
            "egress: {{ routes: [{{ host: {host}, auth: {{ scheme: {scheme}, token: {{ env: {variable} }} }} }}] }}"
        );
        plan_on(&text, &Paper::default()).egress.slots[0].format
    };
    assert_eq!(format("api.anthropic.com", "KEY", "bearer"), PlaceholderFormat::AnthropicOauth);
    assert_eq!(format("gateway.test", "ANTHROPIC_API_KEY", "bearer"), PlaceholderFormat::Anthropic);
    assert_eq!(format("api.github.com", "T", "bearer"), PlaceholderFormat::Github);
    assert_eq!(format("notgithub.com", "T", "bearer"), PlaceholderFormat::Opaque);
    assert_eq!(format("chatgpt.com", "T", "bearer"), PlaceholderFormat::Jwt);
}

#[test]
fn one_source_is_one_slot() {
    let auth = "auth: { scheme: bearer, token: { env: T } }";
    let text = format!("egress: {{ routes: [{{ host: a.test, {auth} }}, {{ host: b.test, {auth} }}] }}");
    let plan = plan_on(&text, &Paper::default());
    assert_eq!(plan.egress.slots.len(), 1);
    assert_eq!(plan.egress.bindings.len(), 2);
    assert_eq!(plan.egress.slots[0].env, ["T"]);
}

#[test]
fn the_first_credential_at_hand_is_taken() {
    let slots = |variables: Vec<&'static str>| {
        plan_on("presets: [claude-code]\n", &Paper { variables, ..Paper::default() }).egress
    };
    let both = slots(vec!["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY"]);
    assert_eq!(both.slots[0].source, TokenRef::Env { name: "ANTHROPIC_API_KEY".to_owned() });
    let oauth = slots(vec!["CLAUDE_CODE_OAUTH_TOKEN"]);
    assert_eq!(oauth.bindings.values().next().map(|b| b.scheme.clone()), Some(AuthScheme::Bearer));
    assert_eq!(oauth.slots[0].format, PlaceholderFormat::AnthropicOauth);
    // None at hand and none optional: the first stays bound, so that the start fails and says what to set.
    assert_eq!(slots(vec![]).slots.len(), 1);
}

#[test]
fn an_optional_credential_that_is_not_at_hand_leaves_the_route() {
    let plan = plan_on("presets: [github]\n", &Paper { programs: vec!["/usr/bin/gh"], ..Paper::default() });
    assert!(plan.egress.slots.is_empty(), "`gh` is here and its user is not logged in");
    assert!(!plan.egress.policy.routes().is_empty());
    let logged_in = Paper {
        programs: vec!["/usr/bin/gh"],
        files: vec!["/home/ada/.config/gh/hosts.yml"],
        ..Paper::default()
    };
    let plan = plan_on("presets: [github]\n", &logged_in);
    assert_eq!(plan.egress.slots.len(), 1);
    assert_eq!(plan.egress.slots[0].env, ["GH_TOKEN"]);
}

/// The password is a slot like any other, with no placeholder inside the bottle; the plan names it and never holds it.
#[test]
fn the_password_of_an_upstream_proxy_is_a_slot() {
    let plan = plan_on(EVERYTHING, &machine());
    let auth = plan.egress.upstream_proxy.as_ref().and_then(|proxy| proxy.auth.as_ref()).expect("asked for");
    let slot = plan.egress.slots.iter().find(|slot| slot.slot == auth.slot).expect("its slot");
    assert_eq!(slot.source, TokenRef::Env { name: "PROXY_PASSWORD".into() });
    assert!(slot.env.is_empty(), "the agent holds nothing that stands for it");
    assert!(plan.egress.bindings.values().all(|binding| binding.slot != auth.slot), "no route sends it");
    let proxy = plan.egress.upstream_proxy.as_ref().expect("a proxy");
    let takes = |host: &str| proxy.takes(&policy::Host::parse(host).expect("a host"));
    assert!(takes("github.com") && takes("corp.example.com") && takes("11.0.0.1"));
    assert!(!takes("api.test") && !takes("a.corp.example.com") && !takes("10.1.2.3"));
}

#[test]
fn a_password_that_may_be_missing_is_not_asked_for_when_it_is() {
    let text = "egress: { upstream_proxy: { url: \"https://p:1\", auth: { username: u, token: { env: P, optional: true } } } }\n";
    let auth = |host: &Paper| plan_on(text, host).egress.upstream_proxy.expect("a proxy").auth.is_some();
    assert!(!auth(&Paper::default()));
    assert!(auth(&Paper { variables: vec!["P"], ..Paper::default() }));
}

/// What a body holds, the far side may spell anew and hand back.
#[test]
fn a_placeholder_is_swapped_in_bodies_only_where_that_is_said() {
    let scheme = |places: &str| {
        let auth = format!("{{ scheme: placeholder, {places} token: {{ env: T }}, placeholder_env: [T] }}");
        let text = format!("egress: {{ routes: [{{ host: a.test, auth: {auth} }}] }}\n");
        let machine = Paper { variables: vec!["T"], ..Paper::default() };
        let loaded = load_on(&text, &machine).unwrap_or_else(|problems| panic!("{problems}"));
        let warned = loaded.warnings.to_string().contains("hand this secret back");
        let binding = loaded.plan.egress.bindings.values().next().expect("a binding").scheme.clone();
        (binding, warned)
    };
    let places = |body, websocket| AuthScheme::Placeholder { places: Places { body, websocket } };
    assert_eq!(scheme(""), (places(false, false), false));
    assert_eq!(scheme("in: [body],"), (places(true, false), true));
    assert_eq!(scheme("in: [websocket, body],"), (places(true, true), true));
}
