//! Names: everything is answered here, nothing is forwarded. Read back with another implementation's parser.
use egress::dns;
use egress::names::Names;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

fn names() -> Names {
    Names::new(100, Vec::new())
}

fn query(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = 0x1234;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn ask(names: &Names, name: &str, kind: RecordType) -> Message {
    Message::from_vec(&dns::answer(&query(name, kind), names).unwrap()).unwrap()
}

fn address(message: &Message) -> Option<IpAddr> {
    match message.answers.first().map(|record| &record.data) {
        Some(RData::A(ip)) => Some(IpAddr::V4(ip.0)),
        Some(RData::AAAA(ip)) => Some(IpAddr::V6(ip.0)),
        _ => None,
    }
}

#[test]
fn every_name_has_addresses_that_lead_back_to_it() {
    let names = names();
    for kind in [RecordType::A, RecordType::AAAA] {
        let mut question = query("not-allowed.example.com.", kind);
        question[13] = b'N';
        let bytes = dns::answer(&question, &names).unwrap();
        assert_eq!(
            bytes[12..question.len()],
            question[12..],
            "the question is repeated, letter case and all"
        );
        let answer = Message::from_vec(&bytes).unwrap();
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert_eq!(answer.metadata.id, 0x1234);
        assert_eq!(names.host_of(address(&answer).unwrap()).unwrap().to_string(), "not-allowed.example.com");
    }
}

#[test]
fn where_ipv6_is_not_captured_no_name_has_such_an_address() {
    let names = names().with_v6(false);
    let answer = ask(&names, "example.com.", RecordType::AAAA);
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(answer.answers.is_empty(), "an address that nobody answers");
    assert!(address(&ask(&names, "example.com.", RecordType::A)).is_some_and(|ip| ip.is_ipv4()));
}

/// No keys, hints, mail, text or zones: each of them would be a channel, a way round, or a lie.
#[test]
fn other_types_are_empty_or_refused() {
    use RecordType as T;
    let names = names();
    for kind in [T::HTTPS, T::SVCB, T::TXT, T::MX, T::NS, T::SRV, T::CNAME, T::SOA, T::ANY, T::PTR, T::NAPTR]
    {
        let answer = ask(&names, "a.example.com.", kind);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{kind}");
        assert!(answer.answers.is_empty() && answer.authorities.is_empty(), "{kind}");
    }
    for kind in [T::AXFR, T::IXFR] {
        assert_eq!(
            ask(&names, "a.example.com.", kind).metadata.response_code,
            ResponseCode::Refused,
            "{kind}"
        );
    }
}

#[test]
fn localhost_is_the_bottle_itself() {
    let names = names();
    for name in ["localhost.", "LOCALHOST.", "api.localhost."] {
        assert_eq!(address(&ask(&names, name, RecordType::A)), Some("127.0.0.1".parse().unwrap()), "{name}");
        assert_eq!(address(&ask(&names, name, RecordType::AAAA)), Some("::1".parse().unwrap()), "{name}");
    }
}

#[test]
fn the_egress_answers_to_its_own_names() {
    let names = names();
    for name in ["egress.", "_egress.local."] {
        let ip = address(&ask(&names, name, RecordType::A)).unwrap();
        assert_eq!(format!("{}.", names.host_of(ip).unwrap()), name);
    }
}

/// What is no host name gets no address: no two spellings of one name, no IP address by way of DNS.
#[test]
fn names_that_are_no_hosts_do_not_exist() {
    let names = names();
    for name in [".", "1.2.3.4.", "0x7f.1."] {
        assert_absent(&query(name, RecordType::A), &names);
    }
    for odd in [b' ', b'.', b'*', 0xc8, 0, b'\n', b'@'] {
        let mut question = query("a_b.example.", RecordType::A);
        question[14] = odd;
        assert_absent(&question, &names);
    }
}

fn assert_absent(question: &[u8], names: &Names) {
    let answer = dns::answer(question, names).unwrap();
    assert_eq!((answer[3] & 15, answer[7]), (3, 0), "{question:?}");
}

#[test]
fn other_classes_and_operations_are_refused() {
    let names = names();
    let mut chaos = Message::query();
    let mut question = Query::query(Name::from_str("version.bind.").unwrap(), RecordType::TXT);
    question.set_query_class(DNSClass::CH);
    chaos.add_query(question);
    let answer = Message::from_vec(&dns::answer(&chaos.to_vec().unwrap(), &names).unwrap()).unwrap();
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
    for op in [OpCode::Update, OpCode::Notify, OpCode::Status] {
        let mut bytes = query("a.example.com.", RecordType::A);
        bytes[2] = u8::from(op) << 3;
        let answer = dns::answer(&bytes, &names).unwrap();
        assert_eq!((answer[2] >> 7, answer[3] & 15), (1, 4), "{op:?} is not implemented");
    }
}

/// What is no query gets an error or nothing, at every length and with every byte turned.
#[test]
fn garbage_gets_a_format_error_or_silence() {
    let names = names();
    let good = query("a.example.com.", RecordType::A);
    for length in 0..good.len() {
        match dns::answer(&good[..length], &names) {
            None => assert!(length < 12),
            Some(answer) => assert_eq!(answer[3] & 15, 1, "cut to {length}"),
        }
    }
    let mut two = good.clone();
    two[5] = 2;
    assert_eq!(dns::answer(&two, &names).unwrap()[3] & 15, 1, "two questions");
    let mut pointer = good.clone();
    pointer[12] = 0xc0;
    assert_eq!(dns::answer(&pointer, &names).unwrap()[3] & 15, 1, "a pointer in a question");
    let mut reply = good.clone();
    reply[2] |= 0x80;
    assert!(dns::answer(&reply, &names).is_none(), "an answer is not answered");
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bent = good.clone();
            bent[at] ^= 1 << bit;
            if let Some(answer) = dns::answer(&bent, &names) {
                assert!(answer.len() <= 512 && answer[2] & 0x80 != 0);
            }
        }
    }
}

