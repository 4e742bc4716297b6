//! Where a secret comes from, and whether it is at hand.
use super::Lower;
use super::apart::Purpose;
use crate::at::At;
use crate::written::Token;
use credentials::TokenRef;
use std::path::{Path, PathBuf};

/// While a command fails its old answer serves this long.
const STALE_SECS: u64 = 300;

impl Lower<'_> {
    /// Exactly one source, with the keys that mean something for it.
    pub(super) fn source(&mut self, token: &At<Token>) -> Option<TokenRef> {
        self.source_keys(token);
        match (&token.env, &token.file, &token.command) {
            (Some(name), None, None) => {
                self.no_secret(name);
                self.variable(name).then(|| TokenRef::Env { name: name.value.clone() })
            }
            (None, Some(file), None) => {
                let pointer = token.json_pointer.as_ref();
                if let Some(pointer) = pointer.filter(|p| !is_pointer(p)) {
                    let message = format!("`{}` is not a JSON pointer", pointer.value);
                    self.error_hint(pointer.span, message, "it begins with `/`, as in `/tokens/access`");
                }
                let path = self.path(file)?;
                self.apart(Some(file.span), &path, Purpose::Secret);
                Some(TokenRef::File { path, json_pointer: pointer.map(|p| p.value.clone()) })
            }
            (None, None, Some(command)) => Some(TokenRef::Command {
                argv: self.program_on_the_host(command)?,
                ttl_secs: match &token.ttl {
                    Some(ttl) => Some(self.seconds(ttl)?),
                    None => None,
                },
                stale_secs: token.stale.as_ref().map_or(Some(STALE_SECS), |stale| self.seconds(stale))?,
            }),
            _ => {
                self.error(token.span, "a token needs exactly one of the keys `env`, `file` and `command`");
                None
            }
        }
    }

    /// A command of this machine: its program is looked up now, once and for all. Whatever it or an argument names by
    /// its whole path must not be what the agent wrote.
    pub(super) fn program_on_the_host(&mut self, written: &At<Vec<At<String>>>) -> Option<Vec<String>> {
        let mut argv = self.command(written)?;
        let program = self.program(written.first()?)?;
        if let Some(path) = &program {
            self.apart(Some(written.span), path, Purpose::Executed);
            argv[0] = self.as_text(written.first()?, path)?;
        }
        for argument in written.iter().skip(1).filter(|argument| argument.starts_with('/')) {
            self.apart(Some(argument.span), Path::new(&argument.value), Purpose::Executed);
        }
        Some(argv)
    }

    /// Where a program is; `Some(None)` when it is nowhere, which the start tells.
    fn program(&mut self, name: &At<String>) -> Option<Option<PathBuf>> {
        if name.contains('/') { self.path(name).map(Some) } else { Some(self.host.program(name)) }
    }

    fn as_text(&mut self, written: &At<String>, path: &Path) -> Option<String> {
        let text = path.to_str().map(str::to_owned);
        if text.is_none() {
            self.error(written.span, format!("the path `{}` is not text", path.display()));
        }
        text
    }

    fn source_keys(&mut self, token: &Token) {
        let keys = [
            (&token.json_pointer, "json_pointer", token.file.is_some(), "file"),
            (&token.ttl, "ttl", token.command.is_some(), "command"),
            (&token.stale, "stale", token.command.is_some(), "command"),
        ];
        for (value, key, fits, source) in keys {
            if let Some(value) = value
                && !fits
            {
                self.error(value.span, format!("`{key}` means something only beside `{source}`"));
            }
        }
    }

    pub(super) fn at_hand(&mut self, token: &Token) -> bool {
        if let Some(file) = &token.when_file {
            let exists = self.path(file).is_some_and(|path| self.host.exists(&path));
            if !exists {
                return false;
            }
        }
        if let Some(name) = &token.env {
            return self.host.has_variable(name);
        }
        if let Some(file) = &token.file {
            return self.path(file).is_some_and(|path| self.host.exists(&path));
        }
        let Some(name) = token.command.as_ref().and_then(|command| command.first()) else { return false };
        let place = self.program(name).flatten();
        place.is_some_and(|place| !name.contains('/') || self.host.exists(&place))
    }
}

pub(super) fn source_for_people(source: &TokenRef) -> String {
    match source {
        TokenRef::Env { name } => format!("the variable `{name}` is not set"),
        TokenRef::File { path, .. } => format!("the file `{}` does not exist", path.display()),
        TokenRef::Command { argv, .. } => {
            format!("the program `{}` is not found", argv.first().map_or("", String::as_str))
        }
    }
}

/// How people who log in instead of holding a key get one. Files of a login stay outside: they hold real tokens, which
/// an agent would renew and write down itself.
pub(super) fn way(source: &TokenRef) -> Option<&'static str> {
    let TokenRef::Env { name } = source else { return None };
    Some(match name.as_str() {
        "ANTHROPIC_API_KEY" => "`export ANTHROPIC_API_KEY=…`, a key of the Anthropic console",
        "CLAUDE_CODE_OAUTH_TOKEN" => {
            "or, with a Claude login, `export CLAUDE_CODE_OAUTH_TOKEN=…`, which `claude setup-token` prints"
        }
        "OPENAI_API_KEY" => {
            "`export OPENAI_API_KEY=…`, a key of the OpenAI platform; a ChatGPT login cannot be used yet"
        }
        "GEMINI_API_KEY" => {
            "`export GEMINI_API_KEY=…`, a key of Google AI Studio; a Google login cannot be used yet"
        }
        _ => return None,
    })
}

fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    (text.is_empty() || text.starts_with('/')) && escapes
}
