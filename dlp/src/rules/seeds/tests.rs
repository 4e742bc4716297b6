use super::*;
use proptest::prelude::*;

/// Without asking what may be.
fn slowly(text: &[u8], from: usize, mut found: impl FnMut(usize)) {
    for place in (from..(text.len() + 1).saturating_sub(LOOK)).step_by(STEP) {
        let other =
            |byte: &u8| !matches!(byte, b'a'..=b'z' | b'\t'..=b'\r' | b' ' | b',' | b'"' | b'\'' | b'\\');
        let begin = text[..place].iter().rposition(other).map_or(0, |at| at + 1);
        let end = text[place..].iter().position(other).map_or(text.len(), |at| place + at);
        let word = word_behind(text, place);
        let listed = || is_listed(&text[word.start..word.start + word.count]);
        if end >= place + LOOK
            && end - begin >= SHORTEST
            && word.is_some()
            && listed()
            && goes_on(text, word.start + word.count)
        {
            found(row_begin(text, word.start));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn rows_are_those_that_a_slow_look_finds(
        words in prop::collection::vec((0_usize..2600, 0_usize..10), 0..40), from in 0_usize..9, short in 0_usize..9,
    ) {
        let list = Language::English.word_list();
        let between = [" ", " ", "\\n", ", ", "\n", "    ", "     ", "\\", "\", \"", ". "];
        let spell = |(word, gap): &(usize, usize)| {
            let word = list.get(*word).copied().unwrap_or(["thing", "a", "of", "words", "abandone"][word % 5]);
            format!("{word}{}", between[*gap])
        };
        let text: String = words.iter().map(spell).collect();
        let text = &text.as_bytes()[..text.len().saturating_sub(short)];
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        find(text, from.min(text.len()), &Masks::of(text), |row| fast.push(row));
        slowly(text, from.min(text.len()), |row| slow.push(row));
        prop_assert_eq!(fast, slow);
    }
}

/// Words of eight letters, before which the `n` of an escaped line break is one letter more.
#[test]
fn the_longest_words_are_seen_behind_escaped_line_breaks() {
    let words: Vec<&str> = Mnemonic::from_entropy(&[144; 16]).unwrap().words().collect();
    assert!(words[2].len() + 1 == LETTERS.end, "{words:?}");
    let text = format!(" {}.", words.join("\\n")).into_bytes();
    let mut phrases = 0;
    find(&text, 0, &Masks::of(&text), |begin| {
        phrases += usize::from(matches!(row(&text, 0, begin, true), Row::Phrase(_)))
    });
    assert!(phrases > 0);
}

#[test]
fn the_shortest_phrase_is_seen_at_every_place() {
    let short: Vec<&str> =
        Language::English.word_list().iter().copied().filter(|word| word.len() == 3).collect();
    let phrase = |last: &str| [&short[..11], &[last]].concat().join(" ");
    let phrase = short
        .iter()
        .map(|last| phrase(last))
        .find(|phrase| Mnemonic::parse_in_normalized(Language::English, phrase).is_ok())
        .unwrap();
    assert_eq!(phrase.len(), SHORTEST);
    for before in 0..2 * BLOCK {
        let text = format!("{}{phrase}.", ".".repeat(before)).into_bytes();
        let mut phrases = 0;
        let mut found = |begin| phrases += usize::from(matches!(row(&text, 0, begin, true), Row::Phrase(_)));
        find(&text, 0, &Masks::of(&text), &mut found);
        assert!(phrases > 0, "behind {before} bytes");
    }
}
