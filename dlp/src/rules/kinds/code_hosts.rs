//! Hosts of code.
use super::Kind;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("github-fine-grained-token", "GitHub", "GitHub fine-grained personal access token")
        .seen(&["github_pat_"], "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}")
        .random(3.5),
    Kind::new("gitlab-personal-token", "GitLab", "GitLab personal access token")
        .seen(&["glpat-"], "glpat-[0-9A-Za-z_-]{20,64}")
        .random(3.0),
];
