//! Makes values from templates: `{a36}` is 36 letters and digits, and so on.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// A part of a value.
#[derive(Clone)]
pub(crate) enum Piece {
    /// As it stands in the template.
    Fixed(String),
    /// Made by the generator.
    Random(String),
    /// Made whole: with a checksum, or with something to be read inside.
    Minted(String),
}

impl Piece {
    fn as_str(&self) -> &str {
        match self {
            Piece::Fixed(text) | Piece::Random(text) | Piece::Minted(text) => text,
        }
    }
}

pub(crate) fn text(pieces: &[Piece]) -> String {
    pieces.iter().map(Piece::as_str).collect()
}

/// A seeded generator.
pub(crate) struct Mint(u64);

impl Mint {
    pub(crate) fn new(seed: u64) -> Mint {
        Mint(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn pieces(&mut self, template: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((before, spec, after)) = next_spec(rest) {
            pieces.push(Piece::Fixed(before.to_owned()));
            pieces.push(self.piece(spec));
            rest = after;
        }
        pieces.push(Piece::Fixed(rest.to_owned()));
        pieces
    }

    fn piece(&mut self, spec: &str) -> Piece {
        let (kind, rest) = spec.split_at(1);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let more = &rest[digits.len()..];
        match digits.parse() {
            Ok(length) if more.len() <= 1 => Piece::Random(self.random(kind, length, more)),
            _ if spec == "u" => Piece::Random(self.uuid()),
            _ => Piece::Minted(self.minted(spec)),
        }
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        let letters = alphabet.as_bytes();
        (0..length).map(|_| letters[self.below(letters.len())] as char).collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }

    fn random(&mut self, kind: &str, length: usize, more: &str) -> String {
        let alphabet = match (kind, more) {
            ("a", _) => [DIGITS, LOWER, UPPER].concat(),
            ("b", _) | ("s", "") if length != 40 || kind == "b" => {
                if kind == "b" {
                    [DIGITS, LOWER, UPPER, "+/"].concat()
                } else {
                    [DIGITS, LOWER, UPPER].concat()
                }
            }
            ("s", "") => [DIGITS, LOWER, UPPER, "+/"].concat(),
            ("s", "_") | ("w", _) => [DIGITS, LOWER, UPPER, "_-"].concat(),
            ("s", _) => [DIGITS, LOWER, UPPER].concat(),
            ("h", _) => "0123456789abcdef".to_owned(),
            ("H", _) => "0123456789ABCDEF".to_owned(),
            ("n", _) => DIGITS.to_owned(),
            ("l" | "m", _) => [DIGITS, LOWER].concat(),
            ("U", _) => [DIGITS, UPPER].concat(),
            ("t", _) => [LOWER, "234567"].concat(),
            ("T", _) => [UPPER, "234567"].concat(),
            ("c", _) => [LOWER, UPPER].concat(),
            ("B", _) => BECH32.to_uppercase(),
            ("p", _) => [DIGITS, LOWER, UPPER, "!,._*+-"].concat(),
            _ => panic!("no such kind: {kind}"),
        };
        loop {
            let text = self.of(&alphabet, length);
            let count = |wanted: fn(&u8) -> bool| text.bytes().filter(wanted).count();
            let sorts =
                [count(u8::is_ascii_digit), count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase)];
            let fits = match kind {
                "s" | "p" => sorts.iter().all(|count| *count > 0),
                "m" => sorts[0] >= 3 && sorts[1] >= 3,
                "n" => !text.starts_with('0'),
                _ => true,
            };
            if fits {
                return text;
            }
        }
    }

    fn uuid(&mut self) -> String {
        let mut part = |length| self.of("0123456789abcdef", length);
        format!("{}-{}-4{}-a{}-{}", part(8), part(4), part(3), part(3), part(12))
    }

    fn minted(&mut self, spec: &str) -> String {
        match spec {
            "jwt" => self.jwt(),
            "jwe" => {
                let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A128GCM"}"#);
                let mut part = |length| self.random("w", length, "");
                format!("{header}..{}.{}.{}", part(16), part(90), part(22))
            }
            "discord" => {
                let id = format!("1{}", self.of(DIGITS, 17));
                format!(
                    "{}.G{}.{}",
                    STANDARD_NO_PAD.encode(id),
                    self.random("w", 5, ""),
                    self.random("w", 38, "")
                )
            }
            "tunnel" => {
                let object = format!(
                    r#"{{"a":"{}","t":"{}","s":"{}"}}"#,
                    self.of("0123456789abcdef", 32),
                    self.uuid(),
                    self.random("b", 43, "")
                );
                STANDARD.encode(object)
            }
            "intercom" => STANDARD.encode(format!(
                "tok:{}_{}",
                self.of("0123456789abcdef", 8),
                self.of("0123456789abcdef", 36)
            )),
            "basic" => STANDARD.encode(format!("robot:{}", self.random("p", 20, ""))),
            "pypi" => self.macaroon("pypi.org"),
            "testpypi" => self.macaroon("test.pypi.org"),
            "glsa" => {
                let key = format!("glsa_{}", self.random("a", 32, ""));
                let sum = crc32(key.as_bytes()).to_le_bytes();
                format!("{key}_{}", sum.map(|byte| format!("{byte:02x}")).concat())
            }
            "age" => self.age(),
            "wif" => self.base58check(&[0x80], 32, &[1]),
            "xprv" => {
                let chain = self.bytes(41);
                self.base58check(&[&[0x04, 0x88, 0xAD, 0xE4][..], &chain, &[0]].concat(), 32, &[])
            }
            "card4" => self.card("4", 16),
            "amex" => self.card("37", 15),
            "cardgroups" => {
                let card = self.card("52", 16);
                [&card[..4], &card[4..8], &card[8..12], &card[12..]].join(" ")
            }
            "ibande" => self.iban("DE", 0, 18),
            "ibangb" => self.iban("GB", 4, 14),
            "ibanspaced" => {
                let iban = self.iban("NL", 4, 10);
                iban.as_bytes()
                    .chunks(4)
                    .map(|four| std::str::from_utf8(four).unwrap())
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            "seed12" => self.seed(16),
            "seed24" => self.seed(32),
            other => match other.strip_prefix("gh:") {
                Some(prefix) => {
                    let random = self.random("a", 30, "");
                    format!("{prefix}{random}{}", base62(crc32(random.as_bytes())))
                }
                None => panic!("nothing is minted as {other}"),
            },
        }
    }

    fn jwt(&mut self) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
        let claims =
            URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{}","aud":"acme","exp":1893456000}}"#, self.uuid()));
        format!("{header}.{claims}.{}", self.random("w", 86, ""))
    }

    fn macaroon(&mut self, place: &str) -> String {
        let field =
            |kind: u8, bytes: &[u8]| [&[kind, u8::try_from(bytes.len()).unwrap()][..], bytes].concat();
        let bytes = [
            &[2][..],
            &field(1, place.as_bytes()),
            &field(2, self.uuid().as_bytes()),
            &[0],
            &field(2, br#"[3,"00000000-0000-4000-8000-000000000000"]"#),
            &[0, 0],
            &field(6, &self.bytes(32)),
        ]
        .concat();
        format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn age(&mut self) -> String {
        let name = "age-secret-key-";
        let data: Vec<u8> = (0..52).map(|_| u8::try_from(self.below(32)).unwrap()).collect();
        let expanded =
            name.bytes().map(|byte| byte >> 5).chain([0]).chain(name.bytes().map(|byte| byte & 31));
        let values: Vec<u8> = expanded.chain(data.iter().copied()).chain([0; 6]).collect();
        let mut sum = 1_u32;
        for value in values {
            let top = sum >> 25;
            sum = (sum & 0x01FF_FFFF) << 5 ^ u32::from(value);
            for (bit, part) in
                [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3].iter().enumerate()
            {
                sum ^= if top >> bit & 1 == 1 { *part } else { 0 };
            }
        }
        sum ^= 1;
        let check = (0..6).map(|at| u8::try_from(sum >> (5 * (5 - at)) & 31).unwrap());
        let letters: String = data
            .iter()
            .copied()
            .chain(check)
            .map(|digit| BECH32.as_bytes()[usize::from(digit)] as char)
            .collect();
        format!("{name}1{letters}").to_uppercase()
    }

    fn base58check(&mut self, before: &[u8], length: usize, after: &[u8]) -> String {
        let mut bytes = [before, &self.bytes(length), after].concat();
        let twice = Sha256::digest(Sha256::digest(&bytes));
        bytes.extend_from_slice(&twice[..4]);
        let mut number = bytes;
        let mut text = Vec::new();
        while number.iter().any(|byte| *byte > 0) {
            let mut rest = 0;
            for byte in &mut number {
                let whole = rest * 256 + usize::from(*byte);
                *byte = u8::try_from(whole / 58).unwrap();
                rest = whole % 58;
            }
            text.push(BASE58[rest]);
        }
        text.reverse();
        String::from_utf8(text).unwrap()
    }

    fn card(&mut self, issuer: &str, length: usize) -> String {
        let number = format!("{issuer}{}", self.of(DIGITS, length - issuer.len() - 1));
        let sum = (0..10).find(|digit| luhn(&format!("{number}{digit}"))).unwrap();
        format!("{number}{sum}")
    }

    fn iban(&mut self, country: &str, letters: usize, digits: usize) -> String {
        let account = format!("{}{}", self.of(UPPER, letters), self.of(DIGITS, digits));
        let rest = |check: u32| {
            let text = format!("{account}{country}{check:02}");
            text.chars().fold(0, |rest, sign| {
                let number = sign.to_digit(36).unwrap();
                (rest * if number > 9 { 100 } else { 10 } + number) % 97
            })
        };
        let check = (2..99).find(|check| rest(*check) == 1).unwrap();
        format!("{country}{check:02}{account}")
    }

    fn seed(&mut self, bytes: usize) -> String {
        let entropy = self.bytes(bytes);
        bip39::Mnemonic::from_entropy_in(bip39::Language::English, &entropy).unwrap().to_string()
    }
}

fn next_spec(template: &str) -> Option<(&str, &str, &str)> {
    let begin = template.match_indices('{').map(|(at, _)| at).find(|at| {
        let inside = template[at + 1..].split('}').next().unwrap_or_default();
        inside.len() <= 12
            && inside.starts_with(|sign: char| sign.is_ascii_alphabetic())
            && template[at + 1..].contains('}')
            && !inside.contains(['"', ' ', '$'])
    })?;
    let (spec, after) = template[begin + 1..].split_once('}')?;
    Some((&template[..begin], spec, after))
}

fn luhn(number: &str) -> bool {
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0')).enumerate();
    digits.map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }).sum::<u32>()
        % 10
        == 0
}

/// Bit by bit, by other means than the crate's own.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 },
        )
    })
}

fn base62(mut number: u32) -> String {
    let digits = [DIGITS, UPPER, LOWER].concat().into_bytes();
    let mut text = Vec::new();
    for _ in 0..6 {
        text.push(digits[(number % 62) as usize]);
        number /= 62;
    }
    text.reverse();
    String::from_utf8(text).unwrap()
}
