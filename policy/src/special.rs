//! The IANA special-purpose address registries (RFC 6890), as reviewed data, and the addresses of metadata services.
//!
//! Reviewed against the registries of IPv4 and IPv6 of October 2025. Entries that IANA calls globally reachable (AS112,
//! AMT, anycast services) are here too: they belong to the network, and nothing that an agent needs answers there.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far `allow_private` opens an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Never reachable; the operator's `resolve` table is the only way.
    Never,
    /// Reachable on routes with `allow_private`: networks of people, not of the machine itself.
    Private,
}

/// A block of addresses with its name.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// First address; an IPv4 block holds IPv4 only.
    pub first: IpAddr,
    /// Length of the prefix.
    pub prefix: u8,
    /// Name in the registry, and the document it comes from.
    pub name: &'static str,
    /// How far it may be opened.
    pub reach: Reach,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8, name: &'static str) -> Block {
    Block { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix, name, reach: Reach::Never }
}

/// The leading segments; the rest is zero.
const fn v6(a: u16, b: u16, c: u16, d: u16, prefix: u8, name: &'static str) -> Block {
    host6([a, b, c, d, 0, 0, 0, 0], prefix, name)
}

const fn host6(s: [u16; 8], prefix: u8, name: &'static str) -> Block {
    let [a, b, c, d, e, f, g, h] = s;
    Block { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix, name, reach: Reach::Never }
}

const fn private(block: Block) -> Block {
    Block { reach: Reach::Private, ..block }
}

/// Services that hand out credentials or instructions to whoever can reach them. They come first, so that a private
/// block around one never opens it.
pub const METADATA: &[Block] = &[
    v4(169, 254, 169, 254, 32, "metadata service of AWS, Google Cloud, Azure and others"),
    v4(169, 254, 170, 2, 32, "credentials service of AWS ECS"),
    v4(169, 254, 170, 23, 32, "credentials service of AWS EKS"),
    v4(169, 254, 42, 42, 32, "metadata service of Scaleway"),
    v4(169, 254, 0, 23, 32, "metadata service of Tencent Cloud"),
    v4(168, 63, 129, 16, 32, "wire server of Azure"),
    v4(100, 100, 100, 200, 32, "metadata service of Alibaba Cloud"),
    v4(192, 0, 0, 192, 32, "metadata service of Oracle Cloud Classic"),
    v6(0xfd00, 0x0ec2, 0, 0, 32, "services of AWS (metadata, EKS credentials, names, time)"),
    host6([0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x254], 128, "metadata service of Google Cloud"),
    host6([0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x42], 128, "metadata service of Scaleway"),
    host6([0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, "metadata service of Oracle Cloud"),
    host6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1], 128, "metadata service of Akamai (Linode)"),
    host6([0xfd00, 0x0100, 0, 0, 0, 0, 0x0100, 0x0200], 128, "metadata service of Alibaba Cloud"),
];

/// IPv4; the narrower block before the wider, so that the name is the exact one.
pub const IPV4: &[Block] = &[
    v4(0, 0, 0, 0, 32, "this host on this network, RFC 1122"),
    v4(0, 0, 0, 0, 8, "this network, RFC 791"),
    private(v4(10, 0, 0, 0, 8, "private use, RFC 1918")),
    private(v4(100, 64, 0, 0, 10, "shared address space, RFC 6598")),
    v4(127, 0, 0, 0, 8, "loopback, RFC 1122"),
    v4(169, 254, 0, 0, 16, "link-local, RFC 3927"),
    private(v4(172, 16, 0, 0, 12, "private use, RFC 1918")),
    v4(192, 0, 0, 0, 29, "IPv4 service continuity prefix, RFC 7335"),
    v4(192, 0, 0, 8, 32, "IPv4 dummy address, RFC 7600"),
    v4(192, 0, 0, 9, 32, "port control protocol anycast, RFC 7723"),
    v4(192, 0, 0, 10, 32, "traversal using relays around NAT anycast, RFC 8155"),
    v4(192, 0, 0, 170, 31, "NAT64/DNS64 discovery, RFC 8880"),
    v4(192, 0, 0, 0, 24, "IETF protocol assignments, RFC 6890"),
    v4(192, 0, 2, 0, 24, "documentation (TEST-NET-1), RFC 5737"),
    v4(192, 31, 196, 0, 24, "AS112-v4, RFC 7535"),
    v4(192, 52, 193, 0, 24, "AMT, RFC 7450"),
    v4(192, 88, 99, 2, 32, "6a44 relay anycast, RFC 6751"),
    v4(192, 88, 99, 0, 24, "6to4 relay anycast (deprecated), RFC 7526"),
    private(v4(192, 168, 0, 0, 16, "private use, RFC 1918")),
    v4(192, 175, 48, 0, 24, "direct delegation AS112 service, RFC 7534"),
    v4(198, 18, 0, 0, 15, "benchmarking, RFC 2544"),
    v4(198, 51, 100, 0, 24, "documentation (TEST-NET-2), RFC 5737"),
    v4(203, 0, 113, 0, 24, "documentation (TEST-NET-3), RFC 5737"),
    v4(224, 0, 0, 0, 4, "multicast, RFC 5771"),
    v4(255, 255, 255, 255, 32, "limited broadcast, RFC 919"),
    v4(240, 0, 0, 0, 4, "reserved, RFC 1112"),
];

