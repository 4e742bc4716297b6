//! The allowlist, and which credential each of its routes gets.
use super::auth::{Slots, Wanted};
use super::{Layer, Lower};
use crate::at::At;
use crate::host::{Registries, Registry};
use crate::lint;
use crate::plan::{BudgetPlan, RouteDlpPlan};
use crate::problem::{Problem, Span};
use crate::written::{self, Route as Written};
use credentials::Binding;
use policy::{HostPattern, Method, PathPattern, Protocol, Route, RouteId, Scheme, TlsMode};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Slots and route ids are numbers of this size; no allowlist for people is this long.
const MOST_ROUTES: usize = 50_000;

/// What the routes of all layers come to.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) list: Vec<Route>,
    pub(super) bindings: BTreeMap<RouteId, Binding>,
    pub(super) dlp: BTreeMap<RouteId, RouteDlpPlan>,
    pub(super) budgets: BTreeMap<RouteId, BudgetPlan>,
    pub(super) slots: Slots,
    /// For each route: where the user wrote it; `None` for those of presets.
    spans: Vec<Option<Span>>,
    by_host: ByHost,
}

/// Where the routes of a host pattern stand, by its text: a route is compared with those that may hide it alone.
#[derive(Default)]
struct ByHost(HashMap<String, Vec<usize>>);

impl ByHost {
    fn add(&mut self, host: &HostPattern, place: usize) {
        self.0.entry(host.to_string()).or_default().push(place);
    }

