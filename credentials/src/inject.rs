//! Puts a credential into the head of a request.
use crate::spelled::{Notation, Swap, percent_escaped};
use crate::{AuthScheme, Binding, Placeholder, Places, Secret, Slot};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What kept a credential out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The value holds bytes that the place cannot carry (a newline in a header), or is empty.
    #[error("the value of {0} cannot stand in {1}")]
    Unfit(Slot, &'static str),
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// A credential is now in the head (with `placeholder`, only when the placeholder stood there).
    pub in_head: bool,
    /// The body has to go through a [`crate::BodySwapper`] (`placeholder` scheme whose places say so).
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
    headers: &mut HeaderMap,
) -> Result<Injected, InjectError> {
    let mut head = Head { slot: binding.slot, secret, target, headers };
    if secret.dangerous_expose().is_empty() {
        return Err(head.unfit("a request: it is empty"));
    }
    match &binding.scheme {
        AuthScheme::Bearer => head.put_header(AUTHORIZATION, "Bearer "),
        AuthScheme::Basic { username } => head.put_basic(username),
        AuthScheme::Header { name, prefix } => head.put_named(name, prefix.as_deref().unwrap_or_default()),
        AuthScheme::Query { parameter } => head.put_query(parameter),
        AuthScheme::Placeholder { places } => return head.swap(placeholder, *places),
    }?;
    Ok(Injected { in_head: true, swap_body: false })
}

/// The value of `Proxy-Authorization` for an upstream proxy that asks for Basic (RFC 7617), marked sensitive.
/// # Errors
/// When user name or value cannot stand there.
pub fn proxy_authorization(slot: Slot, username: &str, secret: &Secret) -> Result<HeaderValue, InjectError> {
    if secret.dangerous_expose().is_empty() {
        return Err(InjectError::Unfit(slot, "a request: it is empty"));
    }
    basic_header(slot, username, secret)
}

fn basic_header(slot: Slot, username: &str, secret: &Secret) -> Result<HeaderValue, InjectError> {
    if username.contains(':') {
        return Err(InjectError::Unfit(slot, "basic authentication: the username has a colon"));
    }
    if secret.dangerous_expose().iter().any(u8::is_ascii_control) {
        return Err(InjectError::Unfit(slot, "basic authentication"));
    }
    let pair = Zeroizing::new([username.as_bytes(), b":", secret.dangerous_expose()].concat());
    sensitive(slot, &basic(&pair))
}

/// `HeaderValue` keeps a copy that is not zeroed; it lives as long as the request.
fn sensitive(slot: Slot, text: &[u8]) -> Result<HeaderValue, InjectError> {
    let mut value = HeaderValue::from_bytes(text).map_err(|_| InjectError::Unfit(slot, "a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

struct Head<'a> {
    slot: Slot,
    secret: &'a Secret,
    target: &'a mut String,
    headers: &'a mut HeaderMap,
}

impl Head<'_> {
    fn put_named(&mut self, name: &str, prefix: &str) -> Result<(), InjectError> {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| self.unfit("a header of that name"))?;
        self.put_header(name, prefix)
    }

    fn put_basic(&mut self, username: &str) -> Result<(), InjectError> {
        let value = basic_header(self.slot, username, self.secret)?;
        self.replace(AUTHORIZATION, value);
        Ok(())
    }

    fn put_header(&mut self, name: HeaderName, prefix: &str) -> Result<(), InjectError> {
        let text = Zeroizing::new([prefix.as_bytes(), self.secret.dangerous_expose()].concat());
        let value = self.header_value(&text)?;
        self.replace(name, value);
        Ok(())
    }

    /// Every header of that name goes, and every one that some origins take for it: CGI and its heirs read `X_Api_Key` as
    /// `X-Api-Key` (RFC 3875 section 4.1.18).
    fn replace(&mut self, name: HeaderName, value: HeaderValue) {
        let alike: Vec<HeaderName> =
            self.headers.keys().filter(|other| reads_as(other.as_str(), name.as_str())).cloned().collect();
        for other in alike {
            self.headers.remove(other);
        }
        self.headers.insert(name, value);
    }

    fn header_value(&self, text: &[u8]) -> Result<HeaderValue, InjectError> {
        sensitive(self.slot, text)
    }

    fn put_query(&mut self, parameter: &str) -> Result<(), InjectError> {
        let name = percent_escaped(parameter.as_bytes());
        let value = percent_escaped(self.secret.dangerous_expose());
        let pair = Zeroizing::new([name.as_slice(), b"=", &value].concat());
        let pair = std::str::from_utf8(&pair).map_err(|_| self.unfit("a query"))?;
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let others = query.split('&').filter(|other| !other.is_empty() && !names(other, parameter));
        *self.target = format!("{path}?{}", others.chain([pair]).collect::<Vec<_>>().join("&"));
        Ok(())
    }

    /// The placeholder wherever the agent put it.
    fn swap(&mut self, placeholder: &Placeholder, places: Places) -> Result<Injected, InjectError> {
        let in_headers = self.swap_headers(placeholder)?;
        let in_target = self.swap_target(placeholder)?;
        Ok(Injected { in_head: in_headers || in_target, swap_body: places.body })
    }

    fn swap_headers(&mut self, placeholder: &Placeholder) -> Result<bool, InjectError> {
        let swap = Swap::new(Notation::Plain, placeholder, self.secret);
        let mut swapped = Vec::new();
        for (at, value) in self.headers.values().enumerate() {
            if let Some(text) = swapped_header(&swap, value.as_bytes()) {
                swapped.push((at, self.header_value(&text)?));
            }
        }
        let any = !swapped.is_empty();
        for (at, new) in swapped {
            if let Some(value) = self.headers.values_mut().nth(at) {
                *value = new;
            }
        }
        Ok(any)
    }

    fn swap_target(&mut self, placeholder: &Placeholder) -> Result<bool, InjectError> {
        let swap = Swap::new(Notation::Percent, placeholder, self.secret);
        let Some(text) = swap.whole(self.target.as_bytes()) else { return Ok(false) };
        *self.target = std::str::from_utf8(&text).map_err(|_| self.unfit("an address"))?.to_owned();
        Ok(true)
    }

    fn unfit(&self, place: &'static str) -> InjectError {
        InjectError::Unfit(self.slot, place)
    }
}

/// Inside Basic when it is that and the placeholder stands there, else as it is.
fn swapped_header(swap: &Swap, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(pair) = basic_pair(value)
        && let Some(swapped) = swap.whole(&pair)
    {
        return Some(basic(&swapped));
    }
    swap.whole(value)
}

fn basic(pair: &[u8]) -> Zeroizing<Vec<u8>> {
    let encoded = Zeroizing::new(general_purpose::STANDARD.encode(pair));
    Zeroizing::new([b"Basic ", encoded.as_bytes()].concat())
}

/// Decodes as leniently as servers do: padded or not, either alphabet, any bits behind the end.
fn basic_pair(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let encoded = encoded.trim_ascii();
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(encoded).ok();
    decode(&STANDARD).or_else(|| decode(&URL_SAFE))
}

/// Where everything but letters and digits is one sign.
fn reads_as(one: &str, other: &str) -> bool {
    let sign = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' };
    one.bytes().map(sign).eq(other.bytes().map(sign))
}

/// The names as a server would read them.
fn names(pair: &str, parameter: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
    percent_decode_str(&name).eq(parameter.bytes())
}
