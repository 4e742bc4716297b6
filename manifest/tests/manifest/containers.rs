//! Manifests of bottles that are containers.
use crate::support::{Paper, load_on};
use manifest::plan::{Backend, BuildPlan, DockerPlan, ImagePlan, NetworkLayout};

fn host() -> Paper {
    Paper { files: vec!["/home/ada/project/agent"], ..Paper::default() }
}

fn docker(text: &str) -> DockerPlan {
    let loaded = load_on(text, &host()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!loaded.warnings.to_string().contains("means nothing"));
    assert_eq!(loaded.plan.backend, Backend::Docker);
    loaded.plan.docker.expect("containers")
}

fn told(text: &str) -> String {
    load_on(text, &host()).expect_err(text).to_string()
}

#[test]
fn an_image_is_enough_and_the_rest_is_the_safest() {
    let image = ImagePlan::Named("my-agent:latest".into());
    let expected = DockerPlan { image, network: NetworkLayout::Sealed, outward: "bridge".into() };
    assert_eq!(docker("backend: docker\nimage: my-agent:latest\n"), expected);
}

#[test]
fn everything_can_be_said() {
    let text = "backend: docker\nbuild: { context: agent, dockerfile: x/Dockerfile, target: dev, args: { A: b } }\n\
                network: internal\noutward_network: corp\n";
    let build = BuildPlan {
        context: "/home/ada/project/agent".into(),
        dockerfile: "x/Dockerfile".into(),
        target: Some("dev".into()),
        args: [("A".to_owned(), "b".to_owned())].into(),
    };
    let expected = DockerPlan {
        image: ImagePlan::Build(build),
        network: NetworkLayout::Internal,
        outward: "corp".into(),
    };
    assert_eq!(docker(text), expected);
}

/// The next start would run it past the egress.
#[test]
fn what_is_built_cannot_be_written_by_the_agent() {
    let loaded = load_on("backend: docker\nbuild: { context: agent }\n", &host()).expect("a plan");
    assert!(loaded.plan.sandbox.protect.contains(&"/home/ada/project/agent".into()));
}

#[test]
fn what_cannot_be_meant_is_told() {
    for (text, expected) in [
        ("backend: docker\n", "needs an image"),
        ("backend: docker\nimage: x\nbuild: { context: agent }\n", "both say what the agent runs in"),
        ("backend: docker\nimage: \"x y\"\n", "is not the name of an image"),
        ("backend: docker\nimage: -x\n", "is not the name of an image"),
        ("backend: docker\nimage: x\noutward_network: \"a b\"\n", "is not the name of a network"),
        ("backend: docker\nbuild: { context: nowhere }\n", "does not exist"),
        ("backend: docker\nbuild: { context: . }\n", "the whole workspace would be built"),
        (
            "backend: docker\nbuild: { context: agent, dockerfile: ../Dockerfile }\n",
            "is not a file of the folder",
        ),
        (
            "backend: docker\nbuild: { context: agent, args: { T: ghp_0123456789012345 } }\n",
            "must not hold one",
        ),
        ("backend: docker\nimage: x\nnetwork: bridged\n", "must be one of `sealed`, `internal`"),
    ] {
        let told = told(text);
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn who_names_an_image_and_no_backend_hears_that_it_means_nothing() {
    let warned = |text: &str| {
        load_on(text, &host())
            .expect("a plan")
            .warnings
            .to_string()
            .matches("means nothing to the backend")
            .count()
    };
    assert_eq!(warned("image: x\nnetwork: internal\n"), 2);
    assert_eq!(warned("backend: linux\nimage: x\n"), 0, "the same manifest is for both");
}
