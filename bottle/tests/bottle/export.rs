//! What bottles do, told to Prometheus and to a collector of this test's own.
use crate::stage::{Stage, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// Remembers paths, heads and bodies of what was pushed; refuses so many at first.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, String, Value)>>>);

impl Collector {
    fn start(refusals: usize, refusal: &'static str) -> (Collector, u16) {
        Collector::behind(refusals, refusal, Some)
    }

    /// `wrap` puts TLS around a connection, or gives it up.
    fn behind<S: Read + Write>(
        mut refusals: usize,
        refusal: &'static str,
        wrap: impl Fn(TcpStream) -> Option<S> + Send + 'static,
    ) -> (Collector, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let collector = Collector::default();
        let pushed = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(stream) = wrap(stream) else { continue };
                let refuses = refusals > 0;
                refusals = refusals.saturating_sub(1);
                pushed.take(stream, refuses.then_some(refusal));
            }
        });
        (collector, port)
    }

    fn take(&self, stream: impl Read + Write, refusal: Option<&str>) {
        let mut reader = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            head.push_str(&std::mem::take(&mut line));
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        reader.read_exact(&mut body).expect("whole");
        let answer = if let Some(status) = refusal {
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
        } else {
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            let body = serde_json::from_slice(&body).expect("JSON");
            self.0.lock().expect("not poisoned").push((path, head, body));
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}".to_owned()
        };
        reader.get_mut().write_all(answer.as_bytes()).expect("answered");
    }

    /// The spans that were pushed, each as an object of its attributes beside its status.
    fn spans(&self) -> Vec<(Value, Value)> {
        let pushed = self.0.lock().expect("not poisoned");
        let traces = pushed.iter().filter(|(path, ..)| path == "/v1/traces");
        let spans = traces.flat_map(|(.., body)| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
        });
        spans.map(|span| (attributes(&span), span)).collect()
    }

    /// The latest sum of this name, of all points.
    fn sum(&self, name: &str) -> Option<u64> {
        let pushed = self.0.lock().expect("not poisoned");
        let (.., body) = pushed.iter().rev().find(|(path, ..)| path == "/v1/metrics")?;
        let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?;
        let metric = metrics.iter().find(|metric| metric["name"] == name)?;
        let points = metric["sum"]["dataPoints"].as_array()?;
        points.iter().map(|point| point["asInt"].as_str()?.parse::<u64>().ok()).sum()
    }
}

