//! Requests as streams of one HTTP/2 connection.
use super::{HOST, Metric, Pace, Scenario, Slice, each, one_name};
use crate::bodies::{Kind, body};
use crate::stage::Stage;
use crate::stats::fraction;
use crate::way::{Way, Who};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

const STREAMS: usize = 64;
const LENGTH: usize = 1024;

struct Multiplexed {
    pace: Pace,
    running: BTreeMap<Who, (Way, SendRequest<Empty<Bytes>>)>,
}

/// 1 KiB answers on 64 streams.
pub(super) fn scenario(pace: Pace) -> Box<dyn Scenario> {
    Box::new(Multiplexed { pace, running: BTreeMap::new() })
}

/// Runs hyper's tasks beside the driver's own.
#[derive(Clone)]
struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

impl Scenario for Multiplexed {
    fn id(&self) -> &'static str {
        "h2-64"
    }

    fn title(&self) -> &'static str {
        "1 KiB GET, 64 streams of one HTTP/2 connection"
    }

    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::rate("requests/s")] }
    }

    fn start(&mut self, stage: &Stage, who: Who) -> Result<()> {
        let way = stage.start(who, &one_name())?;
        let sender = stage.drive(async {
            let io = TokioIo::new(way.connect_h2(HOST).await?);
            let (sender, connection) =
                Builder::new(Local).timer(TokioTimer::new()).handshake::<_, Empty<Bytes>>(io).await?;
            tokio::task::spawn_local(connection);
            Ok(sender)
        })?;
        self.running.insert(who, (way, sender));
        self.turn(stage, who, self.pace.slice / 2).map(|_warm| ())
    }

    fn slice(&mut self, stage: &Stage, who: Who, _round: usize) -> Result<Slice> {
        self.turn(stage, who, self.pace.slice)
    }
}

impl Multiplexed {
    fn turn(&self, stage: &Stage, who: Who, span: Duration) -> Result<Slice> {
        let (way, sender) = self.running.get(&who).context("it was not started")?;
        let before = way.cpu()?;
        let started = Instant::now();
        let count = stage.drive(turn(sender, &way.authorization(), started + span))?;
        let lasted = started.elapsed();
        let spent = way.cpu()?.zip(before).map(|(after, before)| after - before);
        Ok(Slice { figures: vec![fraction(count) / lasted.as_secs_f64()], cpu: each(spent, count) })
    }
}

async fn turn(sender: &SendRequest<Empty<Bytes>>, authorization: &str, until: Instant) -> Result<usize> {
    let tasks: Vec<_> = (0..STREAMS)
        .map(|_| {
            let (mut sender, authorization) = (sender.clone(), authorization.to_owned());
            tokio::task::spawn_local(async move {
                let mut count = 0;
                while count == 0 || Instant::now() < until {
                    exchange(&mut sender, &authorization).await?;
                    count += 1;
                }
                Ok::<_, anyhow::Error>(count)
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    Ok(total)
}

async fn exchange(sender: &mut SendRequest<Empty<Bytes>>, authorization: &str) -> Result<()> {
    let request = Request::get(format!("https://{HOST}/get/{}/{LENGTH}", Kind::Text.word()))
        .header("user-agent", "bench/1")
        .header("accept", "*/*")
        .header("authorization", authorization)
        .body(Empty::new())?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    if status != 200 {
        bail!("the answer is {status}: {}", String::from_utf8_lossy(&bytes));
    }
    if bytes != body(Kind::Text, LENGTH) {
        bail!("the body differs from what it must be");
    }
    Ok(())
}
