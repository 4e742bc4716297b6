//! What is sought in a stream that leaves, as it passes.
use super::{Can, Watch};
use crate::body::Stage;
use bytes::Bytes;
use dlp::fragments::Flow;
use dlp::{Hit, Inspector, Unfolding, Verdict};
use http::HeaderMap;
use policy::Denial;

/// Looks for what is sought in a stream that leaves.
pub(super) struct Scan {
    pub(super) watch: Watch,
    inspector: Inspector,
    /// Until pieces were told of once.
    flow: Option<Flow>,
    place: &'static str,
    can: Can,
}

impl Scan {
    pub(super) fn new(watch: &Watch, place: &'static str, can: Can) -> Scan {
        Scan::beside(watch, place, can, Unfolding::Everything)
    }
    /// Of a stream that is decoded beside it.
    pub(super) fn beside(watch: &Watch, place: &'static str, can: Can, unfolding: Unfolding) -> Scan {
        let inspector = Inspector::beside(watch.body.sought(), unfolding);
        Scan { watch: watch.clone(), inspector, flow: Some(watch.collector.flow()), place, can }
    }
    /// Looks without giving anything out; gives the number of bytes known to be clean.
    pub(super) fn look(&mut self, chunk: &[u8], last: bool) -> Result<u64, Box<Denial>> {
        let mut clean = Vec::with_capacity(chunk.len());
        self.push(chunk, last, &mut clean)?;
        Ok(clean.len() as u64)
    }
    fn push(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if let Some(sought) = self.watch.body.renewed() {
            self.inspector.renew(sought);
        }
        self.gather(chunk, last)?;
        let (watch, place, can) = (&self.watch, self.place, self.can);
        let mut denied = None;
        let mut judge = |hit: &Hit| match watch.judge(hit, place, can) {
            Ok(verdict) => verdict,
            Err(denial) => {
                denied = Some(denial);
                Verdict::Stop
            }
        };
        let pushed = match last {
            true => self.inspector.last(chunk, out, &mut judge),
            false => self.inspector.push(chunk, out, &mut judge),
        };
        // A stream that was stopped stays stopped, and then nobody is asked again.
        pushed.map_err(|hit| denied.unwrap_or_else(|| watch.denial(&hit, place)))
    }
}

impl Scan {
    /// The pieces of values in these bytes.
    fn gather(&mut self, chunk: &[u8], last: bool) -> Result<(), Box<Denial>> {
        let Some(flow) = &mut self.flow else { return Ok(()) };
        let hit = if last { flow.push(chunk).or_else(|| flow.finish()) } else { flow.push(chunk) };
        let Some(hit) = hit else { return Ok(()) };
        self.flow = None;
        self.watch.judge(&hit, self.place, Can::OnlyBlock).map(drop)
    }
}

impl Stage for Scan {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.push(&std::mem::take(input), false, out).map(|()| false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.push(&[], true, out)
    }
    fn last(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        self.push(&std::mem::take(input), true, out).map(|()| true)
    }
    fn trailers(&mut self, trailers: &mut HeaderMap) -> Result<(), Box<Denial>> {
        self.watch.trailers(trailers)
    }
}
