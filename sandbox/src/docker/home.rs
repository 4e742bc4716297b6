//! A private home at an engine that does not share files with its launcher: a volume, of one user and one bottle's name.
use super::Engine;
use super::failure::{failed, is_missing};
use super::spec::label;
use crate::SandboxError;
use bollard::models::{Volume, VolumeCreateRequest};
use std::collections::HashMap;

/// Digits of an owner's identity in the name of a volume; its label has all of them.
const DIGITS: usize = 12;

/// A home at an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The volume.
    pub volume: String,
    /// A volume of this bottle's name that says of nobody whose it is: homes were once named so. It is not used.
    pub former: Option<String>,
}

/// The home of this bottle and this owner, made when it is not there.
/// # Errors
/// When the engine does not make it, or what has its name says that it is another's.
pub async fn ensure(engine: &Engine, name: &str, owner: &str) -> Result<Home, SandboxError> {
    let volume = volume_name(name, owner);
    let pairs = [(label::HOME, name), (label::OWNER, owner)];
    let labels = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels = HashMap::from(labels);
    let request = VolumeCreateRequest {
        name: Some(volume.clone()),
        labels: Some(labels.clone()),
        ..VolumeCreateRequest::default()
    };
    let new = look(engine, &volume).await?.is_none();
    let made = engine.api().create_volume(request).await;
    let made = made.map_err(|error| failed(&format!("make the volume `{volume}`"), error))?;
    // An engine gives the volume that is there as if it had made it.
    if labels.iter().any(|(key, value)| made.labels.get(key) != Some(value)) {
        return Err(foreign(&volume));
    }
    let former = format!("bottle-home-{name}");
    let nobodys = |there: &Volume| !there.labels.contains_key(label::OWNER);
    let is_there = new && look(engine, &former).await?.as_ref().is_some_and(nobodys);
    Ok(Home { volume, former: is_there.then_some(former) })
}

fn volume_name(name: &str, owner: &str) -> String {
    format!("bottle-home-{name}-{}", owner.get(..DIGITS).unwrap_or(owner))
}

async fn look(engine: &Engine, volume: &str) -> Result<Option<Volume>, SandboxError> {
    match engine.api().inspect_volume(volume).await {
        Ok(volume) => Ok(Some(volume)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&format!("look for the volume `{volume}`"), error)),
    }
}

fn foreign(volume: &str) -> SandboxError {
    SandboxError::new(format!("the volume `{volume}` has the name of this bottle's home and is another's"))
        .with_hint(format!(
            "look whose it is with `docker volume inspect {volume}`; take another `name:`, or remove the volume when \
             nobody needs it"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_of_one_name_have_two_homes() {
        let (one, other) = ("0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef");
        assert_eq!(volume_name("dev", one), "bottle-home-dev-0123456789ab");
        assert_ne!(volume_name("dev", one), volume_name("dev", other));
    }
}
