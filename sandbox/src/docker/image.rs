//! The image of our containers: this very binary and next to nothing else, made in the engine without a Dockerfile, a
//! file on the user's disk, or the network; made again only when the binary changes.
mod archive;
mod binary;
mod proof;

pub use binary::Binary;

use super::facts::Facts;
use super::{Engine, failure};
use crate::SandboxError;
use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{
    ImportImageOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use proof::Proof;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::time::Duration;

/// Names the image to use instead of one made from the running binary; it must be there.
pub const OVERRIDE: &str = "BOTTLE_EGRESS_IMAGE";
/// What our images are called; the tag is the beginning of the binary's digest, and `latest`.
pub const REPOSITORY: &str = "bottle-egress";
/// Label: the version of the bottle in it.
pub const VERSION_LABEL: &str = "bot-bottle.version";
/// Label: the SHA-256 of the binary in it, in hexadecimal.
pub const BINARY_LABEL: &str = "bot-bottle.binary";
/// User and group of the egress inside.
pub const EGRESS_USER: u32 = 65_532;
/// Where the listeners are handed over. Everybody may write there who has the volume, which is holder and egress alone.
pub const HANDOVER: &str = "/handover";

/// Shorter than this nobody wonders what is going on.
const WORTH_SAYING: Duration = Duration::from_secs(1);
/// Bytes between two looks at the connection, and how many such pieces wait.
const PIECE: usize = 256 * 1024;
const PIECES: usize = 8;

/// An image that is in the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What containers are made from: the identity, which no later tag can move.
    pub id: String,
    /// For people: `bottle-egress:0123456789ab`.
    pub name: String,
    /// Whether it was made just now.
    pub made: bool,
}

/// The image to make our containers from: the one that `named` names (see [`OVERRIDE`]), else the running binary's,
/// laid into the engine unless it is there. `tell` hears a sentence when that takes longer than a second.
/// # Errors
/// When the named image is not there or not ours; when the engine's machine cannot run this binary; when the engine
/// does not take the image.
pub async fn ensure(
    engine: &Engine,
    facts: &Facts,
    named: Option<&str>,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Image, SandboxError> {
    if facts.os != "linux" {
        return Err(SandboxError::new(format!(
            "the engine runs `{}` containers, and a bottle is Linux",
            facts.os
        )));
    }
    match named {
        Some(name) => use_named(engine, facts, name).await,
        None => {
            let binary = tokio::task::spawn_blocking(Binary::running).await.map_err(io::Error::other);
            lay_in(engine, facts, &binary.map_err(|e| cannot_read(&e))??, tell).await
        }
    }
}

/// Lays an image of this binary into the engine unless it is there already.
/// # Errors
/// As [`ensure`].
pub async fn lay_in(
    engine: &Engine,
    facts: &Facts,
    binary: &Binary,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Image, SandboxError> {
    same_machine(binary.machine(), &facts.arch, "this bottle")?;
    let name = binary.image_name();
    let proof = Proof::of(binary).await?;
    match found(engine, &name, &proof).await? {
        Found::Ours(id) => return Ok(Image { id, name, made: false }),
        Found::Nothing => {}
        Found::Other(why) => tell(&format!(
            "warning: the image `{name}` in the engine is not this program's, although it has its name: it {why}; it is \
             not used, and made anew"
        )),
    }
    let loading = load(engine, binary);
    tokio::pin!(loading);
    tokio::select! {
        done = &mut loading => done?,
        () = tokio::time::sleep(WORTH_SAYING) => {
            let size = binary.size().div_ceil(1024 * 1024);
            tell(&format!("laying the image `{name}` ({size} MiB) into the engine; once for this version"));
            loading.await?;
        }
    }
    match found(engine, &name, &proof).await? {
        Found::Ours(id) => Ok(Image { id, name, made: true }),
        Found::Nothing => {
            Err(SandboxError::new(format!("the engine took the image `{name}` and does not have it")))
        }
        Found::Other(why) => Err(SandboxError::new(format!(
            "the image `{name}` that the engine has is not the one that was laid into it: it {why}"
        ))
        .with_hint("somebody else loads images of that name there: look who may use the engine")),
    }
}

/// What has the name of our image.
enum Found {
    Nothing,
    /// The very one, by its identity.
    Ours(String),
    /// Another, and what is different.
    Other(&'static str),
}

async fn found(engine: &Engine, name: &str, proof: &Proof) -> Result<Found, SandboxError> {
    let Some(image) = inspect(engine, name).await? else { return Ok(Found::Nothing) };
    Ok(match (proof.mismatch(&image), image.id) {
        (Some(why), _) => Found::Other(why),
        (None, Some(id)) => Found::Ours(id),
        (None, None) => Found::Other("has no identity"),
    })
}

async fn inspect(engine: &Engine, name: &str) -> Result<Option<ImageInspect>, SandboxError> {
    match engine.api().inspect_image(name).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if failure::is_missing(&error) => Ok(None),
        Err(error) => Err(failure::failed(&format!("look for the image `{name}`"), error)),
    }
}

fn label<'a>(image: &'a ImageInspect, name: &str) -> Option<&'a str> {
    image.config.as_ref()?.labels.as_ref()?.get(name).map(String::as_str)
}

