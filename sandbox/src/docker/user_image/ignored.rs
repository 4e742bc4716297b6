//! `.dockerignore`, as Docker documents it (docs.docker.com, "Build context"): Go's `filepath.Match` and `**`, every
//! pattern anchored at the folder's root, exceptions by `!`, and the last line that matches decides.
//!
//! Own code, because the matchers of `.gitignore` differ where it counts for a secret: their patterns float, their
//! exceptions end at a folder that is left out, and they know other brackets. The matching itself is a regular expression.
use crate::SandboxError;
use regex::Regex;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::path::Path;
use std::str::Chars;

/// What of a folder stays at home.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Or takes back in what a rule before left out.
    leaves_out: bool,
    pattern: Regex,
    /// The folders that a path must begin with to match.
    begins: Vec<String>,
}

/// Which rules matched a path, or a folder above it: a rule for a folder holds for all that is in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Matched(Vec<bool>);

impl Ignored {
    /// Reads the lines of a file named `name`.
    /// # Errors
    /// When a pattern cannot be read: what it was to keep at home is not known then.
    pub(super) fn parse(name: &str, text: &str) -> Result<Ignored, SandboxError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#')) {
            match Rule::parse(line.trim()) {
                Ok(rule) => rules.extend(rule),
                Err(Malformed) => return Err(malformed(name, number, line.trim())),
            }
        }
        Ok(Ignored { rules })
    }

    /// Takes this path in, whatever the rules say: the engine cannot do without it.
    pub(super) fn always_take(&mut self, path: &Path) {
        let path = path.to_string_lossy();
        let begins = path.split('/').map(str::to_owned).collect();
        if let Ok(pattern) = Regex::new(&format!("\\A{}\\z", regex::escape(&path))) {
            self.rules.push(Rule { leaves_out: false, pattern, begins });
        }
    }

    /// Judges a path, as seen from the root, in a folder for which these rules matched: whether it stays at home, and
    /// what to know for those below it.
    pub(super) fn judge(&self, above: &Matched, path: &Path) -> (bool, Matched) {
        // Bytes that are no text become U+FFFD, which `*` and `?` match: nothing slips through a wildcard.
        let path = path.to_string_lossy();
        let inherited = above.0.iter().copied().chain(std::iter::repeat(false));
        let matched: Vec<bool> = self
            .rules
            .iter()
            .zip(inherited)
            .map(|(rule, above)| above || rule.pattern.is_match(&path))
            .collect();
        let last = self.rules.iter().zip(&matched).rev().find(|(_, matched)| **matched);
        (last.is_some_and(|(rule, _)| rule.leaves_out), Matched(matched))
    }

    /// Whether an exception could hold for something in a folder that stays at home.
    pub(super) fn may_take_below(&self, folder: &Path) -> bool {
        let folder = folder.to_string_lossy();
        let agrees = |rule: &Rule| rule.begins.iter().zip(folder.split('/')).all(|(want, have)| want == have);
        self.rules.iter().any(|rule| !rule.leaves_out && agrees(rule))
    }
}

/// No pattern.
#[derive(Debug)]
struct Malformed;

impl Rule {
    /// `None` for a line that says nothing.
    fn parse(line: &str) -> Result<Option<Rule>, Malformed> {
        let (leaves_out, pattern) = match line.strip_prefix('!') {
            Some("") => return Err(Malformed),
            Some(exception) => (false, exception.trim()),
            None => (true, line),
        };
        let pattern = cleaned(pattern);
        if pattern.is_empty() {
            return Ok(None);
        }
        let begins = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '\\']));
        let begins = begins.map(str::to_owned).collect();
        let expression = expression(&pattern).ok_or(Malformed)?;
        let pattern = Regex::new(&expression).map_err(|_| Malformed)?;
        Ok(Some(Rule { leaves_out, pattern, begins }))
    }
}

fn malformed(name: &str, line: usize, pattern: &str) -> SandboxError {
    SandboxError::new(format!("line {line} of `{name}` is no pattern: `{}`", super::neutral(pattern)))
        .with_hint("a `[` needs its `]`, a `\\` and a `!` need something after them")
}

/// As Go's `filepath.Clean` does, without the slash in front.
fn cleaned(pattern: &str) -> String {
    let rooted = pattern.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A pattern as a regular expression over the whole path.
fn expression(pattern: &str) -> Option<String> {
    let mut out = String::from("(?s)\\A");
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => any_folders(&mut rest, &mut out),
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => class(&mut rest, &mut out)?,
            '\\' => literal(rest.next()?, &mut out),
            other => literal(other, &mut out),
        }
    }
    out.push_str("\\z");
    Some(out)
}

fn literal(character: char, out: &mut String) {
    let _ = write!(out, "\\x{{{:x}}}", u32::from(character));
}

/// `**`: any number of folders, none too; at the end, whatever there is.
fn any_folders(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let _ = rest.next_if_eq(&'/');
    out.push_str(if rest.peek().is_none() { ".*" } else { "(?:.*/)?" });
}

/// `[a-z]`, `[^a]`: characters and ranges, `\` before one that would mean something.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    loop {
        let low = bound(rest)?;
        literal(low, out);
        if rest.next_if_eq(&'-').is_some() {
            out.push('-');
            literal(bound(rest)?, out);
        }
        if rest.next_if_eq(&']').is_some() {
            out.push(']');
            return Some(());
        }
    }
}

