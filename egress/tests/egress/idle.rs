//! Threat 7: whoever stops in the middle keeps nobody's place for ever, and half a body never looks whole.
use super::wire::{h2_client, h2_server, read_head, read_to_end, write};
use super::world::{HOST, Io, Origin, Setup, World, read_message};
use bytes::Bytes;
use egress::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const IDLE: Duration = Duration::from_millis(700);
const GET: &str = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

async fn world(origin: &Origin) -> World {
    let limits = Limits { stream_idle_time: IDLE, ..Limits::default() };
    World::new(origin, Setup { limits, ..Setup::default() }).await
}

/// Says this after each request head, then nothing, but keeps the connection; counts those that are open.
async fn stalling(words: &'static str) -> (Origin, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = open.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            let _head = read_head(&mut stream).await;
            write(&mut stream, words).await;
            while let Ok(1..) = stream.read(&mut [0; 4096]).await {}
            count.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    (origin, open)
}

async fn assert_closed(open: &AtomicUsize) {
    for _ in 0..250 {
        if open.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the upstream's leg is kept");
}

async fn assert_stalled(world: &World, what: &str) {
    let event = &world.events(1).await[0];
    assert_eq!(
        (&event["decision"], &event["code"]),
        (&"aborted".into(), &"limit-exceeded".into()),
        "{event}"
    );
    assert!(event["reason"].as_str().unwrap().contains(what), "{event}");
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off_and_does_not_look_whole() {
    for (head, request) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", GET),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", GET),
        ("HTTP/1.1 200 OK\r\n\r\nhalf", "GET / HTTP/1.0\r\nHost: api.test\r\n\r\n"),
    ] {
        let (origin, open) = stalling(head).await;
        let world = world(&origin).await;
        let mut stream = world.tls(HOST).await;
        let started = Instant::now();
        write(&mut stream, request).await;
        let (all, clean) = read_to_end(&mut stream).await;
        let all = String::from_utf8(all).unwrap();
        assert!(all.contains("half") && !all.ends_with("0\r\n\r\n"), "{all}");
        assert!(!clean, "the end of the bytes is no end of TLS: {all}");
        assert!(started.elapsed() >= IDLE && started.elapsed() < IDLE * 4, "{:?}", started.elapsed());
        assert_stalled(&world, "nothing moved for 0.7 s").await;
        assert_closed(&open).await;
    }
}

/// The end of an upstream that broke off is not made into a good one.
#[tokio::test]
async fn an_answer_that_its_upstream_breaks_off_does_not_look_whole() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let _head = read_head(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    })
    .await;
    let world = World::with_credential(&origin).await;
    for version in ["1.1", "1.0"] {
        let mut stream = world.tls(HOST).await;
        write(&mut stream, format!("GET / HTTP/{version}\r\nHost: api.test\r\n\r\n")).await;
        let (all, clean) = read_to_end(&mut stream).await;
        let all = String::from_utf8(all).unwrap();
        assert!(!clean && !all.ends_with("0\r\n\r\n"), "{version}: {all}");
    }
    let events = world.events(2).await;
    assert!(events.iter().all(|event| event["decision"] == "aborted"), "{events:?}");
}

#[tokio::test]
async fn an_answer_that_stalls_over_h2_is_a_reset() {
    let (origin, open) = stalling("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    let world = world(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let request = http::Request::get("https://api.test/").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "half");
    let end = tokio::time::timeout(IDLE * 4, body.data()).await.expect("it ends");
    assert!(end.is_some_and(|data| data.is_err()), "by a reset");
    assert_stalled(&world, "nothing moved for 0.7 s").await;
    assert_closed(&open).await;
}

#[tokio::test]
async fn what_moves_is_not_cut_however_long_it_takes() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let request = read_message(&mut stream).await.unwrap();
        write(&mut stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..5 {
            tokio::time::sleep(IDLE / 2).await;
            write(&mut stream, "2\r\nx\n\r\n").await;
        }
        write(&mut stream, format!("{:x}\r\n", request.body.len())).await;
        write(&mut stream, [&request.body[..], b"\r\n0\r\n\r\n"].concat()).await;
    })
    .await;
    let world = world(&origin).await;
    let mut stream = world.tls(HOST).await;
    write(&mut stream, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\n").await;
    for byte in ["h", "e", "l", "l", "o"] {
        tokio::time::sleep(IDLE / 2).await;
        write(&mut stream, byte).await;
    }
    let answer = tokio::time::timeout(IDLE * 8, read_message(&mut stream)).await.unwrap().unwrap();
    assert_eq!(answer.body, b"x\nx\nx\nx\nx\nhello");
    assert_eq!(world.events(1).await[0]["decision"], "allowed");
}

#[tokio::test]
async fn a_request_body_that_stalls_is_refused_and_its_upstream_freed() {
    let (origin, open) = stalling("").await;
    let world = world(&origin).await;
    let mut stream = world.tls(HOST).await;
    write(&mut stream, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 9\r\n\r\nhalf").await;
    let (answer, _) = read_to_end(&mut stream).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("code=limit-exceeded"), "{answer}");
    assert_stalled(&world, "nothing of the request body moved for 0.7 s").await;
    assert_closed(&open).await;
}

