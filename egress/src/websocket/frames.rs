//! Frames of RFC 6455, read strictly and written anew.
use super::malformed;
use crate::body::Pipeline;
use bytes::Bytes;
use policy::Denial;

/// Bytes of a control frame's payload.
pub(crate) const CONTROL: usize = 125;
/// A message up to here is handed on in one frame, a longer one in several.
const WHOLE: usize = 1024 * 1024;

/// What a data message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// What happens to the messages of one direction.
pub(crate) trait Messages: Send {
    /// The stages of a message whose first bytes are these.
    fn pipeline(&self, kind: Kind, first: &[u8]) -> Pipeline;
    /// A whole control payload.
    fn control(&self, payload: &mut Vec<u8>) -> Result<(), Box<Denial>>;
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Last frame of its message.
    pub fin: bool,
    /// 0 to 2 data, 8 to 10 control.
    pub opcode: u8,
    /// Of a client's frame.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub length: u64,
}

/// Reads a head; `None`: more bytes are needed. Gives its size too. Pure; never panics.
/// # Errors
/// What RFC 6455 forbids, extensions included: none was agreed on.
pub fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, &'static str> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err("a reserved bit is set, no extension was agreed on");
    }
    let Some((length, size)) = length(second & 0x7f, rest)? else { return Ok(None) };
    let mask = if second & 0x80 == 0 {
        None
    } else {
        let Some(&[a, b, c, d]) = rest.get(size..size + 4) else { return Ok(None) };
        Some([a, b, c, d])
    };
    let head = Head { fin: first & 0x80 != 0, opcode: first & 0x0f, mask, length };
    check(head)?;
    Ok(Some((head, 2 + size + if mask.is_some() { 4 } else { 0 })))
}

/// The payload length and the number of bytes it took.
fn length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, &'static str> {
    let (length, size, least) = match (short, rest) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2, 126),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8, 65_536)
        }
        (126 | 127, _) => return Ok(None),
        (short, _) => (u64::from(short), 0, 0),
    };
    if length < least || length > u64::MAX >> 1 {
        return Err("a length is not written the shortest way");
    }
    Ok(Some((length, size)))
}

fn check(head: Head) -> Result<(), &'static str> {
    match head.opcode {
        0..=2 => Ok(()),
        8..=10 if head.fin && head.length <= CONTROL as u64 => Ok(()),
        8..=10 => Err("a control frame is too long or in fragments"),
        _ => Err("an unknown opcode"),
    }
}

/// One direction.
pub(crate) struct Relay<M> {
    messages: M,
    from_client: bool,
    raw: Vec<u8>,
    frame: Option<Frame>,
    open: Option<Open>,
}

struct Frame {
    head: Head,
    left: u64,
    offset: usize,
    control: Vec<u8>,
}

/// A data message under way.
struct Open {
    kind: Kind,
    pipeline: Option<Pipeline>,
    done: Vec<u8>,
    begun: bool,
}

impl<M: Messages> Relay<M> {
    pub(crate) fn new(from_client: bool, messages: M) -> Relay<M> {
        Relay { messages, from_client, raw: Vec::new(), frame: None, open: None }
    }

    /// Takes bytes as they came; appends the frames to hand on.
    pub(crate) fn take(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.raw.extend_from_slice(input);
        loop {
            if self.frame.is_none() && !self.begin_frame()? {
                return Ok(());
            }
            self.payload(out)?;
            if self.frame.as_ref().is_some_and(|frame| frame.left > 0) {
                return Ok(());
            }
            self.end_frame(out)?;
        }
    }

    fn begin_frame(&mut self) -> Result<bool, Box<Denial>> {
        let Some((head, size)) = head(&self.raw).map_err(malformed)? else { return Ok(false) };
        if head.mask.is_some() != self.from_client {
            return Err(malformed("only a client masks, and always"));
        }
        self.raw.drain(..size);
        self.begin_message(head)?;
        self.frame = Some(Frame { head, left: head.length, offset: 0, control: Vec::new() });
        Ok(true)
    }

