//! Addresses of engines, parsed: what stands in one of these types can be dialled as it is.
use crate::SandboxError;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where an engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// TCP; without TLS to this machine itself only.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Certificates, when it speaks TLS.
        tls: Option<Tls>,
    },
    /// The user's own `ssh` program, one process per connection.
    Ssh(Ssh),
}

/// The files of mutual TLS, as Docker names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// The authority that the engine's certificate must come from; without it the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, where the engine asks for one.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Whom `ssh` connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Log-in name; without it, ssh's own configuration says.
    pub user: Option<String>,
    /// A host name, an address, or an alias of ssh's own configuration.
    pub host: String,
    /// Port; without it, ssh's own configuration says.
    pub port: Option<u16>,
    /// The engine's socket over there, when it is not the usual one.
    pub socket: Option<String>,
}

/// Docker's registered ports, without and with TLS.
const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

impl Endpoint {
    /// Parses `unix://`, `tcp://` (and `http://`, `https://`) or `ssh://`. With `tls`, TCP means TLS by these files.
    /// # Errors
    /// What is wrong with the address, and what one looks like.
    pub fn parse(address: &str, tls: Option<Tls>) -> Result<Endpoint, SandboxError> {
        let (scheme, rest) =
            address.split_once("://").ok_or_else(|| not_an_address(address, "it has no scheme"))?;
        match scheme {
            "unix" => unix(address, rest),
            "tcp" | "http" => tcp(address, rest, tls),
            "https" => tcp(address, rest, Some(tls.unwrap_or_default())),
            "ssh" => Ok(Endpoint::Ssh(ssh(address, rest)?)),
            _ => Err(not_an_address(address, &format!("the scheme `{scheme}` is not known here"))),
        }
    }

    /// Whether the connection stays on this machine: a Unix socket, or an address of the loopback interface. What
    /// listens there can still be a tunnel to somewhere else.
    #[must_use]
    pub fn stays_here(&self) -> bool {
        match self {
            Endpoint::Unix(_) => true,
            Endpoint::Tcp { host, .. } => is_loopback(host),
            Endpoint::Ssh(_) => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Endpoint::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Endpoint::Ssh(ssh) => write!(f, "ssh://{ssh}"),
        }
    }
}

impl fmt::Display for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

fn unix(address: &str, path: &str) -> Result<Endpoint, SandboxError> {
    if !path.starts_with('/') {
        return Err(not_an_address(address, "the path of a socket is absolute"));
    }
    Ok(Endpoint::Unix(PathBuf::from(path)))
}

fn tcp(address: &str, rest: &str, tls: Option<Tls>) -> Result<Endpoint, SandboxError> {
    let (authority, path) = split_path(rest);
    if !path.is_empty() && path != "/" {
        return Err(not_an_address(address, "a path has no meaning there"));
    }
    if authority.contains('@') {
        return Err(not_an_address(address, "an engine knows no user names"));
    }
    let (host, port) = host_and_port(address, authority)?;
    let usual = if tls.is_some() { TLS_PORT } else { PLAIN_PORT };
    if tls.is_none() && !is_loopback(&host) {
        return Err(bare_tcp(address));
    }
    Ok(Endpoint::Tcp { host, port: port.unwrap_or(usual), tls })
}

/// Whoever is on the way would read every credential, and could start any container.
fn bare_tcp(address: &str) -> SandboxError {
    SandboxError::new(format!(
        "the engine at `{address}` would be spoken to without TLS over a network, credentials included"
    ))
    .with_hint(
        "give the engine TLS and set `DOCKER_TLS_VERIFY=1` and `DOCKER_CERT_PATH` (a folder with ca.pem, cert.pem and \
         key.pem), or use `ssh://user@host`",
    )
}

fn ssh(address: &str, rest: &str) -> Result<Ssh, SandboxError> {
    let (authority, path) = split_path(rest);
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, authority),
    };
    if user.as_ref().is_some_and(|user| !is_word(user)) {
        return Err(not_an_address(address, "that is no user name (and a password has no place there)"));
    }
    let (host, port) = host_and_port(address, place)?;
    let socket = (!path.is_empty() && path != "/").then(|| path.to_owned());
    if socket
        .as_ref()
        .is_some_and(|path| !path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)))
    {
        // It becomes a word of a command in a shell over there.
        return Err(not_an_address(address, "the socket's path may hold letters, digits and `/._-`"));
    }
    Ok(Ssh { user, host, port, socket })
}

