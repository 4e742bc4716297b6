//! Server-sent events, as a model streams them: how long the first one takes, and how late each of them arrives.
use super::{HOST, Metric, Scenario, Slice, one_name};
use crate::clock;
use crate::h1::Connection;
use crate::stage::Stage;
use crate::stats::quantile;
use crate::way::{Way, Who};
use anyhow::{Context, Result, bail};
use memchr::memmem;
use std::collections::BTreeMap;

/// Streams of one slice, one after the other.
const STREAMS: usize = 5;
/// Events of a stream.
const EVENTS: usize = 20;
/// Milliseconds between events.
const GAP: usize = 10;

/// A stream of events.
pub(super) struct Events {
    running: BTreeMap<Who, (Way, Connection)>,
}

impl Events {
    pub(super) fn boxed() -> Box<dyn Scenario> {
        Box::new(Events { running: BTreeMap::new() })
    }
}

impl Scenario for Events {
    fn id(&self) -> &'static str {
        "sse"
    }

    fn title(&self) -> &'static str {
        "server-sent events, one every 10 ms"
    }

    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::time("first event µs", 0),
                Metric::time("event delay, median µs", 0),
                Metric::time("event delay, longest µs", 0),
            ]
        }
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let way = stage.start(who, &one_name())?;
        let connection = stage.drive(async { Ok(Connection::new(way.connect(HOST).await?)) })?;
        self.running.insert(who, (way, connection));
        self.slice(stage, who, 0).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        let (way, connection) = self.running.get_mut(&who).context("it was not started")?;
        let request = format!("{}\r\n", way.head("GET", HOST, &format!("/events/{EVENTS}/{GAP}")));
        let mut stream = Stream::default();
        let mut firsts = Vec::new();
        stage.drive(async {
            for _ in 0..STREAMS {
                stream.seen = 0;
                let sent = clock::now();
                connection.send(request.as_bytes()).await?;
                let mut first = None;
                connection
                    .read(|data| {
                        first.get_or_insert_with(clock::now);
                        stream.take(data)
                    })
                    .await?;
                if stream.seen != EVENTS {
                    bail!("{} events came instead of {EVENTS}", stream.seen);
                }
                firsts.push(micros(first.unwrap_or(sent).saturating_sub(sent)));
            }
            Ok(())
        })?;
        let delays = &stream.delays;
        Ok(Slice {
            figures: vec![quantile(&firsts, 0.5), quantile(delays, 0.5), quantile(delays, 1.0)],
            cpu: None,
        })
    }
}

/// Events as they come.
#[derive(Default)]
struct Stream {
    rest: Vec<u8>,
    seen: usize,
    delays: Vec<f64>,
}

impl Stream {
    fn take(&mut self, data: &[u8]) -> Result<()> {
        let now = clock::now();
        self.rest.extend_from_slice(data);
        while let Some(end) = memmem::find(&self.rest, b"\n\n") {
            let event: serde_json::Value =
                serde_json::from_slice(self.rest[..end].strip_prefix(b"data: ").context("no event")?)?;
            let index = event["index"].as_u64().context("an event without a number")?;
            if usize::try_from(index)? != self.seen {
                bail!("event {index} came where {} was due", self.seen);
            }
            self.delays
                .push(micros(now.saturating_sub(event["at"].as_u64().context("an event without a time")?)));
            self.seen += 1;
            self.rest.drain(..end + 2);
        }
        Ok(())
    }
}

fn micros(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64() * 1e6
}
