//! Back-pressure through the HTTP/2 legs: what one side does not take the other may not send, and nobody else waits.
use super::legs::{assert_resets, assert_serves, get, post, send_all, soon, take_all, waiting};
use super::wire::{h2_client, h2_server, read_head};
use super::world::{HOST, Io, Origin, Setup, World};
use egress::Limits;
use h2::RecvStream;
use http::{Request, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

/// More than every window and buffer on the way together.
const LARGE: usize = 48 << 20;
/// What may be under way: both windows of a stream, both buffers before them, sockets' own and a few chunks.
const UNDER_WAY: usize = 12 << 20;

/// Until no more is sent.
async fn settled(sent: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = sent.load(Ordering::SeqCst);
        if now == before && now > 0 {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// An agent that takes nothing of an answer for a while, then all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_agent_slows_its_upstream_down_and_loses_nothing() {
    let sent = Arc::new(AtomicUsize::new(0));
    let (count_h1, count_h2) = (sent.clone(), sent.clone());
    let h1 = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let count = count_h1.clone();
        async move {
            read_head(&mut stream).await;
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let piece = vec![b'x'; 16 * 1024];
            while count.load(Ordering::SeqCst) < LARGE && stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::SeqCst);
            }
            stream.flush().await.unwrap();
            while let Ok(1..) = stream.read(&mut [0; 64]).await {}
        }
    })
    .await;
    let h2 = Origin::tls(&[b"h2"], move |stream| {
        let count = count_h2.clone();
        h2_server(stream, move |_, mut respond| {
            let count = count.clone();
            async move {
                let out = respond.send_response(Response::new(()), false).unwrap();
                send_all(out, LARGE, &count).await;
            }
        })
    })
    .await;
    for origin in [h1, h2] {
        for by_h2 in [false, true] {
            sent.store(0, Ordering::SeqCst);
            let world = World::with_credential(&origin).await;
            let taken = if by_h2 {
                let mut client = h2_client(&world, HOST).await;
                let (answer, _) = client.send_request(get("/"), true).unwrap();
                let mut body = soon("answer", answer).await.unwrap().into_body();
                let under_way = settled(&sent).await;
                assert!(under_way < UNDER_WAY, "{under_way}");
                take_all(&mut body).await
            } else {
                let mut stream = world.tls(HOST).await;
                stream.write_all(b"GET / HTTP/1.0\r\nHost: api.test\r\n\r\n").await.unwrap();
                stream.flush().await.unwrap();
                read_head(&mut stream).await;
                let under_way = settled(&sent).await;
                assert!(under_way < UNDER_WAY + (8 << 20), "{under_way}: and the socket's own buffers");
                let mut all = Vec::new();
                soon("end", stream.read_to_end(&mut all)).await.unwrap();
                all.len()
            };
            assert_eq!(taken, LARGE);
        }
    }
}

/// An upstream that takes nothing of a body for a while, then all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_upstream_slows_its_agent_down_and_loses_nothing() {
    let go = Arc::new(Notify::new());
    let wait = go.clone();
    let origin = Origin::tls(&[b"h2"], move |stream| {
        let wait = wait.clone();
        h2_server(stream, move |request, mut respond| {
            let wait = wait.clone();
            async move {
                wait.notified().await;
                let taken = take_all(&mut request.into_body()).await;
                let mut out = respond.send_response(Response::new(()), false).unwrap();
                out.send_data(taken.to_string().into(), true).unwrap();
            }
        })
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut client = h2_client(&world, HOST).await;
    let (answer, up) = client.send_request(post("/"), false).unwrap();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    tokio::spawn(async move { send_all(up, LARGE, &count).await });
    let under_way = settled(&sent).await;
    assert!(under_way < UNDER_WAY, "{under_way}");
    go.notify_one();
    let mut body = soon("answer", answer).await.unwrap().into_body();
    assert_eq!(soon("number", body.data()).await.unwrap().unwrap(), LARGE.to_string());
}

/// An upload whose upstream takes nothing is ended by itself: its stream is reset, and the connection serves on.
#[tokio::test]
async fn an_upload_that_waits_for_a_window_is_freed_alone() {
    let (origin, resets, connections) = waiting().await;
    let limits = Limits { stream_idle_time: Duration::from_millis(700), ..Limits::default() };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let mut client = h2_client(&world, HOST).await;
    for path in ["/half", "/slow"] {
        let (answer, up) = client.send_request(post(path), false).unwrap();
        let sent = AtomicUsize::new(0);
        let answered = async {
            let answer = soon("answer", answer).await.unwrap();
            let status = answer.status();
            let mut body = answer.into_body();
            let mut end = Ok(());
            while let Ok(()) = end
                && let Some(data) = soon("end", body.data()).await
            {
                end = data.map(drop);
            }
            (status, end.is_ok())
        };
        let (answered, ()) = tokio::join!(answered, send_all(up, LARGE, &sent));
        let wanted = if path == "/half" {
            (http::StatusCode::OK, false)
        } else {
            (http::StatusCode::PAYLOAD_TOO_LARGE, true)
        };
        assert_eq!(answered, wanted);
        assert!(sent.load(Ordering::SeqCst) < LARGE, "its window stayed shut");
        assert_serves(&mut client).await;
    }
    assert_resets(&resets, 2).await;
    assert_serves(&mut client).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the same connection serves on");
}

/// An agent that opens many streams and takes nothing of one: the others are not held up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_once_keep_their_bodies_apart_while_one_is_stuck() {
    let origin = Origin::tls(&[b"h2"], |stream| {
        h2_server(stream, |request: Request<RecvStream>, mut respond| async move {
            let path = request.uri().path().to_owned();
            let mut out = respond.send_response(Response::new(()), false).unwrap();
            if path == "/large" {
                return send_all(out, LARGE, &AtomicUsize::new(0)).await;
            }
            let mut body = request.into_body();
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                if !data.is_empty() {
                    out.send_data(data, false).unwrap();
                }
            }
            out.send_data(path.into(), true).unwrap();
        })
    })
    .await;
    let world = World::with_credential(&origin).await;
    let stream = world.tls_as("api.test:443", HOST, &[b"h2"]).await;
    // The stuck one has a window of its own, and all together have more.
    let mut builder = h2::client::Builder::new();
    let shaking = builder.initial_connection_window_size(1 << 20).handshake::<_, bytes::Bytes>(stream);
    let (client, connection) = shaking.await.unwrap();
    tokio::spawn(connection);
    let (stuck, _) = client.clone().send_request(get("/large"), true).unwrap();
    let stuck = soon("answer", stuck).await.unwrap();
    let exchanges = (0..200).map(|number| {
        let client = client.clone();
        async move {
            let mut client = client.ready().await.unwrap();
            let (answer, mut up) = client.send_request(post(&format!("/{number}")), false).unwrap();
            for part in 0..4 {
                up.send_data(format!("{number}-{part} ").into(), part == 3).unwrap();
                tokio::task::yield_now().await;
            }
            let mut body = soon("answer", answer).await.unwrap().into_body();
            let mut all = Vec::new();
            while let Some(data) = soon("more", body.data()).await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                all.extend_from_slice(&data);
            }
            let wanted = format!("{number}-0 {number}-1 {number}-2 {number}-3 /{number}");
            assert_eq!(String::from_utf8(all).unwrap(), wanted);
        }
    });
    futures_util::future::join_all(exchanges).await;
    drop(stuck);
    let events = world.events(201).await;
    assert_eq!(events.len(), 201, "one each");
}
