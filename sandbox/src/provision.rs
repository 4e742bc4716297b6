//! What a bottle gives its programs so that they find the egress and trust its CA: variables and files.
//!
//! Pure but for [`HostTrust::read`]. Transparent capture works without any of this; the variables make refusals
//! readable and the trust stores make TLS possible. Every backend uses the same list.

mod agents;
mod chromium;
mod git;
mod host;
mod jks;
mod x509;

pub use agents::{TOOLS_NAME, TOOLS_URL, is_agents_own};
pub use host::HostTrust;

use crate::InjectedFile;
use manifest::plan::ToolsOf;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name under which programs inside find the egress.
pub const EGRESS_HOST: &str = "egress";
/// The port on which it answers as an explicit proxy.
pub const EGRESS_PORT: u16 = 9099;
/// The bottle's CA alone.
pub const CA_PATH: &str = "/etc/bottle/ca.pem";
/// The public roots of the host and the bottle's CA.
pub const BUNDLE_PATH: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The Java trust store, where the host has none of its own to overlay.
pub const JAVA_STORE_PATH: &str = "/etc/bottle/java/cacerts";

const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "WS_PROXY", "WSS_PROXY"];
const NO_PROXY: &str = "localhost,127.0.0.1,::1";
const CA_VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
const BUNDLE_VARIABLES: [&str; 10] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "npm_config_cafile",
    "CODEX_CA_CERTIFICATE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// Everything that the list depends on.
#[derive(Debug, Clone)]
pub struct ProvisionInput<'a> {
    /// The bottle's CA certificate, PEM.
    pub ca_pem: &'a str,
    /// The host's trust stores, as [`HostTrust::read`] saw them.
    pub host: &'a HostTrust,
    /// Hosts whose ssh URLs git turns into https: those of https routes on port 443 without a raw route to port 22.
    pub code_hosts: &'a [String],
    /// Where the egress answers as an explicit proxy; [`EGRESS_PORT`] but for who chose another.
    pub egress_port: u16,
    /// What manifest and presets set already; lists such as `JAVA_TOOL_OPTIONS` are added to, not replaced.
    pub env: &'a BTreeMap<String, String>,
    /// Whose own configuration names the bottle's tools.
    pub tools: &'a [ToolsOf],
}

/// What the bottle provides.
#[derive(Debug, Clone, Default)]
pub struct Provision {
    /// Variables; they come on top of those of manifest and presets.
    pub env: BTreeMap<String, String>,
    /// Files that exist inside only.
    pub files: Vec<InjectedFile>,
    /// What could not be provided and why, for preflight and `doctor`; a clause each.
    pub missing: Vec<String>,
}

/// The whole list.
#[must_use]
pub fn provision(input: &ProvisionInput<'_>) -> Provision {
    let mut provision = Provision::default();
    provision.proxies_at(&format!("http://{EGRESS_HOST}:{}", input.egress_port));
    provision.trust(input);
    provision.chromium(input);
    provision.tools(input.tools, |name| input.env.contains_key(name));
    provision.env.extend(git::rewrites(input.code_hosts, input.env));
    provision
}

/// Variables for programs beside an explicit proxy, outside of any bottle: `proxy` is its URL, `ca` its CA alone,
/// `bundle` public roots and CA together, where these were written.
#[must_use]
pub fn beside_proxy(proxy: &str, ca: Option<&Path>, bundle: Option<&Path>) -> BTreeMap<String, String> {
    let mut provision = Provision::default();
    provision.proxies_at(proxy);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    ca.iter().for_each(|path| CA_VARIABLES.iter().for_each(|name| provision.set(name, &text(path))));
    bundle.iter().for_each(|path| BUNDLE_VARIABLES.iter().for_each(|name| provision.set(name, &text(path))));
    provision.env.remove("NODE_USE_SYSTEM_CA");
    provision.env
}

/// The public roots of the host and this CA, PEM.
#[must_use]
pub fn bundle_with(host: &HostTrust, ca_pem: &str) -> String {
    with_ca(host.bundle_pem.as_deref().unwrap_or_default(), ca_pem)
}

