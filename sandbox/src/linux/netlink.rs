//! Netlink messages, as bytes, and one exchange of them with the kernel.
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use std::io;
use std::os::fd::OwnedFd;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
const HEADER: usize = 16;
const NESTED: u16 = 0x8000;

/// A run of messages that goes out in one piece.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    start: usize,
    sequence: u32,
}

impl Messages {
    /// Begins a message with the family's own header.
    pub(crate) fn begin(&mut self, kind: u16, flags: u16, header: &[u8]) {
        self.start = self.bytes.len();
        self.sequence += 1;
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(header);
        self.pad();
    }

    /// Ends the message: its length is known now.
    pub(crate) fn end(&mut self) {
        let length = u32::try_from(self.bytes.len() - self.start).unwrap_or(u32::MAX);
        self.bytes[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// An attribute.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
    }

    /// A number in network order, which is what nf_tables wants.
    pub(crate) fn put_be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// A NUL-terminated name.
    pub(crate) fn put_name(&mut self, kind: u16, name: &str) {
        self.put(kind, &[name.as_bytes(), &[0]].concat());
    }

    /// An attribute made of attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.put(kind | NESTED, &[]);
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Sends all, and reads answers until the one to the message numbered `last` (counted from 1).
    pub(crate) fn exchange(&self, protocol: Option<Protocol>, last: u32) -> io::Result<()> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        sendto(&socket, &self.bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        while read_answers(&socket)? < last {}
        Ok(())
    }
}

/// The highest acknowledged message of one datagram, or the first error in it. The kernel answers before `sendto`
/// returns, so that an empty socket means that there is no answer at all.
fn read_answers(socket: &OwnedFd) -> io::Result<u32> {
    let mut buffer = [0_u8; 8192];
    let (length, _) = recv(socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT)?;
    let mut answers = buffer.get(..length).unwrap_or_default();
    let mut highest = 0;
    while let Some((kind, sequence, body)) = next_message(&mut answers) {
        let code = body.get(..4).and_then(|b| b.try_into().ok()).map_or(-libc::EIO, i32::from_ne_bytes);
        if kind == NLMSG_ERROR && code != 0 {
            return Err(io::Error::from_raw_os_error(-code));
        }
        highest = highest.max(sequence);
    }
    Ok(highest)
}

fn next_message<'a>(bytes: &mut &'a [u8]) -> Option<(u16, u32, &'a [u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let sequence = u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, sequence, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_knows_its_length_and_pads_its_attributes() {
        let mut messages = Messages::default();
        messages.begin(16, REQUEST | ACK, &[1, 2, 3, 4]);
        messages.nest(1, |m| m.put(2, &[9]));
        messages.end();
        assert_eq!(messages.bytes.len(), 16 + 4 + 4 + 8);
        assert_eq!(messages.bytes[0], 32);
        assert_eq!(&messages.bytes[20..], &[12, 0, 1, 0x80, 5, 0, 2, 0, 9, 0, 0, 0]);
    }

    #[test]
    fn answers_are_read_one_by_one_and_a_short_one_ends_the_run() {
        let mut two = [20_u32.to_ne_bytes(), [2, 0, 0, 0], 7_u32.to_ne_bytes(), [0; 4], [0; 4]].concat();
        two.extend_from_slice(&[40, 0, 0, 0]);
        let mut bytes = two.as_slice();
        assert_eq!(next_message(&mut bytes), Some((2, 7, &[0, 0, 0, 0][..])));
        assert_eq!(next_message(&mut bytes), None);
    }
}
