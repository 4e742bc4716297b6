//! Presets are manifests, and so are the examples.
use crate::support::{Paper, load_on};
use credentials::{AuthScheme, PlaceholderFormat, TokenRef};
use manifest::presets::PRESETS;
use manifest::{Registries, Registry, RegistryAuth};
use policy::{Host, Scheme};
use std::fs;
use std::path::Path;

/// Every variable is set, so every credential of every preset is bound.
fn rich() -> Paper {
    Paper {
        variables: vec![
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "GEMINI_API_KEY",
            "OPENROUTER_API_KEY",
            "OPENCODE_API_KEY",
            "GH_TOKEN",
            "GITLAB_TOKEN",
            "BITBUCKET_TOKEN",
            "CODEBERG_TOKEN",
        ],
        programs: vec!["/usr/bin/gh"],
        registries: registries(),
        ..Paper::default()
    }
}

fn registry(host: &str, configured: bool, auth: Option<RegistryAuth>) -> Registry {
    Registry {
        tool: "npm".to_owned(),
        from: "npmrc".to_owned(),
        scheme: Scheme::Https,
        host: Host::parse(host).expect("a host"),
        port: 443,
        configured,
        auth,
    }
}

fn registries() -> Registries {
    let auth = RegistryAuth {
        source: TokenRef::Env { name: "NPM_TOKEN".to_owned() },
        scheme: AuthScheme::Bearer,
        format: PlaceholderFormat::Npm,
        env: vec!["NPM_TOKEN".to_owned()],
    };
    let list = vec![registry("mirror.test", true, Some(auth)), registry("default.test", false, None)];
    Registries { list, unknown: vec!["`uv` does not say".to_owned()] }
}

#[test]
fn every_preset_is_a_manifest_without_a_flaw() {
    for preset in PRESETS {
        for host in [Paper::default(), rich()] {
            let loaded = load_on(preset.text, &host).unwrap_or_else(|p| panic!("{}\n{p}", preset.name));
            assert!(!loaded.plan.egress.policy.routes().is_empty(), "{}", preset.name);
            assert_eq!(preset.is_agent(), !loaded.plan.agent.command.is_empty(), "{}", preset.name);
            assert!(preset.text.starts_with("# "), "{} says what it is for", preset.name);
        }
        let rich = load_on(preset.text, &rich()).expect("it is a manifest");
        assert!(rich.warnings.list.is_empty(), "{}: {}", preset.name, rich.warnings);
    }
}

#[test]
fn a_preset_names_no_other_preset_and_mounts_nothing_writable() {
    for preset in PRESETS {
        assert!(!preset.text.contains("presets:"), "{}", preset.name);
        let plan = load_on(preset.text, &rich()).expect("it is a manifest").plan;
        assert!(plan.sandbox.mounts.iter().all(|mount| !mount.writable && mount.optional), "{}", preset.name);
    }
}

/// Files in which agents keep real tokens: no mount of a preset shows one.
#[test]
fn no_preset_shows_a_file_with_real_tokens() {
    let secret = [
        ".claude/.credentials.json",
        ".claude.json",
        ".claude/settings.json",
        ".codex/auth.json",
        ".codex/config.toml",
        ".gemini/oauth_creds.json",
        ".gemini/settings.json",
        ".gemini/.env",
        ".local/share/opencode/auth.json",
        ".config/opencode/opencode.json",
        ".aider.conf.yml",
        ".pi/agent/auth.json",
        ".config/gh/hosts.yml",
    ];
    for preset in PRESETS {
        for mount in load_on(preset.text, &rich()).expect("it is a manifest").plan.sandbox.mounts {
            for file in secret.map(|file| Path::new("/home/ada").join(file)) {
                assert!(!file.starts_with(&mount.path), "{} shows {}", preset.name, file.display());
            }
        }
    }
}

#[test]
fn presets_go_together() {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let text = format!("presets: [{}, packages]\n", names.join(", "));
    if let Err(problems) = load_on(&text, &rich()) {
        panic!("{problems}");
    }
}

#[test]
fn registries_become_routes() {
    let loaded = load_on("presets: [packages]\n", &rich()).unwrap_or_else(|problems| panic!("{problems}"));
    let routes = loaded.plan.egress.policy.routes();
    assert_eq!(routes[0].name, "packages: npm mirror.test");
    assert!(routes[0].allow_private, "the user wrote the mirror down, and it may be inside a company");
    assert!(!routes[1].allow_private, "a tool's default may not lead inside");
    assert_eq!(loaded.plan.egress.slots[0].env, ["NPM_TOKEN"]);
    assert!(loaded.warnings.to_string().contains("`uv` does not say"));
    let none =
        load_on("presets: [packages]\n", &Paper::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(none.warnings.to_string().contains("found no package tool"));
}

#[test]
fn an_agents_preset_brings_an_agent() {
    let told = load_on("agent: { preset: github }\n", &rich()).expect_err("no agent").to_string();
    assert!(told.contains("`presets: [github]`"), "{told}");
}

#[test]
fn every_example_is_a_manifest() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("examples");
    let mut seen = 0;
    for file in fs::read_dir(&folder).expect("there are examples").flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|ext| ext == "yaml") {
            let text = fs::read_to_string(&file).expect("examples are text");
            load_on(&text, &rich()).unwrap_or_else(|problems| panic!("{}\n{problems}", file.display()));
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} examples");
}

/// What a package tool is configured for may be inside a company, and nothing else that is special.
#[test]
fn a_mirror_may_be_private_and_never_this_machine_or_a_metadata_service() {
    let at = |host: &str| {
        let registries = Registries { list: vec![registry(host, true, None)], unknown: vec![] };
        let loaded = load_on("presets: [packages]\n", &Paper { registries, ..Paper::default() });
        loaded.unwrap_or_else(|problems| panic!("{problems}"))
    };
    for inside in ["10.1.2.3", "192.168.1.1", "100.64.0.1", "[fd12::1]", "mirror.test"] {
        assert_eq!(at(inside).plan.egress.policy.routes().len(), 1, "{inside}");
    }
    for never in [
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "[fe80::1]",
    ] {
        let loaded = at(never);
        assert!(loaded.plan.egress.policy.routes().is_empty(), "{never}");
        assert!(loaded.warnings.to_string().contains("a bottle never reaches this address"), "{never}");
    }
    let list = vec![registry("10.1.2.3", false, None)];
    let unsaid = Paper { registries: Registries { list, unknown: vec![] }, ..Paper::default() };
    let plan = load_on("presets: [packages]\n", &unsaid).expect("a plan").plan;
    assert!(plan.egress.policy.routes().is_empty(), "a tool's default may not lead inside");
}
