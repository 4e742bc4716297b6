//! What is well formed and still cannot be meant.
use crate::host::{Host as Machine, Registry};
use crate::plan::Plan;
use crate::problem::{Problem, Span};
use crate::written::{Manifest, Route as Written, RouteDlp};
use policy::{Host, HostPattern, PathPattern, Route};
use std::path::Path;

/// Whether no request that `later` covers gets past `earlier`. When in doubt: no.
pub(crate) fn hides(earlier: &Route, later: &Route) -> bool {
    earlier.port == later.port
        && earlier.scheme == later.scheme
        && earlier.protocol == later.protocol
        && earlier.tls == later.tls
        && covers_host(&earlier.host, &later.host)
        && covers_methods(earlier, later)
        && covers_paths(earlier.paths.as_deref(), later.paths.as_deref())
}

pub(crate) fn covers_host(earlier: &HostPattern, later: &HostPattern) -> bool {
    match (earlier, later) {
        (pattern, HostPattern::Exact(host)) => pattern.matches(host),
        (HostPattern::Below(outer), HostPattern::Below(inner)) => {
            inner == outer || inner.strip_suffix(&**outer).is_some_and(|rest| rest.ends_with('.'))
        }
        (HostPattern::Exact(_), HostPattern::Below(_)) => false,
    }
}

pub(crate) fn covers_methods(earlier: &Route, later: &Route) -> bool {
    match (&earlier.methods, &later.methods) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => later.iter().all(|method| earlier.contains(method)),
    }
}

pub(crate) fn covers_paths(earlier: Option<&[PathPattern]>, later: Option<&[PathPattern]>) -> bool {
    let text = |pattern: &PathPattern| String::from(pattern.clone());
    let everything = |patterns: &[PathPattern]| patterns.iter().any(|p| text(p) == "/**");
    match (earlier, later) {
        (None, _) => true,
        (Some(earlier), None) => everything(earlier),
        (Some(earlier), Some(later)) => {
            everything(earlier)
                || later.iter().all(|l| earlier.iter().any(|e| covers_path(&text(e), &text(l))))
        }
    }
}

/// `/acme/**` covers `/acme/**` and `/acme/x/…`.
fn covers_path(earlier: &str, later: &str) -> bool {
    let below =
        earlier.strip_suffix("**").is_some_and(|start| !start.contains('*') && later.starts_with(start));
    earlier == later || below
}

/// Rules that cannot be enforced on a connection that is not opened are mistakes, not wishes.
pub(crate) fn uninspected(written: &Written, host: &HostPattern, problems: &mut Vec<Problem>) {
    let tcp = crate::lower::is_tcp(written);
    let what = match (tcp, crate::lower::is_passthrough(written)) {
        (true, _) => "`protocol: tcp`",
        (false, true) => "`tls: passthrough`",
        (false, false) => return,
    };
    let rules = [
        ("auth", written.auth.as_ref().map(|x| x.span)),
        ("paths", written.paths.as_ref().map(|x| x.span)),
        ("methods", written.methods.as_ref().map(|x| x.span)),
        ("dlp", written.dlp.as_ref().filter(|dlp| !(tcp && reads(dlp))).map(|x| x.span)),
    ];
    for (key, span) in rules.into_iter().filter_map(|(key, span)| span.map(|span| (key, span))) {
        let message = format!("`{key}` cannot be enforced on a route with {what}: its bytes are not read");
        problems.push(Problem::error(span, message).hint(format!("take out `{key}` or {what}")));
    }
    if let Some(scheme) = &written.scheme
        && (tcp || scheme.value == crate::written::Scheme::Http)
    {
        problems.push(Problem::error(scheme.span, format!("`scheme` means nothing on a route with {what}")));
    }
    if tcp {
        raw(written, host, problems);
    }
}

/// Whether a raw route's bytes are to be read.
fn reads(dlp: &RouteDlp) -> bool {
    dlp.inspect.as_ref().is_some_and(|inspect| inspect.value)
}

