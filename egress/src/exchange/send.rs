//! Out, and until the head of the answer: what comes before it is said to the agent on the way.
use super::Outbound;
use super::scrub::Inward;
use crate::engine::Shared;
use crate::interim::{Hints, Teller};
use crate::record::Ledger;
use crate::screen::{Sought, Way};
use crate::upstream::{Abort, Answer, WsAnswer};
use crate::websocket::Bridge;
use http::{Response, header};
use policy::{Denial, DenialCode, RouteId};
use std::sync::Arc;

/// An upstream's answer, of either kind.
pub(super) enum Heard {
    Answer(Answer),
    Switched { head: Response<()>, bridge: Box<Bridge> },
}

/// As long as something moves: the ledger sees when nothing does.
pub(super) async fn send(
    engine: &Arc<Shared>,
    mut outbound: Outbound,
    teller: Option<&Teller>,
    ledger: &Ledger,
) -> Result<Heard, Box<Denial>> {
    let route = outbound.permitted.route().id;
    let mut hints = Hints::of(&mut outbound.request);
    outbound.request.extensions_mut().insert(Abort(ledger.stalled().clone()));
    let stalled = ledger.stalled();
    let speaking = speak(engine, outbound, ledger);
    tokio::pin!(speaking);
    let heard = loop {
        tokio::select! {
            biased;
            hint = hints.next() => relay(engine, route, hint?, teller, ledger),
            heard = &mut speaking => break heard,
            () = stalled.cancelled() => break Err(late()),
        }
    };
    // What came just before the head is said just before it.
    while let Some(hint) = hints.left()? {
        relay(engine, route, hint, teller, ledger);
    }
    // A request body that was broken off for a finding looks like a failed upstream from there.
    heard.map_err(|error| ledger.broken().map_or(error, Box::new))
}

fn late() -> Box<Denial> {
    Box::new(Denial::new(DenialCode::UpstreamTimeout, "the upstream did not begin an answer in time"))
}

/// Says an interim answer to the agent, clean like any other; where its leg cannot, or something stands in it that ends
/// answers, it is let go: nothing depends on it.
fn relay(engine: &Shared, route: RouteId, mut hint: Response<()>, teller: Option<&Teller>, ledger: &Ledger) {
    let Some(teller) = teller else { return };
    let inward = Inward::new(engine, Sought::new(&engine.terms, Way::Inward), route, ledger);
    if inward.headers(hint.headers_mut()).is_ok() {
        teller.say(hint);
    }
}

async fn speak(engine: &Arc<Shared>, outbound: Outbound, ledger: &Ledger) -> Result<Heard, Box<Denial>> {
    let Outbound { permitted, request, identity, websocket, swap, watch } = outbound;
    if !websocket {
        return engine.client.send(&permitted, identity, request).await.map(Heard::Answer);
    }
    let mut request = request.map(drop);
    let purse = engine.purse(permitted.route());
    let bridge = Bridge::new(engine, watch, swap, purse, ledger);
    if bridge.reads_frames() {
        request.headers_mut().remove(header::SEC_WEBSOCKET_EXTENSIONS);
    }
    // Boxed: a request that is none should not carry it along.
    match Box::pin(engine.client.websocket(&permitted, identity, request)).await? {
        WsAnswer::Refused(answer) => Ok(Heard::Answer(answer)),
        WsAnswer::Switched { head, stream, address } => {
            ledger.note(|event| event.upstream = Some(address.to_string()));
            Ok(Heard::Switched { head, bridge: Box::new(bridge.with(stream)) })
        }
    }
}
