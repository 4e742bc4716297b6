//! The operator's own table of names.
use super::Lower;
use crate::at::At;
use crate::problem::Problem;
use crate::written::Egress;
use policy::{Host, Route};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// `host:port` → host and port as text; IPv6 in brackets. No port: none.
pub(super) fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

impl Lower<'_> {
    /// `name` or `name:port` → where it is. An address without a port means the port that was asked for: one entry for
    /// each port that a route opens for this name.
    pub(super) fn resolve(&mut self, user: &Egress, routes: &[Route]) -> BTreeMap<String, SocketAddr> {
        let mut table = BTreeMap::new();
        for (name, address) in user.resolve.iter().flat_map(|table| &table.0) {
            let key = self.resolve_name(name);
            let target = self.resolve_target(address);
            let (Some((host, port)), Some(target)) = (key, target) else { continue };
            let ports = ports_of(routes, &host);
            if ports.is_empty() {
                let message = format!("no route leads to `{host}`, so its address is never used");
                self.problems.push(
                    Problem::warning(name.span, message).hint(format!("add a route: `- host: {host}`")),
                );
            }
            table.extend(entries(&host, port, target, &ports));
        }
        table
    }

    fn resolve_name(&mut self, written: &At<String>) -> Option<(Host, Option<u16>)> {
        let (host, port) = split_port(written);
        let host = Host::parse(host).map_err(|why| self.error(written.span, why.to_string())).ok()?;
        let Some(port) = port else { return Some((host, None)) };
        match port.parse() {
            Ok(port) if port > 0 => Some((host, Some(port))),
            _ => {
                self.error(written.span, format!("`{port}` is not a port"));
                None
            }
        }
    }

    fn resolve_target(&mut self, written: &At<String>) -> Option<(IpAddr, Option<u16>)> {
        if let Ok(address) = written.parse::<SocketAddr>()
            && address.port() > 0
        {
            return Some((address.ip(), Some(address.port())));
        }
        let bare = written.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some((address, None));
        }
        let message = format!("`{}` is not an address", written.value);
        self.error_hint(written.span, message, "write `10.0.0.1`, `10.0.0.1:8443` or `[fd00::1]:8443`");
        None
    }
}

fn ports_of(routes: &[Route], host: &Host) -> Vec<u16> {
    let mut ports: Vec<u16> = routes.iter().filter(|r| r.host.matches(host)).map(|r| r.port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn entries(
    host: &Host,
    port: Option<u16>,
    (ip, to): (IpAddr, Option<u16>),
    ports: &[u16],
) -> Vec<(String, SocketAddr)> {
    match (port, to) {
        (Some(port), to) => vec![(format!("{host}:{port}"), SocketAddr::new(ip, to.unwrap_or(port)))],
        (None, Some(to)) => vec![(host.to_string(), SocketAddr::new(ip, to))],
        (None, None) => {
            ports.iter().map(|port| (format!("{host}:{port}"), SocketAddr::new(ip, *port))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_split_from_names_and_addresses() {
        assert_eq!(split_port("a.test"), ("a.test", None));
        assert_eq!(split_port("a.test:8443"), ("a.test", Some("8443")));
        assert_eq!(split_port("[fd00::1]:80"), ("[fd00::1]", Some("80")));
        assert_eq!(split_port("fd00::1"), ("fd00::1", None));
    }
}