fn bound(rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        character => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judged from the root down, as the packer does.
    fn stays(lines: &str, path: &str) -> bool {
        let ignored = Ignored::parse(".dockerignore", lines).expect(lines);
        let (mut verdict, mut matched) = (false, Matched::default());
        let path = Path::new(path);
        let above: Vec<&Path> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        for path in above.into_iter().rev() {
            (verdict, matched) = ignored.judge(&matched, path);
        }
        verdict
    }

    #[test]
    fn patterns_mean_what_docker_says() {
        // Pattern, what stays at home, what goes along.
        let table: &[(&str, &[&str], &[&str])] = &[
            ("secret", &["secret", "secret/a/b"], &["a/secret", "secrets", "xsecret"]),
            ("/secret", &["secret"], &["a/secret"]),
            ("./a//b/", &["a/b", "a/b/c"], &["a", "b", "x/a/b"]),
            ("a/../b", &["b"], &["a"]),
            ("*", &["a", ".env", "a/b"], &[]),
            ("*.log", &["x.log", ".log"], &["a/x.log", "x.logs"]),
            ("*/temp*", &["a/temp", "a/temporary.txt", "a/tempdir/x"], &["temp", "a/b/temp"]),
            ("*/*/temp*", &["a/b/temp"], &["a/temp", "a/b/c/temp"]),
            ("temp?", &["tempa", "tempé"], &["temp", "tempab", "temp/"]),
            ("**/.env", &[".env", "a/.env", "a/b/c/.env"], &["a/x.env", ".environment"]),
            ("**/*.go", &["x.go", "a/b/x.go"], &["x.god"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "b"]),
            ("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["a/bz", "z"]),
            ("**", &["a", "a/b"], &[]),
            ("x[0-9].y", &["x1.y"], &["x.y", "xa.y", "x12.y"]),
            ("x[^0-9]", &["xa"], &["x1"]),
            ("x[a\\]]", &["x]", "xa"], &["x\\"]),
            ("\\*", &["*"], &["a"]),
            ("a.b", &["a.b"], &["axb"]),
            ("(a|b){2}+", &["(a|b){2}+"], &["aa", "ab"]),
            ("{a,b}", &["{a,b}"], &["a", "b"]),
            ("a b", &["a b"], &["a"]),
            ("../x", &[], &["x"]),
        ];
        for (pattern, at_home, along) in table {
            at_home.iter().for_each(|path| assert!(stays(pattern, path), "`{pattern}` keeps `{path}`"));
            along.iter().for_each(|path| assert!(!stays(pattern, path), "`{pattern}` lets `{path}` go"));
        }
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        let lines = "*.md\n!README*.md\nREADME-secret.md";
        assert!(stays(lines, "a.md") && stays(lines, "README-secret.md") && !stays(lines, "README.md"));
        let other = "*.md\nREADME-secret.md\n!README*.md";
        assert!(!stays(other, "README-secret.md"));
        let below = "a\n!a/keep\na/keep/not";
        assert!(stays(below, "a/x") && !stays(below, "a/keep/x") && stays(below, "a/keep/not/x"));
    }

    #[test]
    fn comments_blanks_and_line_ends_are_no_patterns() {
        let lines = "\u{feff}# a\r\n\r\n   \n.\n/\n  b  \r\n #c\n! d\n";
        assert!(stays(lines, "b") && stays(lines, "#c"), "a comment begins in the first column");
        assert!(!stays(lines, "a") && !stays(lines, "d"));
        assert!(stays("\u{feff}a", "a"));
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_no_reason_to_send_more() {
        for lines in ["a\n!", "[", "[]", "[a", "[a-]", "x\\", "[b-a]"] {
            let error = Ignored::parse("x.dockerignore", lines).expect_err(lines);
            assert!(error.what.contains("of `x.dockerignore` is no pattern"), "{error}");
        }
    }

    #[test]
    fn names_that_are_no_text_do_not_slip_through_a_wildcard() {
        use std::os::unix::ffi::OsStrExt as _;
        let ignored = Ignored::parse("", "*.key").expect("a pattern");
        let name = Path::new(std::ffi::OsStr::from_bytes(b"\xff\xfe\n.key"));
        assert!(ignored.judge(&Matched::default(), name).0);
    }

    #[test]
    fn what_the_build_needs_goes_along_whatever_the_lines_say() {
        let mut ignored = Ignored::parse("", "**").expect("a pattern");
        ignored.always_take(Path::new("sub/Docker[file]"));
        assert!(!ignored.judge(&Matched::default(), Path::new("sub/Docker[file]")).0);
        assert!(ignored.judge(&Matched::default(), Path::new("sub/Dockerf")).0);
        assert!(ignored.may_take_below(Path::new("sub")) && !ignored.may_take_below(Path::new("other")));
    }

    #[test]
    fn folders_are_looked_into_only_where_an_exception_could_hold() {
        let looked = |lines: &str, folder: &str| {
            Ignored::parse("", lines).expect(lines).may_take_below(Path::new(folder))
        };
        assert!(!looked("node_modules", "node_modules"));
        assert!(!looked("node_modules\n!src/x", "node_modules"));
        assert!(looked("a\n!a/b/c", "a") && looked("a\n!a/b/c", "a/b") && !looked("a\n!a/b/c", "a/x"));
        assert!(looked("a\n!**/c", "a/b") && looked("a\n!a/*/c", "a/b"));
    }
}
