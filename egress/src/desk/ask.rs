//! What an agent says when it asks, as it was written, and what it is told of it.
use super::agent::Refusal;
use super::petition::{NotAsked, Petition, State};
use policy::{HostPattern, Method, PathPattern, Proposal, Protocol, Request, Scheme};
use serde::{Deserialize, Serialize};

/// Methods, and paths, that one petition may name: more than this nobody reads.
const NAMED: usize = 10;

/// A wish: a request (`url`, with its `method`), a rule (`host` and what narrows it), or the request of an exchange that was
/// refused; and why.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Of the request; GET where it is left out.
    pub method: Option<String>,
    /// Of the request; what stands after `?` plays no part.
    pub url: Option<String>,
    /// Which host, or `*.example.com` for all below it.
    pub host: Option<String>,
    /// Which port; that of the scheme where it is left out.
    pub port: Option<u16>,
    /// `https` where it is left out, but for port 80.
    pub scheme: Option<Scheme>,
    /// `tcp` for raw bytes to one host and port.
    pub protocol: Option<Protocol>,
    /// Which methods; all where it is left out.
    pub methods: Option<Vec<String>>,
    /// Which paths, `*` for a segment and `**` for any number; all where it is left out.
    pub paths: Option<Vec<String>>,
    /// Why, for the operator.
    pub why: Option<String>,
    /// The refused exchange that it is about.
    pub exchange: Option<String>,
}

/// Why nothing came of a wish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPut {
    /// It is none.
    #[error("{0}")]
    Malformed(String),
    /// It was not asked.
    #[error("{0}")]
    NotAsked(#[from] NotAsked),
}

impl NotPut {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            NotPut::Malformed(_) => "malformed",
            NotPut::NotAsked(NotAsked::Unattended) => "unattended",
            NotPut::NotAsked(NotAsked::TooMany(_)) => "too-many",
            NotPut::NotAsked(NotAsked::Allowed(_)) => "allowed-already",
            NotPut::NotAsked(NotAsked::Impossible(_)) => "not-askable",
        }
    }
}

fn malformed<T>(what: impl Into<String>) -> Result<T, NotPut> {
    Err(NotPut::Malformed(what.into()))
}

impl Ask {
    /// The reason, which must be given.
    pub(super) fn reason(&self) -> Result<&str, NotPut> {
        match self.why.as_deref().map(str::trim) {
            Some(why) if !why.is_empty() => Ok(why),
            _ => malformed("`why` is missing: say in a sentence what you need it for, the operator reads it"),
        }
    }

    /// What is asked for.
    pub(super) fn proposal(&self, refused: Option<&Refusal>) -> Result<Proposal, NotPut> {
        match (&self.url, &self.host, &self.exchange) {
            (Some(_), Some(_), _) => {
                malformed("`url` and `host` are two ways to say what you need; give one")
            }
            (Some(url), None, _) => self.of_request(url),
            (None, Some(host), _) => self.of_rule(host),
            (None, None, Some(id)) => self.of_refusal(id, refused),
            (None, None, None) => {
                malformed("say what you need: `url`, `host`, or the `exchange` of a refusal")
            }
        }
    }

    fn of_request(&self, url: &str) -> Result<Proposal, NotPut> {
        if self.has_terms() {
            return malformed("with `url` goes `method` alone; `methods`, `paths`, `port`, … go with `host`");
        }
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let request = Request::from_url(self.method.as_deref().unwrap_or("GET"), url);
        request.map(|request| Proposal::of(&request)).or_else(|denial| malformed(denial.sentence))
    }

    fn has_terms(&self) -> bool {
        self.port.is_some()
            || self.scheme.is_some()
            || self.protocol.is_some()
            || self.methods.is_some()
            || self.paths.is_some()
    }

