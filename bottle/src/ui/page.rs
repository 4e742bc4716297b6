//! The page: text in the binary, the same for everybody, with nothing in it that is worth a secret.
use hyper::header::HeaderValue;
use hyper::{HeaderMap, header};

/// A file of the page.
pub(super) struct File {
    /// What it is.
    pub(super) kind: &'static str,
    /// All of it.
    pub(super) text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Nothing but our own files, no code in attributes, no text that becomes code or markup, in nobody's frame.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                   require-trusted-types-for 'script'; trusted-types 'none'";

/// By its path.
pub(super) fn file(path: &str) -> Option<File> {
    let (kind, text) = match path {
        "/" => (HTML, include_str!("page/index.html")),
        "/style.css" => (STYLE, include_str!("page/style.css")),
        "/icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        "/main.js" => (SCRIPT, include_str!("page/main.js")),
        "/server.js" => (SCRIPT, include_str!("page/server.js")),
        "/dom.js" => (SCRIPT, include_str!("page/dom.js")),
        "/bottles.js" => (SCRIPT, include_str!("page/bottles.js")),
        "/petitions.js" => (SCRIPT, include_str!("page/petitions.js")),
        "/activity.js" => (SCRIPT, include_str!("page/activity.js")),
        "/dialogs.js" => (SCRIPT, include_str!("page/dialogs.js")),
        "/keys.js" => (SCRIPT, include_str!("page/keys.js")),
        _ => return None,
    };
    Some(File { kind, text })
}

/// What every answer says to browsers, whatever is in it.
pub(super) fn guard(headers: &mut HeaderMap) {
    let guards = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=()",
        ),
    ];
    for (name, value) in guards {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
