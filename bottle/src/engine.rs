//! From the plan to what an engine is told. `bottle run` and `bottle egress` start the same engine.
use crate::failure::Failure;
use credentials::{Secret, TokenRef, Vault};
use egress::{CertificateAuthority, Config, DlpTerms, Limits, Upstream, UpstreamProxy};
use manifest::plan::{DlpAction, DlpPlan, DlpSecret, EgressPlan, UpstreamProxyPlan};
use std::path::Path;
use std::sync::Arc;

/// Resolves every credential now; all that cannot be had are in one message.
pub fn resolve(plan: &EgressPlan) -> Result<Vault, Failure> {
    Vault::resolve(&plan.slots).map_err(|missing| {
        let lines: Vec<String> =
            missing.iter().map(|one| format!("\n  - {}: {}", source(&one.reference), one.why)).collect();
        Failure::new(format!("credentials that the manifest binds cannot be had:{}", lines.concat()))
            .help("provide them and start again, or take their `auth` out of the manifest; `bottle check` shows where each is bound")
    })
}

/// A token reference, for people.
pub fn source(reference: &TokenRef) -> String {
    match reference {
        TokenRef::Env { name } => format!("variable `{name}`"),
        TokenRef::File { path, json_pointer: None } => format!("file `{}`", path.display()),
        TokenRef::File { path, json_pointer: Some(pointer) } => {
            format!("file `{}` at `{pointer}`", path.display())
        }
        TokenRef::Command { argv, .. } => format!("command `{}`", argv.join(" ")),
    }
}

/// Everything the engine needs. Reads the files that the plan names.
pub fn config(
    plan: &EgressPlan,
    bottle: &str,
    vault: Vault,
    ca: CertificateAuthority,
    audit: audit::Auditor,
) -> Result<Config, Failure> {
    Ok(Config {
        bottle: bottle.to_owned(),
        policy: Arc::new(plan.policy.clone()),
        bindings: plan.bindings.clone(),
        vault,
        dlp: dlp_terms(&plan.dlp)?,
        ca,
        upstream: upstream(plan)?,
        limits: Limits::default(),
        audit,
    })
}

fn upstream(plan: &EgressPlan) -> Result<Upstream, Failure> {
    Ok(Upstream {
        extra_roots_pem: plan.upstream_roots.iter().map(|path| read_pem(path)).collect::<Result<_, _>>()?,
        proxy: plan.upstream_proxy.as_ref().map(upstream_proxy).transpose()?,
        ..Upstream::default()
    })
}

fn upstream_proxy(plan: &UpstreamProxyPlan) -> Result<UpstreamProxy, Failure> {
    Ok(UpstreamProxy { url: plan.url.clone(), ca_pem: plan.ca.as_deref().map(read_pem).transpose()? })
}

fn read_pem(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable("certificates", path, &error))?;
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(text);
    }
    Err(Failure::new(format!("`{}` holds no PEM certificate", path.display()))
        .help("convert it with `openssl x509 -inform der -in FILE -out FILE.pem`"))
}

fn dlp_terms(plan: &DlpPlan) -> Result<DlpTerms, Failure> {
    let mut secrets = Vec::new();
    for secret in &plan.secrets {
        secrets.extend(exact_values(secret)?);
    }
    let routes = plan.routes.iter().map(|(route, action)| (*route, dlp_action(*action))).collect();
    Ok(DlpTerms { action: dlp_action(plan.action), routes, secrets })
}

fn dlp_action(action: DlpAction) -> egress::DlpAction {
    match action {
        DlpAction::Block => egress::DlpAction::Block,
        DlpAction::Redact => egress::DlpAction::Redact,
        DlpAction::Warn => egress::DlpAction::Warn,
    }
}

/// A value that is to stay inside and cannot be read is a reason not to start: it would not be sought.
fn exact_values(secret: &DlpSecret) -> Result<Vec<(String, Secret)>, Failure> {
    match secret {
        DlpSecret::Env { name } => match std::env::var_os(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(vec![(name.clone(), Secret::new(value.into_encoded_bytes()))]),
            None => Err(Failure::new(format!("variable `{name}`, which `dlp.secrets` names, is not set"))
                .help("set it, or take it out of `dlp.secrets`")),
        },
        DlpSecret::File { path } => {
            let text =
                std::fs::read_to_string(path).map_err(|error| unreadable("`dlp.secrets`", path, &error))?;
            Ok(values_of_file(path, &text))
        }
    }
}

/// Every value of dotenv lines; else the whole trimmed content.
fn values_of_file(path: &Path, text: &str) -> Vec<(String, Secret)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let secret = |value: &str| Secret::new(value.as_bytes().to_vec());
    match dotenv(text) {
        Some(pairs) => {
            pairs.into_iter().map(|(key, value)| (format!("{name} {key}"), secret(value))).collect()
        }
        None => vec![(name.into_owned(), secret(text.trim()))],
    }
}

/// `KEY=value` lines; `None` when a line is neither that, nor empty, nor a comment.
fn dotenv(text: &str) -> Option<Vec<(&str, &str)>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(dotenv_line).collect::<Option<Vec<_>>>()?;
    Some(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect())
}

fn dotenv_line(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let key = key.trim();
    let is_name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| (key, unquoted(value.trim())))
}

/// A quoted value ends at its closing quote, an unquoted one before a comment.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.rfind(quote).map_or(rest, |end| &rest[..end]);
        }
    }
    value.split_once(" #").map_or(value, |(before, _)| before.trim_end())
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot read `{}` for {what}: {error}", path.display()))
        .help("correct the path in the manifest, or the file's permissions")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let value = |secret: &Secret| String::from_utf8_lossy(secret.dangerous_expose()).into_owned();
        values_of_file(Path::new("/w/.env"), text)
            .iter()
            .map(|(name, secret)| (name.clone(), value(secret)))
            .collect()
    }

    #[test]
    fn every_value_of_a_dotenv_file_is_sought() {
        let text = "# comment\nA=plain # why\nexport B=\"with # sign\"\n\nC='x=y'\nEMPTY=\n";
        let pair = |key: &str, value: &str| (format!(".env {key}"), value.to_owned());
        assert_eq!(values(text), [pair("A", "plain"), pair("B", "with # sign"), pair("C", "x=y")]);
    }

    #[test]
    fn any_other_file_is_one_value() {
        assert_eq!(values("  s3cret value\n"), [(".env".to_owned(), "s3cret value".to_owned())]);
        assert_eq!(values("A=1\nnot a pair"), [(".env".to_owned(), "A=1\nnot a pair".to_owned())]);
    }

    #[test]
    fn a_value_that_cannot_be_read_stops_the_start() {
        let missing = DlpSecret::File { path: "/nonexistent/.env".into() };
        let failure = exact_values(&missing).expect_err("not there");
        assert!(failure.what.contains("`/nonexistent/.env`"), "{}", failure.what);
        let unset = DlpSecret::Env { name: "BOTTLE_TEST_UNSET_VARIABLE".into() };
        assert!(exact_values(&unset).is_err());
    }
}
