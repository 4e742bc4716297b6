//! The page as people use it.
use super::chromium::{Browser, browser};
use super::day::{busy, exchange, refused};
use super::stage::{Stage, soon};
use audit::{Decision, Event, Finding, Lifecycle};
use egress::desk::{Answer, How, Span};
use serde_json::json;

pub(crate) const URL: &str = "https://api.example.com/v1/users";

/// A page that is connected.
pub(crate) fn open(stage: &Stage) -> Option<Browser> {
    let mut browser = browser()?;
    browser.go(&stage.ui.link());
    browser.until("document.getElementById('state')?.dataset.is === 'live'");
    Some(browser)
}

pub(crate) const CARD: &str = ".card[data-id=abc123]";

#[track_caller]
pub(crate) fn settle(browser: &mut Browser) {
    // A new card takes half a second before it can be answered.
    browser.until("(window.since ??= Date.now(), Date.now() - window.since > 800)");
    browser.eval("window.since = undefined");
}

#[test]
fn the_link_opens_the_page_and_leaves_no_trace() {
    let stage = Stage::new();
    let _played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    assert_eq!(browser.eval("location.href"), format!("http://127.0.0.1:{}/", stage.ui.port()));
    assert_eq!(browser.eval("document.cookie"), "");
    browser.until("document.querySelector('.bottle[data-bottle=dev] .mark')?.textContent === 'running'");
    // The same tab again: its session is still its own.
    browser.reload();
    browser.until("document.querySelector('.bottle[data-is=live]')");
    let history = browser.call("Page.getNavigationHistory", json!({}));
    let mut urls =
        history["entries"].as_array().expect("a list").iter().map(|entry| entry["url"].to_string());
    assert!(urls.all(|url| !url.contains("token")), "{history}");
    // Another tab has none, and the used link opens nothing.
    browser.eval("sessionStorage.clear()");
    browser.reload();
    browser.until("document.getElementById('state').dataset.is === 'over'");
    assert!(browser.text("#banner").contains("new link"), "{}", browser.text("#banner"));
    assert_eq!(browser.eval("document.querySelectorAll('.bottle').length"), 0);
    assert_eq!(browser.complaints, Vec::<String>::new(), "nothing was refused by the page's own policy");
}

#[test]
fn a_request_is_allowed_with_one_click() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    busy(&played);
    let Some(mut browser) = open(&stage) else { return };
    browser.until("document.querySelectorAll('#rows > li').length > 5");
    played.ask("abc123", "POST", URL, "I need the list of users to write the migration.");
    browser.until(&format!("document.querySelector('{CARD}')"));
    let shown = browser.text(CARD);
    for part in [
        "dev",
        "claude",
        "POST https://api.example.com/v1/users",
        "the list of users",
        "3 refused requests",
        "EGRESS_TOKEN_0",
        "abc123",
    ] {
        assert!(shown.contains(part), "`{part}` in {shown}");
    }
    assert_eq!(browser.eval("document.title"), "(1) bottle");
    browser.click(&format!("{CARD} [data-key='1']"));
    assert!(played.answers().is_empty(), "a card that has just come takes no click");
    settle(&mut browser);
    browser.picture("request");
    browser.click(&format!("{CARD} [data-key='1']"));
    browser
        .until(&format!("document.querySelector('{CARD} .verdict')?.textContent === 'abc123: allowed once'"));
    let once = Answer::Allow { span: Span::Once, narrowed: None, credential: false, word: None };
    assert_eq!(played.answers()[0].1, once);
    assert_eq!(browser.eval("document.title"), "bottle");
    assert!(browser.text("#answered").contains('1'));
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_request_is_refused_with_a_word() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    played.ask("abc123", "POST", URL, "");
    browser.until(&format!("document.querySelector('{CARD}')"));
    settle(&mut browser);
    browser.click(&format!("{CARD} [data-key=x]"));
    browser.until("document.activeElement.id === 'word'");
    browser.type_text("use the fixtures");
    browser.picture("refuse");
    browser.key("Enter");
    browser.until("!document.getElementById('dialog').open");
    let refused = Answer::Refuse { word: Some("use the fixtures".into()) };
    soon("answered", || played.answers().first().is_some_and(|(_, answer, _)| *answer == refused));
    browser.until(&format!(
        "document.querySelector('{CARD} .verdict')?.textContent.includes('use the fixtures')"
    ));
    browser.until(&format!("document.activeElement === document.querySelector('{CARD} .verdict')"));
}

