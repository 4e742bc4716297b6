//! Who is let in: what a request must show before anything is done for it.
//!
//! Each check stands against another page in the operator's browser: `Host` against names that are made to lead here (DNS
//! rebinding), `Origin` and `Sec-Fetch-Site` against pages elsewhere, at other ports of this machine too, that make the browser
//! ask, the content type against forms, and the session against all other programs.
use super::keys::Keys;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The request is for another host.
    Host,
    /// It comes from a page that is not ours.
    Origin,
    /// What is sent is not JSON.
    Kind,
    /// No session, or none of ours.
    Session,
}

impl Refused {
    /// The status of the answer.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Refused::Host => StatusCode::MISDIRECTED_REQUEST,
            Refused::Origin => StatusCode::FORBIDDEN,
            Refused::Kind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::Session => StatusCode::UNAUTHORIZED,
        }
    }

    /// For people.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Refused::Host => "this page answers to 127.0.0.1 and localhost, at its own port, alone",
            Refused::Origin => "only this page itself may ask for this",
            Refused::Kind => "only JSON is read here",
            Refused::Session => {
                "no session; open the page with a new link (press Enter where `bottle ui` runs)"
            }
        }
    }
}

/// The checks of one server.
pub(super) struct Gate {
    hosts: [String; 2],
}

impl Gate {
    pub(super) fn new(port: u16) -> Gate {
        Gate { hosts: ["127.0.0.1", "localhost"].map(|host| format!("{host}:{port}")) }
    }

    /// Of every request: that it was meant for us. What it was sent to.
    pub(super) fn host<'a>(&self, head: &'a Parts) -> Result<&'a str, Refused> {
        let host = only(&head.headers, &HOST).flatten().ok_or(Refused::Host)?;
        let is_ours = self.hosts.iter().any(|ours| ours == host);
        let target = head.uri.authority().is_none_or(|authority| authority.as_str() == host);
        if is_ours && target { Ok(host) } else { Err(Refused::Host) }
    }

    /// Of everything but the page itself, which people may come to from anywhere: that no other page asks.
    pub(super) fn own_page(&self, head: &Parts) -> Result<(), Refused> {
        let host = self.host(head)?;
        let is_own = |given: Option<Option<&str>>, own: &str| given.is_none_or(|given| given == Some(own));
        let site = is_own(only(&head.headers, &SITE), "same-origin");
        let origin = is_own(only(&head.headers, &ORIGIN), &format!("http://{host}"));
        if site && origin { Ok(()) } else { Err(Refused::Origin) }
    }

    /// Of what may change something: that our page says so itself, in JSON.
    pub(super) fn order(&self, head: &Parts) -> Result<(), Refused> {
        self.own_page(head)?;
        // A browser names the origin of every POST; who names none is none, or hides it.
        if head.method == Method::POST && !head.headers.contains_key(ORIGIN) {
            return Err(Refused::Origin);
        }
        match only(&head.headers, &CONTENT_TYPE) {
            Some(Some("application/json")) => Ok(()),
            _ => Err(Refused::Kind),
        }
    }

    /// Of everything behind the page: a session.
    pub(super) fn session(head: &Parts, keys: &Keys) -> Result<(), Refused> {
        let given = only(&head.headers, &AUTHORIZATION).flatten();
        let session = given.and_then(|given| given.strip_prefix("Bearer ")).ok_or(Refused::Session)?;
        if keys.knows(session) { Ok(()) } else { Err(Refused::Session) }
    }
}

/// The value of a header: none where there is none, and none that counts where there are several or it is no text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/answer");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn order(more: &[(&str, &str)]) -> Result<(), Refused> {
        Gate::new(4000).order(&head(more))
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:4000");
    const ORIGIN: (&str, &str) = ("origin", "http://127.0.0.1:4000");
    const KIND: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn the_page_itself_is_let_in() {
        assert_eq!(order(&[HOST, ORIGIN, KIND]), Ok(()));
        assert_eq!(order(&[HOST, ORIGIN, KIND, ("sec-fetch-site", "same-origin")]), Ok(()));
        let local = [("host", "localhost:4000"), ("origin", "http://localhost:4000"), KIND];
        assert_eq!(order(&local), Ok(()));
    }

    #[test]
    fn another_host_is_not_ours() {
        for host in [
            "evil.example:4000",
            "127.0.0.1",
            "127.0.0.1:4001",
            "LOCALHOST:4000",
            "127.0.0.1:4000.",
            "[::1]:4000",
            "",
        ] {
            assert_eq!(order(&[("host", host), ORIGIN, KIND]), Err(Refused::Host), "`{host}`");
        }
        assert_eq!(order(&[ORIGIN, KIND]), Err(Refused::Host), "none");
        assert_eq!(order(&[HOST, HOST, ORIGIN, KIND]), Err(Refused::Host), "two");
        let mut absolute = head(&[HOST, ORIGIN, KIND]);
        absolute.uri = "http://evil.example/answer".parse().expect("a target");
        assert_eq!(Gate::new(4000).order(&absolute), Err(Refused::Host));
    }

    #[test]
    fn another_page_may_ask_for_nothing() {
        let local = ("origin", "http://localhost:4000");
        for origin in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "https://127.0.0.1:4000"),
            ("origin", "http://127.0.0.1:3000"),
            local,
        ] {
            assert_eq!(order(&[HOST, origin, KIND]), Err(Refused::Origin), "{origin:?}");
        }
        assert_eq!(order(&[HOST, KIND]), Err(Refused::Origin), "none");
        assert_eq!(order(&[HOST, ORIGIN, ORIGIN, KIND]), Err(Refused::Origin), "two");
        for site in ["cross-site", "same-site", "none"] {
            let site = ("sec-fetch-site", site);
            assert_eq!(order(&[HOST, ORIGIN, KIND, site]), Err(Refused::Origin), "{site:?}");
        }
    }

    #[test]
    fn what_a_form_can_send_is_not_read() {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json2"]
        {
            assert_eq!(order(&[HOST, ORIGIN, ("content-type", kind)]), Err(Refused::Kind), "{kind}");
        }
        assert_eq!(order(&[HOST, ORIGIN]), Err(Refused::Kind));
    }

    #[test]
    fn without_a_session_there_is_nothing_behind_the_page() {
        let keys = Keys::default();
        let session = keys.open(&keys.link()).expect("opened");
        let link = keys.link();
        let given = |value: &str| Gate::session(&head(&[("authorization", value)]), &keys);
        assert_eq!(given(&format!("Bearer {session}")), Ok(()));
        for wrong in
            ["", "Bearer ", "Bearer x", &session, &format!("Basic {session}"), &format!("Bearer {link}")]
        {
            assert_eq!(given(wrong), Err(Refused::Session), "`{wrong}`");
        }
        assert_eq!(Gate::session(&head(&[]), &keys), Err(Refused::Session));
    }
}