fn raw(written: &Written, host: &HostPattern, problems: &mut Vec<Problem>) {
    if let Some(tls) = &written.tls {
        problems.push(Problem::error(tls.span, "`tls` means nothing on a route with `protocol: tcp`"));
    }
    if written.port.is_none() {
        let problem = Problem::error(written.host.span, "a route with `protocol: tcp` needs the key `port`");
        problems.push(problem.hint("for example `port: 5432`"));
    }
    if matches!(host, HostPattern::Below(_)) {
        let message = "a route with `protocol: tcp` leads to one host, not to a pattern";
        problems.push(Problem::error(written.host.span, message));
    }
}

/// Private addresses: written out they need the user's word, behind a pattern they are too many.
pub(crate) fn address(written: &Written, host: &HostPattern, problems: &mut Vec<Problem>) {
    let allow = written.allow_private.as_ref().is_some_and(|allow| allow.value);
    match host {
        HostPattern::Exact(host @ Host::Ip(ip)) => {
            let Err(refusal) = policy::vet(host, 443, &[*ip], allow) else { return };
            let kind = refusal.addresses.first().map_or("special", |(_, kind)| kind);
            let problem =
                Problem::error(written.host.span, format!("`{host}` is not a public address ({kind})"));
            problems.push(match policy::vet(host, 443, &[*ip], true) {
                Ok(_) => problem.hint("if it is meant, say `allow_private: true`"),
                Err(_) => problem.hint("a bottle never reaches it; a name under `resolve` can stand for a service of this machine"),
            });
        }
        HostPattern::Below(name) if allow => {
            let span = written.allow_private.as_ref().map_or(written.host.span, |a| a.span);
            let message = format!("every name below `{name}` may lead into the private network");
            problems.push(Problem::warning(span, message).hint("name the hosts that need it one by one"));
        }
        _ => {}
    }
}

/// A registry at an address that no route opens: a mirror on this machine's own loopback.
pub(crate) fn never_reached(registry: &Registry) -> Option<Problem> {
    let Host::Ip(ip) = registry.host else { return None };
    let refusal = policy::vet(&registry.host, registry.port, &[ip], registry.configured).err()?;
    let kind = refusal.addresses.first().map_or("special", |(_, kind)| kind);
    let message = format!(
        "the registry `{}:{}` of {} is left out, because a bottle never reaches this address ({kind})",
        registry.host, registry.port, registry.tool
    );
    let hint = "give it a name: a route for `NAME`, and `resolve: { NAME: ADDRESS:PORT }`";
    Some(Problem::warning(Span::default(), message).hint(hint))
}

/// Folders of the system: as a workspace they would be writable.
pub(crate) fn is_system(path: &Path) -> bool {
    const SYSTEM: &[&str] =
        &["/", "/home", "/tmp", "/var", "/var/tmp", "/run", "/opt", "/srv", "/mnt", "/media"];
    const BELOW_TOO: &[&str] = &[
        "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/proc", "/sys", "/dev", "/var/lib",
        "/var/run",
    ];
    SYSTEM.iter().any(|system| path == Path::new(system))
        || BELOW_TOO.iter().any(|system| path.starts_with(system))
}

/// Sockets by which a container engine takes orders: whoever can write to one owns the machine.
const ENGINE_SOCKETS: &[&str] = &["docker.sock", "podman.sock", "containerd.sock", "crio.sock"];

/// What holds secrets under a home folder.
const SECRET_PLACES: &[&str] = &[
    ".ssh",
    ".aws",
    ".gnupg",
    ".kube",
    ".docker",
    ".azure",
    ".config/gh",
    ".config/gcloud",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".claude/.credentials.json",
    ".claude.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".local/share/opencode/auth.json",
    ".local/share/keyrings",
    ".mozilla",
    ".config/google-chrome",
    ".config/chromium",
    ".password-store",
    ".bash_history",
    ".zsh_history",
];