    fn begin_message(&mut self, head: Head) -> Result<(), Box<Denial>> {
        let kind = match (head.opcode, &self.open) {
            (1, None) => Kind::Text,
            (2, None) => Kind::Binary,
            (0, Some(_)) | (8.., _) => return Ok(()),
            (0, None) => return Err(malformed("a continuation of nothing")),
            _ => return Err(malformed("a message inside a message")),
        };
        self.open = Some(Open { kind, pipeline: None, done: Vec::new(), begun: false });
        Ok(())
    }

    fn payload(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(self.raw.len());
        if count == 0 {
            return Ok(());
        }
        let rest = self.raw.split_off(count);
        let mut bytes = std::mem::replace(&mut self.raw, rest);
        if let Some(mask) = frame.head.mask {
            apply_mask(&mut bytes, mask, frame.offset);
        }
        frame.left -= count as u64;
        frame.offset = (frame.offset + count) % 4;
        if frame.head.opcode >= 8 {
            frame.control.append(&mut bytes);
            return Ok(());
        }
        self.data(bytes, out)
    }

    fn data(&mut self, bytes: Vec<u8>, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let pipeline = open.pipeline.get_or_insert_with(|| self.messages.pipeline(open.kind, &bytes));
        if pipeline.is_empty() {
            open.done.extend_from_slice(&bytes);
        } else {
            pipeline.feed(Bytes::from(bytes));
            while let Some(piece) = pipeline.next()? {
                open.done.extend_from_slice(&piece);
            }
        }
        if open.done.len() > WHOLE {
            open.write(false, self.from_client, out);
        }
        Ok(())
    }

    /// Whether a message has begun of which something could go on.
    pub(crate) fn waits(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.done.is_empty())
    }

    /// Hands on what there is of a message, as a fragment: it was seen to be clean.
    pub(crate) fn pause(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.as_mut().filter(|open| !open.done.is_empty()) {
            open.write(false, self.from_client, out);
        }
    }

    fn end_frame(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        let Some(mut frame) = self.frame.take() else { return Ok(()) };
        if frame.head.opcode >= 8 {
            self.messages.control(&mut frame.control)?;
            write(out, true, frame.head.opcode, &frame.control, self.from_client);
            return Ok(());
        }
        if !frame.head.fin {
            return Ok(());
        }
        let Some(mut open) = self.open.take() else { return Ok(()) };
        if let Some(mut pipeline) = open.pipeline.take() {
            while let Some(piece) = pipeline.finish()? {
                open.done.extend_from_slice(&piece);
            }
        }
        open.write(true, self.from_client, out);
        Ok(())
    }
}

impl Open {
    fn write(&mut self, fin: bool, mask: bool, out: &mut Vec<u8>) {
        let opcode = match self.kind {
            _ if self.begun => 0,
            Kind::Text => 1,
            Kind::Binary => 2,
        };
        write(out, fin, opcode, &self.done, mask);
        self.begun = true;
        self.done.clear();
    }
}

fn write(out: &mut Vec<u8>, fin: bool, opcode: u8, payload: &[u8], mask: bool) {
    let masked = if mask { 0x80 } else { 0 };
    out.push(if fin { 0x80 } else { 0 } | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..126), _) => out.push(masked | short),
        (_, Ok(medium)) => {
            out.push(masked | 126);
            out.extend(medium.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if mask {
        let key: [u8; 4] = rand::random();
        out.extend(key);
        let start = out.len();
        out.extend_from_slice(payload);
        apply_mask(&mut out[start..], key, 0);
    } else {
        out.extend_from_slice(payload);
    }
}

fn apply_mask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mask[(offset + index) % 4];
    }
}

