//! Threats 6, 17 and 18: WebSockets, opened by either version and read message by message.
use super::world::{HOST, Io, Origin, SECRET, Setup, World, everywhere, listen, say};
use egress::upstream::websocket_accept;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A client's frame, masked.
pub(crate) fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126, "the tests' frames are short");
    let mask = [1, 2, 3, 4];
    let length = u8::try_from(payload.len()).unwrap();
    let masked = payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]);
    [if fin { 0x80 } else { 0 } | opcode, 0x80 | length].into_iter().chain(mask).chain(masked).collect()
}

/// Reads one frame: its first byte and its payload in the clear.
pub(crate) async fn read_frame(stream: &mut Io) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let second = stream.read_u8().await.ok()?;
    let length = match second & 0x7f {
        126 => usize::from(stream.read_u16().await.ok()?),
        127 => usize::try_from(stream.read_u64().await.ok()?).ok()?,
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await.ok()?;
    }
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    payload.iter_mut().enumerate().for_each(|(index, byte)| *byte ^= mask[index % 4]);
    Some((first, payload))
}

pub(crate) fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&[0x80 | opcode, u8::try_from(payload.len()).unwrap()][..], payload].concat()
}

pub(crate) type Log = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

/// Accepts handshakes, keeps what it hears and echoes data messages.
pub(crate) async fn echo() -> (Origin, Log, Arc<Mutex<String>>) {
    let (log, head) = (Log::default(), Arc::<Mutex<String>>::default());
    let (kept, kept_head) = (log.clone(), head.clone());
    let origin = Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let (log, head) = (kept.clone(), kept_head.clone());
        async move {
            let request = super::world::read_message(&mut stream).await.unwrap();
            let key = request.head.lines().find_map(|line| line.to_lowercase().starts_with("sec-websocket-key: ").then(|| line[19..].to_owned()));
            let accept = websocket_accept(key.unwrap().as_bytes());
            *head.lock().unwrap() = request.head;
            let answer = format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
            // The first frame in the same write as the head: it must not be lost.
            let hello = [answer.as_bytes(), &server_frame(1, b"hello")].concat();
            stream.write_all(&hello).await.unwrap();
            stream.flush().await.unwrap();
            while let Some((first, payload)) = read_frame(&mut stream).await {
                log.lock().unwrap().push((first, payload.clone()));
                let opcode = match first & 0x0f {
                    9 => 10,
                    opcode => opcode,
                };
                if stream.write_all(&server_frame(opcode, &payload)).await.is_err() || first & 0x0f == 8 {
                    return;
                }
                let _gone = stream.flush().await;
            }
        }
    })
    .await;
    (origin, log, head)
}

pub(crate) async fn open(world: &World, host: &str) -> (Io, String) {
    let mut stream = world.tls(host).await;
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(answer).unwrap())
}

async fn placeholder_world(origin: &Origin) -> World {
    World::new(origin, Setup { auth: Some(everywhere()), ..Setup::default() }).await
}

#[tokio::test]
async fn frames_pass_both_ways_from_the_first() {
    let (origin, log, _) = echo().await;
    let world = World::new(&origin, Setup::default()).await;
    let (mut stream, head) = open(&world, HOST).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(&websocket_accept(KEY.as_bytes())), "{head}");
    assert_eq!(read_frame(&mut stream).await, Some((0x81, b"hello".to_vec())));
    stream.write_all(&frame(true, 2, b"\0\x01\x02")).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, Some((0x82, b"\0\x01\x02".to_vec())));
    stream.write_all(&frame(true, 8, b"\x03\xe8")).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, Some((0x88, b"\x03\xe8".to_vec())));
    drop(stream);
    assert_eq!(log.lock().unwrap().len(), 2);
    let event = &world.events(1).await[0];
    assert_eq!(
        (&event["protocol"], &event["decision"], &event["status"]),
        (&"ws".into(), &"allowed".into(), &101.into())
    );
}

#[tokio::test]
async fn messages_are_swapped_scrubbed_and_never_deflated() {
    let (origin, log, head) = echo().await;
    let world = placeholder_world(&origin).await;
    let (mut stream, answer) = open(&world, HOST).await;
    assert!(
        !head.lock().unwrap().to_lowercase().contains("permessage-deflate"),
        "what must be read is not deflated"
    );
    assert!(!answer.to_lowercase().contains("permessage-deflate"));
    assert_eq!(read_frame(&mut stream).await, Some((0x81, b"hello".to_vec())));
    let text = format!("{{\"token\":\"{}\"}}", world.placeholder);
    let (left, right) = text.as_bytes().split_at(20);
    for part in [frame(false, 1, left), frame(true, 9, b"ping"), frame(true, 0, right)] {
        stream.write_all(&part).await.unwrap();
    }
    assert_eq!(
        read_frame(&mut stream).await,
        Some((0x8a, b"ping".to_vec())),
        "a ping passes inside a message"
    );
    assert_eq!(read_frame(&mut stream).await, Some((0x81, text.into_bytes())), "the echo is scrubbed");
    let heard = log.lock().unwrap().clone();
    assert_eq!(String::from_utf8_lossy(&heard[1].1), format!("{{\"token\":\"{SECRET}\"}}"));
}