/// A mount is a hole; some holes are never meant, some want a word.
pub(crate) fn mount(
    path: &Path,
    home: &Path,
    machine: &dyn Machine,
    writable: bool,
    span: Span,
    problems: &mut Vec<Problem>,
) {
    let shown = path.display();
    let engine = path.file_name().is_some_and(|name| ENGINE_SOCKETS.iter().any(|socket| name == *socket));
    if engine {
        let message =
            format!("`{shown}` gives orders to a container engine: whoever holds it owns this machine");
        problems.push(Problem::error(span, message));
    } else if home.starts_with(path) {
        let message = format!("the mount `{shown}` would show the whole home folder");
        problems.push(Problem::error(span, message).hint("mount the folders that are needed"));
    } else if ["/proc", "/sys", "/dev", "/run", "/var/run"].iter().any(|kernel| path.starts_with(kernel)) {
        let message = format!("`{shown}` belongs to the running system and cannot be mounted");
        problems.push(Problem::error(span, message).hint("the bottle has its own"));
    } else if writable && is_system(path) {
        problems.push(Problem::error(
            span,
            format!("`{shown}` belongs to the system and cannot be mounted writable"),
        ));
    } else if let Some(secret) = secret_place(path, home, machine) {
        let message = format!("the agent could read secrets here: `~/{secret}`");
        problems.push(
            Problem::warning(span, message).hint("give the agent a placeholder instead: `auth` of a route"),
        );
    }
}

fn secret_place(path: &Path, home: &Path, machine: &dyn Machine) -> Option<&'static str> {
    SECRET_PLACES.iter().copied().find(|place| {
        let secret = home.join(place);
        path.starts_with(&secret) || secret.starts_with(path) && machine.exists(&secret)
    })
}

/// What only shows when everything is known.
pub(crate) fn whole_plan(plan: &Plan, user: &Manifest, problems: &mut Vec<Problem>) {
    let held: Vec<&str> = plan.egress.slots.iter().flat_map(|slot| &slot.env).map(String::as_str).collect();
    for name in agent_variables(user).filter(|name| held.contains(&name.value.as_str())) {
        let message =
            format!("`{}` holds a placeholder inside the bottle and cannot hold anything else", name.value);
        problems.push(
            Problem::error(name.span, message).hint("take it out here; the route's `auth` provides it"),
        );
    }
    for name in passed(user).filter(|name| looks_secret(name)) {
        let message =
            format!("`{}` looks like a secret, and the agent would hold its real value", name.value);
        let hint = format!("bind it to a route: `auth: {{ …, token: {{ env: {} }} }}`", name.value);
        problems.push(Problem::warning(name.span, message).hint(hint));
    }
    twice_held(plan, problems);
    let is_right = !problems.iter().any(Problem::is_error);
    if is_right && plan.egress.policy.routes().is_empty() {
        let message = "no route: the bottle reaches nothing";
        let problem = Problem { span: None, ..Problem::warning(Span::default(), message) };
        problems.push(problem.hint("add `presets:` or `egress.routes`"));
    }
}

fn passed(user: &Manifest) -> impl Iterator<Item = &crate::at::At<String>> {
    user.agent.iter().flat_map(|agent| &agent.pass_env)
}

fn agent_variables(user: &Manifest) -> impl Iterator<Item = &crate::at::At<String>> {
    let set = user.agent.iter().flat_map(|agent| &agent.env).flat_map(|table| &table.0).map(|(name, _)| name);
    set.chain(passed(user))
}

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = ["_TOKEN", "_KEY", "_SECRET", "_PASSWORD", "_PASSWD", "_CREDENTIALS", "_PAT"];
    ends.iter().any(|end| name.ends_with(end)) || ["TOKEN", "PASSWORD", "SECRET"].contains(&name.as_str())
}

/// One variable cannot hold two placeholders.
fn twice_held(plan: &Plan, problems: &mut Vec<Problem>) {
    let mut seen: Vec<&str> = Vec::new();
    for name in plan.egress.slots.iter().flat_map(|slot| &slot.env) {
        if seen.contains(&name.as_str()) {
            let message = format!("two credentials want their placeholder in `{name}`");
            let problem = Problem { span: None, ..Problem::error(Span::default(), message) };
            problems.push(problem.hint("give one of them another variable: `placeholder_env: [NAME]`"));
        }
        seen.push(name);
    }
}
