//! Threat 21: what is compressed is seen through, as its receiver would, and waits until that was done.
use super::rules::{RULE, TOKEN, terms, with};
use super::secrets::{encoded, gzip, post};
use super::world::{HOST, Io, Origin, World, listen};
use async_compression::tokio::write as encode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn codings_that_nobody_declared_are_seen_through() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, with(terms())).await;
    let text = "words around it, ".repeat(40);
    let body = format!("{text}{TOKEN} {text}").into_bytes();
    let raw = encoded(encode::DeflateEncoder::new(Vec::new()), &body).await;
    let zlib = encoded(encode::ZlibEncoder::new(Vec::new()), &body).await;
    let twice = gzip(&gzip(&body).await).await;
    for (what, sent) in
        [("raw deflate", raw), ("zlib", zlib), ("gzip", gzip(&body).await), ("gzip twice", twice)]
    {
        let answer = world.say(HOST, post(HOST, "", &sent)).await;
        assert!(answer.contains("code=secret-in-request"), "{what}: {answer}");
    }
    let twice = gzip(&gzip(&body).await).await;
    let answer = world.say(HOST, post(HOST, "Content-Encoding: gzip\r\n", &twice)).await;
    assert!(answer.contains("code=secret-in-request"), "declared once, coded twice: {answer}");
    let harmless = encoded(encode::DeflateEncoder::new(Vec::new()), text.as_bytes()).await;
    for sent in
        [harmless, b"{\"plain\": \"json\"}".to_vec(), b"PK\x03\x04".to_vec(), vec![0; 5], b"x".to_vec()]
    {
        assert!(world.say(HOST, post(HOST, "", &sent)).await.starts_with("HTTP/1.1 200"));
        assert_eq!(origin.heard().pop().unwrap().body, sent, "bytes pass as they are");
    }
}

/// What a coding says besides its content (a gzip member's file name) is there for whoever decodes it, at every depth.
#[tokio::test]
async fn nothing_hides_between_two_codings() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, with(terms())).await;
    let member = gzip(b"harmless").await;
    // Long enough to be worth compressing: else the value would stand in the body as it is.
    let around = "words around it, ".repeat(40);
    let named = |name: &str| {
        let name = format!("{around}{name} {around}");
        [&member[..3], &[8], &member[4..10], name.as_bytes(), &[0], &member[10..]].concat()
    };
    let (hidden, harmless) = (gzip(&named(TOKEN)).await, gzip(&named("notes.txt")).await);
    for headers in ["", "Content-Encoding: gzip\r\n", "Content-Encoding: gzip, gzip\r\n"] {
        let answer = world.say(HOST, post(HOST, headers, &hidden)).await;
        assert!(answer.contains("code=secret-in-request") && answer.contains(RULE), "{headers}: {answer}");
        assert!(
            world.say(HOST, post(HOST, headers, &harmless)).await.starts_with("HTTP/1.1 200"),
            "{headers}"
        );
    }
    assert!(origin.heard().iter().all(|heard| heard.body == harmless));
}

/// An upstream that keeps whatever comes, as it comes.
async fn taking() -> (Origin, Arc<Mutex<Vec<u8>>>) {
    let log = Arc::<Mutex<Vec<u8>>>::default();
    let kept = log.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let log = kept.clone();
        async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                log.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        }
    });
    (origin.await, log)
}

/// A value that is whole may still go on: until that is known, the bytes that say it wait.
#[tokio::test]
async fn compressed_bytes_wait_until_their_copy_is_clean() {
    for headers in ["", "Content-Encoding: gzip\r\n"] {
        let (origin, log) = taking().await;
        let world = World::new(&origin, with(terms())).await;
        let mut encoder = encode::GzipEncoder::new(Vec::new());
        let mut parts = Vec::new();
        let around = "words around it, ".repeat(40);
        for part in [around.clone(), format!("{around}{TOKEN}"), format!(" {around}")] {
            encoder.write_all(part.as_bytes()).await.unwrap();
            encoder.flush().await.unwrap();
            parts.push(std::mem::take(encoder.get_mut()));
        }
        let mut stream = world.tls(HOST).await;
        let head =
            format!("POST / HTTP/1.1\r\nHost: api.test\r\n{headers}Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let arrived = |part: &[u8]| {
            let most = &part[..part.len() - 1];
            log.lock().unwrap().windows(most.len()).any(|window| window == most)
        };
        for (part, goes) in parts.iter().zip([true, false]) {
            stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await.unwrap();
            stream.write_all(&[part, &b"\r\n"[..]].concat()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(arrived(part), goes, "{headers}");
        }
        let last = &parts[2];
        stream.write_all(format!("{:x}\r\n", last.len()).as_bytes()).await.unwrap();
        stream.write_all(&[last, &b"\r\n"[..]].concat()).await.unwrap();
        stream.flush().await.unwrap();
        let answer = listen(&mut stream).await;
        assert!(answer.contains("code=secret-in-request") && answer.contains(RULE), "{headers}: {answer}");
        assert!(!arrived(&parts[1]) && !arrived(last), "{headers}");
    }
}

/// `tar cz | base64`, in JSON, in a query and in a part of a form; and nothing can be put in place of what stands in there.
#[tokio::test]
async fn what_is_compressed_inside_of_what_is_sent_is_seen_through() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, with(terms())).await;
    let lines: String = (0..40).map(|n| format!("setting_{n} = {}\n", n * 7919)).collect();
    let archive = |value: &str| format!("{lines}token = {value}\n{lines}").into_bytes();
    let part = |packed: &[u8]| {
        let head = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.tgz\"\r\n\r\n";
        [head.as_slice(), packed, b"\r\n--b--\r\n"].concat()
    };
    let json = |packed: &[u8]| format!("{{\"files\": [\"{}\"]}}", STANDARD.encode(packed)).into_bytes();
    let (secret, harmless) = (gzip(&archive(TOKEN)).await, gzip(&archive("none")).await);
    for (sent, twin) in [(json(&secret), json(&harmless)), (part(&secret), part(&harmless))] {
        let answer = world.say(HOST, post(HOST, "", &sent)).await;
        assert!(answer.contains("code=secret-in-request") && answer.contains(RULE), "{answer}");
        assert!(world.say(HOST, post(HOST, "", &twin)).await.starts_with("HTTP/1.1 200"));
        assert_eq!(origin.heard().pop().unwrap().body, twin);
    }
    let query = format!("GET /?d={} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", URL_SAFE_NO_PAD.encode(&secret));
    let answer = world.say(HOST, query).await;
    assert!(answer.contains("code=secret-in-request") && answer.contains(RULE), "{answer}");
}
