//! The first bytes of a connection.
use egress::sniff::{ClientHello, Parsed, client_hello as parse, speech};
use policy::Host;
use rustls::server::Acceptor;

/// What is known of a hello does not change as more of it arrives, and the TLS library that answers it reads the same
/// name in it: a connection sniffed as one host and opened as another would be judged as the wrong one.
pub fn client_hello(bytes: &[u8]) {
    let _speech = speech(bytes);
    let whole = parse(bytes);
    for cut in (0..bytes.len()).rev().take(64) {
        match parse(bytes.get(..cut).unwrap_or_default()) {
            Parsed::Whole(earlier) => assert_eq!(Parsed::Whole(earlier), whole),
            Parsed::Partial => {}
            Parsed::Wrong => assert_eq!(whole, Parsed::Wrong),
        }
    }
    if let Parsed::Whole(hello) = whole {
        assert_same_name(&hello, bytes);
    }
}

fn assert_same_name(hello: &ClientHello, mut bytes: &[u8]) {
    let mut acceptor = Acceptor::default();
    if acceptor.read_tls(&mut bytes).is_err() {
        return;
    }
    if let Ok(Some(accepted)) = acceptor.accept() {
        if let Some(read) = accepted.client_hello().server_name() {
            let sniffed = hello.host().ok().flatten();
            assert!(sniffed.is_none() || sniffed == Host::parse(read).ok(), "{hello:?} was read as {read}");
            assert!(hello.sni.is_some(), "{read} was not seen");
        }
    }
}