impl Provision {
    fn proxies_at(&mut self, url: &str) {
        for name in PROXY_VARIABLES {
            self.set(name, url);
        }
        for name in ["NO_PROXY", "no_proxy"] {
            self.set(name, NO_PROXY);
        }
        for name in ["NODE_USE_ENV_PROXY", "NODE_USE_SYSTEM_CA"] {
            self.set(name, "1");
        }
    }

    fn trust(&mut self, input: &ProvisionInput<'_>) {
        for name in CA_VARIABLES {
            self.set(name, CA_PATH);
        }
        for name in BUNDLE_VARIABLES {
            self.set(name, BUNDLE_PATH);
        }
        self.file(CA_PATH, input.ca_pem.as_bytes());
        // New files first: where the host's folder lacks one, a backend lays a copy of the folder over it, which would
        // hide what was laid over the folder's own files before.
        self.hash_links(input);
        let bundle = bundle_with(input.host, input.ca_pem);
        self.bundles(input, &bundle);
        self.java(input, &bundle);
    }

    fn bundles(&mut self, input: &ProvisionInput<'_>, bundle: &str) {
        if input.host.bundle_pem.is_none() {
            self.missing.push("the host has no bundle of public roots: hosts with `tls: passthrough` cannot be verified inside".into());
        }
        for path in &input.host.bundle_paths {
            self.file(path, bundle.as_bytes());
        }
    }

    fn hash_links(&mut self, input: &ProvisionInput<'_>) {
        let Some(hash) = first_certificate(input.ca_pem).and_then(|der| x509::subject_hash(&der)) else {
            self.missing.push("the CA's subject has no OpenSSL hash: programs that read a folder of roots only do not trust it".into());
            return;
        };
        for folder in &input.host.hash_folders {
            self.file(
                folder.join(free_link(&hash, folder, &input.host.taken_links)),
                input.ca_pem.as_bytes(),
            );
        }
    }

    fn java(&mut self, input: &ProvisionInput<'_>, bundle: &str) {
        let store = jks::trust_store(&x509::certificates(bundle));
        let own = [PathBuf::from(JAVA_STORE_PATH)];
        let paths = if input.host.java_stores.is_empty() { &own[..] } else { &input.host.java_stores };
        for path in paths {
            self.file(path, &store);
        }
        let options = java_options(&paths[0], input.egress_port);
        self.set("JAVA_TOOL_OPTIONS", &appended(input.env.get("JAVA_TOOL_OPTIONS"), &options));
    }

    fn chromium(&mut self, input: &ProvisionInput<'_>) {
        let Some(ca) = first_certificate(input.ca_pem) else { return };
        for (path, content) in chromium::policies(&ca) {
            self.file(path, content.as_bytes());
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    fn file(&mut self, path: impl Into<PathBuf>, content: &[u8]) {
        self.files.push(InjectedFile { path: path.into(), content: content.to_vec(), mode: 0o644 });
    }
}

/// The trust store and the proxy, as `java` options. `|` and `*` are Java's own syntax; no shell reads them.
fn java_options(store: &Path, port: u16) -> String {
    let proxy = |scheme: &str| format!("-D{scheme}.proxyHost={EGRESS_HOST} -D{scheme}.proxyPort={port}");
    format!(
        "-Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStorePassword={} {} {} -Dhttp.nonProxyHosts=localhost|127.*|[::1]",
        store.display(),
        jks::PASSWORD,
        proxy("http"),
        proxy("https"),
    )
}

/// Ours come last: the virtual machine lets the last word win.
fn appended(before: Option<&String>, ours: &str) -> String {
    before.map_or_else(|| ours.into(), |before| format!("{before} {ours}"))
}

fn with_ca(bundle: &str, ca_pem: &str) -> String {
    let newline = if bundle.is_empty() || bundle.ends_with('\n') { "" } else { "\n" };
    [bundle, newline, ca_pem].concat()
}

fn first_certificate(pem: &str) -> Option<Vec<u8>> {
    x509::certificates(pem).into_iter().next()
}

/// OpenSSL tries `HASH.0`, `HASH.1`, … until one is not there: ours takes the first free number.
fn free_link(hash: &str, folder: &Path, taken: &[PathBuf]) -> String {
    let mut number = 0;
    while taken.contains(&folder.join(format!("{hash}.{number}"))) {
        number += 1;
    }
    format!("{hash}.{number}")
}

#[cfg(test)]
mod tests;
