use super::*;

fn layout(network: NetworkLayout) -> Layout {
    Layout {
        slug: "dev".into(),
        network,
        outward: "bridge".into(),
        image: "ours".into(),
        port: 9099,
        program: Program::Image,
    }
}

fn containers(egress: &Egress) -> Vec<&Container> {
    let created = egress.holder.iter().chain(&egress.sidecar).filter_map(|step| match step {
        Step::Create(container) => Some(&**container),
        _ => None,
    });
    created.collect()
}

fn sandbox() -> SandboxPlan {
    SandboxPlan {
        workspace: "/w".into(),
        mounts: Vec::new(),
        home: "/state/home".into(),
        home_inside: "/home/ada".into(),
        protect: Vec::new(),
        unprotect: Vec::new(),
        ports: Vec::new(),
        limits: LimitsPlan::default(),
    }
}

fn agent(network: NetworkLayout) -> Container {
    let (sandbox, env) = (sandbox(), BTreeMap::from([("A".to_owned(), "b".to_owned())]));
    layout(network).agent(&Agent {
        image: "theirs",
        command: &["true".into()],
        env: &env,
        user: "1000:1000".into(),
        sandbox: &sandbox,
        home: Source::Path("/state/home".into()),
        pins: Vec::new(),
        tty: false,
        size: None,
        egress_address: Some("10.0.0.2".into()),
    })
}

#[test]
fn sealed_means_that_no_container_of_the_agents_side_has_a_network() {
    let steps = layout(NetworkLayout::Sealed).egress();
    let [holder, sidecar] = containers(&steps)[..] else { panic!("{steps:?}") };
    assert_eq!((holder.network.as_str(), sidecar.network.as_str()), ("none", "bridge"));
    let agent = agent(NetworkLayout::Sealed);
    assert_eq!(agent.network, "container:bottle-holder-dev");
    assert_eq!(agent.processes_of.as_deref(), Some("container:bottle-holder-dev"));
}

#[test]
fn nobody_but_the_holder_has_a_capability_and_no_environment_of_ours_says_anything() {
    for network in [NetworkLayout::Sealed, NetworkLayout::Internal] {
        let steps = layout(network).egress();
        for container in containers(&steps) {
            let captures = container.role == Role::Holder && network == NetworkLayout::Sealed;
            let expected: &[&str] = if captures { &["NET_ADMIN"] } else { &[] };
            assert_eq!(container.capabilities, expected, "{}", container.name);
            assert!(container.read_only && container.env.is_empty(), "{}", container.name);
            assert!(container.limits.memory.is_some() && container.limits.processes.is_some());
        }
        assert!(agent(network).capabilities.is_empty());
    }
}

/// What the kernel ends for want of memory or of numbers of processes takes the agent along.
#[test]
fn a_holder_has_room_for_every_connection_to_a_published_port() {
    const CONNECTIONS: u64 = 512;
    const EACH: u64 = 2 * 1024 * 1024;
    for network in [NetworkLayout::Sealed, NetworkLayout::Internal] {
        let egress = layout(network).egress();
        let holder = containers(&egress)[0];
        assert!(holder.limits.memory.is_some_and(|bytes| bytes >= CONNECTIONS * EACH * 5 / 4));
        assert!(holder.limits.processes.is_some_and(|number| number > CONNECTIONS));
    }
}

#[test]
fn internal_puts_the_agent_on_a_network_without_a_way_out() {
    let steps = layout(NetworkLayout::Internal).egress();
    let [holder, _] = containers(&steps)[..] else { panic!("{steps:?}") };
    assert_eq!((holder.network.as_str(), holder.user.as_str()), ("none", SIDECAR_USER));
    assert_eq!(steps.first[0], Step::Network { name: "bottle-net-dev".into() });
    let alias = Step::Connect {
        network: "bottle-net-dev".into(),
        container: "bottle-egress-dev".into(),
        alias: "egress".into(),
    };
    assert_eq!(steps.sidecar[1], alias);
    let agent = agent(NetworkLayout::Internal);
    assert_eq!(agent.processes_of.as_deref(), Some("container:bottle-holder-dev"));
    assert_eq!((agent.network.as_str(), &agent.dns[..]), ("bottle-net-dev", &["10.0.0.2".to_owned()][..]));
}

/// The holder's mount fills the volume, so it stands before the agent's; and nobody but the holder can write to it.
#[test]
fn this_program_is_read_only_in_the_agents_container() {
    for network in [NetworkLayout::Sealed, NetworkLayout::Internal] {
        let volume = Source::Volume("bottle-program-dev".into());
        let steps = layout(network).egress();
        assert!(
            steps.first.contains(&Step::Volume { name: "bottle-program-dev".into(), role: Role::Program })
        );
        let [holder, sidecar] = containers(&steps)[..] else { panic!("{steps:?}") };
        let has = |container: &Container| container.mounts.iter().any(|mount| mount.from == volume);
        assert!(has(holder) && !has(sidecar));
        let expected = Mount { from: volume, at: PROGRAM_INSIDE.into(), writable: false };
        assert_eq!(agent(network).mounts.last(), Some(&expected));
    }
    let near = Layout { program: Program::File("/bin/bottle".into()), ..layout(NetworkLayout::Sealed) };
    let steps = near.egress();
    assert_eq!((steps.first.len(), containers(&steps)[0].mounts.len()), (1, 1), "no volume is needed");
    let mount = near.program();
    assert_eq!((mount.from, mount.writable), (Source::Path("/bin/bottle".into()), false));
    assert_eq!(mount.at, Path::new("/run/bottle/bin/bottle"));
}
