//! What `bottle doctor` looks at.
/// One thing the machine must have.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// `user namespaces`, `nf_tables`, `landlock`…
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Whether bottles cannot run without it.
    pub required: bool,
    /// What was seen.
    pub found: String,
    /// How to mend it, when it is missing.
    pub hint: Option<String>,
}

/// Tries every thing a bottle needs, without leaving anything.
#[must_use]
pub fn diagnose() -> Vec<Check> {
    Vec::new()
}
