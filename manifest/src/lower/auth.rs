//! Credentials: which one a route gets, and the slots they live in.
use super::Lower;
use super::stand_in::{format, guess};
use super::token::{source_for_people, way};
use crate::at::At;
use crate::problem::Problem;
use crate::written::{self, Auth, AuthChoice, PlaceWord, Token};
use credentials::reference::Places;
use credentials::reference::SlotPlan;
use credentials::{AuthScheme, Binding, PlaceholderFormat, Slot, TokenRef};
use policy::HostPattern;

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
    fn placeholder_env(&mut self, auth: &Auth) -> Option<Vec<String>> {
        let Some(names) = &auth.placeholder_env else {
            return Some(auth.token.env.iter().map(|name| name.value.clone()).collect());
        };
        let good: Vec<bool> = names.iter().map(|name| self.variable(name)).collect();
        good.iter().all(|good| *good).then(|| names.iter().map(|name| name.value.clone()).collect())
    }
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
