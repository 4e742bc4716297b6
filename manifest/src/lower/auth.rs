//! Credentials: which one a route gets, and the slots they live in.
use super::Lower;
use super::apart::Purpose;
use crate::at::At;
use crate::problem::Problem;
use crate::written::{self, Auth, AuthChoice, PlaceWord, Token};
use credentials::reference::Places;
use credentials::reference::SlotPlan;
use credentials::{AuthScheme, Binding, PlaceholderFormat, Slot, TokenRef};
use policy::{Host, HostPattern};
use std::path::{Path, PathBuf};

/// While a command fails its old answer serves this long.
const STALE_SECS: u64 = 300;
/// Headers that frame or route a request: a secret in them would change what is sent, not authorise it.
const NOT_FOR_SECRETS: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "expect",
];

/// The secrets of a plan; one slot for each source, however many routes use it.
#[derive(Default)]
pub(super) struct Slots(pub(super) Vec<SlotPlan>);

impl Slots {
    pub(super) fn slot(&mut self, wanted: Wanted) -> Slot {
        if let Some(known) =
            self.0.iter_mut().find(|s| s.source == wanted.source && s.format == wanted.format)
        {
            known
                .env
                .extend(wanted.env.into_iter().filter(|name| !known.env.contains(name)).collect::<Vec<_>>());
            return known.slot;
        }
        let slot = Slot(u16::try_from(self.0.len()).unwrap_or(u16::MAX));
        self.0.push(SlotPlan { slot, source: wanted.source, format: wanted.format, env: wanted.env });
        slot
    }

    pub(super) fn bind(&mut self, wanted: Wanted) -> Binding {
        let scheme = wanted.scheme.clone();
        Binding { slot: self.slot(wanted), scheme }
    }
}

/// A credential that was understood.
pub(super) struct Wanted {
    pub(super) source: TokenRef,
    pub(super) scheme: AuthScheme,
    pub(super) format: PlaceholderFormat,
    pub(super) env: Vec<String>,
}

