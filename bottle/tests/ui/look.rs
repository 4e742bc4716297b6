//! How the page is seen and used: by keyboard alone, enlarged, on a narrow screen, in light and dark.
use super::browser::{CARD, URL, open, settle};
use super::chromium::Browser;
use super::day::busy;
use super::stage::{Played, Stage, soon};
use egress::desk::{Answer, How, Span};

const LONG: &str = "https://a-rather-long-name-of-a-host.internal.example.com/v1/projects/an-identifier-without-a-break-0123456789abcdef/items";

fn full() -> Option<(Stage, Vec<Played>, Browser)> {
    let stage = Stage::new();
    let bottles = vec![stage.bottle("dev"), stage.bottle("docs-site-with-a-long-name")];
    bottles.iter().for_each(busy);
    let mut browser = open(&stage)?;
    browser.until("document.querySelectorAll('.bottle[data-is=live]').length === 2");
    bottles[0].ask("abc123", "POST", URL, "I need the list of users to write the migration.");
    browser.until("document.querySelectorAll('.card').length === 1");
    bottles[1].ask_with("def456", "GET", LONG, "", |petition| {
        petition.how = How::Held;
        petition.would_have_allowed = 0;
        petition.near = None;
    });
    browser.until("document.querySelectorAll('.card').length === 2 && document.querySelectorAll('#live > li').length === 4");
    settle(&mut browser);
    Some((stage, bottles, browser))
}

