//! What a page is told as it happens: one stream for each, with a thread for each bottle that hears its control socket.
//!
//! A bottle is attended only as long as a page watches, so nobody is asked who is not there. A page that comes back gets
//! snapshots and needs nothing that was said before. One that does not read makes its threads wait, and launchers give
//! them up: a new snapshot follows when it reads again.
use super::show;
use super::{Found, Roster};
use crate::control::call::Line;
use crate::control::{Call, Say};
use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch as stop};

/// Messages that wait for a page that is slow.
const QUEUE: usize = 256;
/// How often bottles are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often a page that nothing is told hears that it is connected.
const PULSE: Duration = Duration::from_secs(10);

/// The body of a stream.
pub(super) struct Events {
    messages: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.messages.poll_recv(context).map(|message| message.map(|message| Ok(Frame::data(message))))
    }
}

/// Begins to watch everything, until the page is gone or we end.
pub(super) fn watch(
    roster: Arc<dyn Roster>,
    stopped: stop::Receiver<bool>,
    place: OwnedSemaphorePermit,
) -> Events {
    let (teller, messages) = mpsc::channel(QUEUE);
    tokio::spawn(tell(roster, stopped, teller));
    Events { messages, _place: place }
}

type Teller = mpsc::Sender<Bytes>;

fn message(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
}

async fn tell(roster: Arc<dyn Roster>, mut stopped: stop::Receiver<bool>, teller: Teller) {
    tokio::select! {
        () = look(roster, teller.clone()) => {}
        () = pulse(teller.clone()) => {}
        () = teller.closed() => {}
        _ = stopped.wait_for(|stopped| *stopped) => {
            let farewell = message(&json!({ "say": "farewell" }));
            let _page_is_gone = teller.try_send(farewell);
        }
    }
}

/// Something has to be sent for it to be noticed that nobody reads.
async fn pulse(teller: Teller) {
    loop {
        tokio::time::sleep(PULSE).await;
        if teller.send(Bytes::from_static(b": \n\n")).await.is_err() {
            return;
        }
    }
}

/// Looks for bottles and hears each that is there. Ends with the page.
async fn look(roster: Arc<dyn Roster>, teller: Teller) {
    let mut heard: HashMap<String, Ear> = HashMap::new();
    let mut told: Option<Vec<String>> = None;
    loop {
        let roster = Arc::clone(&roster);
        let running = tokio::task::spawn_blocking(move || roster.running()).await;
        let found = match running {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => {
                let failed = show::neutral(json!({ "say": "blind", "what": failure.what }));
                let _page_is_gone = teller.send(message(&failed)).await;
                Vec::new()
            }
            Err(_) => return,
        };
        let slugs: Vec<String> = found.iter().map(|found| found.slug.clone()).collect();
        heard.retain(|slug, ear| slugs.contains(slug) && !ear.is_over());
        if told.as_ref() != Some(&slugs) {
            let roster = show::neutral(json!({ "say": "roster", "bottles": slugs }));
            if teller.send(message(&roster)).await.is_err() {
                return;
            }
            told = Some(slugs);
        }
        for found in found {
            if !heard.contains_key(&found.slug)
                && let Some(ear) = Ear::open(&found, &teller).await
            {
                heard.insert(found.slug, ear);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A thread that hears one bottle; its line is cut when this goes.
struct Ear {
    line: UnixStream,
    over: Arc<AtomicBool>,
}

impl Ear {
    async fn open(found: &Found, teller: &Teller) -> Option<Ear> {
        let to = found.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let mut line = Line::to(&to.socket, &to.slug)?;
            line.say(&Call::Watch)?;
            let cut = line.speaker()?;
            Ok::<_, crate::failure::Failure>((line, cut))
        });
        match opened.await.ok()? {
            Ok((line, cut)) => Ear::hear(line, cut, found.slug.clone(), teller.clone()),
            Err(failure) => {
                let deaf = json!({ "say": "deaf", "bottle": found.slug, "what": failure.what });
                let _page_is_gone = teller.send(message(&show::neutral(deaf))).await;
                None
            }
        }
    }

    fn hear(mut line: Line, cut: UnixStream, slug: String, teller: Teller) -> Option<Ear> {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let hearing = std::thread::Builder::new().name("ui".to_owned());
        let hear = move || {
            while let Ok(Some(say)) = line.hear() {
                let is_last = matches!(say, Say::Ended);
                if teller.blocking_send(message(&show::of_bottle(&slug, &say))).is_err() || is_last {
                    break;
                }
            }
            ends.store(true, Ordering::Relaxed);
        };
        hearing.spawn(hear).ok()?;
        Some(Ear { line: cut, over })
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let _over_already = self.line.shutdown(Shutdown::Both);
    }
}