#[test]
fn edns_is_spoken_and_later_versions_are_declined() {
    let names = names();
    let mut bytes = query("a.example.com.", RecordType::A);
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    let answer = Message::from_vec(&dns::answer(&bytes, &names).unwrap()).unwrap();
    assert!(address(&answer).is_some() && answer.edns.is_some());
    let version = bytes.len() - 5;
    bytes[version] = 1;
    let answer = Message::from_vec(&dns::answer(&bytes, &names).unwrap()).unwrap();
    assert_eq!(answer.metadata.response_code, ResponseCode::from(1, 0));
    assert!(address(&answer).is_none());
}

/// Ten thousand names from a hostile agent: bounded, and those that have an address keep it.
#[test]
fn a_flood_of_names_is_answered_with_failure_not_with_a_reused_address() {
    let names = names();
    let first = address(&ask(&names, "first.example.com.", RecordType::A)).unwrap();
    let mut failures = 0;
    for n in 0..10_000 {
        let answer = ask(&names, &format!("n{n}.example.com."), RecordType::A);
        assert_ne!(address(&answer), Some(first));
        failures += u32::from(answer.metadata.response_code == ResponseCode::ServFail);
    }
    assert_eq!(failures, 10_000 - 99);
    assert_eq!(names.host_of(first).unwrap().to_string(), "first.example.com");
}

#[tokio::test]
async fn the_sockets_answer() {
    let (names, end) = (Arc::new(names()), CancellationToken::new());
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let serving = [
        tokio::spawn(dns::serve_udp(udp, names.clone(), end.clone())),
        tokio::spawn(dns::serve_tcp(tcp, names.clone(), end.clone())),
    ];
    let question = query("a.example.com.", RecordType::A);

    let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.send_to(b"junk", udp_at).await.unwrap();
    client.send_to(&question, udp_at).await.unwrap();
    let mut buffer = [0; 600];
    let length = client.recv(&mut buffer).await.unwrap();
    assert!(address(&Message::from_vec(&buffer[..length]).unwrap()).is_some());

    let mut client = tokio::net::TcpStream::connect(tcp_at).await.unwrap();
    for _ in 0..2 {
        client.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
        client.write_all(&question).await.unwrap();
        let length = usize::from(client.read_u16().await.unwrap());
        client.read_exact(&mut buffer[..length]).await.unwrap();
        assert!(address(&Message::from_vec(&buffer[..length]).unwrap()).is_some());
    }
    client.write_u16(u16::MAX).await.unwrap();
    assert_eq!(client.read(&mut buffer).await.unwrap(), 0, "too long a message ends the connection");

    end.cancel();
    for task in serving {
        task.await.unwrap();
    }
}
