//! A registry with one image on the loopback interface (OCI distribution specification, the part that a pull needs).
//! It lets in who knows the word.
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const STRANGER: &[u8] = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;

pub(crate) struct Registry {
    pub(crate) port: u16,
}

/// Path → type and content.
type Pages = HashMap<String, (&'static str, Vec<u8>)>;

impl Registry {
    /// Serves `NAME:1`, made for this architecture, to whoever sends `Authorization: Basic {word}`.
    pub(crate) fn serve(listener: TcpListener, name: &str, architecture: &str, word: &str) -> Registry {
        let port = listener.local_addr().expect("its number").port();
        let (pages, word) = (Arc::new(pages(name, architecture)), word.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, word) = (pages.clone(), word.clone());
                std::thread::spawn(move || answer(&stream, &pages, &word));
            }
        });
        Registry { port }
    }
}

fn digest(content: &[u8]) -> String {
    let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digest}")
}

fn pages(name: &str, architecture: &str) -> Pages {
    let layer = layer();
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux", "config": { "Env": ["PULLED=yes"], "User": "7:8" },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let part = |kind: &str, content: &[u8]| serde_json::json!({ "mediaType": kind, "size": content.len(), "digest": digest(content) });
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": part(CONFIG, &config), "layers": [part(LAYER, &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let at = |kind: &str, reference: &str| format!("/v2/{name}/{kind}/{reference}");
    Pages::from([
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        (at("manifests", "1"), (MANIFEST, manifest.clone())),
        (at("manifests", &digest(&manifest)), (MANIFEST, manifest)),
        (at("blobs", &digest(&config)), (CONFIG, config)),
        (at("blobs", &digest(&layer)), (LAYER, layer)),
    ])
}

fn layer() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(6);
    archive.append_data(&mut header, "pulled", &b"pulled"[..]).expect("a file");
    archive.into_inner().expect("an archive")
}

fn answer(stream: &TcpStream, pages: &Pages, word: &str) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let known =
        head.iter().any(|line| line.to_lowercase() == format!("authorization: basic {word}").to_lowercase());
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, kind, content) = match pages.get(path) {
        _ if !known => {
            ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"", "application/json", STRANGER)
        }
        Some((kind, content)) => ("200 OK", *kind, &content[..]),
        None => ("404 Not Found", "text/plain", &b""[..]),
    };
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\
         Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\nContent-Length: {}\r\n\r\n",
        digest(content),
        content.len()
    )
    .into_bytes();
    if !request.starts_with("HEAD ") {
        answer.extend_from_slice(content);
    }
    let mut stream = stream;
    let _ = stream.write_all(&answer);
}
