//! Connections that exchange as fast as answers come.
use crate::h1::Connection;
use crate::stage::Stage;
use crate::upstream::TAKEN;
use anyhow::Result;
use bytes::Bytes;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Which way the content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// In answers.
    Down,
    /// In requests.
    Up,
}

/// A connection and what it asks for.
pub(crate) struct Load {
    /// Where it goes.
    pub(crate) connection: Connection,
    /// The whole head of its requests.
    pub(crate) head: Rc<[u8]>,
}

/// What a loop did.
pub(crate) struct Ran {
    /// The same connections, for the next time.
    pub(crate) loads: Vec<Load>,
    /// Exchanges, all of them answered as they should be.
    pub(crate) count: usize,
    /// Until the last of them ended.
    pub(crate) lasted: Duration,
}

/// Lets every connection exchange until `span` is over, at least once each.
pub(crate) fn run(
    stage: &Stage,
    loads: Vec<Load>,
    content: (Direction, Bytes),
    span: Duration,
) -> Result<Ran> {
    let started = Instant::now();
    let (loads, count) = stage.drive(all(loads, content, started + span))?;
    Ok(Ran { loads, count, lasted: started.elapsed() })
}

async fn all(
    loads: Vec<Load>,
    (direction, content): (Direction, Bytes),
    until: Instant,
) -> Result<(Vec<Load>, usize)> {
    let tasks: Vec<_> = loads
        .into_iter()
        .map(|load| tokio::task::spawn_local(one(load, direction, content.clone(), until)))
        .collect();
    let (mut loads, mut total) = (Vec::new(), 0);
    for task in tasks {
        let (load, count) = task.await??;
        loads.push(load);
        total += count;
    }
    Ok((loads, total))
}

async fn one(mut load: Load, direction: Direction, content: Bytes, until: Instant) -> Result<(Load, usize)> {
    let mut count = 0;
    while count == 0 || Instant::now() < until {
        match direction {
            Direction::Down => load.connection.exchange(&load.head, &content).await?,
            Direction::Up => load.connection.upload(&load.head, &content, TAKEN.as_bytes()).await?,
        }
        count += 1;
    }
    Ok((load, count))
}
