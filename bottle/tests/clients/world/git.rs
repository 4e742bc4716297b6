//! The real `git http-backend`, as CGI, behind Basic after a 401 as on every code host.
use super::super::tokens;
use super::body::{Answer, Asked, full, status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

pub(crate) async fn answer(asked: Asked, folder: &Path) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("x-access-token:{}", tokens::GIT)));
    if asked.header("authorization") != basic {
        let wanted = Response::builder().status(401).header("www-authenticate", "Basic realm=\"git\"");
        return wanted.body(full("who are you")).expect("an answer");
    }
    match backend(asked, folder).await {
        Ok(output) => cgi(&output),
        Err(error) => status(500, &error.to_string()),
    }
}

async fn backend(asked: Asked, folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder.join("repositories"))
        .env("GIT_HTTP_EXPORT_ALL", "1");
    command
        .env("REQUEST_METHOD", asked.method.as_str())
        .env("PATH_INFO", &asked.path)
        .env("QUERY_STRING", &asked.query);
    command.env("CONTENT_TYPE", asked.header("content-type")).env("REMOTE_USER", "tester");
    command.env("HTTP_CONTENT_ENCODING", asked.header("content-encoding"));
    command.env("GIT_PROTOCOL", asked.header("git-protocol"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let body = asked.body().await;
    let mut stdin = child.stdin.take().expect("it was piped");
    tokio::spawn(async move { stdin.write_all(&body).await });
    Ok(child.wait_with_output().await?.stdout)
}

/// Headers, an empty line, the body.
fn cgi(output: &[u8]) -> Answer {
    let Some(end) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return status(500, "the backend said nothing");
    };
    let mut builder = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", code)) => builder = builder.status(code.get(..3).unwrap_or("500")),
            Some((name, value)) => builder = builder.header(name, value),
            None => {}
        }
    }
    builder.body(full(output[end + 4..].to_vec())).expect("an answer")
}
