//! What bottles are told to other people's programs, by those programs: a Prometheus, a desktop.
use crate::export::{Exporter, SCRIPT, manifest};
use crate::stage::{Stage, eventually};
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// Whether they are all there; else the test is listed as skipped.
fn are_there(programs: &[&str]) -> bool {
    let has =
        |name: &&&str| ["/usr/bin", "/bin"].iter().all(|dir| !std::path::Path::new(dir).join(name).is_file());
    let Some(missing) = programs.iter().find(has) else { return true };
    let line = format!("what other programs make of it (no {missing})");
    eprintln!("skipped: {line}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips is written");
    }
    false
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_takes_what_is_told() {
    if !are_there(&["prometheus", "promtool", "curl"]) {
        return;
    }
    let stage = Stage::ordinary();
    manifest(&stage);
    let exporter = Exporter::start(&stage, &[]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let settings = stage.write(
        "prometheus.yml",
        &format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: bottle\n    static_configs: [{{ targets: [\"127.0.0.1:{}\"] }}]\n",
            exporter.port
        ),
    );
    let mut server = stage.command("prometheus");
    server.arg(format!("--config.file={}", settings.display()));
    server.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    server.arg(format!("--storage.tsdb.path={}", stage.path("home/tsdb").display()));
    let _server =
        Ended(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("prometheus starts"));
    let launcher = stage.start("dev", SCRIPT);
    stage.write("go", "");
    let asks = |query: &str| -> Value {
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        let said =
            Command::new("curl").args(["-sG", &url, "--data-urlencode", &format!("query={query}")]).output();
        serde_json::from_slice(&said.expect("curl").stdout).unwrap_or_default()
    };
    let is = |query: &str, value: &str| asks(query)["data"]["result"][0]["value"][1] == value;
    eventually("what was refused", || {
        is("bottle_exchanges_total{bottle=\"dev\",decision=\"denied\",code=\"host-not-allowed\"}", "1")
    });
    assert!(is("up{job=\"bottle\"}", "1") && is("bottle_up{bottle=\"dev\"}", "1"));
    let mut tool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn().expect("starts");
    let text = exporter.metrics();
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    tool.stdin.take().expect("piped").write_all(body.as_bytes()).expect("given");
    assert!(tool.wait().expect("ended").success(), "{body}");
    std::fs::remove_file(stage.path("work/go")).expect("removed");
    launcher.end();
}

/// Inside a session bus of its own: an X server, a notification server that prints what it shows, a bottle whose agent asks.
const DESKTOP: &str = "Xvfb -displayfd 3 -screen 0 640x480x24 3>display 2>/dev/null & x=$!; \
    while [ ! -s display ]; do sleep 0.05; done; export DISPLAY=:$(cat display); \
    dunst -print >shown 2>/dev/null & d=$!; \
    until dbus-send --session --print-reply --dest=org.freedesktop.Notifications /org/freedesktop/Notifications \
        org.freedesktop.Notifications.GetServerInformation >/dev/null 2>&1; do sleep 0.05; done; \
    \"$BOTTLE\" run --quiet; kill $d $x";

#[test]
fn a_real_desktop_shows_a_request_and_obeys_no_markup() {
    if !are_there(&["dbus-run-session", "dbus-send", "Xvfb", "dunst", "notify-send", "curl"]) {
        return;
    }
    // A session bus wants its user to have an account.
    let stage = Stage::new(None);
    let wish = "{\\\"url\\\": \\\"https://api.test/v1\\\", \\\"why\\\": \\\"<b>please</b> & now\\\"}";
    stage.manifest(&format!(
        "egress: {{ on_request: [/bin/true] }}\nagent:\n  command: [sh, -c, \"curl -sS -H 'content-type: application/json' \
         -d '{wish}' http://_egress.local/ask; n=0; until grep -q please shown || [ $n = 200 ]; do n=$((n + 1)); sleep 0.05; done\"]\n"
    ));
    let mut session = stage.command("dbus-run-session");
    let ran = session.args(["--", "sh", "-c", DESKTOP]).env("BOTTLE", crate::stage::binary()).output();
    let ran = ran.expect("a session");
    let shown = std::fs::read_to_string(stage.path("work/shown")).unwrap_or_default();
    assert!(shown.contains("summary: 'bottle dev: request "), "{shown}\n{ran:?}");
    assert!(shown.contains("GET https://api.test/v1\n"), "{shown}");
    assert!(shown.contains("“&lt;b&gt;please&lt;/b&gt; &amp; now”"), "{shown}");
}
