//! Images by their names.
use super::engine::TestEngine;
use super::registry::Registry;
use super::{LOGINS, Scenario, get};
use base64::Engine as _;
use manifest::plan::ImagePlan;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("naming::an_image_that_is_there_is_held_by_an_identity_that_no_tag_moves", held_by_identity),
    ("naming::an_image_that_is_missing_is_pulled_with_the_login_of_its_registry", pulled),
    ("naming::an_image_that_is_not_to_be_had_is_an_error_with_a_way_out", not_to_be_had),
];

fn named(name: &str) -> ImagePlan {
    ImagePlan::Named(name.to_owned())
}

fn held_by_identity(engine: &TestEngine) {
    let tag = |from: &str| {
        let answer =
            engine.ask("POST", &format!("/v1.41/images/{from}/tag?repo=docker.io/library/moved&tag=1"), b"");
        assert!(answer.contains(" 201 "), "{answer}");
    };
    engine.import("other", &[0; 1024]);
    tag("base");
    let (first, said) = get(engine, &named("moved:1"));
    let first = first.expect("it is there");
    assert!(said.is_empty(), "{said:?}");
    tag("other");
    let second = get(engine, &named("moved:1")).0.expect("it is there");
    assert_ne!(first.id, second.id);
    let (by_id, base) = (get(engine, &named(&first.id)).0, get(engine, &named("base")).0);
    assert_eq!(by_id.expect("still there").id, base.expect("it is there").id);
}

fn pulled(engine: &TestEngine) {
    let (good, bad) = ("me:word", "me:other");
    let base64 = |pair: &str| base64::engine::general_purpose::STANDARD.encode(pair);
    let name = format!("shop-{}", engine.make.program());
    let registry = Registry::serve(engine.shop(), &name, architecture(), &base64(good));
    let host = format!("127.0.0.1:{}", registry.port);
    let image = format!("{host}/{name}:1");
    let login = |pair: &str| {
        let config = serde_json::json!({ "auths": { &host: { "auth": base64(pair) } } });
        let folder = std::path::PathBuf::from(std::env::var_os(LOGINS).expect("a folder"));
        std::fs::write(folder.join("config.json"), config.to_string()).expect("a login");
    };
    login(bad);
    let error = get(engine, &named(&image)).0.expect_err("a stranger");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("login")), "{error}");
    assert!(!error.to_string().contains("other"), "{error}");
    login(good);
    let (image, said) = get(engine, &named(&image));
    let image = image.expect("pulled");
    assert_eq!(image.env.last(), Some(&("PULLED".to_owned(), "yes".to_owned())));
    assert_eq!(image.user.as_deref(), Some("7:8"));
    assert!(said[0].contains("pulls"), "{said:?}");
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn not_to_be_had(engine: &TestEngine) {
    let digest = format!("sha256:{}", "7".repeat(64));
    for (name, what, hint) in [
        (
            "127.0.0.1:1/nobody/here:1",
            "cannot pull the image `127.0.0.1:1/nobody/here:1`",
            "does not reach the registry",
        ),
        (digest.as_str(), "no image with the identity", "NAME:TAG"),
    ] {
        let error = get(engine, &named(name)).0.expect_err(name);
        assert!(error.what.contains(what), "{error}");
        assert!(error.hint.as_ref().is_some_and(|text| text.contains(hint)), "{error}");
    }
}