    /// Places of all routes whose pattern covers all of this one, the first one first.
    fn covering(&self, host: &HostPattern) -> Vec<usize> {
        let text = host.to_string();
        let above = policy::parents(&text).map(|name| format!("*.{name}"));
        let mut places: Vec<usize> = above
            .filter_map(|pattern| self.0.get(&pattern))
            .chain(self.0.get(&text))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// A route that was understood, before it has its place.
struct Understood {
    route: Route,
    wanted: Option<Wanted>,
    dlp: Option<RouteDlpPlan>,
    budget: BudgetPlan,
    span: Option<Span>,
}

impl Lower<'_> {
    /// The user's routes first, then those of the presets, then the registries.
    pub(super) fn routes(
        &mut self,
        layers: &[Layer],
        registries_at: Option<Span>,
        workspace: Option<&Path>,
    ) -> Routes {
        let mut routes = Routes::default();
        for layer in layers {
            for written in layer.manifest.egress.iter().flat_map(|egress| &egress.routes) {
                if let Some(understood) = self.route(written, layer.preset.as_deref()) {
                    self.add(&mut routes, understood);
                }
            }
        }
        if let (Some(span), Some(workspace)) = (registries_at, workspace) {
            let registries = self.host.registries(workspace);
            self.registries(&mut routes, &registries, span);
        }
        self.names_once(layers.first());
        routes
    }

    fn add(&mut self, routes: &mut Routes, new: Understood) {
        let mut covering = routes.by_host.covering(&new.route.host).into_iter();
        let hiding = covering.find(|&place| lint::hides(&routes.list[place], &new.route));
        if let Some(place) = hiding {
            let (earlier, earlier_span) = (&routes.list[place], routes.spans[place]);
            let bound = routes.bindings.contains_key(&earlier.id);
            let problem = match (new.span, earlier_span) {
                (Some(span), _) => Some(hidden(span, earlier)),
                (None, Some(span)) if new.wanted.is_some() && !bound => Some(takes_over(span, &new.route)),
                _ => None,
            };
            self.problems.extend(problem);
            return;
        }
        if routes.list.len() >= MOST_ROUTES {
            let span = new.span.unwrap_or_default();
            self.error(span, format!("a manifest has at most {MOST_ROUTES} routes"));
            return;
        }
        let id = RouteId(u32::try_from(routes.list.len()).unwrap_or(u32::MAX));
        if let Some(wanted) = new.wanted {
            let binding = routes.slots.bind(wanted);
            routes.bindings.insert(id, binding);
        }
        routes.dlp.extend(new.dlp.map(|own| (id, own)));
        if !new.budget.is_empty() {
            routes.budgets.insert(id, new.budget);
        }
        routes.by_host.add(&new.route.host, routes.list.len());
        routes.list.push(Route { id, ..new.route });
        routes.spans.push(new.span);
    }

    fn route(&mut self, written: &At<Written>, preset: Option<&str>) -> Option<Understood> {
        let before = self.problems.iter().filter(|p| p.is_error()).count();
        let host =
            HostPattern::parse(&written.host).map_err(|why| self.bad_host(&written.host, &why)).ok()?;
        let methods = self.methods(written);
        let paths = self.paths(written);
        let scheme = match written.scheme.as_deref() {
            Some(written::Scheme::Http) => Scheme::Http,
            _ => Scheme::Https,
        };
        let port = self.port(written, scheme);
        lint::uninspected(written, &host, &mut self.problems);
        lint::address(written, &host, &mut self.problems);
        let wanted = written.auth.as_ref().and_then(|auth| self.credential(auth, &host, scheme));
        let route = Route {
            id: RouteId(0),
            name: name(written, preset),
            host,
            port,
            scheme,
            protocol: if is_tcp(written) { Protocol::Tcp } else { Protocol::Http },
            tls: if is_passthrough(written) { TlsMode::Passthrough } else { TlsMode::Open },
            methods,
            paths,
            allow_private: written.allow_private.as_ref().is_some_and(|allow| allow.value),
        };
        let dlp = written.dlp.as_ref().map(|dlp| self.route_dlp(dlp, is_tcp(written)));
        let budget = self.budget(written.budget.as_ref());
        let span = preset.is_none().then_some(written.host.span);
        // What is wrong in a route was told; half a route would only make others look wrong.
        let after = self.problems.iter().filter(|p| p.is_error()).count();
        (before == after).then_some(Understood { route, wanted, dlp, budget, span })
    }

    fn bad_host(&mut self, host: &At<String>, why: &policy::HostError) {
        if host.contains("://") {
            let hint = "write the host alone; `scheme`, `port` and `paths` are keys of their own";
            self.error_hint(host.span, format!("`{}` is a URL, not a host", host.value), hint);
            return;
        }
        let hint = if host.contains('/') {
            "write the host alone; `paths` is a key of its own"
        } else {
            "a host is a name (`api.example.com`), all names below one (`*.example.com`), or an address"
        };
        self.error_hint(host.span, why.to_string(), hint);
    }

    fn credential(
        &mut self,
        auth: &At<written::AuthChoice>,
        host: &HostPattern,
        scheme: Scheme,
    ) -> Option<Wanted> {
        if scheme == Scheme::Http {
            let message = "a credential cannot go out over `scheme: http`: everyone on the way could read it";
            self.error_hint(auth.span, message, "use https, or take `auth` out");
        }
        if let HostPattern::Below(name) = host {
            let message = format!("this credential goes to every name below `{name}`");
            self.problems
                .push(Problem::warning(auth.span, message).hint("give it to the one host that needs it"));
        }
        self.choose(auth, host)
    }

    fn port(&mut self, written: &Written, scheme: Scheme) -> u16 {
        match &written.port {
            Some(port) if port.value == 0 => {
                self.error(port.span, "port 0 cannot be reached");
                0
            }
            Some(port) => port.value,
            None => scheme.default_port(),
        }
    }

    fn methods(&mut self, written: &Written) -> Option<Vec<Method>> {
        let methods = self.some_of(written.methods.as_ref()?, "methods", "to allow all, take the key out")?;
        Some(methods.iter().filter_map(|method| self.method(method)).collect())
    }

    fn method(&mut self, written: &At<String>) -> Option<Method> {
        let told =
            |why: &str| Problem::error(written.span, format!("`{}` is not a method: {why}", written.value));
        match Method::parse(written) {
            Ok(method) => Some(method),
            Err(why) => {
                let upper = written.to_ascii_uppercase();
                let problem = told(why);
                self.problems.push(match Method::parse(&upper) {
                    Ok(_) => problem.hint(format!("write `{upper}`")),
                    Err(_) => problem,
                });
                None
            }
        }
    }

    fn paths(&mut self, written: &Written) -> Option<Vec<PathPattern>> {
        let paths = self.some_of(written.paths.as_ref()?, "paths", "to allow all, take the key out")?;
        let mut patterns = Vec::new();
        for path in paths {
            match PathPattern::parse(path) {
                Ok(pattern) => patterns.push(pattern),
                Err(why) => self.error(path.span, format!("`{}` is not a path pattern: {why}", path.value)),
            }
        }
        Some(patterns)
    }

    fn names_once(&mut self, user: Option<&Layer>) {
        let routes = user.iter().flat_map(|layer| &layer.manifest.egress).flat_map(|egress| &egress.routes);
        let mut seen: Vec<&str> = Vec::new();
        for name in routes.filter_map(|route| route.name.as_ref()) {
            if seen.contains(&name.value.as_str()) {
                self.error(name.span, format!("two routes are called `{}`", name.value));
            }
            seen.push(name);
        }
    }

    fn registries(&mut self, routes: &mut Routes, registries: &Registries, span: Span) {
        for registry in &registries.list {
            match lint::never_reached(registry) {
                Some(problem) => self.problems.push(Problem { span: Some(span), ..problem }),
                None => self.add(routes, registry_route(registry)),
            }
        }
        for unknown in &registries.unknown {
            self.problems.push(Problem::warning(span, unknown.clone()));
        }
        if registries.list.is_empty() {
            let message = "the preset `packages` found no package tool that is configured here";
            let hint = "add a route for your registry: `- host: …`";
            self.problems.push(Problem::warning(span, message).hint(hint));
        }
    }
}

fn registry_route(registry: &Registry) -> Understood {
    let auth = registry.auth.as_ref().filter(|_| registry.scheme == Scheme::Https);
    let wanted = auth.map(|auth| Wanted {
        source: auth.source.clone(),
        scheme: auth.scheme.clone(),
        format: auth.format,
        env: auth.env.clone(),
    });
    let route = Route {
        id: RouteId(0),
        name: format!("packages: {} {}", registry.tool, registry.host),
        host: HostPattern::Exact(registry.host.clone()),
        port: registry.port,
        scheme: registry.scheme,
        protocol: Protocol::Http,
        tls: TlsMode::Open,
        methods: None,
        paths: None,
        // A mirror inside a company is what the operator's own tools are configured for. This opens private networks,
        // never this machine, its link or a metadata service.
        allow_private: registry.configured,
    };
    Understood { route, wanted, dlp: None, budget: BudgetPlan::default(), span: None }
}

fn hidden(span: Span, earlier: &Route) -> Problem {
    let message =
        format!("no request ever comes to this route: `{}` before it covers all of them", earlier.name);
    Problem::error(span, message).hint("put the narrower route first, or take one of them out")
}

fn takes_over(span: Span, preset: &Route) -> Problem {
    let message = format!("this route takes the place of `{}`, and its credential with it", preset.name);
    Problem::warning(span, message)
        .hint("give this route an `auth` of its own, or narrow its paths or methods")
}

pub(crate) fn is_tcp(written: &Written) -> bool {
    written.protocol.as_deref() == Some(&written::Protocol::Tcp)
}

pub(crate) fn is_passthrough(written: &Written) -> bool {
    written.tls.as_deref() == Some(&written::Tls::Passthrough)
}

/// `claude-code: api.anthropic.com`, `github.com /acme/**`.
fn name(written: &Written, preset: Option<&str>) -> String {
    if let Some(name) = &written.name {
        return name.value.clone();
    }
    let port = written.port.as_ref().map(|port| format!(":{}", port.value)).unwrap_or_default();
    let paths: Vec<&str> =
        written.paths.iter().flat_map(|paths| paths.iter()).map(|path| path.value.as_str()).collect();
    let paths = match paths.as_slice() {
        [] => String::new(),
        [only] => format!(" {only}"),
        [first, ..] => format!(" {first} …"),
    };
    let preset = preset.map(|preset| format!("{preset}: ")).unwrap_or_default();
    format!("{preset}{}{port}{paths}", written.host.value)
}
