//! The agent's whole environment: nothing of the launcher's own gets in that is not named here or in the plan.
use crate::failure::Failure;
use credentials::Vault;
use manifest::plan::AgentPlan;
use std::collections::BTreeMap;
use std::path::Path;

/// Of the launcher's own environment, besides what the plan passes on: who and where one is.
const OF_THE_HOST: [&str; 4] = ["PATH", "USER", "LOGNAME", "SHELL"];
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables, as they are put together.
pub type Variables = BTreeMap<String, String>;

/// What the host and the plan give, before placeholders and trust variables come on top.
pub fn base(
    agent: &AgentPlan,
    home: &Path,
    slug: &str,
    overrides: &[(String, String)],
    host: impl Fn(&str) -> Option<String>,
) -> Variables {
    let mut variables = Variables::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
    let passed = OF_THE_HOST.iter().copied().chain(agent.pass_env.iter().map(String::as_str));
    variables.extend(passed.filter_map(|name| Some((name.to_owned(), host(name)?))));
    variables.insert("HOME".to_owned(), home.to_string_lossy().into_owned());
    variables.extend(agent.env.clone());
    variables.extend(overrides.iter().cloned());
    variables.insert("BOTTLE".to_owned(), slug.to_owned());
    variables
}

/// A secret that the bottle keeps from the agent must not reach it by the way of a variable or an argument.
pub fn refuse_secrets(vault: &Vault, variables: &Variables, command: &[String]) -> Result<(), Failure> {
    for (slot, _, secret) in vault.expose_to_scanner() {
        let value = secret.dangerous_expose();
        let holds = |text: &str| secret.is_sought() && contains(text.as_bytes(), value);
        if let Some((name, _)) = variables.iter().find(|(_, text)| holds(text)) {
            return Err(Failure::new(format!("variable `{name}` would show the agent the value of {slot}"))
                .help(format!(
                    "take `{name}` out of `env`, `pass_env` or `--env`: the agent gets a placeholder for it"
                )));
        }
        if command.iter().any(|argument| holds(argument)) {
            return Err(Failure::new(format!(
                "an argument of the agent's command would show it the value of {slot}"
            ))
            .help("take it out of the command: the agent gets a placeholder in its environment"));
        }
    }
    Ok(())
}

fn contains(text: &[u8], value: &[u8]) -> bool {
    text.windows(value.len()).any(|window| window == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentPlan {
        AgentPlan {
            command: vec!["true".into()],
            env: Variables::from([("EDITOR".into(), "vi".into()), ("LANG".into(), "C".into())]),
            pass_env: vec!["TERM".into(), "LANG".into(), "UNSET".into()],
            time_limit_secs: None,
            tools: vec![],
        }
    }

    fn host(name: &str) -> Option<String> {
        let known = [
            ("PATH", "/bin"),
            ("TERM", "xterm"),
            ("LANG", "de"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("HOME", "/h"),
        ];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn only_what_is_named_gets_in() {
        let overrides = [("EDITOR".to_owned(), "ed".to_owned())];
        let variables = base(&agent(), Path::new("/home/u"), "dev", &overrides, host);
        let expected = [
            ("BOTTLE", "dev"),
            ("EDITOR", "ed"),
            ("HOME", "/home/u"),
            ("LANG", "C"),
            ("PATH", "/bin"),
            ("TERM", "xterm"),
        ];
        let expected: Variables =
            expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(variables, expected);
    }

    #[test]
    fn a_secret_is_found_inside_a_longer_text() {
        assert!(contains(b"key=s3cret!", b"s3cret"));
        assert!(!contains(b"key=s3cre", b"s3cret"));
    }
}
