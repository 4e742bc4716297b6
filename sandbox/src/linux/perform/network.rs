//! Loopback, routes, listeners.
use crate::linux::netlink::{ACK, CREATE, Messages, REQUEST};
use crate::linux::step::ListenKind;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, ipproto, listen as listen_on, socket_with,
    sockopt,
};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// NETLINK_ROUTE is number 0, which the wrapper spells as no protocol.
const ROUTE: Option<rustix::net::Protocol> = None;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
const RTA_OIF: u16 = 4;
const RT_TABLE_LOCAL: u8 = 255;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_HOST: u8 = 254;
const RTN_LOCAL: u8 = 2;
const IFF_UP: u32 = 1;
/// `lo` is the first interface of every network namespace.
const LOOPBACK: u32 = 1;
/// A package manager opens hundreds of connections at once.
const BACKLOG: i32 = 4096;

pub(crate) fn loopback_up() -> io::Result<()> {
    let header = [0, LOOPBACK, IFF_UP, IFF_UP].map(u32::to_ne_bytes).concat();
    let mut message = Messages::default();
    message.begin(RTM_NEWLINK, REQUEST | ACK, &header);
    message.end();
    message.exchange(ROUTE, 1)
}

/// With this route in the local table, a connection to any address is one to ourselves.
pub(crate) fn capture_routes(v6: bool) -> io::Result<()> {
    let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let family = u8::try_from(family.as_raw()).map_err(io::Error::other)?;
    let header = [family, 0, 0, 0, RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL, 0, 0, 0, 0];
    let mut message = Messages::default();
    message.begin(RTM_NEWROUTE, REQUEST | CREATE | ACK, &header);
    message.put(RTA_OIF, &LOOPBACK.to_ne_bytes());
    message.end();
    message.exchange(ROUTE, 1)
}

/// Opens a listening socket on the loopback address. Neither address nor port can be shared: nobody inside can put
/// himself beside it.
pub(crate) fn listen(kind: ListenKind, v6: bool, port: u16) -> io::Result<OwnedFd> {
    let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let stream = kind != ListenKind::DnsUdp;
    let socket_type = if stream { SocketType::STREAM } else { SocketType::DGRAM };
    let socket = socket_with(family, socket_type, SocketFlags::CLOEXEC, None)?;
    if v6 {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &loopback(v6, port))?;
    if stream {
        listen_on(&socket, BACKLOG)?;
    }
    Ok(socket)
}

/// Whether a socket that came from elsewhere is what [`listen`] with these arguments makes.
pub(crate) fn is_listener(socket: &OwnedFd, kind: ListenKind, v6: bool, port: u16) -> io::Result<bool> {
    let stream = kind != ListenKind::DnsUdp;
    let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let (socket_type, protocol) =
        if stream { (SocketType::STREAM, ipproto::TCP) } else { (SocketType::DGRAM, ipproto::UDP) };
    Ok(sockopt::socket_domain(socket)? == family
        && sockopt::socket_type(socket)? == socket_type
        && sockopt::socket_protocol(socket)? == Some(protocol)
        && sockopt::socket_acceptconn(socket)? == stream
        && SocketAddr::try_from(getsockname(socket)?)? == loopback(v6, port))
}

fn loopback(v6: bool, port: u16) -> SocketAddr {
    if v6 { (Ipv6Addr::LOCALHOST, port).into() } else { (Ipv4Addr::LOCALHOST, port).into() }
}
