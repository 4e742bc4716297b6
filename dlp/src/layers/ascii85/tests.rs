//! Fast against slow.
use super::*;
use proptest::prelude::*;

#[test]
fn runs_have_the_letters_of_their_alphabet_and_no_others() {
    for alphabet in &ALPHABETS {
        for byte in 0..=u8::MAX {
            let mut runs = Vec::new();
            alphabet.each_run(&[byte; 30], 0..30, |run| runs.push(run));
            assert_eq!(!runs.is_empty(), alphabet.known[usize::from(byte)], "{byte}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// What a look at every place sees.
    #[test]
    fn text_may_begin_where_it_does(
        parts in prop::collection::vec(prop_oneof!["[ -~]{0,9}", "[ -~]{10,90}", "[ !-9a-z]{20,60}"], 0..6),
        coded in prop::collection::vec(any::<bool>(), 6), which in 0_usize..3, before in 0_usize..70, short in 0_usize..70,
    ) {
        let alphabet = &ALPHABETS[which];
        let part = |(text, coded): (&String, &bool)| if *coded { alphabet.encode(text.as_bytes()) } else { text.clone().into_bytes() };
        let letters: Vec<u8> = parts.iter().zip(&coded).flat_map(part).collect();
        let all_text = |at: &usize| (0..GROUPS_LEAST).all(|group| is_ascii(alphabet.group(&letters[at + group * GROUP..])));
        let slowly: Vec<usize> = (0..(letters.len() + 1).saturating_sub(LEAST)).filter(all_text).collect();
        prop_assert_eq!(alphabet.may_begin(&letters, 0..letters.len()), !slowly.is_empty());
        // As a part of more letters, as if there were no others.
        let end = letters.len().saturating_sub(short);
        let part = before.min(end)..end;
        let inside = |at: &usize| part.start <= *at && at + LEAST <= end;
        prop_assert_eq!(alphabet.may_begin(&letters, part.clone()), slowly.iter().any(inside));
        let begins = |at: &usize| FIRSTS.contains(&alphabet.values[usize::from(letters[*at])]);
        prop_assert_eq!(alphabet.likely(&letters), slowly.into_iter().filter(begins).collect::<Vec<_>>());
    }
}