#[test]
fn a_request_is_narrowed_and_carries_a_credential_when_told() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    played.ask("abc123", "POST", URL, "");
    browser.until(&format!("document.querySelector('{CARD}')"));
    settle(&mut browser);
    browser.click(&format!("{CARD} .credential input"));
    browser.click(&format!("{CARD} [data-key=n]"));
    browser.until("document.activeElement.id === 'methods'");
    assert_eq!(browser.eval("document.getElementById('paths').value"), "/v1/users");
    browser.eval("document.getElementById('methods').select()");
    browser.type_text("get");
    browser.until("!document.querySelector('#dialog .warning').hidden");
    browser.eval("document.getElementById('span').value = '15'");
    browser.click("#dialog-actions [type=submit]");
    browser.until("document.getElementById('dialog-error').textContent.includes('more than was asked for')");
    assert!(played.answers().is_empty(), "it must be said");
    browser.click("#wider");
    browser.picture("narrow");
    browser.click("#dialog-actions [type=submit]");
    soon("answered", || !played.answers().is_empty());
    let Answer::Allow { span: Span::Until { .. }, narrowed: Some(narrowed), credential: true, word: None } =
        played.answers()[0].1.clone()
    else {
        panic!("{:?}", played.answers())
    };
    assert_eq!(narrowed.to_string(), "GET https://api.example.com/v1/users");
    // What cannot be is said in the dialog, which stays.
    played.ask("abc124", "POST", URL, "");
    browser.until("document.querySelector('.card[data-id=abc124]')");
    settle(&mut browser);
    browser.click(".card[data-id=abc124] [data-key=n]");
    browser.until("document.activeElement.id === 'methods'");
    browser.eval("document.getElementById('paths').value = 'no-slash'");
    browser.click("#dialog-actions [type=submit]");
    browser.until("document.getElementById('dialog-error').textContent.includes('begins with')");
    assert_eq!(played.answers().len(), 1);
}

#[test]
fn an_answer_that_comes_too_late_is_said_and_changes_nothing() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    played.ask("abc123", "POST", URL, "");
    browser.until(&format!("document.querySelector('{CARD}')"));
    settle(&mut browser);
    // The dialog is open while somebody else answers.
    browser.click(&format!("{CARD} [data-key=x]"));
    browser.until("document.activeElement.id === 'word'");
    played.answered_elsewhere("abc123");
    browser.key("Enter");
    browser.until(&format!("document.querySelector('{CARD} .late')?.textContent.includes('too late')"));
    let late = browser.text(&format!("{CARD} .late"));
    assert!(late.contains("abc123") && late.contains("allowed as long as this bottle lives"), "{late}");
    browser.picture("late");
    assert_eq!(played.answers().len(), 1, "theirs");
}

#[test]
fn two_bottles_stand_beside_one_another_and_an_ended_one_turns_grey() {
    let stage = Stage::new();
    let dev = stage.bottle("dev");
    busy(&dev);
    let Some(mut browser) = open(&stage) else { return };
    browser.until("document.querySelectorAll('.bottle[data-is=live]').length === 1");
    let docs = stage.bottle("docs");
    browser.until("document.querySelectorAll('.bottle[data-is=live]').length === 2");
    docs.hub.see(&refused("docs-r1", "cdn.example.com"));
    browser.until("document.getElementById('rows').textContent.includes('cdn.example.com')");
    // The same id in both: each answer goes to its own.
    dev.ask("abc123", "GET", URL, "");
    docs.ask_with("abc123", "GET", "https://other.example/", "", |petition| petition.how = How::Held);
    browser.until("document.querySelectorAll('.card').length === 2");
    settle(&mut browser);
    browser.picture("two");
    browser.click(".card[data-bottle=docs] [data-key='2']");
    soon("answered", || !docs.answers().is_empty());
    assert!(dev.answers().is_empty());
    // One bottle alone.
    browser.eval("(which.value = 'docs', which.dispatchEvent(new Event('change')))");
    browser.until("document.querySelectorAll('#rows > li').length === 1");
    browser.eval("(which.value = '', which.dispatchEvent(new Event('change')))");
    browser.click("#kinds [value=refused]");
    browser.until("[...document.querySelectorAll('#rows > li')].every((row) => ['denied', 'aborted'].includes(row.dataset.is))");
    browser.click("#kinds [value=findings]");
    browser.until("document.querySelectorAll('#rows > li').length === 1");
    browser.click("#rows .row");
    browser.until("document.querySelector('#rows .finding')?.textContent.includes('github-token')");
    browser.picture("finding");
    browser.click("#kinds [value=all]");
    browser.click("#filter");
    browser.type_text("NPMJS aborted");
    browser.until("document.querySelectorAll('#rows > li').length === 1");
    stage.end(&dev);
    browser.until("document.querySelector('.bottle[data-bottle=dev]').dataset.is === 'ended'");
    browser.until("document.querySelector('.card[data-bottle=dev] .verdict')?.textContent === 'abc123: its bottle has ended'");
    browser.until("document.querySelectorAll('#live > li').length === 0");
    browser.picture("ended");
}

