//! Package indexes as plain files; `scripts/packages.py` lays them out. Every kind wants the token, as a private
//! registry would.
use super::super::tokens;
use super::body::{Answer, Asked, status, typed};
use std::path::Path;

pub(crate) fn answer(asked: &Asked, folder: &Path) -> Answer {
    if asked.header("authorization") != format!("Bearer {}", tokens::PACKAGES) {
        return status(401, "this registry wants its token");
    }
    if asked.path.contains("..") {
        return status(400, "no");
    }
    let mut file = folder.join("packages").join(asked.path.trim_start_matches('/').replace("%2f", "/"));
    if file.is_dir() {
        file = file.join("index.html");
    }
    match std::fs::read(&file) {
        Ok(bytes) => typed(200, kind(&file), bytes),
        Err(_) => status(404, "no such package"),
    }
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|kind| kind.to_str()) {
        Some("html") => "text/html",
        Some("json" | "info") => "application/json",
        Some("tgz" | "whl" | "zip" | "crate") => "application/octet-stream",
        _ => "text/plain",
    }
}