    fn of_refusal(&self, id: &str, refused: Option<&Refusal>) -> Result<Proposal, NotPut> {
        if self.has_terms() || self.method.is_some() {
            return malformed(
                "an `exchange` alone stands for its own request; narrow or widen it with `host`",
            );
        }
        let Some(refused) = refused else {
            let id = policy::neutral(id, 40);
            return malformed(format!("no refusal `{id}` is remembered; give the `url` that was refused"));
        };
        refused.proposal.clone().ok_or_else(|| {
            let sentence = format!(
                "this was refused with the code {}, and no route would change that; http://{}/why/{} says why",
                refused.code,
                crate::names::LOCAL_NAME,
                refused.exchange
            );
            NotPut::NotAsked(NotAsked::Impossible(sentence))
        })
    }

    fn of_rule(&self, host: &str) -> Result<Proposal, NotPut> {
        if self.method.is_some() {
            return malformed("`method` goes with `url`; with `host` say `methods`");
        }
        let host = HostPattern::parse(host).or_else(|error| malformed(format!("`host`: {error}")))?;
        if self.protocol == Some(Protocol::Tcp) {
            return self.of_raw(host);
        }
        let scheme = self.scheme.unwrap_or(if self.port == Some(80) { Scheme::Http } else { Scheme::Https });
        let method =
            |text: &String| Method::parse(text).or_else(|why| malformed(format!("`methods`: {why}")));
        let path =
            |text: &String| PathPattern::parse(text).or_else(|why| malformed(format!("`paths`: {why}")));
        Ok(Proposal {
            host,
            port: self.port.unwrap_or(scheme.default_port()),
            scheme,
            protocol: Protocol::Http,
            tls: policy::TlsMode::Open,
            methods: each("methods", self.methods.as_deref(), method)?,
            paths: each("paths", self.paths.as_deref(), path)?,
        })
    }

    fn of_raw(&self, host: HostPattern) -> Result<Proposal, NotPut> {
        match (host, self.port) {
            (HostPattern::Exact(host), Some(port)) if self.methods.is_none() && self.paths.is_none() => {
                Ok(Proposal::raw(host, port))
            }
            _ => malformed("raw TCP goes to one `host` and one `port`, and has no methods and no paths"),
        }
    }
}

/// All of them, if there are some and not too many.
fn each<T>(
    name: &str,
    texts: Option<&[String]>,
    parse: impl FnMut(&String) -> Result<T, NotPut>,
) -> Result<Option<Vec<T>>, NotPut> {
    match texts {
        None => Ok(None),
        Some(texts) if texts.is_empty() || texts.len() > NAMED => {
            malformed(format!("`{name}` has one to ten entries, or is left out for all"))
        }
        Some(texts) => texts.iter().map(parse).collect::<Result<Vec<T>, NotPut>>().map(Some),
    }
}

/// A petition, as its agent is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Of the petition.
    pub id: String,
    /// `open`, `allowed`, `refused`, `expired` or `withdrawn`.
    pub status: &'static str,
    /// What was asked for.
    pub asks_for: String,
    /// What was allowed, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// For how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// A word of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// What to do now, in a sentence.
    pub next: String,
}

impl From<&Petition> for Told {
    fn from(petition: &Petition) -> Told {
        let asks_for = petition.proposal.to_string();
        let told = |status, next: &str| Told {
            id: petition.id.clone(),
            status,
            asks_for: asks_for.clone(),
            allowed: None,
            span: None,
            word: None,
            next: next.to_owned(),
        };
        match &petition.state {
            State::Open => told("open", OPEN),
            State::Allowed { span, narrowed, word } => Told {
                allowed: Some(narrowed.as_ref().map_or(asks_for.clone(), ToString::to_string)),
                span: Some(span.to_string()),
                word: word.clone(),
                ..told("allowed", "do it now; no restart is needed")
            },
            State::Refused { word } => Told { word: word.clone(), ..told("refused", REFUSED) },
            State::Expired => {
                told("expired", "nobody answered in time; go on without it, or ask once more later")
            }
            State::Withdrawn => {
                told("withdrawn", "whoever waited for it gave up; ask again if you still need it")
            }
        }
    }
}

const OPEN: &str =
    "the operator has not answered yet; do something else meanwhile and look again, or wait for the answer";
const REFUSED: &str =
    "the operator said no; go on without it, do not ask for the same again, and look for no way around it";
