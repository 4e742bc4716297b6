//! Whatever a client might do with HTTP, said back.
use super::body::{Answer, Asked, full, json, status, stream, text, typed};
use super::websocket;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::io::AsyncReadExt;

const MIB: usize = 1024 * 1024;

pub(crate) async fn answer(asked: Asked) -> Answer {
    match asked.path.as_str() {
        "/headers" => json(&headers(&asked)),
        "/upload" => upload(asked).await,
        "/big" => big(asked.query.parse().unwrap_or(1)),
        "/chunked" => {
            stream("text/plain", vec!["one ".into(), "two ".into(), "three\n".into()], Duration::ZERO)
        }
        "/sse" => stream(
            "text/event-stream",
            (0..3).map(|n| format!("data: {n}\n\n")).collect(),
            Duration::from_millis(300),
        ),
        "/gzip" => compressed("gzip").await,
        "/br" => compressed("br").await,
        "/redirect" => {
            Response::builder().status(302).header("location", "/headers").body(full("")).expect("an answer")
        }
        "/ws" => websocket::echo(asked),
        "/echo.Echo/Say" => grpc(asked).await,
        "/" => text("hello from the world\n"),
        _ => status(404, "no such echo\n"),
    }
}

fn headers(asked: &Asked) -> serde_json::Value {
    let headers: serde_json::Map<_, _> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    serde_json::json!({
        "method": asked.method.as_str(), "path": asked.path, "query": asked.query,
        "version": format!("{:?}", asked.version), "headers": headers,
    })
}

async fn upload(asked: Asked) -> Answer {
    let (mut sha, mut bytes) = (Sha256::new(), 0);
    let mut body = BodyStream::new(asked.request.into_body());
    while let Some(frame) = body.next().await {
        let Ok(frame) = frame else { return status(400, "the body broke off") };
        let data = frame.into_data().unwrap_or_default();
        bytes += data.len();
        sha.update(&data);
    }
    let sha: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    json(&serde_json::json!({ "bytes": bytes, "sha256": sha }))
}

/// So many MiB, made as they are read.
fn big(mib: usize) -> Answer {
    let piece = Bytes::from(vec![b'x'; MIB]);
    let frames = futures_util::stream::iter((0..mib).map(move |_| Ok(Frame::data(piece.clone()))));
    let body = StreamBody::new(frames).boxed_unsync();
    Response::builder().header("content-length", mib * MIB).body(body).expect("an answer")
}

async fn compressed(coding: &str) -> Answer {
    let plain = "compressed hello\n".repeat(100);
    let mut bytes = Vec::new();
    let read = match coding {
        "gzip" => GzipEncoder::new(plain.as_bytes()).read_to_end(&mut bytes).await,
        _ => BrotliEncoder::new(plain.as_bytes()).read_to_end(&mut bytes).await,
    };
    read.expect("memory can be compressed");
    let mut answer = typed(200, "text/plain", bytes);
    answer.headers_mut().insert("content-encoding", coding.parse().expect("a coding"));
    answer
}

/// The message back, then the trailers without which a gRPC client fails.
async fn grpc(asked: Asked) -> Answer {
    let message = asked.body().await;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    let frames = [Ok(Frame::data(message)), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    Response::builder().header("content-type", "application/grpc").body(body).expect("an answer")
}
