//! The real values: the world wants them, the launcher has them, and nothing inside a bottle ever shows one.

/// Bearer of the echoes.
pub(crate) const ECHO: &str = "real-echo-6f1c9a52d7b84e03";
/// Bearer of the package indexes.
pub(crate) const PACKAGES: &str = "real-packages-b71d40c8ee5f4a96";
/// Basic password of the code host.
pub(crate) const GIT: &str = "real-git-2c8f7e19a6d043b5";
/// Key of the Messages API.
pub(crate) const ANTHROPIC: &str = "sk-ant-api03-real-9d03e7b2c41f58a6";
/// Key of the Responses API.
pub(crate) const OPENAI: &str = "sk-proj-real-58a6f3d7c9b12e40";
/// Key of `generateContent`.
pub(crate) const GEMINI: &str = "AIzaReal-1e40b7d2c9f35a6886aa53f9c27d0b1";

/// Password of upstream proxies.
pub(crate) const PROXY: &str = "real-proxy-3b90e4d7f1c8526a";

/// Variable of the launcher and value, one for each.
pub(crate) const ALL: [(&str, &str); 7] = [
    ("REAL_ECHO", ECHO),
    ("REAL_PACKAGES", PACKAGES),
    ("REAL_GIT", GIT),
    ("REAL_PROXY", PROXY),
    ("ANTHROPIC_API_KEY", ANTHROPIC),
    ("OPENAI_API_KEY", OPENAI),
    ("GEMINI_API_KEY", GEMINI),
];
