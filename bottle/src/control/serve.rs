//! The launcher's end of the control socket.
use super::hub::{Hub, Switch, Watcher};
use super::wire::{Call, Say};
use crate::failure::Failure;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::process::geteuid;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Clients at once.
const CLIENTS: usize = 32;
/// Bytes of a call.
const LONGEST: u64 = 64 * 1024;
/// How often a client that watches is told what is under way.
const PULSE: Duration = Duration::from_millis(500);
/// How long a client may take no bytes.
const DEAF: Duration = Duration::from_secs(5);

/// A socket that is served until this goes.
pub struct Served {
    path: PathBuf,
}

impl Served {
    /// Serves a hub at this path, on threads of its own.
    /// # Errors
    /// When the socket cannot be made.
    pub fn at(path: &Path, hub: Hub) -> Result<Served, Failure> {
        let listener = bind(path).map_err(|error| {
            Failure::new(format!("cannot listen at `{}`: {error}", path.display()))
                .help(crate::places::WAY_OUT)
        })?;
        let clients = Arc::new(AtomicUsize::new(0));
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let place = Place::take(&clients);
                let hub = hub.clone();
                let Some(place) = place.filter(|_| is_operator(&stream)) else { continue };
                let serving = std::thread::Builder::new().name("control".to_owned());
                // Without a thread the client finds its connection closed.
                let _no_thread = serving.spawn(move || {
                    let _client_is_gone = serve(&stream, &hub);
                    drop(place);
                });
            }
        };
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(accept)
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        Ok(Served { path: path.to_owned() })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone_with_its_folder = std::fs::remove_file(&self.path);
    }
}

/// A place among the clients.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(clients: &Arc<AtomicUsize>) -> Option<Place> {
        let before = clients.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(clients));
        (before < CLIENTS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A path of a socket has 107 bytes at most; folders of users are longer at times. By the descriptor of its folder it is short.
fn short(path: &Path) -> io::Result<(std::fs::File, PathBuf)> {
    let folder = std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default();
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((folder, short))
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let (_folder, short) = short(path)?;
    let _none_was_left = std::fs::remove_file(&short);
    let listener = UnixListener::bind(&short)?;
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to a socket, however long its path is.
/// # Errors
/// When nobody listens there.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = short(path)?;
    UnixStream::connect(short)
}

/// The same user, and not from inside of a bottle: whoever is there has another user namespace, or, with a container engine,
/// another PID namespace. The folder of the socket is shown to nobody inside; this holds where somebody mounted it.
fn is_operator(stream: &UnixStream) -> bool {
    let Ok(peer) = getsockopt(stream, sockopt::PeerCredentials) else { return false };
    let own = geteuid().as_raw();
    let same_user = peer.uid() == own || peer.uid() == 0;
    same_user && ["user", "pid"].iter().all(|kind| same_namespace(peer.pid(), kind))
}

fn same_namespace(pid: i32, kind: &str) -> bool {
    let inode = |path: String| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let theirs = inode(format!("/proc/{pid}/ns/{kind}"));
    theirs.is_some() && theirs == inode(format!("/proc/self/ns/{kind}"))
}

fn serve(stream: &UnixStream, hub: &Hub) -> io::Result<()> {
    stream.set_write_timeout(Some(DEAF))?;
    let mut calls = BufReader::new(stream.try_clone()?);
    let to = Mutex::new(stream.try_clone()?);
    while let Some(call) = hear(&mut calls)? {
        match call {
            Ok(Call::Watch) => return watch(stream, calls, hub, true),
            Ok(Call::Listen) => return watch(stream, calls, hub, false),
            call => say(&to, &obey(call, hub))?,
        }
    }
    Ok(())
}

/// What cannot be understood is answered too: it may be of another version.
fn obey(call: Result<Call, String>, hub: &Hub) -> Say {
    let call = match call {
        Ok(call) => call,
        Err(why) => {
            return Say::Failed { what: format!("the bottle does not understand this: {why}"), help: None };
        }
    };
    let by = |from: &str| {
        let from = policy::neutral(from, 60);
        format!("uid {}, {from}", rustix::process::getuid().as_raw())
    };
    let outcome = match call {
        Call::Look | Call::Watch | Call::Listen => Ok(Say::Snapshot(Box::new(hub.snapshot()))),
        Call::Plan => Ok(Say::Plan(Box::new(hub.plan()))),
        Call::Answer { id, answer, from } => hub.answer(&id, answer, &by(&from)),
        Call::Lock { on, all, from } => {
            hub.lock(if all { Switch::All } else { Switch::Alone }, on, &by(&from))
        }
        Call::Reload { looked, from } => hub.reload(&by(&from), looked),
    };
    outcome.unwrap_or_else(|failure| Say::Failed { what: failure.what, help: failure.help })
}

/// Tells everything until either side is gone; what is called for meanwhile is answered among it.
fn watch(stream: &UnixStream, mut calls: BufReader<UnixStream>, hub: &Hub, attends: bool) -> io::Result<()> {
    let to = Arc::new(Mutex::new(stream.try_clone()?));
    let (hearing, ends, answers) = (hub.clone(), stream.try_clone()?, Arc::clone(&to));
    let gone = Arc::new(AtomicBool::new(false));
    let goes = Arc::clone(&gone);
    std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        while let Ok(Some(call)) = hear(&mut calls) {
            if say(&answers, &obey(call, &hearing)).is_err() {
                break;
            }
        }
        // The client is gone: so is its line. Whoever tells it must find that out though there is nothing to tell.
        goes.store(true, Ordering::Relaxed);
        let _gone_already = ends.shutdown(std::net::Shutdown::Both);
    })?;
    loop {
        let watcher = hub.watch(attends);
        say(&to, &Say::Snapshot(Box::new(watcher.snapshot.clone())))?;
        if tell(&to, &watcher, hub, &gone)? {
            return Ok(());
        }
        say(&to, &Say::Missed)?;
    }
}

/// True at the bottle's end, false when the client was too slow.
fn tell(to: &Mutex<UnixStream>, watcher: &Watcher, hub: &Hub, gone: &AtomicBool) -> io::Result<bool> {
    let mut last = watcher.snapshot.live.clone();
    let mut looked = std::time::Instant::now();
    loop {
        if gone.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match watcher.heard.recv_timeout(PULSE) {
            Ok(Say::Ended) => {
                say(to, &Say::Ended)?;
                return Ok(true);
            }
            Ok(heard) => say(to, &heard)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
        if looked.elapsed() >= PULSE {
            looked = std::time::Instant::now();
            let live = hub.running();
            if live != last || !live.is_empty() {
                say(to, &Say::Running { live: live.clone() })?;
                last = live;
            }
        }
    }
}

fn say(to: &Mutex<UnixStream>, say: &Say) -> io::Result<()> {
    let mut line = serde_json::to_vec(say)?;
    line.push(b'\n');
    // Line by line: an answer may be said among what happens.
    to.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
}

fn hear(calls: &mut BufReader<UnixStream>) -> io::Result<Option<Result<Call, String>>> {
    let mut line = Vec::new();
    Read::take(calls, LONGEST).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line).map_err(|error| error.to_string()))),
        _ => Ok(None),
    }
}
