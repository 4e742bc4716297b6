//! A registry's URL → where it is.
use super::Findings;
use manifest::Registry;
use policy::Request;

impl Findings {
    /// Adds the host of a URL. A password in it stays where it is: the agent could read a route's name.
    pub(super) fn add(&mut self, tool: &str, from: &str, url: &str, configured: bool) {
        match parse(url) {
            Some(Parsed { request, password }) => {
                if password {
                    self.unknown.push(format!(
                        "{from} has a password in the address of `{}`, which the bottle does not use; give the host a route with `auth`",
                        request.host
                    ));
                }
                self.list.push(Registry {
                    tool: tool.to_owned(),
                    from: from.to_owned(),
                    scheme: request.scheme,
                    host: request.host,
                    port: request.port,
                    configured,
                    auth: None,
                });
            }
            None => {
                self.unknown.push(format!("{from} names a registry of {tool} that is no plain https address"))
            }
        }
    }
}

/// The host of a URL.
pub(super) fn host(url: &str) -> Option<policy::Host> {
    parse(url).map(|parsed| parsed.request.host)
}

struct Parsed {
    request: Request,
    password: bool,
}

fn parse(url: &str) -> Option<Parsed> {
    let url = url.strip_prefix("sparse+").unwrap_or(url);
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (password, authority) = match authority.rsplit_once('@') {
        Some((_, host)) => (true, host),
        None => (false, authority),
    };
    let request = Request::from_url("GET", &format!("{scheme}://{authority}/")).ok()?;
    Some(Parsed { request, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_repeated() {
        let mut found = Findings::default();
        found.add("pip", "pip.conf", "https://ada:s3cret@mirror.test:8443/simple?x=1", true);
        assert_eq!(found.list[0].host.to_string(), "mirror.test");
        assert_eq!(found.list[0].port, 8443);
        assert!(!format!("{found:?}").contains("s3cret"));
        assert_eq!(found.unknown.len(), 1);
    }

    #[test]
    fn only_addresses_become_routes() {
        for odd in
            ["file:///srv/mirror", "${MIRROR}", "https://", "git+ssh://git@mirror.test/x", "https://*.test/"]
        {
            let mut found = Findings::default();
            found.add("npm", "npmrc", odd, true);
            assert!(found.list.is_empty(), "{odd}");
            assert_eq!(found.unknown.len(), 1, "{odd}");
        }
        let mut found = Findings::default();
        found.add("cargo", "config", "sparse+https://mirror.test/index/", true);
        assert_eq!(found.list[0].port, 443);
    }
}
