//! npm, pnpm and yarn: `npmrc` files.
use super::ask::ask;
use super::files::{named_by, read, setting};
use super::{Findings, url};
use credentials::{AuthScheme, PlaceholderFormat, TokenRef};
use manifest::RegistryAuth;
use std::path::{Path, PathBuf};

pub(super) fn find(workspace: &Path) -> Findings {
    let user = named_by("NPM_CONFIG_USERCONFIG", ".npmrc");
    let mut found = Findings::default();
    for file in user.into_iter().chain([PathBuf::from("/etc/npmrc")]) {
        if let Some(text) = read(&file) {
            npmrc(&text, &file.display().to_string(), &mut found);
        }
    }
    if let Ok(url) = std::env::var("NPM_CONFIG_REGISTRY").or_else(|_| std::env::var("npm_config_registry")) {
        found.add("npm", "the variable `NPM_CONFIG_REGISTRY`", &url, true);
    }
    if found.list.is_empty()
        && let Some(url) = ask("npm", &["config", "get", "registry"], workspace)
    {
        found.add("npm", "`npm config get registry`", url.trim(), false);
    }
    found
}

/// `registry=…`, `@scope:registry=…`, `//host/path/:_authToken=…`.
fn npmrc(text: &str, from: &str, found: &mut Findings) {
    let settings: Vec<(&str, &str)> = text.lines().filter_map(setting).collect();
    for (_, url) in settings.iter().filter(|(key, _)| *key == "registry" || key.ends_with(":registry")) {
        found.add("npm", from, url.trim_matches('"'), true);
    }
    for (place, token) in
        settings.iter().filter_map(|(key, value)| Some((key.strip_suffix(":_authToken")?, value)))
    {
        credential(place, token.trim_matches('"'), from, found);
    }
}

/// A token that the file reads from a variable can be bound; one that stands in the file itself cannot be taken out.
fn credential(place: &str, token: &str, from: &str, found: &mut Findings) {
    let Some(host) = url::host(&format!("https:{place}")) else { return };
    let variable =
        token.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| is_name(name));
    let Some(variable) = variable else {
        found.unknown.push(format!(
            "{from} holds a token for `{host}`, which the bottle does not use; put it into a variable and write `${{NPM_TOKEN}}` there"
        ));
        return;
    };
    if std::env::var_os(variable).is_none_or(|value| value.is_empty()) {
        return;
    }
    for registry in found.list.iter_mut().filter(|registry| registry.host == host) {
        registry.auth = Some(RegistryAuth {
            source: TokenRef::Env { name: variable.to_owned() },
            scheme: AuthScheme::Bearer,
            format: PlaceholderFormat::Npm,
            env: vec![variable.to_owned()],
        });
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_scopes_are_found_and_literal_tokens_stay() {
        let text = "; comment\nregistry=https://mirror.test/npm/\n@acme:registry = https://acme.test:8443/\n\
                    //mirror.test/npm/:_authToken=npm_literalsecret\nfund=false\n";
        let mut found = Findings::default();
        npmrc(text, "npmrc", &mut found);
        let hosts: Vec<String> = found.list.iter().map(|r| format!("{}:{}", r.host, r.port)).collect();
        assert_eq!(hosts, ["mirror.test:443", "acme.test:8443"]);
        assert!(found.list.iter().all(|r| r.auth.is_none()));
        assert!(found.unknown[0].contains("`mirror.test`"));
        assert!(!format!("{found:?}").contains("literalsecret"));
    }

    #[test]
    fn a_token_in_a_variable_is_bound_to_its_host_alone() {
        let text =
            "registry=https://mirror.test/\n@b:registry=https://b.test/\n//mirror.test/:_authToken=${PATH}\n";
        let mut found = Findings::default();
        npmrc(text, "npmrc", &mut found);
        assert_eq!(found.list[0].auth.as_ref().map(|a| a.env.clone()), Some(vec!["PATH".to_owned()]));
        assert_eq!(found.list[1].auth, None);
    }
}
