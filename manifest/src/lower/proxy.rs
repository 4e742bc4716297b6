//! The next hop of what leaves.
use super::Lower;
use super::auth::{Slots, Wanted};
use crate::at::At;
use crate::plan::{ProxyAuthPlan, UpstreamProxyPlan};
use crate::problem::Problem;
use crate::written::{Egress, ProxyAuth, UpstreamProxy};
use credentials::PlaceholderFormat;
use policy::{Authority, Host, ProxyException};
use std::path::PathBuf;

impl Lower<'_> {
    pub(super) fn proxy(&mut self, proxy: &UpstreamProxy, slots: &mut Slots) -> Option<UpstreamProxyPlan> {
        let url = self.proxy_url(&proxy.url);
        let ca = self.certificates(proxy.ca.as_ref(), "the certificate authority of the proxy");
        let roots = self.certificates(proxy.roots.as_ref(), "the root certificate of the proxy");
        let auth = proxy.auth.as_ref().map_or(Some(None), |auth| self.proxy_auth(auth, &proxy.url, slots));
        let except = self.exceptions(&proxy.except);
        if let Some(roots) = proxy.roots.as_ref().filter(|_| proxy.url.starts_with("http://")) {
            let message = "`roots` verifies the proxy's own certificate, and a proxy at `http://` has none";
            self.error_hint(
                roots.span,
                message,
                "write `https://`, or take `roots` out; `ca` is for a proxy that opens TLS",
            );
        }
        Some(UpstreamProxyPlan { url: url?, ca: ca?, roots: roots?, auth: auth?, except: except? })
    }

    fn proxy_url(&mut self, url: &At<String>) -> Option<String> {
        let Some((scheme, authority)) = url.split_once("://").filter(|(s, _)| ["http", "https"].contains(s))
        else {
            // Whatever it is, it may hold a password.
            let shown = if url.contains('@') { "this" } else { &format!("`{}`", url.value) };
            self.error_hint(url.span, format!("{shown} is not a proxy"), "write `http://host:port`");
            return None;
        };
        if authority.contains('@') {
            let message = "a manifest must not hold a password, and this address has one";
            let hint = "take it out and write `auth: { username: …, token: { env: … } }` beside `url`";
            self.error_hint(url.span, message, hint);
            return None;
        }
        let (host, port) = super::resolve::split_port(authority.trim_end_matches('/'));
        let host = Host::parse(host).map_err(|why| self.error(url.span, why.to_string())).ok()?;
        let Some(port) = port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0) else {
            self.error_hint(url.span, "a proxy needs a port", format!("write `{scheme}://{host}:8080`"));
            return None;
        };
        Some(format!("{scheme}://{host}:{port}"))
    }

    fn certificates(&mut self, file: Option<&At<String>>, what: &str) -> Option<Option<PathBuf>> {
        file.map_or(Some(None), |file| self.trusted(file, what).map(Some))
    }

    fn proxy_auth(
        &mut self,
        auth: &At<ProxyAuth>,
        url: &At<String>,
        slots: &mut Slots,
    ) -> Option<Option<ProxyAuthPlan>> {
        let Some((username, source)) = self.user_and_token(&auth.username, &auth.token)? else {
            return Some(None);
        };
        if in_clear(url) {
            let message = "the password goes to the proxy in clear: everyone on the way there can read it";
            self.problems.push(Problem::warning(auth.span, message).hint("use a proxy at `https://`"));
        }
        let (env, format) = (Vec::new(), PlaceholderFormat::Opaque);
        let scheme = credentials::AuthScheme::Basic { username: username.clone() };
        let slot = slots.slot(Wanted { source, scheme, format, env });
        Some(Some(ProxyAuthPlan { username, slot }))
    }

    fn exceptions(&mut self, written: &[At<String>]) -> Option<Vec<ProxyException>> {
        let all: Vec<Option<ProxyException>> = written.iter().map(|one| self.exception(one)).collect();
        all.into_iter().collect()
    }

    fn exception(&mut self, written: &At<String>) -> Option<ProxyException> {
        let hint = match written.value.as_str() {
            "*" => "without a proxy everything goes direct: take `upstream_proxy` out".to_owned(),
            text if text.starts_with('.') => format!("all names below it are `*{text}`"),
            text if text.contains("://") => "write the host alone".to_owned(),
            _ => "an exception is a host (`api.example.com`), all names below one (`*.example.com`), or a block of \
                  addresses (`10.0.0.0/8`), without a port"
                .to_owned(),
        };
        let parsed = ProxyException::parse(written);
        parsed.map_err(|why| self.error_hint(written.span, why.to_string(), hint)).ok()
    }

    /// A name of the operator's own table that the proxy looks up instead.
    pub(super) fn resolved_elsewhere(&mut self, user: &Egress, proxy: &UpstreamProxyPlan) {
        let names = user.resolve.iter().flat_map(|table| &table.0).map(|(name, _)| name);
        for name in names {
            let Ok(Authority { host, .. }) = Authority::parse(name) else { continue };
            if proxy.takes(&host) {
                let message = format!(
                    "`{host}` goes through `upstream_proxy`, which resolves it: this entry is not used"
                );
                let hint = format!("to reach it direct, write `except: [\"{host}\"]` under `upstream_proxy`");
                self.problems.push(Problem::warning(name.span, message).hint(hint));
            }
        }
    }
}

/// Not over TLS, and not within this machine.
fn in_clear(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let (host, _) = super::resolve::split_port(rest.trim_end_matches('/'));
    match Host::parse(host) {
        Ok(Host::Ip(ip)) => !ip.is_loopback(),
        Ok(Host::Name(name)) => name.as_str() != "localhost",
        Err(_) => true,
    }
}