fn split_path(rest: &str) -> (&str, &str) {
    rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash))
}

fn host_and_port(address: &str, authority: &str) -> Result<(String, Option<u16>), SandboxError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed
                .split_once(']')
                .filter(|(host, _)| host.parse::<std::net::Ipv6Addr>().is_ok())
                .ok_or_else(|| not_an_address(address, "there is no IPv6 address between the brackets"))?;
            (host, rest.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.starts_with('-') || !host.chars().all(|c| is_host_char(c) || c == ':') {
        return Err(not_an_address(address, "there is no host name in it"));
    }
    let port = port
        .map(|port| port.parse::<u16>().ok().filter(|port| *port != 0))
        .map(|port| port.ok_or_else(|| not_an_address(address, "the port is a number from 1 to 65535")))
        .transpose()?;
    Ok((host.to_owned(), port))
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// A word that no program takes for an option.
fn is_word(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && word.chars().all(|c| is_host_char(c) || c == '\\' || c == '+')
}

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn not_an_address(address: &str, why: &str) -> SandboxError {
    SandboxError::new(format!("`{address}` is not the address of an engine: {why}")).with_hint(
        "addresses look like `unix:///var/run/docker.sock`, `tcp://host:2376` with TLS, or `ssh://user@host`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<Endpoint, String> {
        Endpoint::parse(address, None).map_err(|error| error.what)
    }

    fn ssh_of(address: &str) -> Ssh {
        match parse(address) {
            Ok(Endpoint::Ssh(ssh)) => ssh,
            other => panic!("{address}: {other:?}"),
        }
    }

    #[test]
    fn every_kind_of_address_is_read_and_printed_as_it_was() {
        for address in [
            "unix:///var/run/docker.sock",
            "tcp://127.0.0.1:2375",
            "tcp://[::1]:2375",
            "ssh://me@host:22",
            "ssh://host",
            "ssh://me@[fe80::1]:2222",
            "ssh://me@host/run/user/1000/docker.sock",
        ] {
            assert_eq!(parse(address).expect(address).to_string(), address);
        }
        let ssh = ssh_of("ssh://me@host:2222");
        assert_eq!((ssh.user.as_deref(), ssh.host.as_str(), ssh.port), (Some("me"), "host", Some(2222)));
    }

    #[test]
    fn ports_default_to_dockers_own() {
        let tls = Endpoint::parse("tcp://engine.example.com", Some(Tls::default())).expect("TLS");
        assert_eq!(tls.to_string(), "tcp://engine.example.com:2376");
        assert_eq!(parse("tcp://localhost").expect("local").to_string(), "tcp://localhost:2375");
        assert_eq!(
            parse("https://e.example.com").expect("TLS by its name").to_string(),
            "tcp://e.example.com:2376"
        );
    }

    #[test]
    fn credentials_never_cross_a_network_without_tls() {
        for address in [
            "tcp://engine.example.com:2375",
            "http://192.0.2.7:2375",
            "tcp://docker",
            "tcp://[2001:db8::1]:1",
        ] {
            let error = parse(address).expect_err(address);
            assert!(error.contains("without TLS"), "{error}");
        }
        assert!(parse("tcp://127.9.8.7:2375").is_ok(), "loopback is no network");
    }

    #[test]
    fn nothing_that_a_program_would_take_for_an_option_or_a_shell_for_a_command_is_an_address() {
        for address in [
            "ssh://-oProxyCommand=id",
            "ssh://-l@host",
            "ssh://me@-oProxyCommand=id",
            "ssh://me:password@host",
            "ssh://host/run/docker.sock;id",
            "ssh://host/$(id)",
            "ssh://ho st",
            "ssh://",
            "tcp://",
            "tcp://u@127.0.0.1:1",
            "tcp://127.0.0.1:0",
            "tcp://127.0.0.1:99999",
            "tcp://127.0.0.1:1/path",
            "tcp://[::1",
            "unix://run/docker.sock",
            "npipe:////./pipe/docker_engine",
            "fd://",
            "host:2375",
        ] {
            let error = parse(address).expect_err(address);
            assert!(error.contains("is not the address of an engine"), "{error}");
        }
    }
}
