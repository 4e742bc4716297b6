//! An image made from a folder of the user's, by the engine's own builder.
use super::super::connect::{Engine, Surroundings};
use super::super::facts::Facts;
use super::super::failure::failed;
use super::super::spec::label;
use super::context::{Context, Unsent};
use super::progress::{Calm, Layers, Output, PAUSE, bytes};
use super::{login, neutral, program};
use crate::SandboxError;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use manifest::plan::BuildPlan;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that are sent at once, and how many such pieces wait for the engine.
const PIECE: usize = 256 * 1024;
const PIECES: usize = 4;
/// From here on it is worth asking whether the build needs all of it.
const HUGE: u64 = 256 * 1024 * 1024;

/// Builds; gives the image's identity and its tag.
/// # Errors
/// When the folder cannot be sent as a whole, or the build fails, with the last lines of its output.
pub(super) async fn build(
    engine: &Engine,
    facts: &Facts,
    plan: &BuildPlan,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(String, String), SandboxError> {
    let context = on_a_thread(plan.clone()).await?;
    let credentials = credentials(context.bases()).await;
    let tag = tag(plan);
    let options = options(plan, &context, &tag);
    let sent = Arc::new(AtomicU64::new(0));
    let (archive, sending) = send(context, sent.clone());
    let mut listener = Listener::new(plan, tell, sent);
    let heard = listener.hear_all(engine, options, credentials, archive).await;
    // What was wrong with the folder explains whatever the engine made of half of it; it is known by now.
    if let Ok(Ok(Err(Unsent::Fault(fault)))) = tokio::time::timeout(PAUSE, sending).await {
        return Err(fault);
    }
    match heard {
        Ok(id) => Ok((id, tag)),
        Err(error) => Err(listener.failure(facts, error)),
    }
}

async fn on_a_thread(plan: BuildPlan) -> Result<Context, SandboxError> {
    let opened = spawn_blocking(move || Context::open(&plan)).await;
    opened.map_err(|error| SandboxError::new(format!("cannot read the folder to build: {error}")))?
}

/// What of the user's logins the build needs, and no other.
async fn credentials(bases: &[String]) -> Option<HashMap<String, DockerCredentials>> {
    let config = Surroundings::of_process().config;
    let mut all = HashMap::new();
    for registry in bases.iter().map(|base| login::registry_of(base)) {
        if !all.contains_key(&registry)
            && let Some(found) = login::credentials(config.as_deref(), &registry).await
        {
            all.insert(registry, found);
        }
    }
    Some(all)
}

fn options(plan: &BuildPlan, context: &Context, tag: &str) -> BuildImageOptions {
    BuildImageOptions {
        dockerfile: context.dockerfile().to_owned(),
        t: Some(tag.to_owned()),
        // Containers of its steps, those of a failed one too.
        rm: true,
        forcerm: true,
        buildargs: Some(plan.args.clone().into_iter().collect()),
        labels: Some(HashMap::from([(label::BUILT_FOR.to_owned(), tag.to_owned())])),
        target: plan.target.clone().unwrap_or_default(),
        ..BuildImageOptions::default()
    }
}

/// `bottle-build-NAME-0123abcd`: the same for the same build, so that a new image takes it from the one before, and
/// `docker image prune` leaves the newest alone. Nothing but people and that relies on it.
fn tag(plan: &BuildPlan) -> String {
    let name = plan.context.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
    let mut hasher = Sha256::new();
    for part in [plan.context.as_os_str().as_encoded_bytes(), plan.dockerfile.as_bytes()] {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher.update(plan.target.as_deref().unwrap_or_default());
    let digest: String = hasher.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name = name.to_ascii_lowercase();
    if name.is_empty() { format!("bottle-build-{digest}") } else { format!("bottle-build-{name}-{digest}") }
}

/// A piece of the archive, or its end: one that just stops is no whole one.
enum Piece {
    Some(Bytes),
    End,
}

type Sending = JoinHandle<Result<(), Unsent>>;

fn send(context: Context, sent: Arc<AtomicU64>) -> (Receiver<Piece>, Sending) {
    let (sender, receiver) = channel(PIECES);
    let sending = spawn_blocking(move || {
        let mut pieces = Pieces { sender, sent, piece: Vec::with_capacity(PIECE) };
        context.write(&mut pieces)?;
        pieces.end().map_err(|_| Unsent::NotWanted)
    });
    (receiver, sending)
}

/// The pieces, and an error in place of a silent end before theirs: the request breaks off, and no half of a folder is
/// taken for all of it.
fn whole(receiver: Receiver<Piece>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    futures_util::stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Piece::Some(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the folder was not sent as a whole")), None)),
        }
    })
}

/// Collects small writes.
struct Pieces {
    sender: Sender<Piece>,
    sent: Arc<AtomicU64>,
    piece: Vec<u8>,
}

impl Pieces {
    fn pass_on(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        self.hand(Piece::Some(piece.into()))
    }

    fn end(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.hand(Piece::End)
    }

    fn hand(&self, piece: Piece) -> io::Result<()> {
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.pass_on()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hears what the engine says of a build, and says the little of it that people want to know meanwhile.
struct Listener<'a> {
    folder: &'a Path,
    tell: &'a (dyn Fn(&str) + Sync),
    sent: Arc<AtomicU64>,
    /// How much was sent when it was last said.
    said: u64,
    calm: Calm,
    layers: Layers,
    output: Output,
    answered: bool,
    id: Option<String>,
}

impl<'a> Listener<'a> {
    fn new(plan: &'a BuildPlan, tell: &'a (dyn Fn(&str) + Sync), sent: Arc<AtomicU64>) -> Self {
        Listener {
            folder: &plan.context,
            tell,
            sent,
            said: 0,
            calm: Calm::default(),
            layers: Layers::default(),
            output: Output::default(),
            answered: false,
            id: None,
        }
    }

