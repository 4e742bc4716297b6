//! The nf_tables rules of a bottle, one transaction over netlink.
//!
//! ```text
//! table inet bottle {
//!   chain capture { type nat hook output priority -100;
//!     ip daddr 127.0.0.0/8 accept; ip6 daddr ::1 accept            # servers of the agent's own
//!     meta l4proto udp th dport 53 redirect to :DNS
//!     meta l4proto tcp th dport 53 redirect to :DNS
//!     meta l4proto tcp redirect to :EGRESS }
//!   chain refuse { type filter hook output priority 0;
//!     ip daddr 127.0.0.0/8 accept; ip6 daddr ::1 accept
//!     ct state established,related accept
//!     meta l4proto tcp accept                                      # all of it was redirected above
//!     reject with icmpx port-unreachable }                         # QUIC and the like fail as they send, even on
//!                                                                  # sockets that would not hear of an ICMP answer
//! }
//! ```
//! These rules decide what *works*. That nothing *leaves* does not hang on them: the namespace has no interface but
//! `lo`.
use crate::linux::netlink::{ACK, CREATE, Messages, REQUEST};
use rustix::net::netlink::NETFILTER;
use std::io;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const NLM_F_APPEND: u16 = 0x800;
const FAMILY_NONE: u8 = 0;
const FAMILY_INET: u8 = 1;
const HOOK_OUTPUT: u32 = 3;
const PRIORITY_NAT: i32 = -100;
const PRIORITY_FILTER: i32 = 0;
const VERDICT: u32 = 0;
const REGISTER: u32 = 1;
const ACCEPT: u32 = 1;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const BASE_NETWORK: u32 = 1;
const BASE_TRANSPORT: u32 = 2;
const CT_STATE: u32 = 0;
const CT_ESTABLISHED_OR_RELATED: u32 = 2 | 4;
const CMP_EQ: u32 = 0;
const CMP_NEQ: u32 = 1;
const REJECT_ICMPX: u32 = 2;
const ICMPX_PORT_UNREACHABLE: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DNS: u16 = 53;
const TABLE: &str = "bottle";

/// Puts the rules in place, all or none.
pub(crate) fn redirect(egress_port: u16, dns_port: u16) -> io::Result<()> {
    let mut rules = Rules::default();
    rules.control(BATCH_BEGIN);
    rules.table();
    rules.chain("capture", "nat", PRIORITY_NAT);
    rules.accept_loopback("capture");
    rules.rule("capture", |e| e.l4proto(UDP).dport(DNS).redirect(dns_port));
    rules.rule("capture", |e| e.l4proto(TCP).dport(DNS).redirect(dns_port));
    rules.rule("capture", |e| e.l4proto(TCP).redirect(egress_port));
    rules.chain("refuse", "filter", PRIORITY_FILTER);
    rules.accept_loopback("refuse");
    rules.rule("refuse", |e| e.known_connection().accept());
    rules.rule("refuse", |e| e.l4proto(TCP).accept());
    rules.rule("refuse", |e| e.reject());
    let last = rules.sent;
    rules.control(BATCH_END);
    rules.messages.exchange(Some(NETFILTER), last)
}

#[derive(Default)]
struct Rules {
    messages: Messages,
    sent: u32,
}

impl Rules {
    fn begin(&mut self, kind: u16, flags: u16, family: u8, resource: u16) {
        self.sent += 1;
        let [high, low] = resource.to_be_bytes();
        self.messages.begin(kind, REQUEST | flags, &[family, 0, high, low]);
    }

    fn control(&mut self, kind: u16) {
        self.begin(kind, 0, FAMILY_NONE, SUBSYSTEM);
        self.messages.end();
    }

    fn table(&mut self) {
        self.begin(NEW_TABLE, CREATE | ACK, FAMILY_INET, 0);
        self.messages.put_name(1, TABLE);
        self.messages.put_be32(2, 0);
        self.messages.end();
    }

    fn chain(&mut self, name: &str, kind: &str, priority: i32) {
        self.begin(NEW_CHAIN, CREATE | ACK, FAMILY_INET, 0);
        self.messages.put_name(1, TABLE);
        self.messages.put_name(3, name);
        self.messages.nest(4, |hook| {
            hook.put_be32(1, HOOK_OUTPUT);
            hook.put(2, &priority.to_be_bytes());
        });
        self.messages.put_be32(5, ACCEPT);
        self.messages.put_name(7, kind);
        self.messages.end();
    }