/// Text whose contrast with what is behind it is below 4.5, and how much it is.
const PALE: &str = "(() => {
  const read = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1 });
  const channel = (value) => { const part = value / 255; return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
  const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    const chain = [];
    for (let at = element; at; at = at.parentElement) chain.push(read(getComputedStyle(at).backgroundColor));
    return chain.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const pale = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (words.currentNode.data.trim() === '' || element.offsetParent === null || element.closest('.unseen, :disabled')) continue;
    looked += 1;
    const behind = ground(element);
    const one = light(over(read(getComputedStyle(element).color), behind)), other = light(behind);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) pale.push(`${words.currentNode.data.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return { looked, pale };
})()";

#[test]
fn it_is_read_in_light_and_dark() {
    let Some((_stage, bottles, mut browser)) = full() else { return };
    bottles[1].hub.lock(bottle::control::Switch::All, true, "uid 0, bottle kill-switch").expect("locked");
    bottles[1].answered_elsewhere("def456");
    browser.until(
        "document.querySelector('.bottle[data-is=locked]') && document.querySelector('.card .verdict')",
    );
    browser.eval("(document.querySelector('#rows [data-is=denied] .row').click(), document.getElementById('answered').open = true)");
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        grounds.push(browser.eval("getComputedStyle(document.body).backgroundColor"));
        browser.picture(scheme);
        let seen = browser.eval(PALE);
        assert!(seen["looked"].as_u64() > Some(80), "{seen}");
        assert_eq!(seen["pale"], serde_json::json!([]), "{scheme}");
        browser.click("#lock-all");
        browser.until("document.getElementById('dialog').open");
        browser.picture(&format!("{scheme}-dialog"));
        assert_eq!(browser.eval(PALE)["pale"], serde_json::json!([]), "{scheme}, the dialog");
        browser.key("Escape");
    }
    assert_ne!(grounds[0], grounds[1], "there are two");
}

/// What sticks out to the right of the window.
const OUT: &str = "[...document.querySelectorAll('body *')].filter((element) => element.offsetParent !== null && !element.closest('.unseen')
  && element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((element) => `${element.tagName} ${element.className} ${element.getBoundingClientRect().right}`)";

#[test]
fn nothing_is_cut_off_at_200_percent_or_320_pixels() {
    let Some((_stage, _bottles, mut browser)) = full() else { return };
    // A window of 1280 at 200 percent has 640 CSS pixels; at 400 percent 320.
    for width in [1280, 640, 320] {
        browser.size(width, 900);
        browser.eval("(document.querySelector('#rows [data-is=denied] .row').click(), scrollTo(0, 0))");
        browser.picture(&format!("width-{width}"));
        assert_eq!(browser.eval(OUT), serde_json::json!([]), "{width}");
        assert_eq!(
            browser.eval("document.documentElement.scrollWidth > document.documentElement.clientWidth"),
            false
        );
        for opens in ["#open-help", ".card [data-key=n]", ".bottle [aria-label='Details of dev']"] {
            browser.click(opens);
            browser.until("document.getElementById('dialog').open");
            let name: String = opens.chars().filter(char::is_ascii_alphabetic).take(10).collect();
            browser.picture(&format!("width-{width}-{name}"));
            assert_eq!(browser.eval(OUT), serde_json::json!([]), "{width}, {opens}");
            browser.key("Escape");
            browser.until("!document.getElementById('dialog').open");
        }
        if width == 320 {
            browser.eval("document.getElementById('activity').scrollIntoView()");
            browser.picture("width-320-activity");
        }
    }
}

/// The focus is on something that shows it.
const SEEN: &str = "(() => { const at = document.activeElement; const style = getComputedStyle(at.type === 'radio' ? at.nextElementSibling : at);
  return at !== document.body && style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2; })()";

#[test]
fn it_is_used_by_keyboard_alone() {
    let Some((_stage, bottles, mut browser)) = full() else { return };
    // Tab goes through everything in the order of the page, and every stop is seen.
    let mut stops = Vec::new();
    for _ in 0..40 {
        browser.key("Tab");
        assert_eq!(browser.eval(SEEN), true, "{}", browser.eval("document.activeElement.outerHTML"));
        let name = browser.eval("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText ?? document.activeElement.id");
        stops.push(name.as_str().unwrap_or_default().to_owned());
    }
    let place = |part: &str| {
        stops.iter().position(|stop| stop.contains(part)).unwrap_or_else(|| panic!("{part} in {stops:?}"))
    };
    assert!(place("Skip to requests") < place("Allow for one request, request abc123"));
    assert!(place("Refuse, request abc123") < place("Allow for one request, request def456"));
    assert!(place("Refuse, request def456") < place("Details of dev"));
    // To the first request, and answered by its key.
    browser.eval("document.activeElement.blur()");
    browser.key("r");
    browser.until(&format!("document.activeElement === document.querySelector('{CARD}')"));
    assert_eq!(browser.eval(SEEN), true);
    browser.key("j");
    browser.until("document.activeElement.dataset.id === 'def456'");
    browser.key("k");
    browser.key("2");
    soon("answered", || !bottles[0].answers().is_empty());
    let lives = Answer::Allow { span: Span::Bottle, narrowed: None, credential: false, word: None };
    assert_eq!(bottles[0].answers()[0].1, lives);
    browser.until(&format!("document.activeElement === document.querySelector('{CARD} .verdict')"));
    // On to the next one by Tab; a dialog has the focus for itself, both ways round, until Escape.
    browser.key("Tab");
    browser.until("document.activeElement.closest('.card')?.dataset.id === 'def456'");
    browser.key("x");
    browser.until("document.activeElement.id === 'word'");
    for step in 0..12 {
        if step < 6 {
            browser.key("Tab")
        } else {
            browser.shift("Tab")
        }
        assert_eq!(browser.eval("document.activeElement.closest('dialog') !== null"), true, "step {step}");
        assert_eq!(browser.eval(SEEN), true);
    }
    browser.key("Escape");
    browser.until("!document.getElementById('dialog').open && document.activeElement.closest('.card')?.dataset.id === 'def456'");
    assert!(bottles[1].answers().is_empty(), "Escape answers nothing");
    browser.key("x");
    browser.until("document.activeElement.id === 'word'");
    // In a field, letters are letters.
    for letter in ["n", "o", "1"] {
        browser.key(letter);
    }
    browser.key("Enter");
    soon("refused", || !bottles[1].answers().is_empty());
    assert_eq!(bottles[1].answers()[0].1, Answer::Refuse { word: Some("no1".into()) });
    browser.until("!document.getElementById('dialog').open");
    // The activity: a line is opened and closed.
    browser.key("a");
    browser.until("document.activeElement.matches('#rows .row')");
    browser.key("j");
    browser.key("Enter");
    browser.until("document.activeElement.getAttribute('aria-expanded') === 'true'");
    browser.key("/");
    browser.until("document.activeElement.id === 'filter'");
    browser.type_text("telemetry");
    browser.until("document.querySelectorAll('#rows > li').length === 2");
    browser.key("Escape");
    browser.until("document.getElementById('filter').value === '' && document.activeElement.id !== 'filter'");
    // Help, and single letters turned off in it.
    browser.key("?");
    browser.until("document.getElementById('dialog').open");
    browser.picture("help");
    for _ in 0..3 {
        if browser.eval("document.activeElement.id") == "keys-on" {
            break;
        }
        browser.key("Tab");
    }
    browser.key(" ");
    browser.key("Escape");
    browser.key("K");
    assert_eq!(browser.eval("document.getElementById('dialog').open"), false, "turned off");
    browser.key("?");
    assert_eq!(browser.eval("document.getElementById('dialog').open"), false, "all of them");
    browser.eval("localStorage.clear()");
    browser.reload();
    browser.until("document.querySelectorAll('.bottle[data-is=live]').length === 2");
    // The kill switch asks first.
    browser.shift("K");
    browser.until("document.getElementById('dialog').open");
    assert!(bottles[0].engine.locks.lock().expect("not poisoned").is_empty());
    browser.key("Enter");
    browser.until("document.querySelectorAll('.bottle[data-is=locked]').length === 2");
    assert!(bottles[0].engine.locks.lock().expect("not poisoned")[0].0);
}

/// What a screen reader is given: names, roles, and regions in which what happens is said.
#[test]
fn it_is_heard() {
    let Some((_stage, bottles, mut browser)) = full() else { return };
    browser.until("document.getElementById('urgent').textContent.includes('Request abc123 of dev: POST https://api.example.com/v1/users')");
    bottles[0].answered_elsewhere("abc123");
    browser.until("document.getElementById('polite').textContent.includes('Request abc123: allowed as long as this bottle lives')");
    let nameless = "[...document.querySelectorAll('button, input, select, textarea, section, dialog, li.card')].filter((element) => {
      const named = element.getAttribute('aria-label') ?? element.getAttribute('aria-labelledby') ?? element.closest('label')?.textContent ?? element.textContent;
      return !element.hidden && (named ?? '').trim() === ''; }).map((element) => element.outerHTML)";
    assert_eq!(browser.eval(nameless), serde_json::json!([]));
    let tree = browser.call("Accessibility.getFullAXTree", serde_json::json!({})).to_string();
    for part in [
        "Allow for one request, request def456",
        "\"heading\"",
        "\"banner\"",
        "\"main\"",
        "\"search\"",
        "\"status\"",
    ] {
        assert!(tree.contains(part), "{part}");
    }
    assert_eq!(browser.eval("document.documentElement.lang"), "en");
}

#[test]
fn nothing_moves_for_whom_that_disturbs() {
    let Some((_stage, _bottles, mut browser)) = full() else { return };
    let moving = "[...document.querySelectorAll('*')].filter((element) => getComputedStyle(element).animationName !== 'none').length";
    assert!(browser.eval(moving).as_u64() > Some(0), "it does otherwise");
    let reduced =
        serde_json::json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    browser.call("Emulation.setEmulatedMedia", reduced);
    assert_eq!(browser.eval(moving), 0);
}
