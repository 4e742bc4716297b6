//! stub
use super::{Engine, Facts};
use crate::SandboxError;
pub struct UserImage {
    pub id: String,
    pub name: String,
}
pub async fn find_or_make(
    engine: &Engine,
    _f: &Facts,
    plan: &manifest::plan::ImagePlan,
    _t: &(dyn Fn(&str) + Sync),
) -> Result<UserImage, SandboxError> {
    let manifest::plan::ImagePlan::Named(name) = plan else { return Err(SandboxError::new("stub")) };
    let i =
        engine.api().inspect_image(name).await.map_err(|e| super::failure::failed("find the image", e))?;
    Ok(UserImage { id: i.id.unwrap_or_default(), name: name.clone() })
}
