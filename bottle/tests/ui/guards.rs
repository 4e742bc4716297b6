//! Who is let in. What each of these sends would be done if its one fault were not there: `order` shows that first.
use super::http::{Page, connect, say, token};
use super::stage::{Played, Stage, soon};
use std::io::{Read, Write};
use std::time::Duration;

fn order(played: &Played) -> String {
    format!("{{\"bottle\":\"{}\",\"id\":\"abc123\",\"verdict\":\"once\"}}", played.slug)
}

/// A petition, a page that may answer it, and the answer.
fn ready() -> (Stage, Played, Page, String) {
    let stage = Stage::new();
    let played = stage.bottle("dev");
    played.ask("abc123", "GET", "https://api.example.com/v1/users", "to list users");
    let page = Page::open(&stage);
    let order = order(&played);
    (stage, played, page, order)
}

/// Refused with this status and one of these faults each; then, without fault, done.
#[track_caller]
fn refused(status: u16, faults: &[&[(&str, &str)]]) {
    let (_stage, played, page, order) = ready();
    for fault in faults {
        let reply = page.post_with("/answer", &order, fault);
        assert_eq!(reply.status, status, "{fault:?}: {}", reply.body);
        assert!(played.answers().is_empty(), "{fault:?} was answered all the same");
    }
    assert_eq!(page.post("/answer", &order).status, 200, "without fault");
    assert_eq!(played.answers().len(), 1);
}

