//! Threats 12, 16, 17, 18: the credential goes where it is bound, is found elsewhere, and never comes back.
use super::world::{HOST, Heard, Origin, SECRET, Setup, World, everywhere, response, say};
use async_compression::tokio::write as encode;
use credentials::AuthScheme;
use egress::DlpAction;
use tokio::io::{AsyncWrite, AsyncWriteExt};

async fn placeholder_world(origin: &Origin) -> World {
    World::new(origin, Setup { auth: Some(everywhere()), ..Setup::default() }).await
}

pub(crate) async fn gzip(bytes: &[u8]) -> Vec<u8> {
    encoded(encode::GzipEncoder::new(Vec::new()), bytes).await
}

/// The value among text that compresses: a coder then squeezes the value too, instead of storing it as it is.
fn among(value: &str) -> Vec<u8> {
    let text = "all work and no play makes a long day, ".repeat(60);
    format!("{text}{value} {text}").into_bytes()
}

pub(crate) async fn encoded<W: AsyncWrite + Unpin + IntoBytes>(mut encoder: W, bytes: &[u8]) -> Vec<u8> {
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_bytes()
}

pub(crate) trait IntoBytes {
    fn into_bytes(self) -> Vec<u8>;
}
macro_rules! into_bytes {
    ($($encoder:ident),*) => {
        $(impl IntoBytes for encode::$encoder<Vec<u8>> {
            fn into_bytes(self) -> Vec<u8> {
                self.into_inner()
            }
        })*
    };
}
into_bytes!(GzipEncoder, BrotliEncoder, ZstdEncoder, ZlibEncoder, DeflateEncoder);

pub(crate) fn post(host: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST /v1 HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn the_agents_own_value_gives_way_to_the_credential() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let head = format!(
        "GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {}\r\nAuthorization: x\r\n\r\n",
        world.placeholder
    );
    let answer = world.say(HOST, head).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let heard = &origin.heard()[0].head;
    assert_eq!(heard.to_lowercase().matches("authorization").count(), 1, "{heard}");
    assert!(heard.contains(&format!("Bearer {SECRET}")), "{heard}");
    let event = &world.events(1).await[0];
    assert_eq!(event["credential"], "EGRESS_TOKEN_0");
    assert!(!event.to_string().contains(SECRET));
}

#[tokio::test]
async fn a_placeholder_is_swapped_wherever_its_route_sees_it() {
    let origin = Origin::ok().await;
    let world = placeholder_world(&origin).await;
    let stand_in = &world.placeholder;
    let json = format!("{{\"refresh_token\":\"{stand_in}\"}}");
    for (request, place) in [
        (format!("GET / HTTP/1.1\r\nHost: api.test\r\nX-Key: {stand_in}\r\n\r\n").into_bytes(), "a header"),
        (format!("GET /?key={stand_in} HTTP/1.1\r\nHost: api.test\r\n\r\n").into_bytes(), "the query"),
        (post(HOST, "Content-Type: application/json\r\n", json.as_bytes()), "JSON"),
        (
            post(
                HOST,
                "Content-Type: application/x-www-form-urlencoded\r\n",
                format!("t={stand_in}&x=1").as_bytes(),
            ),
            "a form",
        ),
    ] {
        let answer = world.say(HOST, request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{place}: {answer}");
        let heard = origin.heard().pop().unwrap();
        let all = format!("{}{}", heard.head, String::from_utf8_lossy(&heard.body));
        assert!(all.contains(SECRET) && !all.contains(stand_in.as_str()), "{place}: {all}");
    }
}

#[tokio::test]
async fn a_placeholder_split_over_chunks_is_swapped_and_found() {
    let origin = Origin::ok().await;
    let world = placeholder_world(&origin).await;
    let (left, right) = world.placeholder.split_at(11);
    let body = format!("{:x}\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\n\r\n", left.len(), right.len());
    let request = |host: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        )
    };
    let answer = world.say(HOST, request(HOST)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(String::from_utf8_lossy(&origin.heard()[0].body), SECRET);
    let answer = world.say("other.test", request("other.test")).await;
    assert!(answer.contains("code=secret-in-request"), "{answer}");
    assert_eq!(origin.heard().len(), 1);
}

