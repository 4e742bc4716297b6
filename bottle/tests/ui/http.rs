//! A client that says what it is told to, byte for byte.
use super::stage::Stage;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    stream
}

/// One request, whole, and its answer; none when the connection is closed without one.
pub(crate) fn say(port: u16, request: &str) -> Option<Reply> {
    let mut stream = connect(port);
    // Who is refused early does not read all of it.
    let _cut = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, head: head.to_lowercase().replace("\r\n", "\n"), body: body.to_owned() })
}

/// The token in a link.
pub(crate) fn token(link: &str) -> String {
    link.split_once("#token=").expect("a link").1.to_owned()
}

/// A page of ours with its session, as a browser sends what it asks.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) port: u16,
    pub(crate) session: String,
}

impl Page {
    pub(crate) fn open(stage: &Stage) -> Page {
        let port = stage.ui.port();
        let nobody = Page { port, session: String::new() };
        let said = nobody.post("/session", &format!("{{\"token\":\"{}\"}}", token(&stage.ui.link())));
        assert_eq!(said.status, 200, "{}", said.body);
        Page { port, session: said.json()["session"].as_str().expect("a session").to_owned() }
    }

    /// The headers of an order, one of them changed, or left out with an empty value.
    pub(crate) fn headers(&self, changed: &[(&str, &str)]) -> String {
        let own = format!("127.0.0.1:{}", self.port);
        let (origin, bearer) = (format!("http://{own}"), format!("Bearer {}", self.session));
        let mut all = vec![
            ("Host", own.as_str()),
            ("Origin", &origin),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/json"),
            ("Authorization", &bearer),
            ("Connection", "close"),
        ];
        for (name, value) in changed {
            all.retain(|(known, _)| known != name);
            if !value.is_empty() {
                all.push((name, value));
            }
        }
        all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }

    pub(crate) fn post_with(&self, path: &str, body: &str, changed: &[(&str, &str)]) -> Reply {
        let (headers, length) = (self.headers(changed), body.len());
        say(self.port, &format!("POST {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))
            .expect("an answer")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.post_with(path, body, &[])
    }

    pub(crate) fn get_with(&self, path: &str, changed: &[(&str, &str)]) -> Reply {
        let mut all = vec![("Content-Type", ""), ("Origin", "")];
        all.extend_from_slice(changed);
        say(self.port, &format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers(&all))).expect("an answer")
    }

    /// The stream of what happens.
    pub(crate) fn listen(&self) -> Stream {
        let mut stream = connect(self.port);
        let headers = self.headers(&[("Content-Type", ""), ("Origin", ""), ("Connection", "")]);
        stream.write_all(format!("GET /events HTTP/1.1\r\n{headers}\r\n").as_bytes()).expect("asked");
        let mut stream = Stream { reader: BufReader::new(stream), head: String::new() };
        while !stream.head.ends_with("\n\n") {
            let line = stream.line().expect("a head");
            stream.head.push_str(&format!("{}\n", line.to_lowercase()));
        }
        stream
    }
}

pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    pub(crate) head: String,
}

impl Stream {
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// The next message; none at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.line()?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The next message of this kind; others are passed over.
    #[track_caller]
    pub(crate) fn until(&mut self, say: &str) -> Value {
        let mut passed = Vec::new();
        while let Some(message) = self.next() {
            if message["say"] == say {
                return message;
            }
            passed.push(message["say"].clone());
        }
        panic!("the stream ended before `{say}`, after {passed:?}");
    }
}
