//! What the alphabets are made of.
use crate::blocks::kind;

kind!(pub(super) OfAdobe: |bytes| bytes.between(b'!', b'u'));
kind!(pub(super) OfRfc1924: |bytes| bytes.between(b'!', b'~') & !bytes.is_any(*b"\"',./:[\\]"));
kind!(pub(super) OfZeroMq: |bytes| bytes.between(b'!', b'~') & !bytes.is_any(*b"\"',;\\_`|~"));

kind!(
    /// With the end of an entity of HTML, which is no letter there.
    pub(super) OfZeroMqInHtml: |bytes| OfZeroMq.those(bytes) | bytes.is(b';')
);

// The letters of the first values, up to `FIRSTS` and one more.
kind!(pub(super) FirstsOfAdobe: |bytes| bytes.between(b'!', b'J'));
kind!(
    pub(super) FirstsOfRfc1924:
        |bytes| bytes.between(b'0', b'9') | bytes.between(b'A', b'Z') | bytes.between(b'a', b'f')
);
kind!(
    pub(super) FirstsOfZeroMq:
        |bytes| bytes.between(b'0', b'9') | bytes.between(b'a', b'z') | bytes.between(b'A', b'F')
);
