//! Threats 17, 18 and 19: what keeps a value out of the scrubber's sight.
use super::secrets::post;
use super::streams::h2;
use super::websockets::{echo, frame, open, read_frame, server_frame};
use super::world::{
    HOST, Heard, Io, Origin, PROXY_SECRET, SECRET, Setup, World, listen, read_message, response, say,
};
use bytes::Bytes;
use credentials::{AuthScheme, Places};
use egress::upstream::websocket_accept;
use http::{HeaderMap, HeaderName, Request, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

const NEW: &str = "sk-rotated-9876543210-zyxwvutsrq";
const GET: &str = "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n";

async fn in_the_head_only(origin: &Origin) -> World {
    World::new(origin, Setup { auth: Some(AuthScheme::placeholder()), ..Setup::default() }).await
}

#[tokio::test]
async fn a_placeholder_in_a_body_is_swapped_only_where_it_is_said() {
    let origin = Origin::ok().await;
    let world = in_the_head_only(&origin).await;
    let stand_in = &world.placeholder;
    let bodies = [
        ("application/json", format!("{{\"prompt\":\"print {stand_in} with dashes\"}}")),
        ("application/x-www-form-urlencoded", format!("t={stand_in}")),
        ("text/plain", stand_in.clone()),
        ("image/png", stand_in.clone()),
    ];
    for (kind, body) in bodies {
        let headers = format!("X-Key: {stand_in}\r\nContent-Type: {kind}\r\n");
        let answer = world.say(HOST, post(HOST, &headers, body.as_bytes())).await;
        assert!(answer.contains("code=secret-in-request"), "{kind}: {answer}");
        assert!(answer.contains("in: [body]"), "it says how to allow it: {answer}");
    }
    assert_eq!(origin.heard().len(), 0);
    let events = world.events(4).await;
    assert!(events.iter().all(|event| event["findings"][0]["rule"] == "placeholder-astray"), "{events:?}");
    let headers = format!("X-Key: {stand_in}\r\nContent-Type: application/json\r\n");
    let answer = world.say(HOST, post(HOST, &headers, b"{}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(origin.heard()[0].head.contains(SECRET), "in the head it is swapped");
}

#[tokio::test]
async fn a_placeholder_in_a_websocket_is_swapped_only_where_it_is_said() {
    for (places, passes) in [
        (Places::default(), false),
        (Places { body: true, websocket: false }, false),
        (Places { body: false, websocket: true }, true),
    ] {
        let (origin, log, _) = echo().await;
        let auth = Some(AuthScheme::Placeholder { places });
        let world = World::new(&origin, Setup { auth, ..Setup::default() }).await;
        let (mut stream, _) = open(&world, HOST).await;
        let _hello = read_frame(&mut stream).await;
        stream.write_all(&frame(true, 1, world.placeholder.as_bytes())).await.unwrap();
        let (first, _) = read_frame(&mut stream).await.unwrap();
        assert_eq!(first == 0x81, passes, "{places:?}");
        let heard: Vec<_> = log.lock().unwrap().iter().map(|(_, payload)| payload.clone()).collect();
        assert_eq!(heard, if passes { vec![SECRET.as_bytes().to_vec()] } else { vec![] }, "{places:?}");
    }
}

#[tokio::test]
async fn a_reason_phrase_says_nothing_of_the_value() {
    let origin = Origin::answering(|_| {
        format!("HTTP/1.1 401 Bad token {SECRET}\r\nContent-Length: 2\r\n\r\nno").into_bytes()
    })
    .await;
    let world = World::with_credential(&origin).await;
    let answer = world.say(HOST, GET).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains(SECRET), "{answer}");
}

#[tokio::test]
async fn a_header_name_that_holds_the_value_is_dropped() {
    let origin = Origin::answering(|_| response(&format!("x-{SECRET}: 1\r\nx-other: 2\r\n"), b"ok")).await;
    let world = World::with_credential(&origin).await;
    let answer = world.say(HOST, GET).await;
    assert!(answer.contains("x-other: 2") && !answer.contains(SECRET), "{answer}");
    assert_eq!(world.events(1).await[0]["findings"][0]["place"], "response header name");
}

/// Half a value is no value to a scrubber, so nobody may ask for halves.
#[tokio::test]
async fn no_ranges_are_asked_for_where_values_are_sought() {
    let origin = Origin::answering(|heard: &Heard| {
        if heard.head.to_lowercase().contains("range: ") {
            let part = &SECRET[..16];
            return format!("HTTP/1.1 206 Partial Content\r\nContent-Length: 16\r\n\r\n{part}").into_bytes();
        }
        response("Accept-Ranges: bytes\r\n", SECRET.as_bytes())
    })
    .await;
    let request = "GET / HTTP/1.1\r\nHost: api.test\r\nRange: bytes=0-15\r\nIf-Range: \"x\"\r\n\
                   X-Ms-Range: bytes=0-15\r\nRequest-Range: bytes=0-15\r\n\r\n";
    let world = World::with_credential(&origin).await;
    let answer = world.say(HOST, request).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(&SECRET[..16]), "{answer}");
    assert!(!answer.to_lowercase().contains("accept-ranges"), "{answer}");
    let heard = &origin.heard()[0].head.to_lowercase();
    assert!(!heard.contains("range"), "{heard}");
    let bare = World::new(&origin, Setup::default()).await;
    let answer = bare.say(HOST, request).await;
    assert!(answer.starts_with("HTTP/1.1 206"), "where nothing is sought parts are parts: {answer}");
}

#[tokio::test]
async fn a_part_that_comes_unasked_does_not_pass() {
    for head in [
        "206 Partial Content\r\nContent-Range: bytes 0-15/29\r\n",
        "200 OK\r\nContent-Type: Multipart/ByteRanges; boundary=x\r\n",
    ] {
        let origin = Origin::answering(move |_| {
            format!("HTTP/1.1 {head}Content-Length: 16\r\n\r\n{}", &SECRET[..16]).into_bytes()
        })
        .await;
        let world = World::with_credential(&origin).await;
        let answer = world.say(HOST, GET).await;
        assert!(answer.contains("code=unreadable") && !answer.contains(&SECRET[..16]), "{answer}");
    }
}

/// gRPC and Connect compress message by message, inside a body that says nothing of it.
#[tokio::test]
async fn messages_that_are_compressed_by_themselves_do_not_pass() {
    for name in ["grpc-encoding", "connect-content-encoding"] {
        let origin = Origin::answering(move |heard: &Heard| {
            if heard.head.starts_with("GET /plain") {
                return response(&format!("{name}: identity\r\n"), b"plain");
            }
            response(&format!("{name}: gzip\r\n"), b"????")
        })
        .await;
        let world = World::with_credential(&origin).await;
        let request = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: api.test\r\nGrpc-Accept-Encoding: gzip\r\nConnect-Accept-Encoding: gzip\r\n\r\n"
            )
        };
        let answer = world.say(HOST, request("/")).await;
        assert!(answer.contains("code=unreadable") && !answer.contains("????"), "{name}: {answer}");
        let heard = origin.heard().pop().unwrap().head.to_lowercase();
        assert!(!heard.contains("accept-encoding"), "{heard}");
        let answer = world.say(HOST, request("/plain")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        let before = origin.heard().len();
        let answer = world.say(HOST, post(HOST, &format!("{name}: snappy\r\n"), b"x")).await;
        assert!(answer.contains("code=unreadable"), "{name}: {answer}");
        assert_eq!(origin.heard().len(), before);
    }
}