fn attributes(span: &Value) -> Value {
    let all = span["attributes"].as_array().expect("a list");
    let value = |attribute: &Value| attribute["value"].as_object().expect("a value").values().next().cloned();
    all.iter()
        .map(|attribute| (attribute["key"].as_str().expect("a key").to_owned(), value(attribute)))
        .map(|(key, value)| (key, value.expect("one")))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// `bottle export`, until this goes.
pub(crate) struct Exporter {
    child: Child,
    pub(crate) port: u16,
}

impl Exporter {
    pub(crate) fn start(stage: &Stage, more: &[&str]) -> Exporter {
        let arguments = [&["export", "--prometheus", "127.0.0.1:0"], more].concat();
        let mut command = stage.bottle(&arguments);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-made-up=a%20word");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bottle starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let port =
            line.trim().strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/metrics"));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("no address: {line}"));
        Exporter { child, port }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream.write_all(format!("{request}connection: close\r\n\r\n").as_bytes()).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    pub(crate) fn metrics(&self) -> String {
        self.ask(&format!("GET /metrics HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.port))
    }

    /// Ends as with Ctrl-C; what it said.
    fn end(mut self) -> String {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::INT).expect("signalled");
        let mut said = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
        assert!(self.child.wait().expect("ended").success(), "{said}");
        said
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _head = stream.read(&mut [0; 4096]);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            let _gone = stream.write_all(answer);
        }
    });
    port
}

pub(crate) fn manifest(stage: &Stage) {
    stage.manifest(&format!(
        "egress:\n  routes:\n    - host: open.test\n      name: open\n      scheme: http\n  resolve: {{ \"open.test\": \"127.0.0.1:{}\" }}\n",
        upstream()
    ));
}

pub(crate) const SCRIPT: &str = "while [ ! -e go ]; do sleep 0.05; done; \
    curl -sS -m 20 http://open.test/one; curl -sS -m 20 http://closed.test/two; \
    while [ -e go ]; do sleep 0.05; done";

#[test]
fn a_bottle_that_starts_later_is_told_to_prometheus_and_to_a_collector() {
    let stage = Stage::ordinary();
    manifest(&stage);
    let (collector, port) = Collector::start(1, "503 Busy");
    let exporter = Exporter::start(&stage, &["--by-host", "--otlp", &format!("http://127.0.0.1:{port}")]);
    let launcher = stage.start("dev", SCRIPT);
    stage.write("go", "");
    let wanted = [
        "\nbottle_up{bottle=\"dev\"} 1\n",
        "\nbottle_kill_switch 0\n",
        "\nbottle_exchanges_total{bottle=\"dev\",decision=\"allowed\",code=\"\",host=\"open.test\"} 1\n",
        "\nbottle_exchanges_total{bottle=\"dev\",decision=\"denied\",code=\"host-not-allowed\",host=\"closed.test\"} 1\n",
        "\nbottle_bytes_down_total{bottle=\"dev\",host=\"open.test\"} 5\n",
    ];
    eventually("numbers", || wanted.iter().all(|line| exporter.metrics().contains(line)));
    eventually("spans, tried again", || collector.spans().len() == 2);
    let spans = collector.spans();
    let of = |host: &str| spans.iter().find(|(told, _)| told["server.address"] == host).expect("a span");
    let (told, span) = of("open.test");
    assert_eq!((&told["http.request.method"], &told["url.path"]), (&json!("GET"), &json!("/one")));
    assert_eq!((&told["http.response.status_code"], &told["bottle.route"]), (&json!("200"), &json!("open")));
    assert_eq!((&told["bottle.slug"], &span["kind"]), (&json!("dev"), &json!(3)));
    let (told, span) = of("closed.test");
    assert_eq!(
        (&told["bottle.decision"], &told["bottle.code"]),
        (&json!("denied"), &json!("host-not-allowed"))
    );
    let trace = span["traceId"].as_str().expect("text");
    let audit = stage.run(&["logs", "dev", "--json"]).ended_with(0).out.replace('-', "");
    assert!(trace.len() == 32 && audit.contains(trace), "{trace} is no exchange of:\n{audit}");
    let requests = stage.run(&["requests", "--json"]).ended_with(0);
    assert_eq!(requests.out.trim(), "[]", "nobody attends by this");

    std::fs::remove_file(stage.path("work/go")).expect("removed");
    launcher.end();
    eventually("its end", || exporter.metrics().contains("\nbottle_up{bottle=\"dev\"} 0\n"));
    let said = exporter.end();
    assert!(said.contains("pushes to http://127.0.0.1:"), "{said}");
    assert_eq!(collector.sum("bottle.exchanges"), Some(2), "the last push has it all");
    let pushed = collector.0.lock().expect("not poisoned");
    assert!(pushed.iter().all(|(_, head, _)| head.contains("\r\nx-made-up: a word\r\n")), "{pushed:?}");
    assert!(pushed.iter().all(|(_, head, _)| head.contains("\r\ncontent-type: application/json\r\n")));
}

/// Nothing is kept without end for a collector that takes nothing, and it is not lost in silence.
#[test]
fn what_a_collector_refuses_for_good_is_dropped_counted_and_said() {
    let stage = Stage::ordinary();
    manifest(&stage);
    let (collector, port) = Collector::start(usize::MAX, "400 Odd");
    let exporter = Exporter::start(&stage, &["--otlp", &format!("http://127.0.0.1:{port}")]);
    let launcher = stage.start("dev", SCRIPT);
    stage.write("go", "");
    let line = "\nbottle_export_spans_total{fate=\"dropped\"} 2\n";
    eventually("spans that are dropped", || exporter.metrics().contains(line));
    std::fs::remove_file(stage.path("work/go")).expect("removed");
    launcher.end();
    let said = exporter.end();
    assert!(said.contains("takes nothing: it answers 400 Bad Request; up to 4096 spans are kept"), "{said}");
    assert!(said.contains("warning: 2 spans were dropped"), "{said}");
    assert_eq!(said.matches("takes nothing").count(), 1, "said once: {said}");
    assert!(collector.spans().is_empty());
}

#[test]
fn only_metrics_are_served_and_only_by_our_own_name() {
    let stage = Stage::ordinary();
    let exporter = Exporter::start(&stage, &[]);
    let port = exporter.port;
    eventually("the switch", || exporter.metrics().contains("\nbottle_kill_switch 0\n"));
    assert!(exporter.metrics().contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    let head = exporter.ask(&format!("HEAD /metrics HTTP/1.1\r\nhost: localhost:{port}\r\n"));
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    for (request, status) in [
        (format!("GET /metrics HTTP/1.1\r\nhost: evil.example:{port}\r\n"), 421),
        (format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"), 404),
        (format!("POST /metrics HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 0\r\n"), 405),
    ] {
        let answer = exporter.ask(&request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(!answer.contains("bottle_kill_switch"), "{answer}");
    }
    exporter.end();
    let far = stage.run(&["export", "--prometheus", "0.0.0.0:0"]).ended_with(125);
    assert!(far.err.contains("can be reached from other machines"), "{far:?}");
}

/// A server's TLS for 127.0.0.1, and the certificate to trust.
fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (Arc::new(config), made.cert.pem())
}

/// Headers are secrets: nobody gets them whose certificate the system does not vouch for.
#[test]
fn a_collector_behind_tls_is_verified_by_the_roots_of_the_system() {
    let (config, certificate) = tls();
    let (collector, port) = Collector::behind(0, "", move |mut stream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        Some(rustls::StreamOwned::new(connection, stream))
    });
    let url = format!("https://127.0.0.1:{port}");
    let mut stage = Stage::ordinary();
    let said = {
        let exporter = Exporter::start(&stage, &["--otlp", &url]);
        std::thread::sleep(std::time::Duration::from_millis(500));
        exporter.end()
    };
    assert!(said.contains(" takes nothing: no TLS: "), "{said}");
    assert!(collector.0.lock().expect("not poisoned").is_empty());
    let roots = stage.write("roots.pem", &certificate);
    stage.set("SSL_CERT_FILE", roots.to_str().expect("text"));
    let exporter = Exporter::start(&stage, &["--otlp", &url]);
    eventually("a push by TLS", || !collector.0.lock().expect("not poisoned").is_empty());
    let said = exporter.end();
    assert!(!said.contains("takes nothing"), "{said}");
}

#[test]
fn without_an_option_the_text_is_printed_once() {
    let stage = Stage::ordinary();
    manifest(&stage);
    assert!(stage.run(&["export"]).ended_with(0).out.ends_with("\nbottle_kill_switch 0\n"));
    let launcher = stage.start("dev", SCRIPT);
    stage.write("go", "");
    let line = "\nbottle_exchanges_total{bottle=\"dev\",decision=\"denied\",code=\"host-not-allowed\"} 1\n";
    eventually("what was refused before", || stage.run(&["export", "dev"]).ended_with(0).out.contains(line));
    let other = stage.run(&["export", "nothing"]).ended_with(125);
    assert!(other.err.contains("no bottle `nothing` runs"), "{other:?}");
    std::fs::remove_file(stage.path("work/go")).expect("removed");
    launcher.end();
}
