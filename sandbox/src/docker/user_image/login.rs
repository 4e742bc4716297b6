//! What `docker login` left for a registry, read where Docker's own client reads it: `config.json`, and the helper
//! programs that it names. It goes to the engine, which speaks to the registry, and nowhere else.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// What Docker's client files its own registry under.
const HUB: &str = "https://index.docker.io/v1/";
/// How long a helper may take: it may ask its user to unlock a store.
const HELPER: Duration = Duration::from_secs(60);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// A helper's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The name under which credentials for this image's registry are kept.
pub(super) fn registry_of(image: &str) -> String {
    let first = image.split_once('/').map(|(first, _)| first);
    match first.filter(|first| first.contains(['.', ':']) || *first == "localhost") {
        None | Some("docker.io" | "index.docker.io") => HUB.to_owned(),
        Some(host) => host.to_owned(),
    }
}

/// Credentials for a registry; `None` is an anonymous visitor, whom a public image is enough for.
pub(super) async fn credentials(folder: Option<&Path>, registry: &str) -> Option<DockerCredentials> {
    let config = tokio::fs::read(folder?.join("config.json")).await.ok()?;
    let config: Config = serde_json::from_slice(&config).ok()?;
    let helper = config.cred_helpers.get(registry).or(config.creds_store.as_ref());
    if let Some(helper) = helper
        && let Some(found) = ask(helper, registry).await
    {
        return Some(found);
    }
    let (_, auth) = config.auths.iter().find(|(name, _)| *name == registry || host_of(name) == registry)?;
    filed(auth, registry)
}

/// Old files have addresses where new ones have hosts.
fn host_of(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split_once('/').map_or(name, |(host, _)| host)
}

fn filed(auth: &Auth, registry: &str) -> Option<DockerCredentials> {
    let pair = auth.auth.as_ref().and_then(|auth| String::from_utf8(STANDARD.decode(auth).ok()?).ok());
    let pair = pair.as_ref().and_then(|pair| pair.trim_end_matches('\0').split_once(':'));
    if pair.is_none() && auth.identitytoken.is_none() && auth.registrytoken.is_none() {
        return None;
    }
    Some(DockerCredentials {
        username: pair.map(|(name, _)| name.to_owned()),
        password: pair.map(|(_, password)| password.to_owned()),
        identitytoken: auth.identitytoken.clone(),
        registrytoken: auth.registrytoken.clone(),
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    })
}

/// `docker-credential-NAME get`: the registry goes in, JSON comes out (docker/docker-credential-helpers).
async fn ask(helper: &str, registry: &str) -> Option<DockerCredentials> {
    if !helper.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return None;
    }
    let mut helper = Command::new(format!("docker-credential-{helper}"));
    helper.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = helper.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    stdin.write_all(registry.as_bytes()).await.ok()?;
    drop(stdin);
    let output = tokio::time::timeout(HELPER, child.wait_with_output()).await.ok()?.ok()?;
    let answer: Answer = output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())??;
    // Of a token, the name says that it is one.
    let (username, password, identitytoken) = match answer.username.as_str() {
        "<token>" => (None, None, Some(answer.secret)),
        _ => (Some(answer.username), Some(answer.secret), None),
    };
    let serveraddress = Some(registry.to_owned());
    Some(DockerCredentials {
        username,
        password,
        identitytoken,
        serveraddress,
        ..DockerCredentials::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_told_from_a_name() {
        for hub in
            ["debian", "debian:12", "acme/x", "docker.io/acme/x", "index.docker.io/x", "acme/x@sha256:0"]
        {
            assert_eq!(registry_of(hub), HUB, "{hub}");
        }
        for (image, host) in [
            ("ghcr.io/acme/x:1", "ghcr.io"),
            ("localhost/x", "localhost"),
            ("localhost:5000/x", "localhost:5000"),
            ("r.example.com:5000/a/b@sha256:0", "r.example.com:5000"),
        ] {
            assert_eq!(registry_of(image), host);
        }
    }

    async fn found(config: &str, registry: &str) -> Option<(Option<String>, Option<String>, Option<String>)> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("config.json"), config).expect("a file");
        let found = credentials(Some(folder.path()), registry).await?;
        assert_eq!(found.serveraddress.as_deref(), Some(registry));
        Some((found.username, found.password, found.identitytoken))
    }

    #[tokio::test]
    async fn credentials_are_those_of_their_registry_and_of_no_other() {
        // `me:pass:word`
        let config = r#"{"auths": {"https://ghcr.io/v2/": {"auth": "bWU6cGFzczp3b3Jk"}, "t.example.com":
            {"identitytoken": "tok"}, "e.example.com": {}}, "credHelpers": {"h.example.com": "../x y"}}"#;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(config, "ghcr.io").await, Some((some("me"), some("pass:word"), None)));
        assert_eq!(found(config, "t.example.com").await, Some((None, None, some("tok"))));
        for registry in ["e.example.com", "h.example.com", "other.example.com", "io", HUB] {
            assert_eq!(found(config, registry).await, None, "{registry}");
        }
        assert_eq!(found("no JSON", "ghcr.io").await, None);
        assert!(credentials(Some(Path::new("/nonexistent")), "ghcr.io").await.is_none());
    }
}
