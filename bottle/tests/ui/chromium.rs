//! A real Chromium without a window, told what to do over its own pipe: messages of the DevTools protocol, each ended by a zero.
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    heard: Receiver<Value>,
    number: u64,
    session: Option<String>,
    /// What went wrong in the page: exceptions, refused loads, broken policies.
    pub(crate) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

/// None: there is no Chromium here, and the test is listed as skipped.
pub(crate) fn browser() -> Option<Browser> {
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let Some(program) = known.into_iter().find(|program| Path::new(program).is_file()) else {
        skip("client chromium (tests/setup could not install it)");
        return None;
    };
    Some(Browser::start(program))
}

fn skip(line: &str) {
    eprintln!("skipped: {line}");
    if let Some(list) = std::env::var_os("BOTTLE_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the list of skips is written");
    }
}

impl Browser {
    fn start(program: &str) -> Browser {
        let profile = tempfile::tempdir().expect("a folder");
        // It reads from descriptor 3 and writes to 4. Its own sandbox is off as it must be without namespaces.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null", program])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args(["--remote-debugging-pipe", "--force-color-profile=srgb", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromium starts");
        let to = child.stdin.take().expect("a pipe");
        let mut from = BufReader::new(child.stdout.take().expect("a pipe"));
        let (says, heard) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                let value = serde_json::from_slice(&message[..message.len() - 1]).unwrap_or_default();
                message.clear();
                if says.send(value).is_err() {
                    break;
                }
            }
        });
        let (session, complaints) = (None, Vec::new());
        let mut browser = Browser { child, to, heard, number: 0, session, complaints, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attached)["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        browser.session = Some(session);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1280, 900);
        browser
    }

    fn hear(&mut self, number: u64) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.heard.recv_timeout(left).expect("chromium answers");
            if message["id"] == number {
                return message;
            }
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    self.complaints.push(message["params"]["exceptionDetails"].to_string())
                }
                Some("Log.entryAdded") => {
                    self.complaints.push(message["params"]["entry"]["text"].to_string())
                }
                _ => {}
            }
        }
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "made for the call")]
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to
            .write_all(message.to_string().as_bytes())
            .and_then(|()| self.to.write_all(&[0]))
            .expect("said");
        let answer = self.hear(self.number);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What an expression comes to.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true of the page.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let start = Instant::now();
        // Before the page is there, what is asked of it is an error.
        let asked =
            format!("(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()");
        while self.eval(&asked) != true {
            let body = |browser: &mut Browser| browser.eval("document.body?.innerText");
            assert!(
                start.elapsed() < PATIENCE / 2,
                "not in time: {expression}\n{}\n{:?}",
                body(self),
                self.complaints
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    #[track_caller]
    pub(crate) fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// The same page anew.
    #[track_caller]
    pub(crate) fn reload(&mut self) {
        self.eval("window.isOld = true");
        self.call("Page.reload", json!({}));
        self.until("!window.isOld && document.readyState === 'complete'");
    }

    /// The text that is shown.
    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({})?.innerText ?? ''", json!(selector)));
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let found = format!(
            "(() => {{ const found = document.querySelector({}); found.scrollIntoView({{ block: 'center' }}); \
             const at = found.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; }})()",
            json!(selector)
        );
        let at = self.eval(&found);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// A key that is pressed and let go: a character, or the name of a key.
    #[track_caller]
    pub(crate) fn key(&mut self, key: &str) {
        self.key_with(key, 0);
    }

    /// With Shift.
    #[track_caller]
    pub(crate) fn shift(&mut self, key: &str) {
        self.key_with(key, 8);
    }

    #[track_caller]
    fn key_with(&mut self, key: &str, modifiers: u32) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            " " => (32, " "),
            character => (u32::from(character.as_bytes()[0].to_ascii_uppercase()), character),
        };
        let mut event =
            json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers });
        if !text.is_empty() {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event);
    }

    #[track_caller]
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// The size of the window, in CSS pixels.
    #[track_caller]
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    #[track_caller]
    pub(crate) fn scheme(&mut self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// A picture of the page, for people to look at, where `BOTTLE_TEST_PICTURES` names a folder.
    #[track_caller]
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("BOTTLE_TEST_PICTURES") else { return };
        std::thread::sleep(Duration::from_millis(300));
        let taken = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let decoded = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            taken["data"].as_str().expect("a picture"),
        );
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), decoded.expect("base64"))
            .expect("written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
