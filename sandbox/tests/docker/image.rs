//! The image: made from this very test program, which is static as the product is.
use crate::engine::{Kind, TestEngine, engines};
use sandbox::docker::facts::Files;
use sandbox::docker::image::{self, Binary};
use sandbox::docker::{Engine, Facts, facts};
use std::io::Write as _;

/// Everything that a story of an image needs.
async fn met(at: &TestEngine) -> (Engine, Facts) {
    let engine = Engine::connect(Some(&at.address())).await.expect("the engine answers");
    let facts = Facts::of(&engine).await.expect("it says what it is");
    (engine, facts)
}

/// Another binary: this one with a byte behind its end, which no loader reads.
fn another(byte: u8) -> (tempfile::NamedTempFile, Binary) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let mut content = std::fs::read("/proc/self/exe").expect("this program");
    content.push(byte);
    file.write_all(&content).expect("written");
    let binary = Binary::at(file.path()).expect("static");
    (file, binary)
}

#[tokio::test]
async fn an_engine_says_what_it_is() {
    for at in engines() {
        let (engine, told) = met(at).await;
        let kind = if at.kind() == Kind::Docker { facts::Kind::Docker } else { facts::Kind::Podman };
        assert_eq!((told.kind, told.os.as_str()), (kind, "linux"), "{told:?}");
        assert_eq!(told.arch, std::env::consts::ARCH);
        assert!(!told.rootless && !told.remapped && !told.desktop, "{told:?}");
        assert_eq!(told.files, Files::Shared, "it is on this machine");
        assert!(told.cgroup.is_some_and(|version| (1..=2).contains(&version)), "{told:?}");
        assert!(engine.api_version().minor >= 40 && !told.version.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn an_image_is_made_once_for_a_binary_and_runs() {
    for at in engines() {
        let (engine, facts) = met(at).await;
        let (_file, binary) = another(1);
        let first = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("made");
        let again = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("there");
        assert!(first.made && !again.made, "{first:?} {again:?}");
        assert_eq!(first.id, again.id);
        let format = "{{.Os}}/{{.Architecture}} {{json .Config.Entrypoint}} {{index .Config.Labels \"bot-bottle.binary\"}}";
        let seen = at.ask(&["image", "inspect", "--format", format, &first.name]);
        assert_eq!(seen, format!("linux/{} [\"/bottle\"] {}", go_arch(), binary.digest()));
        // The test program lists its tests: what was laid in is what runs.
        let listed = at.ask(&[
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--user=65532:65532",
            &first.id,
            "--list",
        ]);
        assert!(listed.contains("an_image_is_made_once_for_a_binary_and_runs"), "{listed}");
    }
}

/// The label is right, the name is right, and something else would get every credential.
#[tokio::test]
async fn an_image_that_only_says_that_it_is_ours_is_not_used_and_made_anew() {
    for at in engines() {
        let (engine, facts) = met(at).await;
        let (_file, binary) = another(6);
        let name = binary.image_name();
        let labels = format!(
            "LABEL bot-bottle.binary={} bot-bottle.version={}\nENTRYPOINT [\"/bottle\"]\nUSER 65532:65532\n",
            binary.digest(),
            env!("CARGO_PKG_VERSION")
        );
        let environment = "ENV XDG_STATE_HOME=/state\n";
        let told = std::sync::Mutex::new(Vec::new());
        let tell = |sentence: &str| told.lock().expect("held shortly").push(sentence.to_owned());
        let forge = |from: &str, more: &str| {
            let changes = format!("{labels}{more}");
            let changes: Vec<&str> = changes.lines().flat_map(|line| ["--change", line]).collect();
            let container = at.ask(&["create", "--network=none", from, "x"]);
            at.ask(&[&["commit"], &changes[..], &[&container, &name]].concat());
            at.ask(&["rm", &container]);
        };
        forge("busybox:latest", environment);
        let forged = at.ask(&["image", "inspect", "--format", "{{.Id}}", &name]);
        let made = image::lay_in(&engine, &facts, &binary, &tell).await.expect("made");
        assert!(made.made && !made.id.ends_with(&forged), "the forged image is used: {made:?}");
        assert!(told.lock().expect("held shortly")[0].contains("it holds other files"), "{told:?}");
        // Ours, with something on top.
        forge(&made.id, &format!("{environment}ENV GLIBC_TUNABLES=x\n"));
        let again = image::lay_in(&engine, &facts, &binary, &tell).await.expect("made");
        assert_eq!((again.made, &again.id), (true, &made.id), "{told:?}");
        let last = image::lay_in(&engine, &facts, &binary, &tell).await.expect("there");
        assert_eq!((last.made, &last.id), (false, &made.id), "what was made is what is wanted");
    }
}

fn go_arch() -> &'static str {
    if std::env::consts::ARCH == "x86_64" { "amd64" } else { "arm64" }
}

#[tokio::test]
async fn the_handover_takes_holder_and_egress_however_an_engine_maps_its_users() {
    for at in engines() {
        let (engine, facts) = met(at).await;
        let (_file, binary) = another(2);
        let image = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("made");
        let volume = format!("handover-{}", std::process::id());
        let run = |user: &str, image: &str, command: &[&str]| {
            let mount = format!("{volume}:/handover");
            let start =
                ["run", "--rm", "--network=none", "--cap-drop=ALL", "--user", user, "-v", &mount, image];
            at.ask(&[&start, command].concat())
        };
        at.ask(&["volume", "create", &volume]);
        // The first container gives the volume the folder's owner and mode.
        run("65532:65532", &image.id, &["--list"]);
        assert_eq!(run("0:0", "busybox", &["stat", "-c", "%u:%g %a", "/handover"]), "65532:0 1777");
        run("0:0", "busybox", &["touch", "/handover/by-root"]);
        run("65532:65532", "busybox", &["touch", "/handover/by-egress"]);
        // As where an engine maps users: the folder is then a third one's.
        run("2000000:2000000", "busybox", &["touch", "/handover/by-another"]);
        at.ask(&["volume", "rm", &volume]);
    }
}

#[tokio::test]
async fn an_exported_image_is_taken_by_the_engines_own_client() {
    for at in engines() {
        let (_file, binary) = another(3);
        let mut archive = tempfile::NamedTempFile::new().expect("a file");
        image::export(&binary, &mut archive).expect("written");
        let said = at.ask(&["load", "--input", archive.path().to_str().expect("text")]);
        assert!(said.contains(&binary.image_name()), "{said}");
        let (engine, facts) = met(at).await;
        let image = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("there");
        assert!(!image.made, "an image that was loaded by hand counts");
    }
}

#[tokio::test]
async fn the_image_that_the_environment_names_must_be_there_and_ours() {
    for at in engines() {
        let (engine, facts) = met(at).await;
        let quiet = |_: &str| {};
        let error = image::ensure(&engine, &facts, Some("nowhere:1"), &quiet).await.expect_err("not there");
        assert!(error.what.contains("`nowhere:1`") && error.what.contains("is not in the engine"), "{error}");
        let error =
            image::ensure(&engine, &facts, Some("busybox:latest"), &quiet).await.expect_err("not ours");
        assert!(error.what.contains("holds no bottle of version"), "{error}");
        let (_file, binary) = another(4);
        let made = image::lay_in(&engine, &facts, &binary, &quiet).await.expect("made");
        at.ask(&["tag", &made.id, "corp/egress:1"]);
        let named =
            image::ensure(&engine, &facts, Some("corp/egress:1"), &quiet).await.expect("ours by its label");
        assert_eq!((named.id, named.name.as_str()), (made.id, "corp/egress:1"));
    }
}

#[tokio::test]
async fn an_engine_of_another_machine_is_refused_before_anything_is_sent() {
    for at in engines() {
        let (engine, mut facts) = met(at).await;
        facts.arch = "riscv64".into();
        let (_file, binary) = another(5);
        let error = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect_err("another machine");
        assert!(error.what.contains("`riscv64`"), "{error}");
        assert!(error.hint.is_some_and(|hint| hint.contains("bottle image export")));
        let there = at.client().args(["image", "inspect", &binary.image_name()]).output().expect("asked");
        assert!(!there.status.success(), "it was sent");
    }
}

#[tokio::test]
async fn pruning_removes_old_images_and_none_that_is_used_or_has_a_name_of_its_users() {
    // An engine of its own: pruning sees what every other test made.
    for kind in engines().into_iter().map(TestEngine::kind) {
        let at = TestEngine::start(kind);
        let (engine, facts) = met(&at).await;
        let made = async |byte| {
            let (_file, binary) = another(byte);
            let image = image::lay_in(&engine, &facts, &binary, &|_| {}).await.expect("made");
            (binary, image)
        };
        let (_, old) = made(10).await;
        let (_, used) = made(11).await;
        let (_, named) = made(12).await;
        let (current, kept) = made(13).await;
        at.ask(&["create", "--network=none", &used.id, "--list"]);
        at.ask(&["tag", &named.id, "corp/egress:1"]);
        let removed = image::prune(&engine, Some(&current)).await.expect("pruned");
        assert_eq!(removed.len(), 1, "{removed:?}");
        assert!(removed[0].ends_with(&old.name), "{removed:?}");
        for image in [&used, &named, &kept] {
            at.ask(&["image", "inspect", &image.id]);
        }
        at.ask(&["image", "inspect", "busybox:latest"]);
        assert_eq!(image::prune(&engine, Some(&current)).await.expect("again"), Vec::<String>::new());
    }
}
