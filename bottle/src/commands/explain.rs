//! `bottle explain`: would this request go out, and why. The code that answers is the code that enforces.
use super::check;
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::load::{self, Choice};
use crate::rules;
use crate::say;
use crate::style;
use clap::Args;
use credentials::AuthScheme;
use manifest::plan::EgressPlan;
use policy::{Denial, Opening, Request, Route};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `bottle explain`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExplainArgs {
    /// The method, as it would be sent: GET, POST, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The manifest; without it, the only `bottle.yaml` in this folder or above.
    #[arg(long, short = 'm', value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Use presets instead of a manifest; may be repeated.
    #[arg(long, short = 'p', value_name = "NAME", conflicts_with = "manifest", value_delimiter = ',')]
    pub preset: Vec<String>,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

const AFTER_HELP: &str = "\
Nothing is sent and no name is looked up: an allowed host may still turn out to have an address that bottles do not
reach.

Examples:
  bottle explain GET https://api.github.com/user
  bottle explain --preset claude-code POST https://api.anthropic.com/v1/messages

Exit code: 0 when the request would go out, 1 when it would be refused, 2 when the manifest is wrong.";

/// Does it.
///
/// # Errors
/// When the manifest is wrong.
pub fn run(args: &ExplainArgs) -> Outcome {
    let choice = Choice { manifest: args.manifest.as_deref(), presets: &args.preset, ..Choice::default() };
    let loaded = load::load(&choice).and_then(|found| {
        // What the engine would refuse to start with is no answer.
        rules::read(&found.1.plan.egress.dlp)?;
        Ok(found)
    });
    let (written, loaded) = match loaded {
        Ok(found) => found,
        Err(no_plan) if args.json => {
            say::out(format!("{:#}\n", json!({ "ok": false, "problems": check::reports(&no_plan) })))?;
            return Ok(ExitCode::from(check::WRONG));
        }
        Err(no_plan) => return Err(Failure::from(no_plan).code(check::WRONG)),
    };
    let verdict = judge(&loaded.plan.egress, &args.method, &args.url);
    if args.json {
        say::out(format!("{:#}\n", verdict.json(&loaded.plan.egress)))?;
    } else {
        say::out(verdict.text(&loaded.plan.egress, &written.name))?;
    }
    Ok(if verdict.goes_out() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What would happen.
enum Verdict {
    /// It goes out by this route.
    Allowed { route: Route, url: String },
    /// Its connection goes out unread.
    Unread { route: Route, url: String },
    /// It is refused.
    Denied(Box<Denial>),
}

fn judge(egress: &EgressPlan, method: &str, url: &str) -> Verdict {
    let request = match Request::from_url(method, url) {
        Ok(request) => request,
        Err(denial) => return Verdict::Denied(denial),
    };
    let url = request.display_url();
    match policy::open(&egress.policy, &request.host, request.port) {
        Opening::Passthrough(tunnel) if request.scheme == policy::Scheme::Https => {
            Verdict::Unread { route: Route::clone(tunnel.route()), url }
        }
        Opening::Raw(tunnel) => Verdict::Unread { route: Route::clone(tunnel.route()), url },
        Opening::Passthrough(_) | Opening::Inspect => match policy::decide(&egress.policy, request) {
            Ok(permitted) => Verdict::Allowed { route: Route::clone(permitted.route()), url },
            Err(denial) => Verdict::Denied(denial),
        },
    }
}

impl Verdict {
    fn goes_out(&self) -> bool {
        !matches!(self, Verdict::Denied(_))
    }

    fn text(&self, egress: &EgressPlan, manifest: &str) -> String {
        let (word, route, url) = match self {
            Verdict::Denied(denial) => {
                let help = format!(
                    "to allow it, add a route to {}",
                    if egress.policy.routes().is_empty() && manifest == "no manifest" {
                        "a manifest; `bottle init` writes one"
                    } else {
                        manifest
                    }
                );
                return format!("refused  {} ({})\n  {help}\n", denial.sentence, denial.code.as_str());
            }
            Verdict::Allowed { route, url } => ("allowed", route, url),
            Verdict::Unread { route, url } => ("allowed, unread", route, url),
        };
        let mut lines = vec![
            format!("{word}  {}", style::neutral(url)),
            format!("  route       {} ({})", style::neutral(&route.name), check::address(route)),
        ];
        lines.extend(self.credential(egress));
        lines.extend(self.search(egress));
        lines.extend(way(egress, url).map(|way| format!("  way         {}", style::neutral(&way))));
        if let Verdict::Unread { .. } = self {
            let read = if self.is_read(egress) {
                "its bytes as they are: method and path are not seen, and no credential is added"
            } else {
                "none: method and path are not seen, and no credential is added"
            };
            lines.push(format!("  inspection  {read}"));
        }
        lines.join("\n") + "\n"
    }

    fn credential(&self, egress: &EgressPlan) -> Vec<String> {
        let Verdict::Allowed { route, .. } = self else { return Vec::new() };
        let Some(binding) = egress.bindings.get(&route.id) else {
            return vec!["  credential  none".to_owned()];
        };
        let source = egress
            .slots
            .iter()
            .find(|slot| slot.slot == binding.slot)
            .map(|slot| engine::source(&slot.source));
        let removed = match &binding.scheme {
            AuthScheme::Placeholder { .. } => {
                "the placeholder is replaced wherever the agent put it".to_owned()
            }
            scheme => format!("what the agent itself put into {} is removed first", place(scheme)),
        };
        let source = style::neutral(&source.unwrap_or_default());
        vec![
            format!("  credential  {} from {source}, by {}", binding.slot, place(&binding.scheme)),
            format!("              {removed}"),
        ]
    }

    /// Whether its bytes are searched.
    fn is_read(&self, egress: &EgressPlan) -> bool {
        match self {
            Verdict::Allowed { .. } => true,
            Verdict::Unread { route, .. } => check::is_inspected(egress, route),
            Verdict::Denied(_) => false,
        }
    }

    /// What is done about secrets in it.
    fn search(&self, egress: &EgressPlan) -> Vec<String> {
        let (Verdict::Allowed { route, .. } | Verdict::Unread { route, .. }) = self else {
            return Vec::new();
        };
        if !self.is_read(egress) {
            return Vec::new();
        }
        let dlp = &egress.dlp;
        let mut lines =
            vec![format!("  secrets     what is found in it: {}", check::word(&dlp.action_on(route.id)))];
        let said =
            dlp.rules_on(route.id).into_iter().flat_map(|(id, actions)| check::rule_lines(id, actions));
        lines.extend(said.map(|line| format!("              {}", style::neutral(&line))));
        lines
    }

    fn json(&self, egress: &EgressPlan) -> Value {
        match self {
            Verdict::Denied(denial) => json!({
                "ok": true, "decision": "denied", "code": denial.code, "status": denial.code.status(),
                "sentence": denial.sentence,
            }),
            Verdict::Allowed { route, url } => json!({
                "ok": true, "decision": "allowed", "url": url, "inspected": true, "route": route,
                "credential": egress.bindings.get(&route.id), "upstream_proxy": through(egress, url),
                "secrets": secrets(egress, route),
            }),
            Verdict::Unread { route, url } => json!({
                "ok": true, "decision": "allowed", "url": url, "inspected": false, "route": route, "credential": null,
                "upstream_proxy": through(egress, url),
                "secrets": self.is_read(egress).then(|| secrets(egress, route)),
            }),
        }
    }
}

/// What is done about secrets on a route.
fn secrets(egress: &EgressPlan, route: &Route) -> Value {
    json!({ "action": egress.dlp.action_on(route.id), "rules": egress.dlp.rules_on(route.id) })
}

/// The proxy that this request goes through; `None`: it goes direct.
fn through<'e>(egress: &'e EgressPlan, url: &str) -> Option<&'e str> {
    let proxy = egress.upstream_proxy.as_ref()?;
    let host = Request::from_url("GET", url).ok()?.host;
    proxy.takes(&host).then_some(proxy.url.as_str())
}

/// Its way out, where there are two.
fn way(egress: &EgressPlan, url: &str) -> Option<String> {
    egress.upstream_proxy.as_ref()?;
    Some(match through(egress, url) {
        Some(proxy) => format!("through {proxy}, which resolves the name"),
        None => "direct, by `upstream_proxy.except`".to_owned(),
    })
}

/// Where a credential stands.
pub(super) fn place(scheme: &AuthScheme) -> String {
    match scheme {
        AuthScheme::Bearer | AuthScheme::Basic { .. } => "the header `authorization`".to_owned(),
        AuthScheme::Header { name, .. } => format!("the header `{}`", style::neutral(name)),
        AuthScheme::Query { parameter } => format!("the query parameter `{}`", style::neutral(parameter)),
        AuthScheme::Placeholder { .. } => "its placeholder".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use manifest::{Overrides, Place};
    use std::path::Path;

    const TEXT: &str = "egress:
  routes:
    - { host: api.test, paths: [\"/v1/**\"], auth: { scheme: query, parameter: key, token: { env: K } } }
    - { host: pinned.test, tls: passthrough }
    - { host: db.test, port: 5432, protocol: tcp }
";

    fn egress() -> EgressPlan {
        let folder = tempfile::tempdir().expect("a folder");
        let overrides = Overrides { name: Some("x"), workspace: Some(folder.path()), ..Default::default() };
        let place = Place { name: "bottle.yaml", file: None, folder: Path::new("/"), overrides };
        let machine = Machine::this().expect("a machine");
        manifest::load(TEXT, place, &machine).unwrap_or_else(|problems| panic!("{problems}")).plan.egress
    }

    fn told(method: &str, url: &str) -> String {
        let egress = egress();
        judge(&egress, method, url).text(&egress, "bottle.yaml")
    }

    #[test]
    fn an_allowed_request_says_its_route_and_credential() {
        let text = told("GET", "https://api.test/v1/x?q=1");
        assert!(text.starts_with("allowed  https://api.test/v1/x"), "{text}");
        assert!(text.contains("EGRESS_TOKEN_0 from variable `K`, by the query parameter `key`"), "{text}");
        assert!(text.contains("put into the query parameter `key` is removed first"), "{text}");
    }

    /// `explain` and the engine are to give the same sentence: it is the judge's own.
    #[test]
    fn a_refusal_is_the_sentence_of_the_judge() {
        let egress = egress();
        for (method, url) in [
            ("GET", "https://api.test/v2"),
            ("GET", "http://api.test/v1/x"),
            ("GET", "https://other.test/"),
            ("get", "https://api.test/v1/x"),
            ("GET", "https://api.test/v1/../v2"),
            ("GET", "https://user@api.test/v1/x"),
            ("GET", "http://pinned.test/"),
        ] {
            let denial = Request::from_url(method, url)
                .and_then(|request| policy::decide(&egress.policy, request).map(|_| ()))
                .expect_err("refused");
            let verdict = judge(&egress, method, url);
            assert!(!verdict.goes_out(), "{method} {url}");
            assert!(verdict.text(&egress, "m").contains(&denial.sentence), "{method} {url}");
            assert_eq!(verdict.json(&egress)["sentence"], denial.sentence, "{method} {url}");
        }
    }

    #[test]
    fn what_is_not_read_is_said_to_be_unread() {
        assert!(told("GET", "https://pinned.test/").contains("method and path are not seen"));
        assert!(told("GET", "https://db.test:5432/").contains("method and path are not seen"));
    }

    #[test]
    fn the_way_out_is_said_where_there_are_two() {
        let mut egress = egress();
        assert!(!judge(&egress, "GET", "https://pinned.test/").text(&egress, "m").contains("  way "));
        egress.upstream_proxy = Some(manifest::plan::UpstreamProxyPlan {
            url: "http://proxy.test:8080".into(),
            ca: None,
            roots: None,
            auth: None,
            except: vec![policy::ProxyException::parse("db.test").expect("a host")],
        });
        let told = |url: &str| judge(&egress, "GET", url).text(&egress, "m");
        assert!(told("https://api.test/v1/x").contains("through http://proxy.test:8080, which resolves"));
        assert!(told("https://db.test:5432/").contains("direct, by `upstream_proxy.except`"));
        let json = judge(&egress, "GET", "https://api.test/v1/x").json(&egress);
        assert_eq!(json["upstream_proxy"], "http://proxy.test:8080");
    }
}