#[tokio::test]
async fn a_stray_placeholder_ends_a_websocket_in_any_frame() {
    for (opcode, split) in [(1, false), (2, false), (1, true), (9, false)] {
        let (origin, log, _) = echo().await;
        let world = World::with_credential(&origin).await;
        let (mut stream, head) = open(&world, "other.test").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let _hello = read_frame(&mut stream).await;
        let payload = world.placeholder.as_bytes();
        let sent = if split {
            let (left, right) = payload.split_at(9);
            [frame(false, opcode, left), frame(true, 0, right)].concat()
        } else {
            frame(true, opcode, payload)
        };
        stream.write_all(&sent).await.unwrap();
        let (first, reason) = read_frame(&mut stream).await.expect("a farewell");
        assert_eq!((first, &reason[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
        assert!(String::from_utf8_lossy(&reason).contains("code=secret-in-request"));
        assert!(log.lock().unwrap().is_empty(), "opcode {opcode}: {:?}", log.lock().unwrap());
        let event = &world.events(1).await[0];
        assert_eq!((&event["decision"], &event["code"]), (&"aborted".into(), &"secret-in-request".into()));
    }
}

#[tokio::test]
async fn deflated_or_malformed_frames_end_it() {
    let (origin, log, _) = echo().await;
    let world = World::with_credential(&origin).await;
    for bad in [vec![0xc1, 0x80, 0, 0, 0, 0], vec![0x81, 0x01, b'x'], vec![0x83, 0x80, 0, 0, 0, 0]] {
        let (mut stream, _) = open(&world, HOST).await;
        let _hello = read_frame(&mut stream).await;
        stream.write_all(&bad).await.unwrap();
        let farewell = read_frame(&mut stream).await;
        assert_eq!(farewell.map(|(first, _)| first), Some(0x88), "{bad:02x?}");
    }
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_websocket_gets_426_and_the_connection_ends() {
    let (origin, _, _) = echo().await;
    let world = World::new(&origin, Setup::default()).await;
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: denied.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    let mut stream = world.tls("denied.test").await;
    let first = say(&mut stream, head.as_bytes()).await;
    assert!(first.starts_with("HTTP/1.1 426 ") && first.contains("code=host-not-allowed"), "{first}");
    assert!(first.to_lowercase().contains("\r\nconnection: close\r\n"), "{first}");
    let after = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await;
    assert_eq!(after.expect("clients that read to the end get there").unwrap(), 0);
}

/// RFC 8441 towards the agent, an upgrade towards the upstream.
#[tokio::test]
async fn extended_connect_is_bridged() {
    let (origin, log, _) = echo().await;
    let world = World::with_credential(&origin).await;
    let stream = world.tls_as("api.test:443", HOST, &[b"h2"]).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    for _ in 0..100 {
        if client.is_extended_connect_protocol_enabled() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(client.is_extended_connect_protocol_enabled(), "it is announced");
    let mut request = http::Request::connect("https://api.test/ws").body(()).unwrap();
    request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    let (answer, mut up) = client.send_request(request, false).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut down = answer.into_body();
    let hello = down.data().await.unwrap().unwrap();
    assert_eq!(hello.as_ref(), server_frame(1, b"hello"));
    up.send_data(frame(true, 1, b"over h2").into(), false).unwrap();
    let echo = down.data().await.unwrap().unwrap();
    assert_eq!(echo.as_ref(), server_frame(1, b"over h2"));
    assert_eq!(log.lock().unwrap().len(), 1);
}

/// An origin that answers 200 instead: no frame of the agent's is taken for anything but HTTP.
#[tokio::test]
async fn frames_after_a_failed_handshake_are_no_request() {
    let origin = Origin::ok().await;
    let world = World::new(&origin, Setup::default()).await;
    let (mut stream, head) = open(&world, HOST).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    stream.write_all(&frame(true, 1, b"hello")).await.unwrap();
    stream.write_all(b"\n").await.unwrap();
    let rest = listen(&mut stream).await;
    assert!(rest.contains("code=malformed-request"), "{rest}");
    assert_eq!(origin.heard().len(), 1);
}

/// One in which nothing moves ends, and its event says why.
#[tokio::test]
async fn a_websocket_in_which_nothing_moves_ends() {
    let (origin, _, _) = echo().await;
    let limits = egress::Limits { stream_idle_time: Duration::from_millis(600), ..egress::Limits::default() };
    let world = World::new(&origin, Setup { limits, ..Setup::default() }).await;
    let (mut stream, _) = open(&world, HOST).await;
    let _hello = read_frame(&mut stream).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(&frame(true, 1, b"still here")).await.unwrap();
        assert_eq!(read_frame(&mut stream).await, Some((0x81, b"still here".to_vec())));
    }
    let end = tokio::time::timeout(Duration::from_secs(5), read_frame(&mut stream)).await.expect("it ends");
    assert_eq!(end, None);
    let event = &world.events(1).await[0];
    assert_eq!(
        (&event["decision"], &event["code"]),
        (&"aborted".into(), &"limit-exceeded".into()),
        "{event}"
    );
    assert!(
        event["reason"].as_str().unwrap().contains("nothing moved in the WebSocket for 0.6 s"),
        "{event}"
    );
}
