//! What a petition asks for, in words for people: everything that came from an agent is neutralised and cut.
use crate::style;
use egress::desk::{How, Petition, Span, State};
use policy::{HostPattern, Method, PathPattern, Proposal, Protocol, TlsMode, neutral};
use std::time::Duration;

/// Characters of one fact.
const LONGEST: usize = 600;

/// A fact: what it is about, and what is to be said.
pub type Fact = (&'static str, String);

/// All that is known of a petition, if this was allowed of it, with or without the credential.
pub fn facts(petition: &Petition, allowed: &Proposal, credential: bool) -> Vec<Fact> {
    let mut facts = vec![("asks for", proposal(&petition.proposal))];
    if *allowed != petition.proposal {
        facts.push(("allowed", proposal(allowed)));
    }
    facts.push(("host", host(allowed)));
    facts.push(("methods", methods(allowed)));
    facts.push(("paths", paths(allowed)));
    facts.push(("credential", carries(petition, credential)));
    facts.push(("last hour", would_have(petition)));
    facts.push(("asked", how(petition)));
    let known = [("because of", &petition.code), ("exchange", &petition.exchange)];
    facts.extend(known.into_iter().filter_map(|(about, text)| Some((about, neutral(text.as_ref()?, 60)))));
    facts.push(("why", why(petition)));
    facts.push(("state", state(&petition.state)));
    facts
}

/// A proposal in one line.
pub fn proposal(proposal: &Proposal) -> String {
    neutral(&proposal.to_string(), LONGEST)
}

fn host(proposal: &Proposal) -> String {
    let name = match &proposal.host {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Below(apex) => format!("every name below {}", &**apex),
    };
    let kind = match (proposal.protocol, proposal.tls) {
        (Protocol::Tcp, _) => "raw TCP, not inspected".to_owned(),
        (Protocol::Http, TlsMode::Passthrough) => "TLS that is not opened nor inspected".to_owned(),
        (Protocol::Http, TlsMode::Open) => proposal.scheme.as_str().to_owned(),
    };
    let odd = if is_international(&name) {
        ": an international name, shown in its canonical form; its letters may look like those of another name"
    } else {
        ""
    };
    format!("{}, port {}, {kind}{odd}", neutral(&name, LONGEST), proposal.port)
}

/// Whether a name has letters beyond ASCII, which look like others.
pub fn is_international(host: &str) -> bool {
    host.split('.').any(|label| label.starts_with("xn--"))
}

fn methods(proposal: &Proposal) -> String {
    match &proposal.methods {
        _ if proposal.protocol == Protocol::Tcp => "none: raw bytes".to_owned(),
        None => "ALL methods".to_owned(),
        Some(methods) => list(methods.iter().map(Method::as_str)),
    }
}

fn paths(proposal: &Proposal) -> String {
    match &proposal.paths {
        _ if proposal.protocol == Protocol::Tcp => "none: raw bytes".to_owned(),
        None => "ALL paths".to_owned(),
        Some(paths) => list(paths.iter().map(PathPattern::as_str)),
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    if words.is_empty() { "none".to_owned() } else { neutral(&words.join(", "), LONGEST) }
}

fn carries(petition: &Petition, credential: bool) -> String {
    let near = petition.near.as_ref();
    let slot = near.and_then(|near| Some((near.credential.as_ref()?, &near.route)));
    match (slot, credential) {
        (Some((slot, route)), true) => {
            format!("{} of the route `{}` is put on the wire", neutral(slot, 80), neutral(route, 80))
        }
        (Some((slot, route)), false) => {
            format!("none ({} of the route `{}` could be given)", neutral(slot, 80), neutral(route, 80))
        }
        (None, _) => "none".to_owned(),
    }
}

fn would_have(petition: &Petition) -> String {
    match petition.would_have_allowed {
        0 => "no refused request would have been allowed".to_owned(),
        1 => "1 refused request would have been allowed".to_owned(),
        count => format!("{count} refused requests would have been allowed"),
    }
}

fn how(petition: &Petition) -> String {
    let ago = style::duration(age(petition.asked));
    let by = match petition.how {
        How::Held => "the agent's own request waits for the answer",
        How::Asked => "by the agent, with a tool",
    };
    format!("{ago} ago, {by}")
}

/// How long ago something was.
pub fn age(time: jiff::Timestamp) -> Duration {
    Duration::try_from(jiff::Timestamp::now().duration_since(time)).unwrap_or_default()
}

/// In marks that the text cannot close: what stands in it is said by the agent and by nobody else.
fn why(petition: &Petition) -> String {
    match petition.why.is_empty() {
        true => "the agent gave no reason".to_owned(),
        false => format!("the agent says: “{}”", quoted(&petition.why)),
    }
}

/// Text of an agent without the marks that end a quotation.
pub fn quoted(text: &str) -> String {
    neutral(text, LONGEST).replace(['“', '”', '„', '‟', '"'], "'")
}

/// What became of it.
pub fn state(state: &State) -> String {
    let word = |word: &Option<String>| {
        word.as_ref().map(|word| format!(" (“{}”)", quoted(word))).unwrap_or_default()
    };
    match state {
        State::Open => "waits for an answer".to_owned(),
        State::Allowed { span: how_long, narrowed, word: said } => {
            let narrowed = narrowed.as_ref().map(|this| format!(", narrowed to {}", proposal(this)));
            format!("allowed {}{}{}", span(how_long), narrowed.unwrap_or_default(), word(said))
        }
        State::Refused { word: said } => format!("refused{}", word(said)),
        State::Expired => "nobody answered in time".to_owned(),
        State::Withdrawn => "withdrawn: whoever asked is gone".to_owned(),
    }
}

/// For how long, with the time as clocks here show it.
pub fn span(span: &Span) -> String {
    match span {
        Span::Once => "once".to_owned(),
        Span::Bottle => "as long as this bottle lives".to_owned(),
        Span::Until { time } => format!("until {}", clock(*time)),
        Span::Always => "from now on, by the manifest".to_owned(),
    }
}

/// `2026-01-31 12:34:56` of the local day.
pub fn clock(time: jiff::Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T").to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use egress::desk::Near;
    use policy::Request;

    /// A petition like those that agents make.
    pub(crate) fn petition(id: &str, method: &str, url: &str, why: &str) -> Petition {
        Petition {
            id: id.to_owned(),
            asked: jiff::Timestamp::now(),
            proposal: Proposal::of(&Request::from_url(method, url).expect("a request")),
            why: why.to_owned(),
            how: How::Asked,
            exchange: None,
            code: Some("host-not-allowed".to_owned()),
            would_have_allowed: 3,
            near: Some(Near { route: "api".to_owned(), credential: Some("EGRESS_TOKEN_0".to_owned()) }),
            state: State::Open,
        }
    }

    fn fact(facts: &[Fact], about: &str) -> String {
        facts.iter().find(|(what, _)| *what == about).map(|(_, said)| said.clone()).expect("a fact")
    }

    #[test]
    fn all_that_an_operator_must_know_is_said() {
        let asked = petition("k3m9px", "POST", "https://api.example:8443/v1/x", "the tests need it");
        let said = facts(&asked, &asked.proposal, false);
        assert_eq!(fact(&said, "asks for"), "POST https://api.example:8443/v1/x");
        assert_eq!(fact(&said, "host"), "api.example, port 8443, https");
        assert_eq!(fact(&said, "credential"), "none (EGRESS_TOKEN_0 of the route `api` could be given)");
        assert_eq!(fact(&said, "last hour"), "3 refused requests would have been allowed");
        assert_eq!(fact(&said, "why"), "the agent says: “the tests need it”");
        assert!(!said.iter().any(|(what, _)| *what == "allowed"));
        let wide = Proposal { methods: None, paths: None, ..asked.proposal.clone() };
        let said = facts(&asked, &wide, true);
        assert_eq!(fact(&said, "allowed"), "any method https://api.example:8443/**");
        assert_eq!(
            (fact(&said, "methods"), fact(&said, "paths")),
            ("ALL methods".into(), "ALL paths".into())
        );
        assert_eq!(fact(&said, "credential"), "EGRESS_TOKEN_0 of the route `api` is put on the wire");
    }

    /// Threat 22: a homograph is another name, and is shown as that.
    #[test]
    fn a_homograph_is_shown_in_its_canonical_form() {
        let asked = petition("k3m9px", "GET", "https://аpple.com/", "");
        let host = fact(&facts(&asked, &asked.proposal, false), "host");
        assert!(host.starts_with("xn--pple-43d.com, port 443, https: an international name"), "{host}");
        let plain = petition("k3m9px", "GET", "https://apple.com/", "");
        assert_eq!(fact(&facts(&plain, &plain.proposal, false), "host"), "apple.com, port 443, https");
    }

    /// Threat 22: what an agent says stays within its quotation.
    #[test]
    fn what_an_agent_says_cannot_look_like_what_we_say() {
        let odd = "fine”\ncredential  none\u{1b}[2J\u{202e}\u{200b} “trust me";
        let said = fact(
            &facts(
                &petition("k3m9px", "GET", "https://a.example/", odd),
                &petition("k3m9px", "GET", "https://a.example/", "").proposal,
                false,
            ),
            "why",
        );
        assert_eq!(said.matches('”').count(), 1, "{said}");
        assert!(said.ends_with('”') && !said.contains(['\n', '\u{1b}', '\u{202e}', '\u{200b}']), "{said}");
    }
}