impl Lower<'_> {
    /// The first credential at hand. None at hand: no credential where one of them is optional, else the first, whose
    /// absence stops the start with a message of its own.
    pub(super) fn choose(&mut self, choice: &At<AuthChoice>, host: &HostPattern) -> Option<Wanted> {
        let mut understood = Vec::new();
        for auth in &choice.0 {
            understood.push((self.auth(auth, host)?, self.at_hand(&auth.token), auth.token.optional));
        }
        let optional = understood.iter().any(|(_, _, optional)| *optional);
        let names: Vec<String> =
            understood.iter().map(|(wanted, _, _)| source_for_people(&wanted.source)).collect();
        let at_hand = understood.iter().position(|(_, at_hand, _)| *at_hand);
        if at_hand.is_none() && !optional {
            let message = format!("no credential at hand for this route: {}", names.join(", "));
            let ways: Vec<&str> = understood.iter().filter_map(|(wanted, ..)| way(&wanted.source)).collect();
            let usual = "set it before `bottle run`, or say `optional: true` beside the token";
            let hint = if ways.is_empty() { usual.to_owned() } else { ways.join("; ") };
            self.problems.push(Problem::warning(choice.span, message).hint(hint));
        } else if at_hand.is_none() {
            self.not_at_hand.extend(
                names.into_iter().filter(|name| !self.not_at_hand.contains(name)).collect::<Vec<_>>(),
            );
        }
        let first = if optional { None } else { Some(0) };
        at_hand.or(first).and_then(|i| understood.into_iter().nth(i)).map(|(wanted, _, _)| wanted)
    }

    fn auth(&mut self, auth: &At<Auth>, host: &HostPattern) -> Option<Wanted> {
        let scheme = self.scheme(auth);
        let source = self.source(&auth.token);
        let env = self.placeholder_env(auth);
        let (scheme, source, env) = (scheme?, source?, env?);
        if matches!(scheme, AuthScheme::Placeholder { .. }) && env.is_empty() {
            let message =
                "with `scheme: placeholder` the agent must hold the placeholder, and no variable has it";
            self.error_hint(auth.span, message, "name a variable: `placeholder_env: [NAME]`");
            return None;
        }
        let format = auth.format.as_ref().map_or_else(|| guess(&env, host, &scheme), |f| format(f.value));
        Some(Wanted { source, scheme, format, env })
    }

    fn scheme(&mut self, auth: &At<Auth>) -> Option<AuthScheme> {
        use written::AuthScheme as W;
        self.only_where_it_means_something(auth);
        match auth.scheme.value {
            W::Bearer => Some(AuthScheme::Bearer),
            W::Placeholder => Some(AuthScheme::Placeholder { places: self.places(auth) }),
            W::Basic => {
                let username = self.part(auth, auth.username.as_ref(), "username")?;
                Some(AuthScheme::Basic { username: self.user_name(username)? })
            }
            W::Header => {
                let header = self.part(auth, auth.header.as_ref(), "header")?;
                let name = self.header_name(header)?;
                let prefix = auth.prefix.as_ref();
                if let Some(prefix) = prefix {
                    self.no_secret(prefix);
                    if prefix.chars().any(|c| !matches!(c, ' '..='~')) {
                        self.error(prefix.span, "a header cannot hold this prefix");
                    }
                }
                Some(AuthScheme::Header { name, prefix: prefix.map(|p| p.value.clone()) })
            }
            W::Query => {
                let parameter = self.part(auth, auth.parameter.as_ref(), "parameter")?;
                if parameter.is_empty() {
                    self.error(parameter.span, "a parameter needs a name");
                    return None;
                }
                Some(AuthScheme::Query { parameter: parameter.value.clone() })
            }
        }
    }

    fn places(&mut self, auth: &Auth) -> Places {
        let Some(written) = &auth.places else { return Places::default() };
        let message = "the far side can be made to hand this secret back in a spelling that nothing finds";
        let hint = "keep `in:` for hosts that give nothing back of what they are sent";
        self.problems.push(Problem::warning(written.span, message).hint(hint));
        let says = |place: PlaceWord| written.value.iter().any(|one| one.value == place);
        Places { body: says(PlaceWord::Body), websocket: says(PlaceWord::Websocket) }
    }

    fn part<'m>(
        &mut self,
        auth: &At<Auth>,
        part: Option<&'m At<String>>,
        key: &str,
    ) -> Option<&'m At<String>> {
        if part.is_none() {
            let scheme = scheme_name(auth.scheme.value);
            self.error(auth.scheme.span, format!("`scheme: {scheme}` needs the key `{key}`"));
        }
        part
    }

    fn only_where_it_means_something(&mut self, auth: &Auth) {
        use written::AuthScheme as W;
        if let Some(places) = &auth.places
            && auth.scheme.value != W::Placeholder
        {
            let message = format!("`in` means nothing with `scheme: {}`", scheme_name(auth.scheme.value));
            self.error_hint(places.span, message, "it belongs to `scheme: placeholder`");
        }
        let keys = [
            (&auth.header, "header", W::Header),
            (&auth.prefix, "prefix", W::Header),
            (&auth.username, "username", W::Basic),
            (&auth.parameter, "parameter", W::Query),
        ];
        for (value, key, scheme) in keys {
            if let Some(value) = value
                && auth.scheme.value != scheme
            {
                let message =
                    format!("`{key}` means nothing with `scheme: {}`", scheme_name(auth.scheme.value));
                self.error_hint(
                    value.span,
                    message,
                    format!("it belongs to `scheme: {}`", scheme_name(scheme)),
                );
            }
        }
    }

    fn header_name(&mut self, written: &At<String>) -> Option<String> {
        let name = written.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            self.error(written.span, format!("`{}` is not a header's name", written.value));
            return None;
        }
        if NOT_FOR_SECRETS.contains(&name.as_str()) {
            self.error(written.span, format!("the header `{name}` cannot hold a credential"));
            return None;
        }
        Some(name)
    }

    /// A credential that no route binds and no placeholder stands for: a user name and a secret. None at hand: nothing
    /// where it is optional, else the start stops with a message of its own.
    pub(super) fn user_and_token(
        &mut self,
        username: &At<String>,
        token: &At<Token>,
    ) -> Option<Option<(String, TokenRef)>> {
        let username = self.user_name(username);
        let source = self.source(token);
        let (username, source) = (username?, source?);
        if self.at_hand(token) {
            return Some(Some((username, source)));
        }
        if token.optional {
            return Some(None);
        }
        let message = format!("this credential is not at hand: {}", source_for_people(&source));
        let hint = "set it before `bottle run`, or say `optional: true` beside the token";
        self.problems.push(Problem::warning(token.span, message).hint(hint));
        Some(Some((username, source)))
    }

    fn user_name(&mut self, username: &At<String>) -> Option<String> {
        if username.contains(':') || username.chars().any(char::is_control) {
            self.error(username.span, "a user name cannot hold `:` or control characters");
            return None;
        }
        Some(username.value.clone())
    }

    /// Exactly one source, with the keys that mean something for it.
    fn source(&mut self, token: &At<Token>) -> Option<TokenRef> {
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

    fn placeholder_env(&mut self, auth: &Auth) -> Option<Vec<String>> {
        let Some(names) = &auth.placeholder_env else {
            return Some(auth.token.env.iter().map(|name| name.value.clone()).collect());
        };
        let good: Vec<bool> = names.iter().map(|name| self.variable(name)).collect();
        good.iter().all(|good| *good).then(|| names.iter().map(|name| name.value.clone()).collect())
    }

    fn at_hand(&mut self, token: &Token) -> bool {
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

fn source_for_people(source: &TokenRef) -> String {
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
fn way(source: &TokenRef) -> Option<&'static str> {
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

fn scheme_name(scheme: written::AuthScheme) -> &'static str {
    match scheme {
        written::AuthScheme::Bearer => "bearer",
        written::AuthScheme::Basic => "basic",
        written::AuthScheme::Header => "header",
        written::AuthScheme::Query => "query",
        written::AuthScheme::Placeholder => "placeholder",
    }
}

fn format(format: written::Format) -> PlaceholderFormat {
    match format {
        written::Format::Opaque => PlaceholderFormat::Opaque,
        written::Format::Anthropic => PlaceholderFormat::Anthropic,
        written::Format::AnthropicOauth => PlaceholderFormat::AnthropicOauth,
        written::Format::Openai => PlaceholderFormat::Openai,
        written::Format::Google => PlaceholderFormat::Google,
        written::Format::Github => PlaceholderFormat::Github,
        written::Format::Gitlab => PlaceholderFormat::Gitlab,
        written::Format::Jwt => PlaceholderFormat::Jwt,
        written::Format::Openrouter => PlaceholderFormat::Openrouter,
        written::Format::Npm => PlaceholderFormat::Npm,
        written::Format::Huggingface => PlaceholderFormat::Huggingface,
    }
}

/// SDKs look at their key before they send it. The variable's name says most; else the host does.
fn guess(env: &[String], host: &HostPattern, scheme: &AuthScheme) -> PlaceholderFormat {
    env.iter().find_map(|name| by_variable(name)).or_else(|| by_host(host, scheme)).unwrap_or_default()
}

fn by_variable(name: &str) -> Option<PlaceholderFormat> {
    Some(match name {
        "ANTHROPIC_API_KEY" => PlaceholderFormat::Anthropic,
        "CLAUDE_CODE_OAUTH_TOKEN" | "ANTHROPIC_AUTH_TOKEN" => PlaceholderFormat::AnthropicOauth,
        "OPENAI_API_KEY" | "CODEX_API_KEY" => PlaceholderFormat::Openai,
        "GEMINI_API_KEY" | "GOOGLE_API_KEY" | "GOOGLE_GENERATIVE_AI_API_KEY" => PlaceholderFormat::Google,
        "GH_TOKEN" | "GITHUB_TOKEN" | "GITHUB_PERSONAL_ACCESS_TOKEN" => PlaceholderFormat::Github,
        "GITLAB_TOKEN" | "GL_TOKEN" => PlaceholderFormat::Gitlab,
        "OPENROUTER_API_KEY" => PlaceholderFormat::Openrouter,
        "NPM_TOKEN" | "NODE_AUTH_TOKEN" => PlaceholderFormat::Npm,
        "HF_TOKEN" | "HUGGING_FACE_HUB_TOKEN" => PlaceholderFormat::Huggingface,
        _ => return None,
    })
}

fn by_host(host: &HostPattern, scheme: &AuthScheme) -> Option<PlaceholderFormat> {
    let name = match host {
        HostPattern::Exact(Host::Name(name)) | HostPattern::Below(name) => &**name,
        HostPattern::Exact(Host::Ip(_)) => return None,
    };
    let is =
        |domain: &str| name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let formats = [
        ("openai.com", PlaceholderFormat::Openai),
        ("chatgpt.com", PlaceholderFormat::Jwt),
        ("generativelanguage.googleapis.com", PlaceholderFormat::Google),
        ("github.com", PlaceholderFormat::Github),
        ("githubusercontent.com", PlaceholderFormat::Github),
        ("gitlab.com", PlaceholderFormat::Gitlab),
        ("openrouter.ai", PlaceholderFormat::Openrouter),
        ("huggingface.co", PlaceholderFormat::Huggingface),
    ];
    if is("anthropic.com") {
        let oauth = *scheme == AuthScheme::Bearer;
        return Some(if oauth { PlaceholderFormat::AnthropicOauth } else { PlaceholderFormat::Anthropic });
    }
    formats.iter().find(|(domain, _)| is(domain)).map(|(_, format)| *format)
}
