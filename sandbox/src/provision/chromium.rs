//! Chromium trusts roots of its own and those of the user's NSS database, not the system's bundle. Its managed policy
//! `CACertificates` (from version 133) adds one by a plain file, which needs no database and no tool.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const FOLDERS: [&str; 4] = [
    "/etc/chromium/policies/managed",
    "/etc/chromium-browser/policies/managed",
    "/etc/opt/chrome/policies/managed",
    "/etc/opt/chrome_for_testing/policies/managed",
];

/// Path and content of the policy files that make each flavour trust this certificate (DER).
pub(super) fn policies(ca: &[u8]) -> impl Iterator<Item = (String, String)> {
    let content = format!("{{\"CACertificates\":[\"{}\"]}}\n", STANDARD.encode(ca));
    FOLDERS.into_iter().map(move |folder| (format!("{folder}/bottle.json"), content.clone()))
}
