//! What every match of a pattern holds: the words by which a rule of the user's own is found.
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Fewer bytes stand everywhere, and are not sought as words.
const SHORTEST: usize = 3;
/// More is not needed to be rare.
const LONGEST: usize = 24;
/// Of `(?:a|b|c)[xy]` every combination is a word, up to so many.
const WORDS: usize = 64;

/// Words, one of which stands in every match, and how far behind its beginning at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) words: Vec<Vec<u8>>,
    pub(super) lead: usize,
}

impl Anchor {
    /// Long words that stand near the beginning are best.
    fn rank(&self) -> (usize, std::cmp::Reverse<usize>) {
        let shortest = self.words.iter().map(Vec::len).min().unwrap_or(0);
        (shortest.min(8), std::cmp::Reverse(self.lead))
    }
}

/// Of a pattern, and how long its matches may be; `None` when nothing is sure.
pub(super) fn anchor(pattern: &str, farthest: usize) -> (Option<Anchor>, Option<usize>) {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).octal(true).build().parse(pattern);
    let Ok(hir) = parsed else { return (None, None) };
    // What may be missing at the beginning need not be there: a match that begins later is one, too.
    let found = of(&hir, farthest + spare(&hir));
    let found = found.map(|anchor| Anchor { lead: anchor.lead.min(farthest), ..anchor });
    (found, hir.properties().maximum_len())
}

/// How long what may be missing at the beginning is at most.
fn spare(hir: &Hir) -> usize {
    let HirKind::Concat(parts) = hir.kind() else { return 0 };
    let optional = |part: &&Hir| matches!(part.kind(), HirKind::Repetition(one) if one.min == 0);
    flat(parts).into_iter().take_while(optional).filter_map(|part| part.properties().maximum_len()).sum()
}

fn of(hir: &Hir, farthest: usize) -> Option<Anchor> {
    match hir.kind() {
        HirKind::Capture(capture) => of(&capture.sub, farthest),
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub, farthest),
        HirKind::Concat(parts) => of_row(&flat(parts), farthest),
        HirKind::Alternation(parts) => of_choice(parts, farthest),
        _ => of_row(&[hir], farthest),
    }
}

/// Every way must have its words.
fn of_choice(ways: &[Hir], farthest: usize) -> Option<Anchor> {
    let mut all = Anchor { words: Vec::new(), lead: 0 };
    for way in ways {
        let anchor = of(way, farthest)?;
        all.words.extend(anchor.words);
        all.lead = all.lead.max(anchor.lead);
    }
    all.words.sort();
    all.words.dedup();
    Some(all)
}

fn flat(parts: &[Hir]) -> Vec<&Hir> {
    parts
        .iter()
        .flat_map(|part| match part.kind() {
            HirKind::Concat(inner) => flat(inner),
            HirKind::Capture(capture) => match capture.sub.kind() {
                HirKind::Concat(inner) => flat(inner),
                _ => vec![&*capture.sub],
            },
            _ => vec![part],
        })
        .collect()
}

/// The best of: a few parts in a row that can only read so and so, or what one part holds.
fn of_row(parts: &[&Hir], farthest: usize) -> Option<Anchor> {
    let mut best: Option<Anchor> = None;
    let mut lead = Some(0_usize);
    for (at, part) in parts.iter().enumerate() {
        let Some(before) = lead else { break };
        let inside = if parts.len() > 1 { of(part, farthest) } else { None };
        let inside = inside.map(|anchor| Anchor { lead: anchor.lead + before, ..anchor });
        let row = literal(&parts[at..]).map(|words| Anchor { words, lead: before });
        let near = |anchor: &Anchor| anchor.lead <= farthest;
        for anchor in [inside, row].into_iter().flatten().filter(near) {
            if best.as_ref().is_none_or(|best| anchor.rank() > best.rank()) {
                best = Some(anchor);
            }
        }
        lead = part.properties().maximum_len().map(|longest| longest + before);
    }
    best
}