#[tokio::test]
async fn a_placeholder_elsewhere_is_a_finding_in_every_place_and_coding() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let stand_in = world.placeholder.as_bytes();
    let text = &world.placeholder;
    let hidden = among(text);
    let squeezed = gzip(&hidden).await;
    assert!(
        !squeezed.windows(stand_in.len()).any(|part| part == stand_in),
        "it does not stand there as it is"
    );
    let brotli = encoded(encode::BrotliEncoder::new(Vec::new()), &hidden).await;
    let zstd = encoded(encode::ZstdEncoder::new(Vec::new()), &hidden).await;
    let deflate = encoded(encode::ZlibEncoder::new(Vec::new()), &hidden).await;
    let twice = gzip(&brotli).await;
    let other = "other.test";
    for (request, place) in [
        (format!("GET /{text} HTTP/1.1\r\nHost: other.test\r\n\r\n").into_bytes(), "path"),
        (format!("GET /?a={text} HTTP/1.1\r\nHost: other.test\r\n\r\n").into_bytes(), "query"),
        (format!("GET / HTTP/1.1\r\nHost: other.test\r\nUser-Agent: {text}\r\n\r\n").into_bytes(), "header"),
        (format!("GET / HTTP/1.1\r\nHost: other.test\r\nX-{text}: 1\r\n\r\n").into_bytes(), "header name"),
        (post(other, "Content-Type: image/png\r\n", stand_in), "body"),
        (post(other, "Content-Encoding: gzip\r\n", &gzip(&hidden).await), "gzip"),
        (post(other, "", &gzip(&hidden).await), "gzip without its header"),
        (post(other, "", &zstd), "zstd without its header"),
        (post(other, "Content-Encoding: br\r\n", &brotli), "br"),
        (post(other, "Content-Encoding: zstd\r\n", &zstd), "zstd"),
        (post(other, "Content-Encoding: deflate\r\n", &deflate), "deflate"),
        (post(other, "Content-Encoding: br, gzip\r\n", &twice), "nested"),
        (format!("POST / HTTP/1.1\r\nHost: other.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: {text}\r\n\r\n").into_bytes(), "trailer"),
    ] {
        let answer = world.say(other, request).await;
        assert!(answer.contains("code=secret-in-request"), "{place}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0, "{:?}", origin.heard());
    let events = world.events(13).await;
    assert!(events.iter().all(|event| event["findings"][0]["rule"] == "placeholder-astray"), "{events:?}");
    assert!(
        events.iter().all(|event| !event.to_string().contains(text.as_str())),
        "the audit holds no placeholder"
    );
}

#[tokio::test]
async fn the_value_itself_may_not_leave_even_to_its_own_host() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    let answer = world.say(HOST, post(HOST, "", SECRET.as_bytes())).await;
    assert!(answer.contains("code=secret-in-request") && !answer.contains(SECRET), "{answer}");
    let base64 = "c2stcmVhbC0wMTIzNDU2Nzg5LWFiY2RlZmdoaWo=";
    assert!(world.say(HOST, post(HOST, "", base64.as_bytes())).await.contains("code=secret-in-request"));
}

#[tokio::test]
async fn what_cannot_be_read_does_not_pass_as_clean() {
    let origin = Origin::ok().await;
    let world = World::with_credential(&origin).await;
    for (headers, body) in [
        ("Content-Encoding: compress\r\n", &b"whatever"[..]),
        ("Content-Encoding: gzip\r\n", b"this is no gzip at all"),
        ("Content-Encoding: gzip, gzip, gzip, gzip\r\n", b"x"),
    ] {
        let answer = world.say(HOST, post(HOST, headers, body)).await;
        assert!(answer.contains("code=unreadable"), "{headers}: {answer}");
    }
    assert_eq!(origin.heard().len(), 0);
    let half = gzip(b"harmless text that is long enough to have an end").await;
    let answer = world.say(HOST, post(HOST, "Content-Encoding: gzip\r\n", &half[..half.len() - 6])).await;
    assert!(answer.contains("code=unreadable"), "{answer}");
    let whole = world.say(HOST, post(HOST, "Content-Encoding: gzip\r\n", &half)).await;
    assert!(whole.starts_with("HTTP/1.1 200"), "{whole}");
    assert_eq!(origin.heard()[0].body, half, "what was scanned is what was sent");
}

