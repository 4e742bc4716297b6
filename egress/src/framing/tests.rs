//! Of the strict reader: what passes, what does not, and that cuts make no difference.
use super::*;
use proptest::prelude::*;

fn run(bytes: &[u8]) -> Result<(Vec<u8>, usize), &'static str> {
    let (mut whole, mut out) = (Framing::new(4096), Vec::new());
    let taken = whole.push(bytes, &mut out).map_err(|violation| violation.what)?;
    let (mut dribble, mut dribbled) = (Framing::new(4096), Vec::new());
    for byte in &bytes[..taken] {
        dribble.push(&[*byte], &mut dribbled).map_err(|violation| violation.what)?;
    }
    assert_eq!(out, dribbled, "the split must not matter");
    Ok((out, taken))
}

#[test]
fn well_framed_requests_pass_untouched() {
    for good in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0\r\nx: y\r\nz: w\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nempty:\r\n\r\n",
    ] {
        assert_eq!(run(good.as_bytes()), Ok((good.as_bytes().to_vec(), good.len())), "{good}");
    }
}

#[test]
fn ambiguous_heads_are_violations() {
    for (bad, why) in [
        ("content-length: 3\r\ntransfer-encoding: chunked\r\n", "side by side"),
        ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", "side by side"),
        ("content-length: 3\r\ncontent-length: 3\r\n", "twice"),
        ("content-length: 3, 3\r\n", "not a number"),
        ("content-length: +3\r\n", "not a number"),
        ("content-length: 99999999999999999999\r\n", "not a number"),
        ("transfer-encoding: chunked, identity\r\n", "exactly"),
        ("transfer-encoding: gzip, chunked\r\n", "exactly"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "twice"),
        ("transfer-encoding : chunked\r\n", "token"),
        ("a: b\r\n folded\r\n", "folded"),
        ("a: b\n", "bare line feed"),
        ("a: b\rc: d\r\n", "carriage return"),
        ("a: b\0\r\n", "NUL"),
        ("a: b\x01\r\n", "control"),
        ("no colon\r\n", "colon"),
        (": empty\r\n", "token"),
        ("host: b\r\n", "host stands twice"),
        ("content-length: 3\r\nupgrade: websocket\r\n", "WebSocket handshake has a body"),
    ] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{bad}\r\n");
        let what = run(head.as_bytes()).expect_err(bad);
        assert!(what.contains(why), "{bad:?}: {what}");
    }
}

#[test]
fn ambiguous_request_lines_are_violations() {
    for bad in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "G(T / HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /a#b HTTP/1.1",
    ] {
        run(format!("{bad}\r\nhost: a\r\n\r\n").as_bytes()).expect_err(bad);
    }
    assert_eq!(
        run(b"POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"),
        Err("transfer-encoding does not exist in HTTP/1.0")
    );
    assert_eq!(run(b"GET / HTTP/1.1\r\n\r\n"), Err("the host header is missing"));
}

#[test]
fn ambiguous_chunks_are_violations() {
    for bad in [
        "3;ext=1\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "\r\nabc",
        "0x3\r\nabc",
        "-1\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "0\r\ncontent-length: 3\r\n\r\n",
        "0\r\nauthorization: x\r\n\r\n",
        "0\r\n folded\r\n\r\n",
    ] {
        run(format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{bad}").as_bytes())
            .expect_err(bad);
    }
}

#[test]
fn an_upgrade_holds_what_follows_until_its_answer() {
    let head = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let next = b"GET /second HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n";
    let (mut framing, mut out) = (Framing::new(4096), Vec::new());
    let taken = framing.push(&[&head[..], next].concat(), &mut out).expect("the head is well-formed");
    assert_eq!((taken, framing.is_held()), (head.len(), true));
    framing.resume();
    framing
        .push(next, &mut out)
        .expect_err("what follows a refused upgrade is judged like the first request");
}

#[test]
fn heads_have_a_limit() {
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(5000));
    assert_eq!(run(long.as_bytes()), Err("the request head is too large"));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert_eq!(run(many.as_bytes()), Err("the request has too many headers"));
}

/// The end of the head or what is wrong with its line ends, byte by byte.
fn plainly(bytes: &[u8], limit: usize) -> Result<Option<usize>, &'static str> {
    for (at, byte) in bytes.iter().enumerate() {
        let after_cr = at > 0 && bytes[at - 1] == b'\r';
        match byte {
            b'\n' if !after_cr => return Err("a line ends with a bare line feed"),
            b'\n' => {}
            _ if after_cr => return Err("a carriage return stands inside a line"),
            0 => return Err("a NUL byte stands in the head"),
            _ => {}
        }
        if at + 1 > limit {
            return Err("the request head is too large");
        }
        if &bytes[..=at] == b"\r\n" || bytes[..=at].ends_with(b"\r\n\r\n") {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 5000, ..ProptestConfig::default() })]
    /// Lines are gathered as their bytes say, wherever they are cut.
    #[test]
    fn lines_are_gathered_like_their_bytes(
        parts in prop::collection::vec(prop_oneof![
            8 => "a: b\r\n|\r\n", 3 => "\r|\n|\0", 3 => "[a-z]{1,5}",
        ], 0..9),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        limit in 1..40_usize,
    ) {
        let bytes = parts.concat().into_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let mut framing = Framing::new(limit);
        let mut gathered = Ok(None);
        for pair in places.windows(2) {
            match framing.gather(&bytes[pair[0]..pair[1]]) {
                Ok(_) if framing.head == b"\r\n" || framing.head.ends_with(b"\r\n\r\n") => {
                    gathered = Ok(Some(framing.head.len()));
                    break;
                }
                Ok((taken, complete)) => prop_assert_eq!((taken, complete), (pair[1] - pair[0], false)),
                Err(violation) => {
                    gathered = Err(violation.what);
                    break;
                }
            }
        }
        prop_assert_eq!(gathered, plainly(&bytes, limit));
    }
}