#[test]
fn another_host_is_misdirected() {
    let hosts =
        ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:80", "127.0.0.1.evil.example:80"];
    for host in hosts {
        refused(421, &[&[("Host", host)]]);
    }
    // The page itself neither: a name that leads here (DNS rebinding) shows nothing.
    let (_stage, _played, page, _) = ready();
    for path in ["/", "/main.js", "/style.css", "/events", "/nothing"] {
        let rebound = page.get_with(path, &[("Host", "evil.example")]);
        assert!(rebound.status == 421 && !rebound.body.contains("<html"), "{path}: {}", rebound.body);
    }
    assert_eq!(
        say(
            page.port,
            "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
        .expect("an answer")
        .status,
        421
    );
    let absolute = format!(
        "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
        page.port
    );
    assert_eq!(say(page.port, &absolute).expect("an answer").status, 421, "the target counts, too");
    let local = format!("localhost:{}", page.port);
    assert_eq!(page.get_with("/", &[("Host", &local)]).status, 200, "by its other name");
}

#[test]
fn a_foreign_or_missing_origin_is_refused() {
    refused(
        403,
        &[
            &[("Origin", "")],
            &[("Origin", "http://evil.example")],
            &[("Origin", "null")],
            &[("Origin", "http://127.0.0.1:3000")],
        ],
    );
}

/// At another port of this machine an agent's own server may listen: for a browser that is the same site.
#[test]
fn another_site_is_refused_and_the_same_site_at_another_port_too() {
    refused(
        403,
        &[
            &[("Sec-Fetch-Site", "cross-site")],
            &[("Sec-Fetch-Site", "same-site")],
            &[("Sec-Fetch-Site", "none")],
        ],
    );
    let (_stage, _played, page, _) = ready();
    for path in ["/events", "/main.js"] {
        assert_eq!(page.get_with(path, &[("Sec-Fetch-Site", "same-site")]).status, 403, "{path}");
    }
}

#[test]
fn what_a_form_sends_is_refused() {
    refused(
        415,
        &[
            &[("Content-Type", "")],
            &[("Content-Type", "text/plain")],
            &[("Content-Type", "application/x-www-form-urlencoded")],
        ],
    );
}

#[test]
fn without_its_session_nothing_is_done_or_told() {
    let wrong = format!("Bearer {}", "0".repeat(64));
    refused(401, &[&[("Authorization", "")], &[("Authorization", "Bearer ")], &[("Authorization", &wrong)]]);
    let (stage, _played, page, _) = ready();
    let unused = format!("Bearer {}", token(&stage.ui.link()));
    for given in ["", &wrong, &unused] {
        let told = page.get_with("/events", &[("Authorization", given)]);
        assert_eq!(told.status, 401, "{given}");
        for order in ["/answer", "/lock", "/reload", "/routes"] {
            let done = page.post_with(order, "{\"bottle\":\"dev\",\"on\":true}", &[("Authorization", given)]);
            assert_eq!(done.status, 401, "{order} {given}");
        }
    }
    // Nor in a place where browsers would send it by themselves, or where it would be written down.
    let bearer = page.session.clone();
    let elsewhere = page.get_with(
        &format!("/events?session={bearer}"),
        &[("Authorization", ""), ("Cookie", &format!("session={bearer}"))],
    );
    assert_eq!(elsewhere.status, 401);
}

#[test]
fn a_link_opens_one_page_once() {
    let (stage, _played, page, _) = ready();
    let body = format!("{{\"token\":\"{}\"}}", token(&stage.ui.link()));
    let first = page.post("/session", &body);
    assert_eq!(first.status, 200);
    let again = page.post("/session", &body);
    assert!(again.status == 401 && again.json()["session"].is_null(), "{}", again.body);
    assert_ne!(first.json()["session"], page.session.as_str(), "a session of its own");
    let wrong = page.post("/session", &format!("{{\"token\":\"{}\"}}", "0".repeat(64)));
    assert_eq!(wrong.status, 401);
    let foreign = page.post_with(
        "/session",
        &format!("{{\"token\":\"{}\"}}", token(&stage.ui.link())),
        &[("Origin", "http://evil.example")],
    );
    assert_eq!(foreign.status, 403, "no other page uses a link up");
}

/// Cookies go to every port of a host; behind another one an agent may listen.
#[test]
fn nothing_is_kept_where_another_port_could_read_it() {
    let (stage, played, page, order) = ready();
    let body = format!("{{\"token\":\"{}\"}}", token(&stage.ui.link()));
    for reply in [page.post("/session", &body), page.post("/answer", &order), page.get_with("/", &[])] {
        assert_eq!(reply.header("set-cookie"), None);
        assert!(!reply.head.contains(&page.session));
    }
    assert_eq!(played.answers().len(), 1);
}

#[test]
fn a_get_changes_nothing() {
    let (_stage, played, page, order) = ready();
    for path in ["/session", "/answer", "/lock", "/reload", "/routes"] {
        let got = page.get_with(&format!("{path}?bottle=dev&id=abc123&verdict=once&on=true"), &[]);
        assert_eq!((got.status, got.header("allow")), (405, Some("post")), "{path}");
        let (headers, length) = (page.headers(&[]), order.len());
        for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
            let said = say(
                page.port,
                &format!("{method} {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{order}"),
            );
            assert_eq!(said.expect("an answer").status, 405, "{method} {path}");
        }
    }
    assert!(played.answers().is_empty() && played.engine.locks.lock().expect("not poisoned").is_empty());
    assert!(played.book.reloads.lock().expect("not poisoned").is_empty());
}