#[tokio::test]
async fn redact_and_warn_do_what_they_say() {
    let origin = Origin::ok().await;
    for (action, passes) in [(DlpAction::Redact, false), (DlpAction::Warn, true)] {
        let world =
            World::new(&origin, Setup { auth: Some(AuthScheme::Bearer), action, ..Setup::default() }).await;
        let body = format!("before {} after", world.placeholder);
        let answer = world.say("other.test", post("other.test", "", body.as_bytes())).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{action:?}: {answer}");
        let heard = String::from_utf8(origin.heard().pop().unwrap().body).unwrap();
        assert_eq!(heard.contains(&world.placeholder), passes, "{action:?}: {heard}");
        assert!(heard.starts_with("before ") && heard.ends_with(" after"), "{action:?}: {heard}");
        assert_eq!(world.events(1).await[0]["findings"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn echoes_are_scrubbed_in_every_form() {
    let base64 = "c2stcmVhbC0wMTIzNDU2Nzg5LWFiY2RlZmdoaWo=";
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let forms = [SECRET.to_owned(), base64.to_owned(), hex, percent];
    for (index, form) in forms.into_iter().enumerate() {
        let (plain, echo) = (form.clone(), form.clone());
        let origin = Origin::answering(move |_| {
            response(
                &format!("X-Echo: {echo}\r\nLocation: /?t={echo}\r\nSet-Cookie: a={echo}\r\n"),
                echo.as_bytes(),
            )
        })
        .await;
        let world = World::with_credential(&origin).await;
        let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(&plain), "form {index}: {answer}");
        assert!(
            answer.contains(&world.placeholder) || index > 0,
            "the stand-in stands in its place: {answer}"
        );
    }
}

#[tokio::test]
async fn echoes_are_scrubbed_in_every_coding_and_split() {
    let echo = String::from_utf8(among(&format!("{{\"you_sent\":\"Bearer {SECRET}\"}}"))).unwrap();
    let bodies = [
        ("gzip", gzip(echo.as_bytes()).await),
        ("br", encoded(encode::BrotliEncoder::new(Vec::new()), echo.as_bytes()).await),
        ("zstd", encoded(encode::ZstdEncoder::new(Vec::new()), echo.as_bytes()).await),
        ("deflate", encoded(encode::ZlibEncoder::new(Vec::new()), echo.as_bytes()).await),
    ];
    for (coding, body) in bodies {
        let origin = Origin::answering(move |_| {
            response(&format!("Content-Encoding: {coding}\r\nETag: \"1\"\r\n"), &body)
        })
        .await;
        let world = World::with_credential(&origin).await;
        let answer = world
            .say(
                HOST,
                "GET / HTTP/1.1\r\nHost: api.test\r\nAccept-Encoding: gzip, br, zstd, deflate, dcb\r\n\r\n",
            )
            .await;
        assert!(answer.contains(&format!("Bearer {}", world.placeholder)), "{coding}: {answer}");
        assert!(
            !answer.contains("content-encoding") && answer.contains("etag: W/\"1\""),
            "{coding}: {answer}"
        );
        assert!(!origin.heard()[0].head.contains("dcb"), "what we cannot read is not asked for");
    }
    let split = Origin::answering(|_| {
        let (left, right) = SECRET.split_at(9);
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\nx-t: {SECRET}\r\n\r\n", left.len(), right.len())
            .into_bytes()
    })
    .await;
    let world = World::with_credential(&split).await;
    let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\nTE: trailers\r\n\r\n").await;
    assert!(!answer.contains(SECRET) && !answer.contains(&SECRET[..9]), "{answer}");
}

#[tokio::test]
async fn an_unreadable_echo_does_not_pass() {
    for head in ["Content-Encoding: dcb\r\n", "Content-Encoding: zstd, compress\r\n"] {
        let origin = Origin::answering(move |_| response(head, b"????")).await;
        let world = World::with_credential(&origin).await;
        let answer = world.say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await;
        assert!(answer.contains("code=unreadable") && !answer.contains("????"), "{answer}");
    }
    let part = Origin::answering(|heard: &Heard| {
        assert!(!heard.head.to_lowercase().contains("range:"), "{}", heard.head);
        b"HTTP/1.1 206 Partial Content\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx".to_vec()
    })
    .await;
    let world = World::with_credential(&part).await;
    let answer = world
        .say(HOST, "GET / HTTP/1.1\r\nHost: api.test\r\nRange: bytes=0-1\r\nAccept-Encoding: gzip\r\n\r\n")
        .await;
    assert!(answer.contains("code=unreadable"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_stay_without() {
    let origin = Origin::answering(|heard: &Heard| {
        if heard.head.starts_with("HEAD") {
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
        }
        b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nETag: \"x\"\r\n\r\n".to_vec()
    })
    .await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    for method in ["HEAD", "GET", "HEAD"] {
        let answer =
            say(&mut stream, format!("{method} / HTTP/1.1\r\nHost: api.test\r\n\r\n").as_bytes()).await;
        assert!(
            answer.ends_with("\r\n\r\n") && answer.matches("HTTP/1.1").count() == 1,
            "{method}: {answer}"
        );
    }
}

/// A bomb is scrubbed piece by piece: the connection goes on, the memory does not grow with it.
#[tokio::test]
async fn decompression_bombs_stream() {
    let bomb = gzip(&vec![0; 32 * 1024 * 1024]).await;
    assert!(bomb.len() < 64 * 1024);
    let origin = Origin::answering(move |_| response("Content-Encoding: gzip\r\n", &bomb)).await;
    let world = World::with_credential(&origin).await;
    let mut stream = world.tls(HOST).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n").await.unwrap();
    let answer = super::world::read_message(&mut stream).await.unwrap();
    assert_eq!(answer.body.len(), 32 * 1024 * 1024);
}