/// The frame that ends a WebSocket for policy (1008), with the code as its reason.
pub(crate) fn policy_close(denial: &Denial) -> Vec<u8> {
    let reason = format!("bottle-decision: denied; code={}", denial.code.as_str());
    let mut out = Vec::new();
    write(&mut out, true, 8, &[&1008_u16.to_be_bytes()[..], reason.as_bytes()].concat(), false);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes everything and forbids a ping of `secret`.
    struct Plain;
    impl Messages for Plain {
        fn pipeline(&self, _: Kind, _: &[u8]) -> Pipeline {
            Pipeline::default()
        }
        fn control(&self, payload: &mut Vec<u8>) -> Result<(), Box<Denial>> {
            if payload == b"secret" { Err(malformed("a secret")) } else { Ok(()) }
        }
    }

    fn frame(fin: bool, opcode: u8, payload: &[u8], mask: bool) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, fin, opcode, payload, mask);
        out
    }

    fn relay(bytes: &[u8], chunk: usize) -> Result<Vec<u8>, Box<Denial>> {
        let (mut relay, mut out) = (Relay::new(false, Plain), Vec::new());
        for part in bytes.chunks(chunk) {
            relay.take(part, &mut out)?;
        }
        Ok(out)
    }

    #[test]
    fn messages_pass_however_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let sent = [
            frame(false, 1, b"hel", false),
            frame(true, 9, b"ping", false),
            frame(true, 0, b"lo", false),
            frame(true, 2, &long, false),
            frame(true, 8, b"\x03\xe8", false),
        ]
        .concat();
        let heard = [
            frame(true, 9, b"ping", false),
            frame(true, 1, b"hello", false),
            frame(true, 2, &long, false),
            frame(true, 8, b"\x03\xe8", false),
        ]
        .concat();
        for chunk in [1, 3, 1000, 1 << 20] {
            assert_eq!(relay(&sent, chunk).expect("all is well-formed"), heard, "in {chunk}");
        }
    }

    #[test]
    fn a_long_message_goes_on_in_fragments_within_a_bound() {
        let part = vec![b'x'; 400_000];
        let mut sent = frame(false, 2, &part, false);
        for _ in 0..9 {
            sent.extend(frame(false, 0, &part, false));
        }
        let (mut relay, mut out, mut most) = (Relay::new(false, Plain), Vec::new(), 0);
        for chunk in sent.chunks(16 * 1024) {
            relay.take(chunk, &mut out).expect("well-formed");
            most = most.max(relay.open.as_ref().map_or(0, |open| open.done.len()));
        }
        assert!(!out.is_empty() && most <= WHOLE + 16 * 1024, "{most}");
    }

    #[test]
    fn what_the_standard_forbids_ends_it() {
        for bad in [
            vec![0xc1, 0x00],        // reserved bit: deflated
            vec![0x83, 0x00],        // unknown opcode
            vec![0x09, 0x00],        // fragmented ping
            vec![0x89, 126, 0, 126], // long ping
            vec![0x81, 126, 0, 5],   // length not shortest
            vec![0x81, 127, 0, 0, 0, 0, 0, 0, 0, 5],
            vec![0x80, 0x00], // continuation of nothing
            [frame(false, 1, b"a", false), frame(true, 1, b"b", false)].concat(),
            frame(true, 1, b"masked by a server", true),
            frame(true, 9, b"secret", false),
        ] {
            drop(relay(&bad, 1).expect_err(&format!("{bad:02x?}")));
        }
    }

    #[test]
    fn a_client_must_mask_and_is_masked_anew() {
        let (mut relay, mut out) = (Relay::new(true, Plain), Vec::new());
        let sent = frame(true, 1, b"hello", true);
        relay.take(&sent, &mut out).expect("well-formed");
        let (read, size) = head(&out).expect("well-formed").expect("whole");
        let mut payload = out[size..].to_vec();
        apply_mask(&mut payload, read.mask.expect("masked"), 0);
        assert_eq!(payload, b"hello");
        drop(relay.take(&frame(true, 1, b"bare", false), &mut out).expect_err("a client masks"));
    }
}
