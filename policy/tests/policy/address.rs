//! Addresses that may be dialled, and those that may not.
use policy::special::{IPV4, IPV6, METADATA, Reach};
use policy::{AddressRefusal, Denial, DenialCode, Host, Vetted, vet};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn vetted(texts: &[&str], allow_private: bool) -> Result<Vec<String>, AddressRefusal> {
    let show =
        |vetted: Vec<Vetted>| vetted.into_iter().map(|address| address.socket_addr().to_string()).collect();
    vet(&Host::parse("example.com").unwrap(), 443, &ips(texts), allow_private).map(show)
}

fn passes(text: &str, allow_private: bool) -> bool {
    vetted(&[text], allow_private).is_ok()
}

#[test]
fn public_addresses_pass_as_they_are() {
    let public = [
        "1.1.1.1",
        "93.184.216.34",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "100.128.0.0",
        "9.255.255.255",
        "223.255.255.255",
    ];
    for text in public {
        assert!(passes(text, false), "{text}");
    }
    assert_eq!(
        vetted(&["1.1.1.1", "2606:4700::1111"], false).unwrap(),
        ["1.1.1.1:443", "[2606:4700::1111]:443"]
    );
}

/// Threat 10: never, not even with `allow_private`.
#[test]
fn the_machine_the_link_and_metadata_services_are_never_reachable() {
    for text in [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "::",
        "::1",
        "::2",
        "::7f00:1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "64:ff9b:1::a00:1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff::1",
        "5f00::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "feff::1",
        "ff02::1",
        "ff0e::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:ec2::253",
        "fd00:42::42",
        "fd00:c1::a9fe:a9fe",
        "fd00:a9fe:a9fe::1",
        "fd00:100::100:200",
        "4000::1",
        "1::1",
        "8000::1",
        "e000::1",
        "64:ff9b:2::1",
        "200::1",
    ] {
        assert!(!passes(text, false), "{text}");
        assert!(!passes(text, true), "{text} with allow_private");
    }
}

/// Threat 10.
#[test]
fn private_networks_need_allow_private() {
    for text in [
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:a00:1::1",
        "2002:c0a8:101::",
    ] {
        assert!(!passes(text, false), "{text}");
        assert!(passes(text, true), "{text} with allow_private");
    }
}

/// NAT64 networks give public hosts such addresses.
#[test]
fn what_leads_to_a_public_ipv4_address_is_judged_by_it() {
    for text in ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"] {
        assert!(passes(text, false), "{text}");
    }
    assert_eq!(vetted(&["::ffff:1.1.1.1"], false).unwrap(), ["1.1.1.1:443"]);
}

/// Threat 11.
#[test]
fn mixed_answers_are_refused_whole() {
    let refusal = vetted(&["1.1.1.1", "10.0.0.1"], false).unwrap_err();
    assert_eq!(refusal.addresses, [("10.0.0.1".parse().unwrap(), "private use, RFC 1918")]);
    assert!(vetted(&["10.0.0.1", "1.1.1.1"], true).is_ok());
    assert!(vetted(&["1.1.1.1", "10.0.0.1", "169.254.169.254"], true).is_err());
    assert!(vetted(&["10.0.0.1", "127.0.0.1"], true).is_err());
}

/// Threat 11: a failed look-up is no permission.
#[test]
fn no_address_is_a_refusal() {
    let refusal = vetted(&[], true).unwrap_err();
    assert_eq!(Denial::from(refusal).code, DenialCode::NameNotResolved);
}

#[test]
fn the_refusal_names_address_entry_and_document() {
    let denial = Denial::from(vetted(&["169.254.169.254"], true).unwrap_err());
    assert_eq!(denial.code, DenialCode::AddressNotAllowed);
    assert_eq!(
        denial.sentence,
        "`example.com` has the special-purpose address 169.254.169.254 (metadata service of AWS, Google Cloud, Azure and others), so \
         policy does not let the bottle reach it"
    );
}

#[test]
fn every_entry_of_the_registries_is_refused_at_both_ends() {
    for block in METADATA.iter().chain(IPV4).chain(IPV6) {
        for ip in [block.first, last(block.first, block.prefix)] {
            assert!(block.holds(ip), "{ip} {}", block.name);
            assert!(!passes(&ip.to_string(), false), "{ip} {}", block.name);
            let opened = passes(&ip.to_string(), true);
            assert_eq!(opened, block.reach == Reach::Private, "{ip} {}", block.name);
        }
    }
}

/// A wider block before a narrower one would hide its name.
#[test]
fn no_entry_hides_another() {
    for blocks in [METADATA, IPV4, IPV6] {
        for (at, block) in blocks.iter().enumerate() {
            let hidden_by = blocks[..at]
                .iter()
                .find(|earlier| earlier.holds(block.first) && earlier.prefix <= block.prefix);
            assert!(hidden_by.is_none(), "{} stands behind {}", block.name, hidden_by.unwrap().name);
        }
    }
}

fn last(first: IpAddr, prefix: u8) -> IpAddr {
    match first {
        IpAddr::V4(ip) => {
            Ipv4Addr::from_bits(ip.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0)).into()
        }
        IpAddr::V6(ip) => {
            Ipv6Addr::from_bits(ip.to_bits() | u128::MAX.checked_shr(prefix.into()).unwrap_or(0)).into()
        }
    }
}

proptest! {
    /// The standard library's own notions, where they are stable, never find something that passed.
    #[test]
    fn nothing_special_to_the_standard_library_passes(bits in any::<u32>()) {
        let ip = Ipv4Addr::from_bits(bits);
        if passes(&ip.to_string(), false) {
            prop_assert!(!ip.is_private() && !ip.is_loopback() && !ip.is_link_local() && !ip.is_multicast());
            prop_assert!(!ip.is_broadcast() && !ip.is_documentation() && !ip.is_unspecified());
        }
    }

    /// Threat 10: however an IPv4 address is wrapped, the answer is the same.
    #[test]
    fn wrapping_changes_nothing(bits in any::<u32>(), allow_private in any::<bool>()) {
        let plain = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = plain.octets();
        let wrapped = [format!("::ffff:{plain}"), format!("64:ff9b::{plain}"), format!("2002:{a:x}{b:02x}:{c:x}{d:02x}::1")];
        for text in wrapped {
            prop_assert_eq!(passes(&text, allow_private), passes(&plain.to_string(), allow_private), "{}", text);
        }
    }
}