    fn accept_loopback(&mut self, chain: &str) {
        self.rule(chain, |e| e.nfproto(NFPROTO_IPV4).daddr_v4_loopback().accept());
        self.rule(chain, |e| e.nfproto(NFPROTO_IPV6).daddr_v6_loopback().accept());
    }

    fn rule(&mut self, chain: &str, fill: impl FnOnce(Expressions<'_>) -> Expressions<'_>) {
        self.begin(NEW_RULE, CREATE | NLM_F_APPEND | ACK, FAMILY_INET, 0);
        self.messages.put_name(1, TABLE);
        self.messages.put_name(2, chain);
        self.messages.nest(4, |list| {
            fill(Expressions(list));
        });
        self.messages.end();
    }
}

/// The expressions of one rule, evaluated left to right; the first that does not hold ends it.
struct Expressions<'a>(&'a mut Messages);

impl Expressions<'_> {
    fn expression(self, name: &str, fill: impl FnOnce(&mut Messages)) -> Self {
        self.0.nest(1, |element| {
            element.put_name(1, name);
            element.nest(2, fill);
        });
        self
    }

    fn meta(self, key: u32) -> Self {
        self.expression("meta", |m| {
            m.put_be32(1, REGISTER);
            m.put_be32(2, key);
        })
    }

    fn compare(self, operator: u32, value: &[u8]) -> Self {
        self.expression("cmp", |m| {
            m.put_be32(1, REGISTER);
            m.put_be32(2, operator);
            m.nest(3, |data| data.put(1, value));
        })
    }

    fn payload(self, base: u32, offset: u32, length: u32) -> Self {
        self.expression("payload", |m| {
            m.put_be32(1, REGISTER);
            m.put_be32(2, base);
            m.put_be32(3, offset);
            m.put_be32(4, length);
        })
    }

    fn mask(self, mask: &[u8; 4]) -> Self {
        self.expression("bitwise", |m| {
            m.put_be32(1, REGISTER);
            m.put_be32(2, REGISTER);
            m.put_be32(3, 4);
            m.nest(4, |data| data.put(1, mask));
            m.nest(5, |data| data.put(1, &[0; 4]));
        })
    }

    fn nfproto(self, protocol: u8) -> Self {
        self.meta(META_NFPROTO).compare(CMP_EQ, &[protocol])
    }

    fn l4proto(self, protocol: u8) -> Self {
        self.meta(META_L4PROTO).compare(CMP_EQ, &[protocol])
    }

    fn dport(self, port: u16) -> Self {
        self.payload(BASE_TRANSPORT, 2, 2).compare(CMP_EQ, &port.to_be_bytes())
    }

    fn daddr_v4_loopback(self) -> Self {
        self.payload(BASE_NETWORK, 16, 4).mask(&[255, 0, 0, 0]).compare(CMP_EQ, &[127, 0, 0, 0])
    }

    fn daddr_v6_loopback(self) -> Self {
        self.payload(BASE_NETWORK, 24, 16).compare(CMP_EQ, &std::net::Ipv6Addr::LOCALHOST.octets())
    }

    fn known_connection(self) -> Self {
        self.expression("ct", |m| {
            m.put_be32(1, REGISTER);
            m.put_be32(2, CT_STATE);
        })
        .mask(&CT_ESTABLISHED_OR_RELATED.to_ne_bytes())
        .compare(CMP_NEQ, &[0; 4])
    }

    fn accept(self) -> Self {
        self.expression("immediate", |m| {
            m.put_be32(1, VERDICT);
            m.nest(2, |data| data.nest(2, |verdict| verdict.put_be32(1, ACCEPT)));
        })
    }

    fn redirect(self, port: u16) -> Self {
        self.expression("immediate", |m| {
            m.put_be32(1, REGISTER);
            m.nest(2, |data| data.put(1, &port.to_be_bytes()));
        })
        .expression("redir", |m| m.put_be32(1, REGISTER))
    }

    fn reject(self) -> Self {
        self.expression("reject", |m| {
            m.put_be32(1, REJECT_ICMPX);
            m.put(2, &[ICMPX_PORT_UNREACHABLE]);
        })
    }
}
