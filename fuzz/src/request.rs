//! Wire facts into a request.
use policy::{Authority, Host, HostPattern, Request, Scheme, neutral};

/// Lines: authority, method, target, another authority. What is made means what was sent, and is made again from what
/// it shows.
pub fn request(text: &str) {
    let [authority, method, target, other] = crate::lines(text);
    let _pattern = HostPattern::parse(authority);
    let Ok(Authority { host, port }) = Authority::parse(authority) else { return url(authority) };
    assert_eq!(Host::parse(&host.to_string()).as_ref(), Ok(&host));
    match Request::new(Scheme::Https, host, port.unwrap_or(443), method, target) {
        Ok(request) => check(&request, target, other),
        Err(denial) => assert_printable(&denial.sentence),
    }
}

fn url(text: &str) {
    match Request::from_url("GET", text) {
        Ok(request) => check(&request, &request.target, ""),
        Err(denial) => assert_printable(&denial.sentence),
    }
}

fn check(request: &Request, target: &str, other: &str) {
    assert_eq!(&*request.target, target);
    assert_eq!(request.agree(&format!("{}:{}", request.host, request.port)), Ok(()));
    if let Err(denial) = request.agree(other) {
        assert_printable(&denial.sentence);
    }
    if target != "*" {
        let path = target.split('?').next().unwrap_or_default();
        assert_eq!(decoded(path), decoded(request.path.as_str()));
        let again = Request::from_url("GET", &request.display_url()).expect("what is shown is a URL");
        assert_eq!((&again.host, again.port, &again.path), (&request.host, request.port, &request.path));
    }
}

fn decoded(path: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(path).collect()
}

fn assert_printable(sentence: &str) {
    assert_eq!(neutral(sentence, usize::MAX), sentence);
}