async fn use_named(engine: &Engine, facts: &Facts, name: &str) -> Result<Image, SandboxError> {
    let Some(image) = inspect(engine, name).await? else {
        return Err(SandboxError::new(format!("the image `{name}`, which `{OVERRIDE}` names, is not in the engine"))
            .with_hint(format!(
                "nothing is pulled unasked: `docker pull {name}`, or unset `{OVERRIDE}` to have one made from this bottle"
            )));
    };
    let ours = env!("CARGO_PKG_VERSION");
    if label(&image, VERSION_LABEL) != Some(ours) {
        let theirs =
            label(&image, VERSION_LABEL).map_or("none".to_owned(), |version| format!("version `{version}`"));
        return Err(SandboxError::new(format!(
            "the image `{name}`, which `{OVERRIDE}` names, holds no bottle of version `{ours}` but {theirs}"
        ))
        .with_hint(
            "launcher and egress must be one version: `bottle image export` writes the image of this one",
        ));
    }
    same_machine(
        image.architecture.as_deref().map_or("", machine_of),
        &facts.arch,
        &format!("the image `{name}`"),
    )?;
    let id = image.id.unwrap_or_else(|| name.to_owned());
    Ok(Image { id, name: name.to_owned(), made: false })
}

/// What Go, and so every image, calls a machine.
fn machine_of(architecture: &str) -> &str {
    match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    }
}

