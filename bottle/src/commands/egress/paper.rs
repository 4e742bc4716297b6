//! What `bottle egress` writes for its clients: certificate, bundle, variables. Never a key.
use super::EgressArgs;
use crate::failure::Failure;
use crate::whole;
use sandbox::provision::{HostTrust, beside_proxy, bundle_with};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// All that was asked for.
pub(super) fn write(
    args: &EgressArgs,
    certificate: &str,
    address: SocketAddr,
    placeholders: &[(String, String)],
) -> Result<(), Failure> {
    if let Some(path) = &args.ca_out {
        replace(path, certificate)?;
    }
    if let Some(path) = &args.bundle_out {
        replace(path, &bundle_with(&HostTrust::read(), certificate))?;
    }
    let exports = exports(args, address, placeholders)?;
    if let Some(path) = &args.env_out {
        replace(path, &exports)?;
    }
    if args.print_env {
        std::io::stdout().write_all(exports.as_bytes())?;
    }
    Ok(())
}

fn exports(
    args: &EgressArgs,
    address: SocketAddr,
    placeholders: &[(String, String)],
) -> Result<String, Failure> {
    let (ca, bundle) = (absolute(args.ca_out.as_deref())?, absolute(args.bundle_out.as_deref())?);
    let proxy = args.called.clone().unwrap_or_else(|| reachable(address).to_string());
    let mut variables: BTreeMap<String, String> =
        beside_proxy(&format!("http://{proxy}"), ca.as_deref(), bundle.as_deref());
    variables.extend(placeholders.iter().cloned());
    Ok(variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect())
}

/// A host and a port, as they stand in a URL: whatever else could stand there would be another URL.
pub(super) fn called(text: &str) -> Result<String, String> {
    let is_name = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let fits = text.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0)
        || text.rsplit_once(':').is_some_and(|(host, port)| is_name(host) && is_port(port));
    fits.then(|| text.to_owned()).ok_or_else(|| "not a host and a port, such as `egress:9099`".into())
}

/// A client cannot connect to "every address".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    Ok(path.map(std::path::absolute).transpose()?)
}

/// For any POSIX shell: nothing is special between single quotes.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// All of it is written anew by each start.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    whole::replace_for_now(path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_shell() {
        let value = "a'b $(touch x) `y` \\ \"z\"";
        let shell = std::process::Command::new("sh")
            .args(["-c", &format!("v={}; printf %s \"$v\"", quoted(value))])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&shell.stdout), value);
    }

    #[test]
    fn clients_are_told_an_address_that_they_can_reach() {
        let told = |text: &str| reachable(text.parse().expect("an address")).to_string();
        assert_eq!(told("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(told("[::]:1"), "[::1]:1");
        assert_eq!(told("192.0.2.1:1"), "192.0.2.1:1");
    }

    #[test]
    fn only_a_host_and_a_port_are_a_name_for_clients() {
        for good in ["egress:9099", "egress.internal:1", "192.0.2.1:9099", "[2001:db8::1]:9099"] {
            assert_eq!(called(good).as_deref(), Ok(good));
        }
        for bad in [
            "egress",
            ":9099",
            "egress:0",
            "egress:70000",
            "a b:1",
            "u:p@egress:1",
            "http://egress:1",
            "egress:1/x",
        ] {
            assert!(called(bad).is_err(), "{bad}");
        }
    }
}