#[tokio::test]
async fn a_request_body_that_stalls_after_its_answer_is_cut() {
    let (origin, open) = stalling("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let world = world(&origin).await;
    let mut stream = world.tls(HOST).await;
    write(&mut stream, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 9\r\n\r\nhalf").await;
    let (answer, _) = read_to_end(&mut stream).await;
    assert!(answer.ends_with(b"ok"), "{}", String::from_utf8_lossy(&answer));
    assert_stalled(&world, "nothing moved for 0.7 s").await;
    assert_closed(&open).await;
}

/// More than all buffers on the way hold.
const LARGE: usize = 64 * 1024 * 1024;

#[tokio::test]
async fn an_agent_that_reads_nothing_loses_its_place() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let count = count.clone();
        async move {
            let _head = read_head(&mut stream).await;
            write(&mut stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n")).await;
            let piece = vec![b'x'; 64 * 1024];
            while stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
            count.store(usize::MAX, Ordering::SeqCst);
        }
    })
    .await;
    let world = world(&origin).await;
    let mut stream = world.tls(HOST).await;
    write(&mut stream, GET).await;
    assert_stalled(&world, "nothing moved for 0.7 s").await;
    assert_eq!(hung_up(&sent).await, usize::MAX, "the upstream's leg is kept");
    assert!(!read_to_end(&mut stream).await.1, "cut");

    sent.store(0, Ordering::SeqCst);
    let world = self::world(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let request = http::Request::get("https://api.test/").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_stalled(&world, "nothing moved for 0.7 s").await;
    assert_eq!(hung_up(&sent).await, usize::MAX, "the upstream's leg is kept");
    let mut last = body.data().await;
    while let Some(Ok(_)) = last {
        last = body.data().await;
    }
    assert!(last.is_some_and(|data| data.is_err()), "reset");
}

async fn hung_up(sent: &AtomicUsize) -> usize {
    for _ in 0..250 {
        if sent.load(Ordering::SeqCst) == usize::MAX {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent.load(Ordering::SeqCst)
}

/// An upstream that answered and takes nothing of a large body: by h1 its socket is full, by h2 its window.
#[tokio::test]
async fn an_upstream_that_reads_nothing_is_given_up() {
    let gone = Arc::new(tokio::sync::Notify::new());
    let (tell_h1, tell_h2) = (gone.clone(), gone.clone());
    let h1 = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let tell = tell_h1.clone();
        async move {
            let _head = read_head(&mut stream).await;
            write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            tokio::time::sleep(IDLE * 3).await;
            // By then it is closed: what was sent is there, and then an end or a reset.
            while let Ok(1..) = stream.read(&mut [0; 64 * 1024]).await {}
            tell.notify_one();
        }
    })
    .await;
    let h2 = Origin::tls(&[b"h2"], move |stream| {
        let tell = tell_h2.clone();
        async move {
            h2_server(stream, move |request, mut respond| {
                let tell = tell.clone();
                async move {
                    let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                    body.send_data(Bytes::from_static(b"ok"), true).unwrap();
                    // Holds the window shut.
                    let _request = request;
                    let reset = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
                    assert_eq!(reset.unwrap(), h2::Reason::CANCEL);
                    tell.notify_one();
                }
            })
            .await;
        }
    })
    .await;
    for origin in [h1, h2] {
        let world = world(&origin).await;
        let mut stream = world.tls(HOST).await;
        let head = format!("POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: {LARGE}\r\n\r\n");
        write(&mut stream, head).await;
        let (mut read, mut write) = tokio::io::split(stream);
        let sending = tokio::spawn(async move {
            let piece = vec![b'x'; 64 * 1024];
            while write.write_all(&piece).await.is_ok() {}
        });
        let mut all = Vec::new();
        // Cut by a reset, or ended by one that came first.
        let _cut =
            tokio::time::timeout(Duration::from_secs(8), read.read_to_end(&mut all)).await.expect("an end");
        assert!(String::from_utf8_lossy(&all).contains("HTTP/1.1 200 "));
        assert_stalled(&world, "nothing moved for 0.7 s").await;
        tokio::time::timeout(Duration::from_secs(8), gone.notified())
            .await
            .expect("the upstream's leg is kept");
        sending.await.unwrap();
    }
}

/// The same before any answer.
#[tokio::test]
async fn an_upstream_that_neither_reads_nor_answers_is_given_up() {
    let origin = Origin::tls(&[b"http/1.1"], |mut stream: Io| async move {
        let _head = read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let world = world(&origin).await;
    let mut stream = world.tls(HOST).await;
    let head = format!("POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: {LARGE}\r\n\r\n");
    write(&mut stream, head).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        let piece = vec![b'x'; 64 * 1024];
        while write.write_all(&piece).await.is_ok() {}
    });
    let mut answer = [0; 13];
    let answered = tokio::time::timeout(Duration::from_secs(8), read.read_exact(&mut answer)).await;
    answered.expect("an answer in time").expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413 ");
    assert_stalled(&world, "nothing of the request body moved for 0.7 s").await;
    drop(read);
    sending.await.unwrap();
}
