//! Where something may stand, each spelled as its format wants it.

/// One place in one format. What comes back is a body, or one part of a head.
#[derive(Clone, Copy)]
pub(crate) struct Container {
    pub(crate) name: &'static str,
    pub(crate) put: fn(&[u8]) -> Vec<u8>,
}

pub(crate) const ALL: [Container; 15] = [
    of("raw", |value| value.to_vec()),
    of("text", |value| around("Some words, then ", value, " and more.\n")),
    of("path", |value| around("/repos/", &url(value), "/contents")),
    of("query", |value| around("q=words&sort=desc&x=", &url(value), "&page=2")),
    of("query key", |value| around("q=words&", &url(value), "=1&page=2")),
    of("header", |value| around("Custom ", &token(value), "; q=1")),
    of("form", |value| around("a=b+c&token=", &form(value), "&d=%C3%A9")),
    of("json string", |value| around("{\"id\":7,\"text\":\"he said \\\"", &json(value), "\\\" twice\\n\"}")),
    of("json key", |value| around("{\"id\":7,\"", &json(value), "\":null,\"z\":[1.5]}")),
    of("preamble", |value| multipart(value, b"", b"", b"")),
    of("part header", |value| multipart(b"", &token(value), b"", b"")),
    of("file name", |value| multipart(b"", b"", &token(value), b"")),
    of("part", |value| multipart(b"", b"", b"", value)),
    of("xml", |value| around("<?xml version=\"1.0\"?><a b='1'>", &xml(value), "</a>")),
    of("grpc", grpc),
];

const fn of(name: &'static str, put: fn(&[u8]) -> Vec<u8>) -> Container {
    Container { name, put }
}

fn around(before: &str, value: &[u8], behind: &str) -> Vec<u8> {
    [before.as_bytes(), value, behind.as_bytes()].concat()
}

fn escaped(value: &[u8], keeps: impl Fn(u8) -> bool, spell: impl Fn(u8) -> String) -> Vec<u8> {
    value.iter().flat_map(|byte| if keeps(*byte) { vec![*byte] } else { spell(*byte).into_bytes() }).collect()
}

fn url(value: &[u8]) -> Vec<u8> {
    let keeps = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$'()*,;:@".contains(&byte);
    escaped(value, keeps, |byte| format!("%{byte:02X}"))
}

fn form(value: &[u8]) -> Vec<u8> {
    let keeps = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    escaped(value, keeps, |byte| format!("%{byte:02X}"))
}

/// In a header no control characters can stand: they are escaped, as clients do it.
fn token(value: &[u8]) -> Vec<u8> {
    escaped(value, |byte| byte >= b' ' && !b"\"%".contains(&byte), |byte| format!("%{byte:02X}"))
}

/// Bytes that are no UTF-8 are escaped as if they were Latin-1.
fn json(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => {
            let quoted = serde_json::to_vec(text).unwrap();
            quoted[1..quoted.len() - 1].to_vec()
        }
        Err(_) => escaped(value, |byte| byte.is_ascii_alphanumeric(), |byte| format!("\\u00{byte:02x}")),
    }
}

fn xml(value: &[u8]) -> Vec<u8> {
    escaped(value, |byte| !b"<>&'\"".contains(&byte), |byte| format!("&#{byte};"))
}

fn multipart(preamble: &[u8], header: &[u8], name: &[u8], part: &[u8]) -> Vec<u8> {
    [
        b"A preamble that nobody shows ".as_slice(),
        preamble,
        b"\r\n--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a ",
        name,
        b".txt\"\r\nX-Note: ",
        header,
        b"\r\nContent-Type: text/plain\r\n\r\n",
        part,
        b"\r\n--b0undary--\r\nepilogue",
    ]
    .concat()
}

/// A message with its length, and in it a field of bytes between two others.
fn grpc(value: &[u8]) -> Vec<u8> {
    let varint = |mut number: usize| {
        let mut bytes = Vec::new();
        while number > 0x7F {
            bytes.push(u8::try_from(number & 0x7F | 0x80).unwrap());
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap());
        bytes
    };
    let message =
        [b"\x08\x96\x01\x12".as_slice(), &varint(value.len()), value, b"\x1a\x03\xe2\x98\x83"].concat();
    [b"\0".as_slice(), &u32::try_from(message.len()).unwrap().to_be_bytes(), &message].concat()
}
