//! A browser, which trusts neither the system's bundle nor any variable.
use crate::bottle::{allowed_and_refused, client};

/// Chromium has a verifier of its own. It learns of the bottle's certificate by a managed policy alone; its profile is
/// new, so that no database of a user's can have it. Its own sandbox is off as it must be without namespaces.
#[test]
fn chromium_trusts_by_its_policy_and_shows_a_refusal() {
    let Some(chromium) = client("chromium") else { return };
    let script = format!(
        "show() {{ {chromium} --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
         --disable-background-networking --disable-component-update --disable-sync --user-data-dir=/tmp/profile \
         --dump-dom \"$1\" 2>/dev/null; }}\n\
         show \"$URL\"; show \"$REFUSED\""
    );
    allowed_and_refused("chromium", &script);
}
