//! Collections in brackets.

/// A collection in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// Its opening bracket.
    pub(super) open: usize,
    /// Its closing bracket.
    pub(super) close: usize,
    /// The last character of its content; the opening bracket where there is none.
    pub(super) last: usize,
}

impl Flow {
    /// The one that opens here.
    pub(super) fn at(text: &str, open: usize) -> Option<Flow> {
        let mut scan = Scan { text, at: open, last: open };
        let mut depth = 0_usize;
        loop {
            let byte = scan.next()?;
            match byte.sign {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(Flow { open, close: byte.at, last: byte.before });
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(&self) -> bool {
        self.last == self.open
    }

    /// Whether its last entry has a comma after it.
    pub(super) fn ends_in_comma(&self, text: &str) -> bool {
        text.as_bytes().get(self.last) == Some(&b',')
    }
}

/// Walks over what counts: not blanks, not comments; a quoted text is one thing.
struct Scan<'t> {
    text: &'t str,
    at: usize,
    last: usize,
}

/// A sign that counts; the content of quotes is told as its closing quote.
struct Sign {
    sign: u8,
    at: usize,
    /// The sign before it.
    before: usize,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<Sign> {
        let bytes = self.text.as_bytes();
        loop {
            let sign = *bytes.get(self.at)?;
            let fresh = self.at == 0 || b" \t\r\n[{,:".contains(&bytes[self.at - 1]);
            match sign {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' if fresh => self.at = super::text::line_end(self.text, self.at),
                b'"' | b'\'' if fresh => {
                    let end = self.quoted(sign)?;
                    return Some(self.told(sign, end));
                }
                _ => return Some(self.told(sign, self.at)),
            }
        }
    }

    fn told(&mut self, sign: u8, at: usize) -> Sign {
        let before = std::mem::replace(&mut self.last, at);
        self.at = at + 1;
        Sign { sign, at, before }
    }

    /// Where the quotes close that open here.
    fn quoted(&self, quote: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        loop {
            match *bytes.get(at)? {
                b'\\' if quote == b'"' => at += 2,
                b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
                sign if sign == quote => return Some(at),
                _ => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> (String, char) {
        let open = text.find('[').expect("a bracket");
        let flow = Flow::at(text, open).expect("closed");
        (text[flow.open..=flow.close].to_owned(), text[flow.last..].chars().next().expect("a sign"))
    }

    #[test]
    fn brackets_in_quotes_and_comments_do_not_count() {
        assert_eq!(cut("x: [a, ']', \"\\\"]\"] # ]"), ("[a, ']', \"\\\"]\"]".into(), '"'));
        assert_eq!(cut("x: [ a, # ]\n b ] "), ("[ a, # ]\n b ]".into(), 'b'));
        assert_eq!(cut("x: [it's, {a: [b]}, ]"), ("[it's, {a: [b]}, ]".into(), ','));
        assert_eq!(cut("x: [ ]"), ("[ ]".into(), '['));
        assert_eq!(Flow::at("x: [a", 3), None);
    }
}