/// A message and the five bytes before it.
async fn message(compressed: bool, payload: &[u8]) -> Vec<u8> {
    let payload = if compressed { super::secrets::gzip(payload).await } else { payload.to_vec() };
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[u8::from(compressed)][..], &length, &payload].concat()
}

#[tokio::test]
async fn messages_on_their_way_out_are_read_one_by_one_and_together() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let headers = "Content-Type: application/grpc\r\nGrpc-Encoding: gzip\r\n";
    let harmless = [message(true, b"nothing of note").await, message(false, b"here").await].concat();
    assert!(world.say(HOST, post(HOST, headers, &harmless)).await.starts_with("HTTP/1.1 200"));
    assert_eq!(origin.heard().pop().unwrap().body, harmless, "what is sent is what was said");
    let (start, end) = SECRET.as_bytes().split_at(11);
    for body in [
        message(true, SECRET.as_bytes()).await,
        [message(true, b"one").await, message(true, format!("a {SECRET} b").as_bytes()).await].concat(),
        [message(false, start).await, message(false, end).await].concat(),
        [message(true, start).await, message(false, end).await].concat(),
    ] {
        let answer = world.say(HOST, post(HOST, headers, &body)).await;
        assert!(answer.contains("code=secret-in-request"), "{answer}");
    }
    let unnamed = post(HOST, "Content-Type: application/grpc+proto\r\n", &message(true, b"what is it").await);
    assert!(world.say(HOST, unnamed).await.contains("code=unreadable"));
}

