//! Every built-in rule finds what it is for and nothing that only looks like it.
//!
//! The values are made here, from how they look and a seeded generator: no file holds anything that a scanner would take for
//! a live one.
mod ai;
mod cloud;
mod code_hosts;
mod connections;
mod hosting;
mod keys;
mod messaging;
mod mint;
mod misses;
mod money;
mod observability;
mod payment;
mod platforms;
mod registries;
mod saas;

use crate::inspect::key;
use dlp::{KnownValues, RuleSet, Sought};
use mint::Mint;
use std::collections::BTreeMap;

const POSITIVES: usize = 3;
const NEAR_MISSES: usize = 3;

type Samples = &'static [(&'static str, &'static [&'static str])];

fn samples() -> BTreeMap<&'static str, &'static [&'static str]> {
    let subjects: [Samples; 13] = [
        ai::SAMPLES,
        cloud::SAMPLES,
        code_hosts::SAMPLES,
        connections::SAMPLES,
        hosting::SAMPLES,
        keys::SAMPLES,
        messaging::SAMPLES,
        money::SAMPLES,
        observability::SAMPLES,
        payment::SAMPLES,
        platforms::SAMPLES,
        registries::SAMPLES,
        saas::SAMPLES,
    ];
    subjects.into_iter().flatten().copied().collect()
}

fn sought() -> Sought {
    Sought::new(KnownValues::new(&[]).0, RuleSet::built_in(), key())
}

/// A value of some rule, in the form in which its template puts it.
pub(crate) fn some_positive(number: usize) -> String {
    let samples = samples();
    let (id, templates) = samples.iter().nth(number % samples.len()).unwrap();
    mint::text(&positives(id, templates).nth(number / samples.len() % POSITIVES).unwrap())
}

/// The rules that see something in this text, put where such things stand.
fn seen(sought: &Sought, text: &str) -> Vec<String> {
    let body = format!("some words before:\n{text}\nand behind");
    sought.find_all(body.as_bytes()).iter().map(|hit| hit.rule.to_string()).collect()
}

#[test]
fn there_are_at_least_200_rules_each_with_an_id_of_its_own() {
    let rules = RuleSet::built_in();
    let ids: std::collections::BTreeSet<&str> = rules.rules().map(dlp::Rule::id).collect();
    assert!(ids.len() >= 200, "{}", ids.len());
    assert_eq!(ids.len(), rules.rules().count(), "an id stands for one rule");
    let plain =
        |id: &&str| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    assert_eq!(ids.iter().copied().find(|id| !plain(id)), None);
    let sampled: std::collections::BTreeSet<&str> = samples().into_keys().collect();
    assert_eq!(ids, sampled, "every rule has samples, every sample a rule");
}

#[test]
fn every_rule_finds_what_it_is_for() {
    let sought = sought();
    let mut missed = Vec::new();
    for (id, templates) in samples() {
        let texts: Vec<String> = positives(id, templates).map(|pieces| mint::text(&pieces)).collect();
        assert!(texts.len() >= POSITIVES, "{id}");
        missed.extend(
            texts
                .into_iter()
                .filter(|text| !seen(&sought, text).iter().any(|rule| rule == id))
                .map(|text| (id, text)),
        );
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A stand-in takes the place of the value alone: the quote behind it is not its own. Blocks have line breaks of their own.
#[test]
fn no_value_ends_with_what_stands_behind_it() {
    let sought = sought();
    let mut wrong = Vec::new();
    for (id, templates) in samples() {
        for pieces in positives(id, templates) {
            let body = format!("{}\nand behind", mint::text(&pieces));
            let hits = sought.find_all(body.as_bytes());
            let plain = hits.iter().filter(|hit| &*hit.rule == id && &*hit.layer == "plain");
            wrong.extend(plain.filter_map(|hit| {
                let begin = usize::try_from(hit.offset).unwrap();
                let value = &body[begin..begin + hit.length];
                let more = value.ends_with(['"', '\'', '\n', ' ', '&', ';']);
                (more && !value.starts_with("-----BEGIN")).then(|| (id, value.to_owned()))
            }));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_rule_finds_what_only_looks_like_it() {
    let sought = sought();
    let mut wrong = Vec::new();
    for (id, templates) in samples() {
        let texts = misses::of(id, positives(id, templates));
        assert!(texts.len() >= NEAR_MISSES, "{id} has {} near misses", texts.len());
        for text in texts {
            let rules = seen(&sought, &text);
            if !rules.is_empty() {
                wrong.push((id, rules, text));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Values of each template, at least as many as there must be.
fn positives(id: &str, templates: &'static [&'static str]) -> impl Iterator<Item = Vec<mint::Piece>> {
    let seed = id.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let rounds = POSITIVES.div_ceil(templates.len()) as u64;
    (0..rounds).flat_map(move |round| {
        let mut mint = Mint::new(seed + 1000 * round);
        templates.iter().map(move |template| mint.pieces(template)).collect::<Vec<_>>()
    })
}