    async fn hear_all(
        &mut self,
        engine: &Engine,
        options: BuildImageOptions,
        credentials: Option<HashMap<String, DockerCredentials>>,
        archive: Receiver<Piece>,
    ) -> Result<String, Option<Error>> {
        let patient = engine.patient();
        let body = bollard::body_try_stream(whole(archive));
        let mut news = Box::pin(patient.build_image(options, credentials, Some(body)));
        loop {
            self.say();
            match tokio::time::timeout(PAUSE, news.next()).await {
                Ok(Some(Ok(info))) => self.hear(info),
                Ok(Some(Err(error))) => return Err(Some(error)),
                Ok(None) => return self.id.take().ok_or(None),
                Err(_) => self.hear_of_sending(),
            }
        }
    }

    fn say(&mut self) {
        self.calm.due(Instant::now()).iter().for_each(|news| (self.tell)(news));
    }

    fn hear_of_sending(&mut self) {
        let sent = self.sent.load(Ordering::Relaxed);
        if !self.answered && sent > self.said {
            self.said = sent;
            let folder = self.folder.display();
            self.calm.hear(format!("sends the folder `{folder}` to the engine: {}", bytes(sent)));
        }
    }

    fn hear(&mut self, info: BuildInfo) {
        if !self.answered {
            self.answered = true;
            self.say_if_huge();
        }
        for step in info.stream.iter().flat_map(|piece| self.output.hear(piece)) {
            self.calm.hear(step);
        }
        if let Some(status) = info.status {
            self.layers.hear(info.id.as_deref(), &status, info.progress_detail.as_ref());
            self.layers
                .said()
                .into_iter()
                .for_each(|said| self.calm.hear(format!("pulls what it builds on: {said}")));
        }
        // Only the engine writes this; what a step prints comes as a stream.
        if let Some(id) = info.aux.and_then(|aux| aux.id).filter(|id| !id.is_empty()) {
            self.id = Some(id);
        }
    }

    fn say_if_huge(&self) {
        let sent = self.sent.load(Ordering::Relaxed);
        if sent >= HUGE {
            (self.tell)(&format!(
                "the folder `{}` has {} for the build; what it does not need can stay out by a line in `.dockerignore`",
                self.folder.display(),
                bytes(sent)
            ));
        }
    }

    fn failure(self, facts: &Facts, error: Option<Error>) -> SandboxError {
        let folder = self.folder.display();
        let what = format!("build `{folder}`");
        let error = match error {
            Some(error) => failed(&what, error),
            None => SandboxError::new(format!("cannot {what}: the engine ended without an image")),
        };
        let program = program(facts);
        let hint = error.hint.unwrap_or_else(|| {
            format!(
                "`{program} build {folder}` shows the whole output; an image that only it can make is named with \
                 `image:`"
            )
        });
        SandboxError::new(format!("{}{}", neutral(&error.what), self.output.end())).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn plan(context: &str, target: Option<&str>) -> BuildPlan {
        BuildPlan {
            context: context.into(),
            dockerfile: "Dockerfile".into(),
            target: target.map(str::to_owned),
            args: BTreeMap::new(),
        }
    }

    #[test]
    fn a_tag_is_the_folders_and_a_name_that_engines_take() {
        let one = tag(&plan("/home/me/My Agent", None));
        assert!(one.starts_with("bottle-build-myagent-") && one.len() == 29, "{one}");
        assert_eq!(one, tag(&plan("/home/me/My Agent", None)));
        assert_ne!(one, tag(&plan("/home/you/My Agent", None)));
        assert_ne!(one, tag(&plan("/home/me/My Agent", Some("x"))));
        assert!(tag(&plan("/", None)).len() == 21);
    }

    async fn received(receiver: Receiver<Piece>) -> Vec<Result<usize, String>> {
        let pieces: Vec<io::Result<Bytes>> = whole(receiver).collect().await;
        pieces
            .into_iter()
            .map(|piece| piece.map(|bytes| bytes.len()).map_err(|error| error.to_string()))
            .collect()
    }

    #[tokio::test]
    async fn half_a_folder_is_never_taken_for_a_whole_one() {
        let (sender, receiver) = channel(2);
        sender.send(Piece::Some(Bytes::from_static(b"half"))).await.expect("sent");
        drop(sender);
        let seen = received(receiver).await;
        assert_eq!(seen.len(), 2);
        assert!(seen[1].as_ref().is_err_and(|error| error.contains("as a whole")), "{seen:?}");
        let (sender, receiver) = channel(2);
        sender.send(Piece::Some(Bytes::from_static(b"whole"))).await.expect("sent");
        sender.send(Piece::End).await.expect("sent");
        assert_eq!(received(receiver).await, [Ok(5)]);
    }

    #[tokio::test]
    async fn an_archive_goes_in_pieces_of_one_size() {
        let (sender, receiver) = channel(PIECES);
        let sent = Arc::new(AtomicU64::new(0));
        let mut pieces = Pieces { sender, sent: sent.clone(), piece: Vec::new() };
        let writing = spawn_blocking(move || {
            pieces.write_all(&vec![7; 2 * PIECE + 5])?;
            pieces.end()
        });
        assert_eq!(received(receiver).await, [Ok(PIECE), Ok(PIECE), Ok(5)]);
        writing.await.expect("the thread").expect("written");
        assert_eq!(sent.load(Ordering::Relaxed), 2 * PIECE as u64 + 5);
    }
}