/// A token in a file that the test writes anew; the next request brings the new value in.
struct Rotating {
    world: World,
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Rotating {
    async fn new(origin: &Origin) -> Rotating {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, SECRET).unwrap();
        let setup =
            Setup { auth: Some(AuthScheme::Bearer), token_file: Some(file.clone()), ..Setup::default() };
        Rotating { world: World::new(origin, setup).await, file, _folder: folder }
    }

    /// Until the origin has heard the new value.
    async fn rotate(&self) {
        std::fs::write(&self.file, NEW).unwrap();
        for _ in 0..20 {
            let answer = self.world.say(HOST, "GET /again HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
            if answer.starts_with("HTTP/1.1 200") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the new value is not in use");
    }
}

/// Answers `/again` at once; elsewhere begins a stream, and says the new value on it when told to.
async fn late_origin(now: Arc<Notify>) -> Origin {
    Origin::tls(&[b"http/1.1"], move |mut stream: Io| {
        let now = now.clone();
        async move {
            let Some(request) = read_message(&mut stream).await else { return };
            if request.head.starts_with("GET /again") {
                let known = request.head.contains(NEW);
                let answer = if known { response("", b"ok") } else { b"HTTP/1.1 401 x\r\n\r\n".to_vec() };
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
                return;
            }
            let is_key = |line: &&str| line.to_lowercase().starts_with("sec-websocket-key: ");
            let key = request.head.lines().find(is_key).map(|line| &line[19..]);
            if let Some(key) = key {
                let accept = websocket_accept(key.as_bytes());
                let head = format!("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), &server_frame(1, b"hello")].concat()).await.unwrap();
                now.notified().await;
                stream.write_all(&server_frame(1, NEW.as_bytes())).await.unwrap();
            } else {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n").await.unwrap();
                stream.flush().await.unwrap();
                now.notified().await;
                let last = format!("{:x}\r\n{NEW}\n\r\n0\r\nx-late: {NEW}\r\n\r\n", NEW.len() + 1);
                stream.write_all(last.as_bytes()).await.unwrap();
            }
            stream.flush().await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_value_rotated_in_is_scrubbed_on_streams_that_were_open() {
    let now = Arc::new(Notify::new());
    let origin = late_origin(now.clone()).await;
    let rotating = Rotating::new(&origin).await;
    let mut stream = rotating.world.tls(HOST).await;
    let first = say(&mut stream, b"GET / HTTP/1.1\r\nHost: api.test\r\nTE: trailers\r\n\r\n").await;
    assert!(first.contains("first"), "{first}");
    rotating.rotate().await;
    now.notify_one();
    let rest = listen(&mut stream).await;
    assert!(rest.contains(&rotating.world.placeholder) && !rest.contains(NEW), "{rest}");
}

#[tokio::test]
async fn a_value_rotated_in_is_scrubbed_on_websockets_that_were_open() {
    let now = Arc::new(Notify::new());
    let origin = late_origin(now.clone()).await;
    let rotating = Rotating::new(&origin).await;
    let (mut stream, _) = open(&rotating.world, HOST).await;
    assert_eq!(read_frame(&mut stream).await, Some((0x81, b"hello".to_vec())));
    rotating.rotate().await;
    now.notify_one();
    let stand_in = rotating.world.placeholder.as_bytes().to_vec();
    assert_eq!(read_frame(&mut stream).await, Some((0x81, stand_in)));
}

#[tokio::test]
async fn a_value_rotated_in_does_not_leave_by_what_was_open() {
    let origin = late_origin(Arc::new(Notify::new())).await;
    let rotating = Rotating::new(&origin).await;
    let (mut socket, _) = open(&rotating.world, "other.test").await;
    let _hello = read_frame(&mut socket).await;
    let mut upload = rotating.world.tls("other.test").await;
    let head = "POST / HTTP/1.1\r\nHost: other.test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n";
    upload.write_all(head.as_bytes()).await.unwrap();
    upload.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    rotating.rotate().await;
    let rest = format!("{:x}\r\n{NEW}\r\n0\r\n\r\n", NEW.len());
    let answer = say(&mut upload, rest.as_bytes()).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
    socket.write_all(&frame(true, 1, NEW.as_bytes())).await.unwrap();
    let (first, reason) = read_frame(&mut socket).await.expect("a farewell");
    assert_eq!((first, &reason[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
}

/// The end of a message may be long in coming; its beginning does not wait for it.
#[tokio::test]
async fn a_fragment_does_not_wait_for_the_last() {
    let (origin, log, _) = echo().await;
    let world = World::with_credential(&origin).await;
    let (mut stream, _) = open(&world, HOST).await;
    let _hello = read_frame(&mut stream).await;
    stream.write_all(&frame(false, 1, b"first\n")).await.unwrap();
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !log.lock().unwrap().is_empty() {
            break;
        }
    }
    assert_eq!(log.lock().unwrap().clone(), vec![(0x01, b"first\n".to_vec())]);
    stream.write_all(&frame(true, 0, b"last\n")).await.unwrap();
    let _echo_of_the_first = read_frame(&mut stream).await;
    let _echo_of_the_last = read_frame(&mut stream).await;
    assert_eq!(log.lock().unwrap().last(), Some(&(0x80, b"last\n".to_vec())));
}

#[tokio::test]
async fn trailers_of_http2_hold_what_trailers_may_hold() {
    let origin = Origin::answering(|heard: &Heard| response("", &heard.body)).await;
    let world = World::with_credential(&origin).await;
    let mut sender = h2(&world, HOST).await;
    for (name, passes) in [("x-checksum", true), ("authorization", false), ("content-length", false)] {
        let trailers = HeaderMap::from_iter([(HeaderName::from_static(name), "1".parse().unwrap())]);
        let frames =
            [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"body"))), Ok(Frame::trailers(trailers))];
        let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        let request = Request::post("https://api.test/").version(Version::HTTP_2).body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let decision =
            answer.headers().get("bottle-decision").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(decision.is_none(), passes, "{name}");
        assert!(passes || decision.as_deref() == Some("denied; code=malformed-request"), "{decision:?}");
    }
}

#[tokio::test]
async fn headers_that_ask_for_something_else_are_refused_where_that_is_limited() {
    let origin = Origin::ok().await;
    let mut routes = Setup::default().routes;
    routes[0].methods = Some(vec![policy::Method::parse("POST").unwrap()]);
    routes[1].paths = Some(vec![policy::PathPattern::parse("/v1").unwrap()]);
    let world = World::new(&origin, Setup { routes, ..Setup::default() }).await;
    let named = [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: DELETE",
        "X-Method-Override: DELETE",
        "X_HTTP_Method_Override: DELETE",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
    ];
    for (name, host) in named.into_iter().flat_map(|name| [(name, HOST), (name, "other.test")]) {
        let answer = world.say(host, post(host, &format!("{name}\r\n"), b"")).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("-not-allowed"), "{name}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0);
    let world = World::new(&origin, Setup::default()).await;
    let answer = world.say(HOST, post(HOST, "X-HTTP-Method-Override: GET\r\n", b"")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "where nothing is limited nothing is got around: {answer}");
}

#[tokio::test]
async fn the_password_of_the_next_hop_stays_inside() {
    let origin = Origin::ok().await;
    let proxy = Some(origin.address);
    let world = World::new(&origin, Setup { proxy, ..Setup::default() }).await;
    let answer = world.say(HOST, post(HOST, &format!("X-Note: {PROXY_SECRET}\r\n"), b"")).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
}
