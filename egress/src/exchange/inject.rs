//! The credential, put where its route says.
use super::{Outbound, Screened};
use crate::body::{Body, Pipeline, Stage, Staged};
use crate::coding::narrowed;
use crate::config::RuleAction;
use crate::engine::Shared;
use crate::fresh;
use crate::headers::remove_named;
use crate::record::Ledger;
use crate::screen::{Sought, Way, body_kind};
use crate::upstream::PoolIdentity;
use bytes::Bytes;
use credentials::{AuthScheme, Binding, BodySwapper, Placeholder, Secret, Slot};
use http::{HeaderMap, HeaderValue, Uri, Version, header};
use policy::{Denial, DenialCode, Permitted, RouteId, Scheme};
use std::sync::Arc;

/// What asks for a part: `Range`, the name that Apache's server still takes for it, and Azure's. And what offers codings for
/// the single messages inside a body.
const NOT_ASKED_FOR: [&str; 6] =
    ["range", "if-range", "request-range", "x-ms-range", "grpc-accept-encoding", "connect-accept-encoding"];

/// Puts the credential of the route where its scheme says, over TLS only.
pub(super) async fn inject(
    engine: &Arc<Shared>,
    screened: Screened,
    ledger: &Ledger,
) -> Result<Outbound, Box<Denial>> {
    let Screened { permitted, mut head, mut body, websocket, binding, watch } = screened;
    let mut target = permitted.request().target.to_string();
    let (mut identity, mut swap) = (PoolIdentity::default(), None);
    if let Some(binding) = binding {
        let (placeholder, secret) = credential(engine, &permitted, &binding).await?;
        let injected = credentials::inject(&binding, &placeholder, &secret, &mut target, &mut head.headers)
            .map_err(|error| unavailable(&permitted, binding.slot, &error.to_string()))?;
        if injected.in_head {
            ledger.note(|event| event.credential = Some(binding.slot.to_string()));
        }
        if injected.swap_body {
            body = swapped(&mut head.headers, body, binding.slot, &placeholder, &secret, ledger);
        }
        identity.credential = Some((binding.slot, engine.vault.generation()));
        swap = matches!(binding.scheme, AuthScheme::Placeholder { places } if places.websocket)
            .then_some((placeholder, secret));
    }
    ask_for_what_can_be_read(engine, permitted.route().id, &mut head.headers);
    head.uri = target.parse::<Uri>().map_err(|_| unavailable_target(&permitted))?;
    // The version is the upstream leg's own business, whatever the agent's leg speaks.
    head.version = Version::HTTP_11;
    let request = http::Request::from_parts(head, body);
    Ok(Outbound { permitted, request, identity, websocket, swap, watch })
}

async fn credential(
    engine: &Arc<Shared>,
    permitted: &Permitted,
    binding: &Binding,
) -> Result<(Placeholder, Secret), Box<Denial>> {
    if permitted.request().scheme != Scheme::Https {
        let sentence = format!(
            "the route for `{}` carries a credential, which goes out over TLS only; use https",
            permitted.request().host
        );
        return Err(about(permitted, Denial::new(DenialCode::CredentialNeedsTls, sentence)));
    }
    let slot = binding.slot;
    let placeholder =
        engine.vault.placeholder(slot).ok_or_else(|| unavailable(permitted, slot, "no such slot"))?;
    let secret =
        fresh::current(&engine.vault, slot).await.map_err(|error| unavailable(permitted, slot, &error))?;
    Ok((placeholder, secret))
}

/// The detail is for the operator: the agent cannot mend a source on the host.
fn unavailable(permitted: &Permitted, slot: Slot, detail: &str) -> Box<Denial> {
    let sentence = format!(
        "the credential for `{}` ({slot}) is not to be had now; the operator of this bottle has to look, nothing was sent",
        permitted.request().host
    );
    let mut denial = Denial::new(DenialCode::CredentialUnavailable, sentence);
    denial.detail = Some(detail.to_owned());
    about(permitted, denial)
}

fn unavailable_target(permitted: &Permitted) -> Box<Denial> {
    about(
        permitted,
        Denial::new(DenialCode::EgressFailure, "the credential does not fit into the request target"),
    )
}

fn about(permitted: &Permitted, mut denial: Denial) -> Box<Denial> {
    denial.host = Some(permitted.request().host.clone());
    denial.port = Some(permitted.request().port);
    Box::new(denial)
}

fn swapped(
    headers: &mut HeaderMap,
    body: Body,
    slot: Slot,
    placeholder: &Placeholder,
    secret: &Secret,
    ledger: &Ledger,
) -> Body {
    let Some(kind) = body_kind(headers) else { return body };
    headers.remove(header::CONTENT_LENGTH);
    let swapper = BodySwapper::new(kind, placeholder.clone(), secret.clone());
    let mut pipeline = Pipeline::default();
    pipeline.then(Swap { swapper, slot, ledger: ledger.clone() });
    Staged::body(body, pipeline, false, ledger.clone())
}

/// Puts the value where the placeholder stands in a body.
struct Swap {
    swapper: BodySwapper,
    slot: Slot,
    ledger: Ledger,
}

impl Swap {
    fn count(&self, swaps: u64) {
        if swaps > 0 {
            self.ledger.note(|event| event.credential = Some(self.slot.to_string()));
        }
    }
}

impl Stage for Swap {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        let swaps = self.swapper.push(&std::mem::take(input), out);
        self.count(swaps);
        Ok(false)
    }
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let swaps = self.swapper.finish(out);
        self.count(swaps);
        Ok(())
    }
}

/// Asks for nothing that the scrubber could not read: no foreign coding, no part of a whole (the half of a value is no
/// value, and an origin may always answer with the whole, RFC 9110 section 14.2).
fn ask_for_what_can_be_read(engine: &Shared, route: RouteId, headers: &mut HeaderMap) {
    let blocks = engine.terms.prompt_injection(route) == RuleAction::Block;
    if !blocks && Sought::new(&engine.terms, Way::Inward).is_idle() {
        return;
    }
    remove_named(headers, &NOT_ASKED_FOR);
    let accepted: Vec<&str> =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepted.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&narrowed(&accepted.join(", "), engine.terms.room())) {
        headers.insert(header::ACCEPT_ENCODING, value);
    }
}
