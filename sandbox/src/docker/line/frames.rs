//! Standard output and standard error on one connection, told apart: a frame is a head of eight bytes (the stream, three
//! zeros, the length with its highest byte first) and what was written. Docker Engine API, `POST /containers/{id}/attach`.
use bytes::{Buf as _, Bytes, BytesMut};
use std::io;

const HEAD: usize = 8;

/// A piece of what a container wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// To standard output, or to its terminal.
    Output(Bytes),
    /// To standard error.
    Error(Bytes),
}

/// Where in a frame we are. Nothing is kept for a frame to become whole: what is there is passed on.
#[derive(Debug, Default)]
pub(super) struct Frames {
    stream: u8,
    left: usize,
}

impl Frames {
    /// Whether the end would come in the middle of a frame.
    pub(super) fn is_inside(&self) -> bool {
        self.left > 0
    }

    /// Takes the next piece off the front; `None` when more is to be read first.
    pub(super) fn next(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Chunk>> {
        loop {
            if self.left == 0 {
                let Some(head) = bytes.first_chunk::<HEAD>().copied() else { return Ok(None) };
                self.begin(head)?;
                bytes.advance(HEAD);
            }
            let piece = bytes.split_to(self.left.min(bytes.len())).freeze();
            self.left -= piece.len();
            match self.stream {
                _ if piece.is_empty() && self.left > 0 => return Ok(None),
                1 if !piece.is_empty() => return Ok(Some(Chunk::Output(piece))),
                // The engine's own words, where it has any (3), belong beside the container's complaints.
                2 | 3 if !piece.is_empty() => return Ok(Some(Chunk::Error(piece))),
                // An echo of what was sent there.
                _ => {}
            }
        }
    }

    fn begin(&mut self, head: [u8; HEAD]) -> io::Result<()> {
        let [stream @ 0..=3, 0, 0, 0, length @ ..] = head else {
            let what = "what the engine sends is not in frames";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
        (self.stream, self.left) = (stream, length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text.as_bytes()].concat()
    }

    /// What was written to standard output and to standard error, when it all comes in pieces of this size.
    fn sorted(sent: &[u8], size: usize) -> (String, String) {
        let (mut frames, mut bytes) = (Frames::default(), BytesMut::new());
        let (mut output, mut error) = (Vec::new(), Vec::new());
        for piece in sent.chunks(size) {
            bytes.extend_from_slice(piece);
            while let Some(chunk) = frames.next(&mut bytes).expect("frames") {
                match chunk {
                    Chunk::Output(piece) => output.extend(piece),
                    Chunk::Error(piece) => error.extend(piece),
                }
            }
            assert!(bytes.len() < HEAD, "{} bytes wait", bytes.len());
        }
        assert!(!frames.is_inside() && bytes.is_empty());
        (String::from_utf8(output).expect("text"), String::from_utf8(error).expect("text"))
    }

    #[test]
    fn streams_are_told_apart_however_the_bytes_are_cut() {
        let sent = [
            frame(1, "one "),
            frame(2, "odd"),
            frame(1, ""),
            frame(0, "echo"),
            frame(1, "two"),
            frame(3, "!"),
        ];
        for size in [1, 2, 7, 8, 9, 1000] {
            assert_eq!(sorted(&sent.concat(), size), ("one two".to_owned(), "odd!".to_owned()), "{size}");
        }
    }

    #[test]
    fn nothing_waits_for_a_long_frame_to_be_whole() {
        let mut frames = Frames::default();
        let mut bytes = BytesMut::from(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'a', b'b'][..]);
        assert_eq!(frames.next(&mut bytes).expect("a frame"), Some(Chunk::Output(Bytes::from("ab"))));
        assert_eq!(frames.next(&mut bytes).expect("a frame"), None);
        assert!(frames.is_inside(), "an end here would be a broken one");
    }

    #[test]
    fn what_is_no_frame_is_not_guessed_at() {
        for head in [[4, 0, 0, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 1], *b"HTTP/1.1"] {
            Frames::default().next(&mut BytesMut::from(&head[..])).expect_err("no frame");
        }
    }
}
