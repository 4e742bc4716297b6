//! What is removed is what was seen, and never what has its name by now; and an engine that runs out of addresses.
use crate::engine::{Kind, TestEngine, engine, engines, skip};
use manifest::plan::NetworkLayout;
use sandbox::docker::clean::{self, Part};
use sandbox::docker::plan::{Layout, Program};
use sandbox::docker::{Bottle, Engine, Facts, Owner};

fn labels(role: &str, slug: &str, launcher: &str) -> Vec<String> {
    let all = [("slug", slug), ("name", slug), ("role", role), ("launcher", launcher)];
    all.iter().flat_map(|(key, value)| ["--label".to_owned(), format!("bot-bottle.{key}={value}")]).collect()
}

/// A container, a volume and a network of one bottle.
fn make(at: &TestEngine, slug: &str, launcher: &str) {
    for (command, role, last) in [
        (&["create", "--network=none", "--name"][..], "agent", Some("busybox:latest")),
        (&["volume", "create"], "handover", None),
        (&["network", "create", "--internal"], "net", None),
    ] {
        let name = format!("bottle-{role}-{slug}");
        let labels = labels(role, slug, launcher);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        // The name of a container is an option's, of the others the last word.
        let (first, name): (&[&str], &[&str]) = match last {
            Some(image) => (&[name.as_str()], &[image, "true"]),
            None => (&[], &[name.as_str()]),
        };
        at.ask(&[command, first, &labels, name].concat());
    }
}

fn unmake(at: &TestEngine, slug: &str) {
    at.ask(&["rm", &format!("bottle-agent-{slug}")]);
    at.ask(&["volume", "rm", &format!("bottle-handover-{slug}")]);
    at.ask(&["network", "rm", &format!("bottle-net-{slug}")]);
}

async fn parts(engine: &Engine, slug: &str) -> Vec<Part> {
    let parts = clean::parts(engine).await.expect("parts");
    parts.into_iter().filter(|part| part.slug == slug).collect()
}

#[tokio::test]
async fn what_has_a_parts_name_by_now_is_not_removed_in_its_place() {
    for at in engines() {
        let engine = Engine::connect(Some(&at.address())).await.expect("the engine answers");
        make(at, "again", "one");
        let seen = parts(&engine, "again").await;
        assert_eq!(seen.len(), 3, "{seen:?}");
        unmake(at, "again");
        make(at, "again", "another");
        // By identity where there is one; what was noted before it was made has none yet.
        let nameless = seen.iter().map(|part| Part { id: String::new(), ..part.clone() }).collect::<Vec<_>>();
        for gone in [&seen, &nameless] {
            assert!(clean::remove(&engine, gone).await.is_empty());
            assert_eq!(parts(&engine, "again").await.len(), 3, "somebody else's was removed");
        }
        let own = nameless.into_iter().map(|part| Part { launcher: "another".into(), ..part });
        assert!(clean::remove(&engine, &own.collect::<Vec<_>>()).await.is_empty());
        assert_eq!(parts(&engine, "again").await, []);
    }
}

fn layout(slug: &str, network: NetworkLayout) -> Layout {
    let image = "busybox:latest".to_owned();
    Layout {
        slug: slug.to_owned(),
        network,
        outward: "bridge".into(),
        image,
        port: 9099,
        program: Program::Image,
    }
}

/// `Bottle` waits for the engine, on no thread of the runtime.
fn prepare(at: &TestEngine, layout: Layout) -> Result<Bottle, String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let (engine, facts) = handle.block_on(async {
        let engine = Engine::connect(Some(&at.address())).await.expect("the engine answers");
        let facts = Facts::of(&engine).await.expect("facts");
        (engine, facts)
    });
    let owner =
        Owner { slug: layout.slug.clone(), name: layout.slug.clone(), launcher: "a:b:c:d:e".to_owned() };
    let prepared = Bottle::prepare(engine, &facts, layout, owner, None, handle).map(|(bottle, _)| bottle);
    // It is removed on the runtime.
    std::mem::forget(runtime);
    prepared.map_err(|error| format!("{} {}", error.what, error.hint.unwrap_or_default()))
}

#[test]
fn an_engine_without_addresses_for_another_network_says_how_to_give_it_more() {
    if engine(Kind::Docker).is_none() {
        return skip("an engine with few addresses (no dockerd)");
    }
    let at = TestEngine::start_apart(Kind::Docker, &["--default-address-pool", "base=10.99.0.0/24,size=25"]);
    at.ask(&["network", "create", "last"]);
    let error = prepare(&at, layout("one-more", NetworkLayout::Internal)).err().expect("no addresses");
    assert!(error.contains("default-address-pools") && error.contains("network: sealed"), "{error}");
    assert_eq!(at.ask(&["volume", "ls", "--quiet"]), "", "something is left");
    at.ask(&["network", "rm", "last"]);
    drop(prepare(&at, layout("one-more", NetworkLayout::Internal)).expect("there is room again"));
    assert_eq!(at.ask(&["network", "ls", "--quiet", "--filter", "label=bot-bottle.slug"]), "");
}