/// IPv6; the narrower block before the wider. Addresses that carry an IPv4 address in the open (mapped, NAT64, 6to4)
/// are judged by it before this table is asked, see [`crate::address`].
pub const IPV6: &[Block] = &[
    v6(0, 0, 0, 0, 128, "unspecified, RFC 4291"),
    host6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback, RFC 4291"),
    v6(0, 0, 0, 0, 96, "IPv4-compatible (deprecated), RFC 4291"),
    host6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated, RFC 2765"),
    v6(0x64, 0xff9b, 1, 0, 48, "local-use IPv4/IPv6 translation, RFC 8215"),
    v6(0x100, 0, 0, 0, 64, "discard only, RFC 6666"),
    v6(0x100, 0, 0, 1, 64, "dummy prefix, RFC 9780"),
    v6(0x2001, 0, 0, 0, 32, "Teredo, RFC 4380"),
    host6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, "port control protocol anycast, RFC 7723"),
    host6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, "traversal using relays around NAT anycast, RFC 8155"),
    host6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, "DNS-SD service registration anycast, RFC 9665"),
    v6(0x2001, 2, 0, 0, 48, "benchmarking, RFC 5180"),
    v6(0x2001, 3, 0, 0, 32, "AMT, RFC 7450"),
    v6(0x2001, 4, 0x112, 0, 48, "AS112-v6, RFC 7535"),
    v6(0x2001, 0x10, 0, 0, 28, "ORCHID (deprecated), RFC 4843"),
    v6(0x2001, 0x20, 0, 0, 28, "ORCHIDv2, RFC 7343"),
    v6(0x2001, 0x30, 0, 0, 28, "drone remote id entity tags, RFC 9374"),
    v6(0x2001, 0, 0, 0, 23, "IETF protocol assignments, RFC 2928"),
    v6(0x2001, 0xdb8, 0, 0, 32, "documentation, RFC 3849"),
    v6(0x2620, 0x4f, 0x8000, 0, 48, "direct delegation AS112 service, RFC 7534"),
    v6(0x3ffe, 0, 0, 0, 16, "6bone (returned), RFC 3701"),
    v6(0x3fff, 0, 0, 0, 20, "documentation, RFC 9637"),
    v6(0x5f00, 0, 0, 0, 16, "segment routing (SRv6) SIDs, RFC 9602"),
    private(v6(0xfc00, 0, 0, 0, 7, "unique local, RFC 4193")),
    v6(0xfe80, 0, 0, 0, 10, "link-local, RFC 4291"),
    v6(0xfec0, 0, 0, 0, 10, "site-local (deprecated), RFC 3879"),
    v6(0xff00, 0, 0, 0, 8, "multicast, RFC 4291"),
];

/// What IANA has set aside for global unicast; all that is neither here nor above is unallocated.
pub const GLOBAL_UNICAST_V6: Block = v6(0x2000, 0, 0, 0, 3, "global unicast, RFC 4291");

/// The rest of IPv6.
pub const UNALLOCATED_V6: Block = v6(0, 0, 0, 0, 0, "outside global unicast, RFC 4291");

impl Block {
    /// Whether the address lies in the block. An IPv4 address lies in no IPv6 block and the other way round.
    pub fn holds(&self, ip: IpAddr) -> bool {
        match (self.first, ip) {
            (IpAddr::V4(first), IpAddr::V4(ip)) => same_prefix(widen(first), widen(ip), self.prefix),
            (IpAddr::V6(first), IpAddr::V6(ip)) => same_prefix(first.to_bits(), ip.to_bits(), self.prefix),
            _ => false,
        }
    }
}

/// An IPv4 address at the top of 128 bits, so that one comparison serves both families.
fn widen(ip: Ipv4Addr) -> u128 {
    u128::from(ip.to_bits()) << 96
}

fn same_prefix(a: u128, b: u128, prefix: u8) -> bool {
    // A shift by all 128 bits (an empty prefix) leaves nothing to differ.
    let rest = 128_u32.saturating_sub(u32::from(prefix));
    (a ^ b).checked_shr(rest).unwrap_or(0) == 0
}