#[test]
fn every_answer_carries_the_guards() {
    let (_stage, _played, page, order) = ready();
    let replies = [
        page.get_with("/", &[]),
        page.get_with("/main.js", &[]),
        page.get_with("/nothing", &[]),
        page.get_with("/", &[("Host", "evil.example")]),
        page.post("/answer", &order),
        page.post("/answer", "{"),
    ];
    for reply in &replies {
        let csp = reply.header("content-security-policy").expect("a policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(csp.contains(part), "{csp}");
        }
        assert!(!csp.contains("unsafe") && !csp.contains("http"), "{csp}");
        for (name, value) in [
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{}", reply.head);
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let stream = page.listen();
    assert!(
        stream.head.contains("cache-control: no-store") && stream.head.contains("text/event-stream"),
        "{}",
        stream.head
    );
}

/// The page names nothing that does not come from here, and runs nothing that stands in it.
#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let (_stage, _played, page, _) = ready();
    let html = page.get_with("/", &[]).body;
    let names = regex::Regex::new(r#"(?:src|href)="(/[a-z.]+)""#).expect("a pattern");
    let mut files: Vec<String> = names.captures_iter(&html).map(|found| found[1].to_owned()).collect();
    let imports = regex::Regex::new(r#"from "\.(/[a-z]+\.js)""#).expect("a pattern");
    for at in 0.. {
        let Some(file) = files.get(at).cloned() else { break };
        let text = page.get_with(&file, &[]).body;
        assert!(!text.is_empty(), "{file}");
        for found in imports.captures_iter(&text) {
            if !files.contains(&found[1].to_owned()) {
                files.push(found[1].to_owned());
            }
        }
        for markup in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "createContextualFragment",
            "javascript:",
        ] {
            assert!(!text.contains(markup), "{file}: {markup}");
        }
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("://"), "{file} names something elsewhere");
    }
    assert!(files.len() >= 10, "{files:?}");
    let inline =
        regex::Regex::new(r#"\son[a-z]+=|<style|style=|://|<script(?: type="module")?>"#).expect("a pattern");
    assert!(!inline.is_match(&html), "{html}");
}

#[test]
fn a_body_that_is_too_large_is_refused_and_not_kept() {
    let (_stage, played, page, order) = ready();
    let long = order.replace("once\"", &format!("once\",\"word\":\"{}\"", "x".repeat(20_000)));
    assert_eq!(page.post("/answer", &long).status, 413);
    // Without a length, in pieces.
    let pieces: String = (0..40).map(|_| format!("200\r\n{}\r\n", "x".repeat(0x200))).collect();
    let chunked = format!(
        "POST /answer HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n{pieces}0\r\n\r\n",
        page.headers(&[])
    );
    assert_eq!(say(page.port, &chunked).expect("an answer").status, 413);
    let head = format!("GET / HTTP/1.1\r\n{}X: {}\r\n\r\n", page.headers(&[]), "x".repeat(40_000));
    assert!(say(page.port, &head).is_none_or(|reply| reply.status == 431 || reply.status == 400));
    assert!(played.answers().is_empty());
    assert_eq!(page.post("/answer", &order).status, 200);
}

#[test]
fn too_many_connections_are_closed_and_those_that_are_open_go_on() {
    let (_stage, _played, page, order) = ready();
    let mut stream = page.listen();
    stream.until("snapshot");
    let held: Vec<_> = (0..60).map(|_| connect(page.port)).collect();
    let closed = || {
        held.iter().filter(|stream| {
            stream.set_read_timeout(Some(Duration::from_millis(5))).expect("set");
            matches!((&**stream).read(&mut [0]), Ok(0)) || matches!((&**stream).read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
        }).count()
    };
    soon("some are closed", || closed() > 60 - 48);
    assert!(closed() < 20, "not all of them");
    _played.ask("zzz999", "GET", "https://b.example/", "");
    stream.until("petition");
    drop(held);
    soon("there is room again", || {
        say(
            page.port,
            &format!(
                "POST /answer HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{order}",
                page.headers(&[]),
                order.len()
            ),
        )
        .is_some()
    });
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let (_stage, _played, page, _) = ready();
    let mut slow = connect(page.port);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("said");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).expect("closed within the time of a read");
}

#[test]
fn the_ninth_page_that_watches_is_told_so() {
    let (_stage, _played, page, _) = ready();
    let held: Vec<_> = (0..8).map(|_| page.listen()).collect();
    assert!(held.iter().all(|stream| stream.head.starts_with("http/1.1 200")));
    let ninth = page.listen();
    assert!(ninth.head.starts_with("http/1.1 429"), "{}", ninth.head);
    drop(held);
    soon("there is room again", || page.listen().head.starts_with("http/1.1 200"));
}
