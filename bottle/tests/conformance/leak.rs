//! Ways out, past the egress: none.
use crate::Scenario;
use crate::engine::{GATEWAY, Kind, OUTWARD, rootless};
use crate::ground::{Ground, Scene};
use crate::images::BUSYBOX;
use crate::probe::PROBE;
use crate::stage::eventually;
use crate::world::{GREETING, OPEN};
use rustix::process::Signal;
use std::time::Duration;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("leak::nothing_reaches_the_outside_directly", directly),
    ("leak::with_its_egress_killed_a_bottle_reaches_nothing", without_egress),
];

/// Of the layout `internal` on Podman alone.
pub(crate) const EXCEPTION: (&str, Scenario) =
    ("leak::the_stated_exception_services_of_the_engines_machine_is_in_the_preflight", exception);

/// Of the layout `internal` on Docker, whose sidecar stands on two networks.
pub(crate) const NEIGHBOUR: (&str, Scenario) =
    ("leak::a_neighbour_on_the_outward_network_cannot_use_the_egress", neighbour);

/// Addresses on which witnesses of this ground listen.
fn outside(ground: Ground) -> Vec<String> {
    match ground.kind() {
        // See `exception`.
        Some(Kind::Podman) if !ground.captures() => Vec::new(),
        Some(_) if rootless() => vec!["127.0.0.1".to_owned()],
        None => ["127.0.0.1".to_owned()].into_iter().chain(own_address()).collect(),
        Some(Kind::Docker) => vec![GATEWAY.to_owned(), "172.17.0.1".to_owned()],
        Some(Kind::Podman | Kind::Rootless) => vec![GATEWAY.to_owned()],
    }
}

/// The address that a look outward would use; nothing is sent.
fn own_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string()).filter(|ip| ip != "127.0.0.1")
}

fn directly(ground: Ground) {
    let scene = ground.scene("");
    let world = ground.world();
    let word = &scene.name;
    let mut script = String::new();
    for address in outside(ground) {
        let (tcp, udp) = (world.witness_tcp, world.witness_udp);
        script += &format!("probe tcp {address}:{tcp}\nprobe udp {address}:{udp} {word}\n");
        script += &format!("probe tcp {address}:{}\n", world.port);
        // Loopback is the bottle's own, and answers itself.
        script += &if address == "127.0.0.1" { String::new() } else { format!("probe icmp {address}:0\n") };
    }
    if ground == Ground::Internal(Kind::Docker) {
        script += &format!("probe gateway {}\n", world.witness_tcp);
    }
    for attempt in [
        "tcp 93.184.216.34:443",
        "tcp [2606:2800:220:1::1]:443",
        "udp 8.8.8.8:53",
        "udp 93.184.216.34:443",
        "udp [2606:2800:220:1::1]:443",
        "icmp 93.184.216.34:0",
        "socket 2 3 1",
        "socket 2 3 255",
        "socket 17 3 768",
    ] {
        let more = if attempt.starts_with("udp") { format!(" {word}") } else { String::new() };
        script += &format!("echo '# {attempt}'; probe {attempt}{more}\n");
    }
    let said = scene.sh(&script).ended_with(0).out;
    assert!(!said.contains(GREETING), "{said}");
    assert_eq!(world.witnessed(word), Vec::<String>::new(), "{said}");
    held(&said);
}

/// What an attempt may see at most: a connection that the egress itself took, and answered with its refusal or its end.
fn held(said: &str) {
    let answers = said.split("\nok ").skip(1);
    for answer in answers {
        let egress = answer.is_empty() || answer.starts_with('\n') || answer.starts_with("HTTP/1.1 4");
        assert!(egress, "`{answer}` in {said}");
    }
    assert!(said.contains("\nno "), "{said}");
}

/// Asks again and again, so that an answer after the end would be seen.
fn asking(scene: &Scene) -> String {
    format!("while :; do probe get h1 variables https://{OPEN}/asking-{} >/dev/null; done", scene.name)
}

fn without_egress(ground: Ground) {
    let scene = ground.scene("");
    let world = ground.world();
    let launcher = scene.start_and_wait(&asking(&scene));
    let path = format!("/asking-{}", scene.name);
    eventually("a request to arrive", || !world.seen(&path).is_empty());
    match ground.kind() {
        None => launcher.signal(Signal::KILL),
        Some(_) => drop(ground.engine().said(&["kill", &format!("bottle-egress-{}", scene.name)])),
    }
    std::thread::sleep(Duration::from_millis(300));
    let before = world.seen(&path).len();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.seen(&path).len(), before);
    drop(launcher);
    scene.stage.run(&["prune"]).ended_with(0);
    scene.nothing_is_left();
}

/// The egress puts real tokens on the wire for whoever it answers: that is the agent's network alone.
fn neighbour(ground: Ground) {
    let (scene, engine) = (ground.scene(""), ground.engine());
    let launcher = scene.start_and_wait("sleep 60");
    let format = format!("{{{{(index .NetworkSettings.Networks \"{OUTWARD}\").IPAddress}}}}");
    let sidecar = engine.said(&["inspect", "--format", &format, &format!("bottle-egress-{}", scene.name)]);
    let mount = format!("{}:/probe:ro", ground.probe().display());
    let ask = |address: &str| {
        let run = [
            "run",
            "--rm",
            "--network",
            OUTWARD,
            "--volume",
            &mount,
            BUSYBOX,
            "/probe",
            PROBE,
            "tcp",
            address,
        ];
        engine.said(&run)
    };
    // It stands where it could.
    let witness = format!("{GATEWAY}:{}", ground.world().witness_tcp);
    assert_eq!(ask(&witness), format!("ok {GREETING}"));
    for port in [9099, 53] {
        let said = ask(&format!("{sidecar}:{port}"));
        assert!(said.starts_with("no ") && said.contains("refused"), "{sidecar}:{port}: {said}");
    }
    // Standing on two networks, it passes nothing from one to the other; and nothing of its memory is swapped out.
    let format = "{{index .HostConfig.Sysctls \"net.ipv4.ip_forward\"}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}";
    let set = engine.said(&["inspect", "--format", format, &format!("bottle-egress-{}", scene.name)]);
    let words: Vec<&str> = set.split(' ').collect();
    assert!(matches!(words[..], ["0", memory, swap] if memory == swap && memory != "0"), "{set}");
    drop(launcher);
    scene.stage.run(&["prune"]).ended_with(0);
}

/// Whether Podman's bridge has an address on its machine depends on who makes its networks (netavark gives one, CNI none).
/// What is seen is printed; where it can be so, the preflight says so.
fn exception(ground: Ground) {
    let scene = ground.scene("");
    let port = ground.world().witness_tcp.to_string();
    let said = scene.probe(&["gateway", &port]);
    let reached = said == format!("ok {GREETING}\n");
    assert!(reached || said.starts_with("no "), "{said}");
    println!(
        "services of the engine's machine on {}: {}",
        ground.name(),
        if reached { "reached" } else { "out of reach" }
    );
    let loud = scene.stage.run(&["run", "--", "true"]).ended_with(0).err;
    assert!(loud.contains("services of the engine's machine, but for those on loopback addresses"), "{loud}");
}
