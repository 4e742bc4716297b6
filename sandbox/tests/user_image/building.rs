//! Images from folders.
use super::engine::TestEngine;
use super::{Scenario, get};
use manifest::plan::{BuildPlan, ImagePlan};
use sandbox::SandboxError;
use sandbox::docker::UserImage;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("building::a_folder_becomes_an_image_that_is_as_its_dockerfile_says", becomes_an_image),
    ("building::what_stays_at_home_is_in_no_layer", stays_at_home),
    ("building::nothing_outside_of_the_folder_gets_into_an_image", nothing_outside),
    ("building::a_build_that_fails_shows_its_last_lines_without_their_teeth", fails),
    ("building::the_same_folder_is_the_same_image_and_a_changed_one_another", cached),
    ("building::a_base_that_is_not_to_be_had_is_named", no_base),
    ("building::a_folder_larger_than_memory_allows_goes_through_whole", large),
];

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(dockerfile: &str, files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(folder.0.path().join("context")).expect("a folder");
        folder.put("Dockerfile", dockerfile);
        files.iter().for_each(|(path, content)| folder.put(path, content));
        folder
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.0.path().join("context").join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("its folder");
        std::fs::write(path, content).expect("a file");
    }

    fn plan(&self) -> BuildPlan {
        let context = self.0.path().join("context");
        BuildPlan { context, dockerfile: "Dockerfile".into(), target: None, args: BTreeMap::new() }
    }

    fn build(&self, engine: &TestEngine) -> (Result<UserImage, SandboxError>, Vec<String>) {
        get(engine, &ImagePlan::Build(self.plan()))
    }
}

fn becomes_an_image(engine: &TestEngine) {
    let folder = Folder::with(
        "FROM base AS first\nARG WORD\nENV WORD=$WORD\nCOPY . /in\nRUN test \"$WORD\" = given && test \"$(cat /in/a/b)\" = b\n\
         USER 7:8\nENTRYPOINT [\"/bin/sh\"]\nCMD [\"-c\", \"x\"]\nFROM first\nRUN false\n",
        &[("a/b", "b")],
    );
    let plan = BuildPlan {
        target: Some("first".into()),
        args: BTreeMap::from([("WORD".into(), "given".into())]),
        ..folder.plan()
    };
    let (image, said) = get(engine, &ImagePlan::Build(plan));
    let image = image.expect("built");
    assert!(image.id.starts_with("sha256:") && image.id.len() == 71, "{}", image.id);
    assert!(image.name.starts_with("bottle-build-context-"), "{}", image.name);
    assert!(image.env.contains(&("WORD".into(), "given".into())), "{:?}", image.env);
    assert_eq!(image.user.as_deref(), Some("7:8"));
    assert_eq!((image.entrypoint, image.command), (vec!["/bin/sh".into()], vec!["-c".into(), "x".into()]));
    assert!(said.iter().any(|text| text.to_lowercase().starts_with("step ")), "{said:?}");
    let seen = engine.ask("GET", &format!("/v1.41/images/{}/json", image.id), b"");
    assert!(seen.contains(&format!("\"bot-bottle.built-for\":\"{}\"", image.name)), "{seen}");
}

fn stays_at_home(engine: &TestEngine) {
    let folder = Folder::with(
        "FROM base\nCOPY . /in\nRUN test ! -e /in/.env && test ! -e /in/a/deep/x.key && test -e /in/a/deep/public.key && \
         test ! -e /in/Dockerfile\n",
        &[
            (".dockerignore", "# secrets\n.env\n**/*.key\n!a/deep/public.key\nDockerfile\n.dockerignore\n"),
            (".env", "SECRET"),
            ("a/deep/x.key", "SECRET"),
            ("a/deep/public.key", ""),
        ],
    );
    folder.build(engine).0.expect("the build finds what it should, and nothing else");
}

fn nothing_outside(engine: &TestEngine) {
    let folder = Folder::with(
        "FROM base\nCOPY . /in\nRUN test -L /in/file && test -L /in/folder && ! cat /in/file\n",
        &[],
    );
    let outside = folder.0.path().join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::fs::write(outside.join("secret"), "SECRET").expect("a secret");
    let inside = folder.0.path().join("context");
    symlink(outside.join("secret"), inside.join("file")).expect("a link");
    symlink(&outside, inside.join("folder")).expect("a link");
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).expect("a socket");
    folder.build(engine).0.expect("links are links");
    folder.put("Dockerfile", "FROM base\nCOPY file /secret\nRUN cat /secret\n");
    let error = folder.build(engine).0.expect_err("a link that leads nowhere");
    assert!(!error.what.contains("SECRET"), "{error}");
}

fn fails(engine: &TestEngine) {
    let folder = Folder::with(
        "FROM base\nRUN for i in 1 2 3 4 5 6 7 8 9; do echo line $i; echo; echo more; echo and; done; \
         printf '\\033]0;owned\\007\\033[2J\\n'; echo the reason >&2; false\n",
        &[],
    );
    let (built, said) = folder.build(engine);
    let error = built.expect_err("it fails");
    assert!(error.what.starts_with("cannot build `/"), "{error}");
    assert!(error.what.contains("\n  | line 9\n") && error.what.contains("the reason"), "{error}");
    assert!(!error.what.contains("\n  | line 1\n"), "{error}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains(" build /")), "{error}");
    let harmless = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
    assert!(harmless(&error.to_string()) && said.iter().all(|text| harmless(text)), "{error:?} {said:?}");
    assert!(error.what.contains("\\u{1b}]0;owned\\u{7}"), "{error}");
    nothing_is_left(engine);
}

/// Others build beside this one, and end.
fn nothing_is_left(engine: &TestEngine) {
    let begun = Instant::now();
    loop {
        let left = engine.ask("GET", "/v1.41/containers/json?all=1", b"");
        if left.contains("\r\n[]") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{left}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn cached(engine: &TestEngine) {
    let folder = Folder::with("FROM base\nCOPY a /a\nRUN cat /a > /b\n", &[("a", "1")]);
    let built = || folder.build(engine).0.expect("built");
    let (first, again) = (built(), built());
    assert_eq!(first, again);
    folder.put("a", "2");
    let changed = built();
    assert_ne!(first.id, changed.id);
    assert_eq!(first.name, changed.name);
    let by_id = get(engine, &ImagePlan::Named(first.id.clone())).0.expect("the old one is there still");
    assert_eq!(by_id.id, first.id);
}

fn no_base(engine: &TestEngine) {
    let folder = Folder::with("FROM 127.0.0.1:1/nobody/here:1\n", &[]);
    let error = folder.build(engine).0.expect_err("nobody is there");
    assert!(error.what.contains("127.0.0.1:1"), "{error}");
}

/// Many pieces, and a size that fills none of them.
fn large(engine: &TestEngine) {
    let folder =
        Folder::with("FROM base\nCOPY x y /\nRUN test $(cat /x /y | busybox wc -c) = 31000002\n", &[]);
    folder.put("x", &"x".repeat(31_000_001));
    folder.put("y", "y");
    folder.build(engine).0.expect("all of it arrived");
}