#[test]
fn a_reload_shows_what_changed_and_calls_out_what_is_weaker() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    browser.until("document.querySelector('.bottle[data-is=live]')");
    let changes =
        ["+ any method https://new.example/**", "- GET https://old.example/**"].map(str::to_owned).to_vec();
    let notes = vec!["`new.example` is allowed whole: every method, every path".to_owned()];
    *played.book.next.lock().expect("not poisoned") = Some(Ok((changes, notes)));
    browser.click(".bottle [aria-label='Reload the manifest of dev']");
    browser.until("document.getElementById('dialog').open");
    browser.click("#dialog-actions [type=submit]");
    browser.until("document.getElementById('dialog-title').textContent === 'dev: reloaded'");
    assert!(browser.text("#dialog .warning").contains("new.example"));
    assert!(browser.text("#dialog .changes").contains("old.example"));
    browser.picture("reload");
    browser.key("Escape");
    browser.until("!document.getElementById('dialog').open");
    *played.book.next.lock().expect("not poisoned") =
        Some(Err(bottle::failure::Failure::new("line 3: `hots` is no key")));
    browser.click(".bottle [aria-label='Reload the manifest of dev']");
    browser.until("document.getElementById('dialog').open");
    browser.click("#dialog-actions [type=submit]");
    browser.until("document.getElementById('dialog-error').textContent.includes('hots')");
    browser.key("Escape");
    browser.until("!document.getElementById('dialog').open");
    // The launcher looks at the file by itself, too.
    played.hub.complain(&bottle::failure::Failure::new("line 7: `<b>` is no host").help("write a name"));
    browser.until(
        "document.querySelector('.bottle .error')?.textContent === 'line 7: `<b>` is no host. write a name'",
    );
    browser.picture("wrong");
    played.hub.reload("uid 0, bottle reload", false).expect("reloaded");
    browser.until("document.querySelector('.bottle .error').hidden");
}

#[test]
fn an_agents_markup_and_bidi_controls_stand_there_as_text() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = open(&stage) else { return };
    let why = "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script></blockquote><button id=evil>ok</button> \
               \u{202e}dewolla\u{202c} \u{200b}\u{1b}[31m javascript:alert(1) &amp; {{7*7}}";
    played.ask("abc123", "GET", URL, why);
    let odd = "<svg onload=window.hit=1>\u{2066}";
    played.hub.see(&exchange("x1", Decision::Denied, odd, |exchange| {
        exchange.path = Some(odd.into());
        exchange.code = Some(odd.into());
        exchange.reason = Some(odd.into());
        exchange.findings.push(Finding::new(odd, odd, odd, odd));
    }));
    let step = Lifecycle { step: odd.into(), detail: Some(odd.into()) };
    played.hub.see(&Event::Lifecycle(step).into());
    browser.until(&format!(
        "document.querySelector('{CARD}') && document.querySelectorAll('#rows > li').length === 2"
    ));
    for row in ["#rows > li:nth-child(1) .row", "#rows > li:nth-child(2) .row"] {
        browser.click(row);
    }
    let shown = browser.text(&format!("{CARD} .why"));
    let harmless = "<script>window.hit=1</script></blockquote><button id=evil>ok</button> \\u{202e}dewolla\\u{202c} \\u{200b}\\u{1b}[31m";
    assert!(shown.contains(harmless), "{shown}");
    assert!(
        browser.text("#rows").contains("<svg onload=window.hit=1>\\u{2066}"),
        "{}",
        browser.text("#rows")
    );
    assert_eq!(browser.eval("document.querySelectorAll('main img, main script, main svg, #evil').length"), 0);
    assert!(browser.eval("window.hit ?? null").is_null());
    browser.picture("hostile");
    // And where ours failed, the browser's own guard would stand: nothing makes markup of text on this page.
    let made = browser.eval("(() => { try { document.body.innerHTML = '<b>x</b>'; return 'made'; } catch { return 'refused'; } })()");
    assert_eq!(made, "refused");
}

/// What the page fetches can be cut off from here, as when a machine sleeps or a cable is pulled.
const CUT: &str = "(() => {
  const real = fetch;
  let line = new AbortController();
  let away = false;
  window.fetch = (url, how = {}) => away ? Promise.reject(new TypeError('away'))
    : real(url, { ...how, signal: AbortSignal.any([line.signal, how.signal].filter(Boolean)) });
  window.cut = () => { away = true; line.abort(); line = new AbortController(); };
  window.mend = () => { away = false; };
})()";

#[test]
fn the_line_is_lost_and_found_and_its_end_is_said() {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    let Some(mut browser) = browser() else { return };
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": CUT }));
    browser.go(&stage.ui.link());
    browser.until("document.querySelector('.bottle[data-is=live]')");
    browser.eval("cut()");
    browser.until("document.getElementById('state').dataset.is === 'lost'");
    browser.until("document.getElementById('banner').textContent.includes('No connection')");
    browser.picture("lost");
    played.ask("abc123", "GET", URL, "");
    played.hub.see(&refused("r1", "meanwhile.example"));
    browser.eval("mend()");
    browser.until(
        "document.getElementById('state').dataset.is === 'live' && document.getElementById('banner').hidden",
    );
    browser.until(&format!("document.querySelector('{CARD}')"));
    browser.until("document.getElementById('rows').textContent.includes('meanwhile.example')");
    drop(stage);
    browser.until("document.getElementById('state').dataset.is === 'over'");
    assert!(browser.text("#banner").contains("has ended"));
    settle(&mut browser);
    browser.click(&format!("{CARD} [data-key='1']"));
    browser
        .until(&format!("document.querySelector('{CARD} .error')?.textContent.includes('does not answer')"));
    browser.picture("over");
}
