//! Threat 7: what is small outside and large inside.
use super::secrets::{encoded, gzip, post};
use super::world::{HOST, Origin, Setup, World, listen, response, say};
use async_compression::Level;
use async_compression::tokio::write as encode;
use async_compression::zstd::CParameter;
use credentials::AuthScheme;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// Brotli's large window of 1 GiB and an empty last block (the header as brotli's own `large_window` has it).
const LARGE_BROTLI: &[u8] = &[0x11, 0xde];
const MEBIBYTE: usize = 1024 * 1024;

async fn zstd(window_log: u32, bytes: &[u8]) -> Vec<u8> {
    let window = CParameter::window_log(window_log);
    encoded(encode::ZstdEncoder::with_quality_and_params(Vec::new(), Level::Default, &[window]), bytes).await
}

#[tokio::test]
async fn windows_without_measure_are_refused_both_ways() {
    let (large, fair) = (zstd(27, b"small").await, zstd(23, b"small").await);
    for (coding, body, passes) in
        [("br", LARGE_BROTLI.to_vec(), false), ("zstd", large.clone(), false), ("zstd", fair, true)]
    {
        let header = format!("Content-Encoding: {coding}\r\n");
        let (head, back) = (header.clone(), body.clone());
        let origin = Origin::answering(move |heard| match heard.head.starts_with("GET") {
            true => response(&head, &back),
            false => response("", b"ok"),
        })
        .await;
        let world = World::with_credential(&origin).await;
        let out = world.say(HOST, post(HOST, &header, &body)).await;
        assert_eq!(out.starts_with("HTTP/1.1 200"), passes, "{coding}: {out}");
        let back = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
        assert_eq!(back.contains("small"), passes, "{coding}: {back}");
        assert!(passes || out.contains("bottle-decision: denied"), "{coding}: {out}");
    }
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let undeclared = world.say(HOST, post(HOST, "", &large)).await;
    assert!(undeclared.contains("bottle-decision: denied"), "{undeclared}");
    assert_eq!(origin.heard().len(), 0);
}

#[tokio::test]
async fn a_bomb_in_a_request_is_refused() {
    let bomb = zstd(20, &vec![0; 96 * MEBIBYTE]).await;
    assert!(bomb.len() < 64 * 1024);
    let hollow = zstd(20, &hollow_gzip(16 * MEBIBYTE)).await;
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    for (headers, body) in
        [("Content-Encoding: zstd\r\n", &bomb), ("", &bomb), ("Content-Encoding: gzip, zstd\r\n", &hollow)]
    {
        let mut stream = world.tls(HOST).await;
        stream.write_all(&post(HOST, headers, body)).await.unwrap();
        stream.flush().await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(60), listen_long(&mut stream)).await.unwrap();
        assert!(answer.contains("code=unreadable"), "{headers}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0);
}

/// So many empty blocks: whoever counts only what comes out at last counts nothing.
fn hollow_gzip(blocks: usize) -> Vec<u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let (empty, last, trailer) = ([0, 0, 0, 0xff, 0xff], [1, 0, 0, 0xff, 0xff], [0; 8]);
    [&head[..], &empty.repeat(blocks), &last, &trailer].concat()
}

/// What takes long to read may be silent for long.
async fn listen_long(stream: &mut super::world::Io) -> String {
    loop {
        let heard = listen(stream).await;
        if !heard.is_empty() {
            return heard;
        }
    }
}

/// One thread serves all here: a body that is read to its end at once would stop the clock.
#[tokio::test]
async fn others_go_on_while_a_bomb_is_read() {
    let bomb = zstd(20, &vec![0; 48 * MEBIBYTE]).await;
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    let ticking = tokio::spawn(async {
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        loop {
            tokio::task::yield_now().await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if LONGEST.lock().map(|mut kept| *kept = longest).is_err() {
                return;
            }
        }
    });
    let started = Instant::now();
    let answer = {
        stream.write_all(&post(HOST, "Content-Encoding: zstd\r\n", &bomb)).await.unwrap();
        stream.flush().await.unwrap();
        listen_long(&mut stream).await
    };
    let all = started.elapsed();
    ticking.abort();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let longest = *LONGEST.lock().unwrap();
    assert!(longest < all / 4, "nothing else ran for {longest:?} of {all:?}");
}

static LONGEST: std::sync::Mutex<Duration> = std::sync::Mutex::new(Duration::ZERO);

#[tokio::test]
async fn decoders_that_take_much_are_counted() {
    let origin = Origin::ok().await;
    let limits = egress::Limits { decoders: 2, ..egress::Limits::default() };
    let world =
        World::new(&origin, Setup { auth: Some(AuthScheme::Bearer), limits, ..Setup::default() }).await;
    let body = zstd(20, &b"all work and no play ".repeat(100)).await;
    let whole = post(HOST, "Content-Encoding: zstd\r\n", &body);
    let half = whole.len() - body.len() / 2;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = world.tls(HOST).await;
        assert_eq!(say_begun(&mut stream, &whole[..half]).await, "");
        open.push(stream);
    }
    let third = world.say(HOST, whole.as_slice()).await;
    assert!(third.contains("code=limit-exceeded"), "{third}");
    let squeezed = post(HOST, "Content-Encoding: gzip\r\n", &gzip(b"small").await);
    let small = world.say(HOST, squeezed).await;
    assert!(small.starts_with("HTTP/1.1 200"), "what takes little is not counted: {small}");
    let first = say(&mut open[0], &whole[half..]).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let again = world.say(HOST, whole.as_slice()).await;
    assert!(again.starts_with("HTTP/1.1 200"), "a place that was left is free: {again}");
}

/// Writes a part of a request; what comes back within a moment.
async fn say_begun(stream: &mut super::world::Io, part: &[u8]) -> String {
    stream.write_all(part).await.unwrap();
    stream.flush().await.unwrap();
    let heard = tokio::time::timeout(Duration::from_millis(300), listen(stream)).await;
    heard.unwrap_or_default()
}
