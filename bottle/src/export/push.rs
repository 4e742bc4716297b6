//! To a collector by HTTP: in batches, from a queue that is bounded, tried again when it is the collector's or the way's fault.
//! What is dropped is counted and said.
use super::Shared;
use super::otlp;
use super::target::Target;
use crate::failure::Failure;
use crate::say;
use crate::style::neutral;
use bytes::Bytes;
use egress::Errand;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{mpsc, watch as stop};

/// Spans that wait for the collector.
pub(super) const QUEUE: usize = 4096;
/// Spans of a push.
const BATCH: usize = 512;
/// How often spans are pushed.
const SPANS: Duration = Duration::from_secs(1);
/// How often numbers are.
const NUMBERS: Duration = Duration::from_secs(10);
/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is waited before the same is tried again.
const BACKOFF: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// What a collector may make us wait at most.
const LONGEST: Duration = Duration::from_secs(30);

/// Pushes to one collector.
pub(super) struct Pusher {
    target: Target,
    errand: Errand,
    ledger: Shared,
    /// Tells exporters apart.
    instance: String,
    stopped: stop::Receiver<bool>,
    /// The last push was not taken.
    failing: bool,
    /// Dropped spans that were spoken of.
    told: u64,
}

/// Why a push was not taken.
struct Refusal {
    why: String,
    again: bool,
    after: Option<Duration>,
}

impl Pusher {
    pub(super) fn new(
        target: Target,
        ledger: Shared,
        stopped: stop::Receiver<bool>,
    ) -> Result<Pusher, Failure> {
        let errand =
            Errand::to(target.host.clone(), target.port, target.is_secure()).map_err(Failure::new)?;
        let instance = uuid::Uuid::now_v7().to_string();
        Ok(Pusher { target, errand, ledger, instance, stopped, failing: false, told: 0 })
    }

    /// Until the end, and then what is left once more.
    pub(super) async fn run(mut self, mut spans: mpsc::Receiver<Value>) {
        let (mut often, mut seldom) = (tokio::time::interval(SPANS), tokio::time::interval(NUMBERS));
        for clock in [&mut often, &mut seldom] {
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => break,
                _ = often.tick() => self.spans(&mut spans).await,
                _ = seldom.tick() => self.numbers().await,
            }
        }
        self.spans(&mut spans).await;
        self.numbers().await;
        self.tell_losses();
    }

    async fn spans(&mut self, waiting: &mut mpsc::Receiver<Value>) {
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Ok(span) = waiting.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let (count, body) = (batch.len() as u64, otlp::traces(&self.instance, &batch));
            let dropped = match self.push("/v1/traces", &body).await {
                Some(answer) => rejected(&answer).min(count),
                None => count,
            };
            self.count(count - dropped, dropped);
            if !self.failing {
                self.tell_losses();
            }
        }
    }

    async fn numbers(&mut self) {
        let body = {
            let ledger = super::lock(&self.ledger);
            otlp::metrics(&self.instance, ledger.sheet(), ledger.since(), jiff::Timestamp::now())
        };
        // Numbers only grow: the next push says what this one could not.
        self.push("/v1/metrics", &body).await;
    }

    fn count(&self, sent: u64, dropped: u64) {
        let mut ledger = super::lock(&self.ledger);
        ledger.spans("sent", sent);
        ledger.spans("dropped", dropped);
    }

    /// Whether the collector did not take them or they did not fit into the queue.
    fn tell_losses(&mut self) {
        let dropped = super::lock(&self.ledger).dropped();
        let new = dropped - self.told;
        if new > 0 {
            say::err(&format!("bottle: warning: {new} spans were dropped; {} never saw them\n", self.target));
        }
        self.told = dropped;
    }

    /// The answer to a push that was taken; what is wrong is said once, until all is well again.
    async fn push(&mut self, path: &str, body: &Value) -> Option<Bytes> {
        match self.insist(path, Bytes::from(body.to_string())).await {
            Ok(answer) => {
                if std::mem::take(&mut self.failing) {
                    say::err(&format!("bottle: {} takes pushes again\n", self.target));
                }
                Some(answer)
            }
            Err(why) => {
                if !std::mem::replace(&mut self.failing, true) {
                    say::err(&format!(
                        "bottle: warning: {} takes nothing: {}; up to {QUEUE} spans are kept, more are dropped\n",
                        self.target,
                        neutral(&why)
                    ));
                }
                None
            }
        }
    }

    /// Tries a few times; once only when we are to end.
    async fn insist(&mut self, path: &str, body: Bytes) -> Result<Bytes, String> {
        let mut pauses = BACKOFF.into_iter();
        loop {
            let refusal = match tokio::time::timeout(PATIENCE, self.attempt(path, body.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(refusal)) => refusal,
                Err(_) => Refusal { why: "no answer in time".to_owned(), again: true, after: None },
            };
            let Some(pause) = pauses.next().filter(|_| refusal.again && !*self.stopped.borrow()) else {
                return Err(refusal.why);
            };
            let pause = refusal.after.unwrap_or(pause).min(LONGEST);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stopped.wait_for(|stopped| *stopped) => {}
            }
        }
    }

    async fn attempt(&self, path: &str, body: Bytes) -> Result<Bytes, Refusal> {
        let request = self.request(path, body).map_err(|error| Refusal::for_good(error.to_string()))?;
        let answer = self.errand.run(request).await;
        let answer = answer.map_err(|why| Refusal { why, again: true, after: None })?;
        if answer.status().is_success() { Ok(answer.into_body()) } else { Err(Refusal::of(&answer)) }
    }

    fn request(&self, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::post(format!("{}{path}", self.target.path))
            .header(HOST, &self.target.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header(USER_AGENT, concat!("bottle/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        request.headers_mut().extend(self.target.headers.clone());
        Ok(request)
    }
}

impl Refusal {
    fn for_good(why: String) -> Refusal {
        Refusal { why, again: false, after: None }
    }

    /// The specification names the statuses after which the same may be tried again.
    fn of(answer: &Response<Bytes>) -> Refusal {
        let status = answer.status();
        let again = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ]
        .contains(&status);
        Refusal { why: format!("it answers {status}"), again, after: retry_after(answer.headers()) }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// How many spans a collector says it did not take; a 64-bit integer is a text or a number there.
fn rejected(answer: &[u8]) -> u64 {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return 0 };
    let rejected = &answer["partialSuccess"]["rejectedSpans"];
    rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_takes_a_part_says_how_much_it_did_not() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"odd"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":4}}"#), 4);
        for none in [&b"{}"[..], b"", b"\xff", br#"{"partialSuccess":{}}"#] {
            assert_eq!(rejected(none), 0);
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refusal = |status: u16, after: Option<&str>| {
            let mut answer = Response::builder().status(status);
            if let Some(after) = after {
                answer = answer.header(RETRY_AFTER, after);
            }
            let refusal = Refusal::of(&answer.body(Bytes::new()).expect("an answer"));
            (refusal.again, refusal.after)
        };
        assert_eq!(refusal(503, Some("7")), (true, Some(Duration::from_secs(7))));
        assert_eq!(refusal(429, Some("tomorrow")), (true, None));
        for status in [400, 401, 404, 500] {
            assert_eq!(refusal(status, None), (false, None), "{status}");
        }
    }
}