fn architecture_of(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn same_machine(ours: &str, theirs: &str, what: &str) -> Result<(), SandboxError> {
    if ours == theirs {
        return Ok(());
    }
    Err(SandboxError::new(format!("{what} is for `{ours}`, and the engine's machine is `{theirs}`")).with_hint(format!(
        "with the bottle for `{theirs}`: `bottle image export --output bottle.tar`; then `docker load -i bottle.tar` into \
         this engine, and name the image with `{OVERRIDE}`"
    )))
}

async fn load(engine: &Engine, binary: &Binary) -> Result<(), SandboxError> {
    let docker = engine.patient();
    let answers = docker.import_image_stream(ImportImageOptions::default(), pieces(binary)?, None);
    let done = answers.try_for_each(|_| async { Ok(()) }).await;
    done.map_err(|error| failure::failed("lay the egress's image into the engine", error))
}

/// The archive as it is written, by a thread that waits when the engine is slow.
fn pieces(
    binary: &Binary,
) -> Result<impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static, SandboxError> {
    let (sender, receiver) = tokio::sync::mpsc::channel(PIECES);
    let binary = binary.try_clone()?;
    drop(tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(PIECE, Pieces(sender.clone()));
        if let Err(error) = archive::write(&binary, &mut out).and_then(|()| out.flush()) {
            // A broken archive must not look like a whole one: the error ends the request. Nobody may be listening.
            drop(sender.blocking_send(Err(error)));
        }
    }));
    Ok(futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

struct Pieces(tokio::sync::mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the image as an archive that `docker load` and `podman load` take; the same bytes for the same binary.
/// # Errors
/// When `out` does not take it.
pub fn export(binary: &Binary, out: &mut dyn Write) -> Result<(), SandboxError> {
    let written = archive::write(binary, out).and_then(|()| out.flush());
    written.map_err(|error| SandboxError::new(format!("cannot write the image: {error}")))
}

/// Removes images of other binaries than `keep` that no container was made from, and gives their names. An image that
/// somebody gave a name of their own stays.
/// # Errors
/// When the engine does not answer. An image that cannot be removed is in use, and stays.
pub async fn prune(engine: &Engine, keep: Option<&Binary>) -> Result<Vec<String>, SandboxError> {
    let ours = HashMap::from([("label", vec![BINARY_LABEL])]);
    let options = ListImagesOptionsBuilder::default().filters(&ours).build();
    let images = engine.api().list_images(Some(options)).await;
    let images = images.map_err(|error| failure::failed("list the images", error))?;
    let used = used(engine).await?;
    let mut removed = Vec::new();
    for image in images {
        let kept =
            keep.is_some_and(|binary| image.labels.get(BINARY_LABEL).is_some_and(|it| it == binary.digest()));
        if !kept && !used.contains(&bare(&image.id)) && only_our_names(&image) {
            removed.extend(remove(engine, &image).await?);
        }
    }
    Ok(removed)
}

/// Images that containers, running or not, were made from.
async fn used(engine: &Engine) -> Result<BTreeSet<String>, SandboxError> {
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let containers =
        failure::until_readable(async || engine.api().list_containers(Some(options.clone())).await).await;
    let containers = containers.map_err(|error| failure::failed("list the containers", error))?;
    Ok(containers.into_iter().filter_map(|container| container.image_id).map(|id| bare(&id)).collect())
}

/// Podman leaves the algorithm out in some places.
fn bare(id: &str) -> String {
    id.trim_start_matches("sha256:").to_owned()
}

/// An image without a name is somebody's too: it may have our label from ours, on which it was built.
fn only_our_names(image: &ImageSummary) -> bool {
    let is_named = names(image).next().is_some();
    is_named
        && names(image).all(|name| {
            // `localhost/bottle-egress:…` or `docker.io/library/bottle-egress:…` in Podman.
            let bare = name.trim_start_matches("localhost/").trim_start_matches("docker.io/library/");
            bare.strip_prefix(REPOSITORY).is_some_and(|rest| rest.starts_with(':'))
        })
}

fn names(image: &ImageSummary) -> impl Iterator<Item = &String> {
    image.repo_tags.iter().filter(|name| *name != "<none>:<none>")
}

/// By each of its names, never by force: with the last name the image goes.
async fn remove(engine: &Engine, image: &ImageSummary) -> Result<Vec<String>, SandboxError> {
    let mut targets: Vec<&String> = names(image).collect();
    if targets.is_empty() {
        targets.push(&image.id);
    }
    let mut removed = Vec::new();
    for target in targets {
        match engine.api().remove_image(target, None::<RemoveImageOptions>, None).await {
            Ok(_) => removed.push(target.clone()),
            // Gone meanwhile, or a container was made from it meanwhile.
            Err(error) if failure::is_missing(&error) || failure::has_status(&error, 409) => {}
            Err(error) => return Err(failure::failed(&format!("remove the image `{target}`"), error)),
        }
    }
    Ok(removed)
}

fn cannot_read(error: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::new(format!("cannot read this program's own file: {error}"))
}
