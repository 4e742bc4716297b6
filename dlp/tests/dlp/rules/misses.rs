//! Texts that look like what a rule seeks, and are not.
use super::mint::{Piece, text};

/// For each value: cut short, with a foreign sign after every few, filled up with one letter.
pub(crate) fn of(id: &str, positives: impl Iterator<Item = Vec<Piece>>) -> Vec<String> {
    if let Some((_, texts)) = BY_HAND.iter().find(|(ids, _)| ids.contains(&id)) {
        return texts.iter().map(|text| (*text).to_owned()).collect();
    }
    if ADDRESSED.contains(&id) {
        return positives.flat_map(|pieces| addresses(&text(&pieces))).collect();
    }
    let mut all = Vec::new();
    for pieces in positives {
        let changed = |change: fn(&str) -> String| {
            let pieces: Vec<Piece> = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Fixed(text) => Piece::Fixed(text.clone()),
                    Piece::Random(text) | Piece::Minted(text) => Piece::Random(change(text)),
                })
                .collect();
            text(&pieces)
        };
        all.push(changed(|text| text[..(text.len() / 3).min(9)].to_owned()));
        all.push(changed(|text| broken(text, 3)));
        all.push(changed(|text| "x".repeat(text.len())));
        if LINES.contains(&id) {
            let line = "kX7mQ2vB9tLp4RzW".repeat(4);
            all.extend(["\n", "\"\n\"", "\\n\",\n    \""].map(|between| {
                [&line, between, changed(of_few_letters).trim_matches('"'), between, &line].concat()
            }));
        }
        if BOUNDED.contains(&id) {
            all.extend(LONGER.iter().map(|(before, behind)| text(&in_a_longer_run(&pieces, before, behind))));
        }
    }
    all
}

/// The rules whose values look like a line of base64 that begins with zeros.
const LINES: &[&str] = &["square-access-token"];

/// As code and tables spell, not keys.
fn of_few_letters(text: &str) -> String {
    text.bytes().map(|byte| b"ABCDEFGHabcdefgh12345678"[usize::from(byte) % 24] as char).collect()
}

/// The rules whose word is so short that random base64 has it by chance: more of the same on either side says that it is some.
const BOUNDED: &[&str] = &["azure-devops-token"];
const LONGER: &[(&str, &str)] =
    &[("qM", ""), ("", "Z"), ("", "+k"), ("", "/4"), ("kX7", "vB9t"), ("kX7+/mQ", "vB9t/")];

/// With more before and behind everything that the generator made.
fn in_a_longer_run(pieces: &[Piece], before: &str, behind: &str) -> Vec<Piece> {
    let made = |piece: &Piece| matches!(piece, Piece::Random(_));
    let (Some(first), Some(last)) = (pieces.iter().position(made), pieces.iter().rposition(made)) else {
        panic!("nothing random")
    };
    let mut longer = pieces.to_vec();
    longer.insert(last + 1, Piece::Fixed(behind.to_owned()));
    longer.insert(first, Piece::Fixed(before.to_owned()));
    longer
}

/// A paragraph sign after every so many characters.
fn broken(text: &str, every: usize) -> String {
    let parts: Vec<&str> =
        text.as_bytes().chunks(every).map(|part| std::str::from_utf8(part).unwrap()).collect();
    parts.join("\u{a7}")
}

/// Where the changes above would not make a near miss.
const BY_HAND: &[(&[&str], &[&str])] = &[
    (
        &["jdbc-password"],
        &[
            "jdbc:postgresql://db/app?user=x",
            "jdbc:mysql://db/app?password=${PASSWORD}",
            "jdbc:h2:mem:x;password=secret",
        ],
    ),
    (
        &["odbc-password"],
        &["Password=password;Encrypt=True", "Pwd={password};Database=x", "Password=;Database=x"],
    ),
    (
        &["netrc-password"],
        &["machine api.acme.io login bob", "machine a.io login b password secret", "machine learning is fun"],
    ),
    (
        &["snowflake-password"],
        &[
            "SNOWFLAKE_PASSWORD=${SNOWFLAKE_PASSWORD}",
            "snowflake_password: password",
            "SNOWFLAKE_PASSWORD=\n",
        ],
    ),
    (
        &["card-number"],
        &[
            "card 4539578763621487",
            "id 4539578763621486",
            "card: 0.4539578763621486",
            "1111 2222 3333 4444",
            "card 4242424242424242",
        ],
    ),
    (
        &["iban"],
        &["DE89370400440532013001", "IBAN DE12 3456", "GB82WEST1234569876543", "XX82 WEST 1234 5698 7654 32"],
    ),
    (
        &["seed-phrase"],
        &[
            "abandon ability able about above absent absorb abstract absurd abuse access accident",
            "zoo zoo zoo zoo zoo zoo",
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage",
        ],
    ),
];

/// The rules for passwords in addresses.
const ADDRESSED: &[&str] = &[
    "postgres-password",
    "mysql-password",
    "mongodb-password",
    "redis-password",
    "amqp-password",
    "clickhouse-password",
    "cockroach-password",
    "sqlserver-url-password",
    "ldap-password",
    "smtp-password",
    "ftp-password",
    "nats-password",
    "mqtt-password",
    "http-basic-password",
];

fn addresses(found: &str) -> Vec<String> {
    let scheme = found.split("://").next().unwrap_or_default().trim_start_matches('"');
    ADDRESSES.iter().map(|rest| format!("{scheme}://{rest}")).collect()
}

/// After the scheme of an address.
const ADDRESSES: &[&str] = &[
    "user:password@db.acme.io/app",
    "user:${PASSWORD}@db.acme.io/app",
    "user@db.acme.io/app",
    "db.acme.io:5432/app",
    "user:kX7mQ2vB9t@localhost/app",
    "user:<password>@db.acme.io",
];
