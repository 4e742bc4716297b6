//! Values that stand for others: in documentation, templates and tests.

/// Words that real values, which are random, hold once in a great many years.
const WORDS: [&[u8]; 12] = [
    b"example",
    b"placeholder",
    b"changeme",
    b"change-me",
    b"change_me",
    b"your-",
    b"your_",
    b"redacted",
    b"dummy",
    b"xxxxx",
    b"insert",
    b"replace",
];
/// Passwords of documentation and of programs as they come.
pub(crate) const PASSWORDS: [&[u8]; 22] = [
    b"password",
    b"passwd",
    b"passw0rd",
    b"password1",
    b"password123",
    b"p@ssw0rd",
    b"secret",
    b"secret123",
    b"mysecret",
    b"mypassword",
    b"my-secret-pw",
    b"admin",
    b"admin123",
    b"root",
    b"postgres",
    b"mysql",
    b"guest",
    b"test1234",
    b"pass123",
    b"letmein",
    b"user:password",
    b"hunter2",
];
/// So much of a value is looked at: what is put behind a real one does not make it a made-up one.
const LOOKED_AT: usize = 40;
/// So many times the same byte in a row.
const RUN: usize = 6;

/// Whether a value only shows where one belongs.
pub(crate) fn is_made_up(value: &[u8]) -> bool {
    let value = &value[..value.len().min(LOOKED_AT)];
    holds_word(value) || holds_run(value) || counts_up(value)
}

/// Whether something is put in its place later: `${NAME}`, `$NAME`, `<name>`, `{{ name }}`, `%s`, `***`, `...`.
pub(crate) fn is_variable(value: &[u8]) -> bool {
    let begins = matches!(value.first(), Some(b'$' | b'<' | b'{' | b'[' | b'('));
    let shout = value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let holds = [&b"${"[..], b"{{", b"$(", b"...", b"***", b"%s", b"<"]
        .iter()
        .any(|sign| value.windows(sign.len()).any(|window| window == *sign));
    begins || shout || holds
}

fn holds_word(value: &[u8]) -> bool {
    let at = |word: &[u8]| value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    WORDS.iter().any(|word| at(word))
}

fn holds_run(value: &[u8]) -> bool {
    value.windows(RUN).any(|window| window.iter().all(|byte| *byte == window[0]))
}

/// `12345678`, `abcdefgh`.
fn counts_up(value: &[u8]) -> bool {
    value.windows(8).any(|window| window.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)))
}
