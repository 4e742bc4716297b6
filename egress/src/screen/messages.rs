//! Bodies that are rows of messages (gRPC, gRPC-Web, Connect): each has five bytes before it and may be compressed by itself.
use crate::body::Stage;
use crate::coding::{Coding, Decode, Envelope, Room};
use bytes::{Buf, Bytes};
use policy::{Denial, DenialCode};

/// Flag and length.
const HEAD: usize = 5;

/// Gives what the messages say, one after the other: so a value that lies across two of them is seen too.
pub(super) struct Messages {
    coding: Option<Coding>,
    room: Room,
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: u64,
    /// Of a compressed message.
    decoder: Option<Decode>,
    pending: Bytes,
}

impl Messages {
    pub(super) fn new(envelope: Envelope, room: &Room) -> Messages {
        let (head, pending) = (Vec::with_capacity(HEAD), Bytes::new());
        Messages { coding: envelope.coding, room: room.clone(), head, left: 0, decoder: None, pending }
    }

    /// Takes what belongs to the head of a message; true when it is whole.
    fn begin(&mut self, input: &mut Bytes) -> Result<bool, Box<Denial>> {
        let missing = HEAD - self.head.len();
        self.head.extend(input.split_to(input.len().min(missing)));
        let &[flags, a, b, c, d] = self.head.as_slice() else { return Ok(false) };
        self.head.clear();
        self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
        if flags & 1 != 0 {
            let coding = self.coding.ok_or_else(unnamed)?;
            self.decoder = Some(Decode::new(coding, &self.room));
        }
        Ok(true)
    }

    /// The next bytes of this message.
    fn take(&mut self, input: &mut Bytes) -> Bytes {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        self.left -= count as u64;
        input.split_to(count)
    }

    fn decode(&mut self, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        match &mut self.decoder {
            Some(decoder) => decoder.data(&mut self.pending, out),
            None => Ok(false),
        }
    }

    fn end_message(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        self.decoder.take().map_or(Ok(()), |mut decoder| decoder.end(out))
    }
}

impl Stage for Messages {
    fn data(&mut self, input: &mut Bytes, out: &mut Vec<u8>) -> Result<bool, Box<Denial>> {
        if self.decoder.is_some() && self.pending.has_remaining() {
            let _more = self.decode(out)?;
            return Ok(true);
        }
        if self.left == 0 {
            self.end_message(out)?;
            return Ok(!input.is_empty() && self.begin(input)? && !input.is_empty());
        }
        let piece = self.take(input);
        if self.decoder.is_none() {
            out.extend_from_slice(&piece);
            return Ok(!input.is_empty());
        }
        self.pending = piece;
        let more = self.decode(out)?;
        Ok(more || self.pending.has_remaining() || !input.is_empty())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Box<Denial>> {
        if self.left > 0 || !self.head.is_empty() {
            return Err(cut());
        }
        self.end_message(out)
    }
}

fn unnamed() -> Box<Denial> {
    let sentence = "a message says that it is compressed, and no header says how, so it cannot be inspected";
    Box::new(Denial::new(DenialCode::Unreadable, sentence))
}

fn cut() -> Box<Denial> {
    Box::new(Denial::new(DenialCode::Unreadable, "the body ends in the middle of a message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Pipeline;
    use async_compression::tokio::write::GzipEncoder;
    use tokio::io::AsyncWriteExt;

    fn message(flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&[flags][..], &length, payload].concat()
    }

    async fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(bytes).await.expect("memory");
        encoder.shutdown().await.expect("memory");
        encoder.into_inner()
    }

    fn read(bytes: &[u8], chunk: usize, coding: Option<Coding>) -> Result<Vec<u8>, Box<Denial>> {
        let (mut pipeline, mut all) = (Pipeline::default(), Vec::new());
        pipeline.then(Messages::new(Envelope { coding }, &Room::new(1)));
        for part in bytes.chunks(chunk) {
            pipeline.feed(Bytes::copy_from_slice(part));
            while let Some(piece) = pipeline.next()? {
                all.extend(piece);
            }
        }
        while let Some(piece) = pipeline.finish()? {
            all.extend(piece);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn messages_are_read_however_they_are_cut_and_compressed() {
        let packed = gzip(b"two ").await;
        let empty = gzip(b"").await;
        let body = [
            message(0, b"one "),
            message(1, &packed),
            message(0, b""),
            message(1, &empty),
            message(0x80, b"three"),
        ]
        .concat();
        for chunk in [1, 2, 3, 7, 1000] {
            assert_eq!(
                read(&body, chunk, Some(Coding::Gzip)).expect("well-formed"),
                b"one two three",
                "{chunk}"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told() {
        let packed = gzip(b"two").await;
        drop(read(&message(1, &packed), 9, None).expect_err("no coding is named"));
        drop(read(&message(0, b"one")[..6], 9, None).expect_err("cut in a message"));
        drop(read(&message(0, b"one")[..3], 9, None).expect_err("cut in a head"));
        let half = &packed[..packed.len() - 4];
        drop(read(&message(1, half), 9, Some(Coding::Gzip)).expect_err("half a member"));
    }
}