/// The words that the parts begin with, when they are long enough.
fn literal(parts: &[&Hir]) -> Option<Vec<Vec<u8>>> {
    let mut words = vec![Vec::new()];
    for part in parts {
        let Some(next) = exact(part) else { break };
        if words.len() * next.len() > WORDS || words.iter().all(|word| word.len() >= LONGEST) {
            break;
        }
        words = words
            .iter()
            .flat_map(|word| next.iter().map(move |more| [word.as_slice(), more].concat()))
            .collect();
    }
    words.iter_mut().for_each(|word| word.truncate(LONGEST));
    words.sort();
    // Where a longer one stands, so does the shorter one that it begins with.
    words.dedup_by(|longer, shorter| longer.starts_with(shorter));
    words.iter().all(|word| word.len() >= SHORTEST).then_some(words)
}

/// Everything that the part can read, in small letters; `None` when that is too much.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut all = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_ascii_lowercase()],
        HirKind::Class(class) => letters(class)?,
        HirKind::Capture(capture) => exact(&capture.sub)?,
        HirKind::Repetition(repetition) if (repetition.min, repetition.max) == (0, Some(1)) => {
            [exact(&repetition.sub)?, vec![Vec::new()]].concat()
        }
        HirKind::Repetition(_) => return None,
        HirKind::Concat(parts) => product(parts)?,
        HirKind::Alternation(parts) => {
            parts.iter().map(exact).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()
        }
    };
    all.sort();
    all.dedup();
    (all.len() <= WORDS).then_some(all)
}

fn product(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    parts.iter().try_fold(vec![Vec::new()], |words, part| {
        let next = exact(part)?;
        let fits = words.len() * next.len() <= WORDS;
        fits.then(|| {
            words
                .iter()
                .flat_map(|word| next.iter().map(move |more| [word.as_slice(), more].concat()))
                .collect()
        })
    })
}

/// One byte each, both cases of a letter as one.
fn letters(class: &Class) -> Option<Vec<Vec<u8>>> {
    let Class::Bytes(class) = class else { return None };
    let mut bytes: Vec<u8> = class
        .iter()
        .flat_map(|range| range.start()..=range.end())
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    bytes.sort_unstable();
    bytes.dedup();
    (bytes.len() <= 4).then(|| bytes.into_iter().map(|byte| vec![byte]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pattern: &str) -> Option<(Vec<String>, usize)> {
        let (found, _) = anchor(pattern, 96);
        found.map(|found| {
            (found.words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect(), found.lead)
        })
    }

    #[test]
    fn what_every_match_holds_is_found() {
        for (pattern, expected, lead) in [
            ("ghp_[a-z]{36}", &["ghp_"][..], 0),
            ("(?i)\\b(acme[_-]key)[0-9]+", &["acme-key", "acme_key"], 0),
            ("[a-z0-9.]{0,20}?(?:acme|corp)(?:key)?[0-9]{9}", &["acme", "corp"], 20),
            ("(?:sk_live_[a-z]{9}|rk_live_[a-z]{9})", &["rk_live_", "sk_live_"], 0),
            ("([0-9]{4}(token))", &["token"], 4),
            ("(?:A3T[A-Z]|AKIA)[a-z]{2}(?:x)", &["a3t", "akia"], 0),
            ("\\bhf_[a-z]{34}", &["hf_"], 0),
            // The word that is near, not the longer one that is not.
            ("acme[a-z]{99}(?:AAAAAAAAAA)", &["acme"], 0),
            // What may be missing does not make it far.
            ("[a-z]{0,50}?(?i:[a-z]{0,50}?(?:acme))[0-9]{9}", &["acme"], 96),
        ] {
            let expected = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(pattern), Some((expected, lead)), "{pattern}");
        }
    }

    #[test]
    fn where_nothing_is_sure_nothing_is_told() {
        for pattern in [
            "[a-z]{32}",
            "(?:acme)?[0-9]{20}",
            "[a-z]+acmekey",
            "(?:acmekey|[0-9]{20})",
            "ab[0-9]",
            "[a-z]{99}acmekey",
        ] {
            assert_eq!(words(pattern), None, "{pattern}");
        }
    }
}
