//! Puts a credential into the head of a request.
use crate::{Binding, Placeholder, Secret};

/// What kept a credential out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The value holds bytes that the place cannot carry (a newline in a header).
    #[error("the value of {0} cannot stand in {1}")]
    Unfit(crate::Slot, &'static str),
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// A credential is now in the head (with `placeholder`, only when the placeholder stood there).
    pub in_head: bool,
    /// The body has to go through a [`crate::BodySwapper`] (`placeholder` scheme).
    pub swap_body: bool,
}

/// Rewrites headers and the origin-form target in place. Values are marked sensitive. The agent's own value in that
/// place (every header of that name, every query parameter of that name) goes first.
/// # Errors
/// When the value cannot stand there.
pub fn inject(
    binding: &Binding,
    placeholder: &Placeholder,
    secret: &Secret,
    target: &mut String,
    headers: &mut http::HeaderMap,
) -> Result<Injected, InjectError> {
    let _ = (binding, placeholder, secret, target, headers);
    todo!()
}
