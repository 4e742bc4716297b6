//! An image that is not there yet: the engine fetches it, on its own network.
use super::super::connect::{Engine, Surroundings};
use super::super::facts::Facts;
use super::super::failure::failed;
use super::progress::{Calm, Layers, PAUSE};
use super::{login, neutral, other_platform, program};
use crate::SandboxError;
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;
use std::time::Instant;

/// Has the engine pull an image.
/// # Errors
/// When it is not to be had, with what the engine says and the way out.
pub(super) async fn pull(
    engine: &Engine,
    facts: &Facts,
    name: &str,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(), SandboxError> {
    let Some((from, tag)) = place(name) else { return Err(no_such_identity(name)) };
    let credentials =
        login::credentials(Surroundings::of_process().config.as_deref(), &login::registry_of(name)).await;
    let options =
        CreateImageOptions { from_image: Some(from), tag: Some(tag), ..CreateImageOptions::default() };
    let patient = engine.patient();
    let mut news = Box::pin(patient.create_image(Some(options), None, credentials));
    let (mut calm, mut layers) = (Calm::default(), Layers::default());
    calm.hear(format!("the engine pulls `{name}`"));
    loop {
        calm.due(Instant::now()).iter().for_each(|news| tell(news));
        match tokio::time::timeout(PAUSE, news.next()).await {
            Ok(Some(Ok(step))) => {
                let status = step.status.unwrap_or_default();
                layers.hear(step.id.as_deref(), &status, step.progress_detail.as_ref());
                layers
                    .said()
                    .into_iter()
                    .for_each(|said| calm.hear(format!("the engine pulls `{name}`: {said}")));
            }
            Ok(Some(Err(error))) => return Err(refused(facts, name, error)),
            Ok(None) => return Ok(()),
            Err(_) => {}
        }
    }
}

/// Repository and tag or digest, apart: without a tag, the engine would fetch all that there are. `None` for an identity,
/// which is no place to fetch from.
fn place(name: &str) -> Option<(String, String)> {
    let (place, digest) = name.split_once('@').map_or((name, None), |(place, digest)| (place, Some(digest)));
    if place == "sha256" || place.starts_with("sha256:") {
        return None;
    }
    let last = place.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match place[last..].split_once(':') {
        Some((repository, tag)) => (&place[..last + repository.len()], tag),
        None => (place, "latest"),
    };
    Some((repository.to_owned(), digest.unwrap_or(tag).to_owned()))
}

fn no_such_identity(name: &str) -> SandboxError {
    SandboxError::new(format!("the engine has no image with the identity `{name}`"))
        .with_hint("an identity cannot be pulled: name the image as `NAME:TAG` or `NAME@sha256:…`")
}

/// Why an engine did not get an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Missing,
    NoNetwork,
    OtherPlatform,
    Unknown,
}

fn refused(facts: &Facts, name: &str, error: Error) -> SandboxError {
    let why = why(&error);
    let mut error = failed(&format!("pull the image `{name}`"), error);
    error.what = neutral(&error.what);
    // The transport's own failure has a way out of its own.
    if error.hint.is_none() {
        error.hint = Some(way_out(why, facts, name));
    }
    error
}

/// A status, where there is one; a pull that has begun fails with words alone. They choose the hint and nothing else.
fn why(error: &Error) -> Why {
    let (status, words) = match error {
        Error::DockerResponseServerError { status_code, message } => (*status_code, message.to_lowercase()),
        Error::DockerStreamError { error } => (0, error.to_lowercase()),
        _ => return Why::Unknown,
    };
    let says = |any: &[&str]| any.iter().any(|words_of| words.contains(words_of));
    if says(&["no matching manifest", "no image found in manifest list", "no image found in image index"]) {
        Why::OtherPlatform
    } else if says(&["dial tcp", "no such host", "i/o timeout", "client.timeout", "network is unreachable"]) {
        Why::NoNetwork
    } else if matches!(status, 401 | 403 | 404)
        || says(&["denied", "unauthorized", "no basic auth credentials", "manifest unknown", "not found"])
    {
        Why::Missing
    } else {
        Why::Unknown
    }
}

fn way_out(why: Why, facts: &Facts, name: &str) -> String {
    let program = program(facts);
    match why {
        Why::Missing => format!(
            "look whether its name is right; one that is not public needs `{program} login` first, and \
             `{program} pull {name}` shows more"
        ),
        Why::NoNetwork => format!(
            "the engine's machine does not reach the registry: mend its network or its proxy, try \
             `{program} pull {name}`, or bring the image with `{program} load`"
        ),
        Why::OtherPlatform => other_platform(name, facts),
        Why::Unknown => format!("`{program} pull {name}` shows more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_so_that_one_image_is_fetched() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (name, from, tag) in [
            ("debian", "debian", "latest"),
            ("debian:12", "debian", "12"),
            ("localhost:5000/a/b", "localhost:5000/a/b", "latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b", "1"),
            (&format!("a/b@{digest}"), "a/b", &digest),
            (&format!("a/b:1@{digest}"), "a/b", &digest),
        ] {
            assert_eq!(place(name), Some((from.to_owned(), tag.to_owned())), "{name}");
        }
        assert_eq!(place(&digest), None);
    }

    #[test]
    fn the_hint_fits_what_the_engine_says() {
        let stream = |error: &str| Error::DockerStreamError { error: error.into() };
        let status = |status_code, message: &str| Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        for (error, expected) in [
            (
                status(
                    404,
                    "pull access denied for x, repository does not exist or may require 'docker login'",
                ),
                Why::Missing,
            ),
            (status(404, "manifest for x:9 not found: manifest unknown: manifest unknown"), Why::Missing),
            (
                status(
                    500,
                    "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
                ),
                Why::NoNetwork,
            ),
            (
                stream(
                    "pinging container registry 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused",
                ),
                Why::NoNetwork,
            ),
            (
                stream("no matching manifest for linux/arm64/v8 in the manifest list entries"),
                Why::OtherPlatform,
            ),
            (stream("reading manifest 9 in docker.io/library/x: manifest unknown"), Why::Missing),
            (stream("no space left on device"), Why::Unknown),
        ] {
            assert_eq!(why(&error), expected, "{error}");
        }
    }
}
