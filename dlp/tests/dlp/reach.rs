//! Every kind of secret, through every code and pair of codes, in every container, however it is cut: found. And its twin, of
//! the same shape, passes.
use crate::containers::{self, Container};
use crate::encoders::{self, Encoder};
use dlp::{FingerprintKey, Hit, Inspector, KnownValue, KnownValues, OwnRule, RuleSet, Sought, Verdict};
use proptest::prelude::*;

/// What is sought, by which rule it is told, and its twin.
#[derive(Debug, Clone, Copy)]
struct Secret {
    rule: &'static str,
    value: &'static str,
    twin: &'static str,
}

const SECRETS: [Secret; 5] = [
    Secret {
        rule: "known-secret",
        value: "Zk9/pX+2vQ~m:L5tRw8yB.e3\"Hn",
        twin: "Zk9/pX+2wQ~m:L5tSw8yB.e4\"Hn",
    },
    Secret {
        rule: "known-secret",
        value: "correct-Horse_battery.Staple/42!xyz",
        twin: "correct-House_battery.Stable/43!xyz",
    },
    Secret { rule: "canary", value: "AKCNRY5QX7ZT2WM4LPHD", twin: "AKCNRY5QX7ZT3WN4LPHD" },
    Secret {
        rule: "gitlab-personal-token",
        value: "glpat-3Kd9sLq0Zx7Vb2Nw5Ty8",
        twin: "glpot-3Kd9sLq0Zx7Vb2Nw5Ty8",
    },
    Secret {
        rule: "github-fine-grained-token",
        value: "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3",
        twin: "github_pet_1A2b3C4d5E6f7G8h9J0kLm_Qw3Er5Ty7Ui9Op1As2Df4Gh6Jk8Lz0Xc3Vb5Nm7Qw9Er2Ty4Ui6Op8As1Df3",
    },
];

fn sought() -> Sought {
    let known = SECRETS.iter().filter(|secret| secret.rule == "known-secret" || secret.rule == "canary");
    let values: Vec<KnownValue<'_>> = known
        .map(|secret| KnownValue {
            rule: secret.rule.into(),
            name: "NAME".into(),
            replacement: "stand-in".into(),
            value: secret.value.as_bytes(),
        })
        .collect();
    Sought::new(KnownValues::new(&values).0, RuleSet::built_in(), FingerprintKey::new([9; 32]))
}

fn told(hits: &[Hit], rule: &str) -> bool {
    hits.iter().any(|hit| &*hit.rule == rule)
}

/// What came out before the stop, if there was one.
fn stopped<'a>(sought: &Sought, chunks: impl Iterator<Item = &'a [u8]>, rule: &str) -> (bool, Vec<u8>) {
    let mut inspector = Inspector::new(sought.clone());
    let mut out = Vec::new();
    let mut judge = |hit: &Hit| if &*hit.rule == rule { Verdict::Stop } else { Verdict::Pass };
    let mut chunks = chunks;
    let passed = chunks.all(|chunk| inspector.push(chunk, &mut out, &mut judge).is_ok());
    (!passed || inspector.finish(&mut out, &mut judge).is_err(), out)
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

struct Case {
    name: String,
    secret: Secret,
    body: Vec<u8>,
    twin: Vec<u8>,
}

fn case(secret: Secret, codes: &[Encoder], container: Container) -> Option<Case> {
    let spelled = |value: &str| {
        codes.iter().try_fold(value.as_bytes().to_vec(), |bytes, code| {
            code.fits(&bytes).then(|| (code.encode)(&bytes))
        })
    };
    let names: Vec<&str> = codes.iter().map(|code| code.name).collect();
    let name = format!("{} as {} in {}", secret.rule, names.join(" then "), container.name);
    Some(Case {
        name,
        secret,
        body: (container.put)(&spelled(secret.value)?),
        twin: (container.put)(&spelled(secret.twin)?),
    })
}

impl Case {
    /// What is wrong when it is looked at as a whole.
    fn missed_whole(&self, sought: &Sought) -> Option<String> {
        if !told(&sought.find_all(&self.body), self.secret.rule) {
            return Some(format!("{}: {}", self.name, shown(&self.body)));
        }
        let hits = sought.find_all(&self.twin);
        (!hits.is_empty()).then(|| format!("the twin of {}: {hits:?} {}", self.name, shown(&self.twin)))
    }

    /// What is wrong when it comes in these chunks.
    fn missed_in_chunks<'a>(
        &'a self,
        sought: &Sought,
        chunks: impl Iterator<Item = &'a [u8]>,
    ) -> Option<String> {
        let (hit, out) = stopped(sought, chunks, self.secret.rule);
        let wrong = if !hit {
            "not found in chunks"
        } else if !self.body.starts_with(&out) || out.len() >= self.body.len() {
            "not stopped"
        } else if told(&sought.find_all(&out), self.secret.rule) {
            "went out"
        } else {
            return None;
        };
        Some(format!("{wrong}: {}: {}", self.name, shown(&self.body)))
    }
}

/// Of many cases those that are not as they should be.
#[derive(Default)]
struct Missed {
    cases: usize,
    wrong: Vec<String>,
}

impl Missed {
    fn count(&mut self, wrong: Option<String>) {
        self.cases += 1;
        self.wrong.extend(wrong);
    }

    fn are_none(&self, least: usize) {
        assert!(self.cases >= least, "only {} cases", self.cases);
        let first: Vec<&str> = self.wrong.iter().take(20).map(String::as_str).collect();
        assert!(self.wrong.is_empty(), "{} of {}: {}", self.wrong.len(), self.cases, first.join("\n"));
    }
}

/// Cases of the pairs that are tried for each secret; all of them with `DLP_REACH=all`.
fn thorough() -> bool {
    std::env::var("DLP_REACH").is_ok_and(|reach| reach == "all")
}

fn singles() -> impl Iterator<Item = Case> {
    SECRETS.into_iter().flat_map(|secret| {
        let codes = encoders::ALL.into_iter().map(|code| vec![code]).chain([vec![]]);
        codes.flat_map(move |codes| {
            containers::ALL.into_iter().filter_map(move |container| case(secret, &codes, container))
        })
    })
}

#[test]
fn every_code_in_every_container_is_found_and_its_twin_passes() {
    let sought = sought();
    let mut missed = Missed::default();
    singles().for_each(|case| missed.count(case.missed_whole(&sought)));
    missed.are_none(1000);
}

#[test]
fn every_code_in_every_container_is_found_in_chunks() {
    let sought = sought();
    let mut missed = Missed::default();
    for (index, case) in singles().enumerate() {
        let sizes: &[usize] = if thorough() { &[1, 2, 3, 5, 7, 16, 33, 64, 100] } else { &[7, 33, 1, 64, 3] };
        let few = if thorough() { sizes.len() } else { 2 };
        for size in sizes.iter().cycle().skip(index).take(few) {
            missed.count(case.missed_in_chunks(&sought, case.body.chunks(*size)));
        }
    }
    missed.are_none(2000);
}

#[test]
fn every_pair_of_codes_is_found_and_its_twin_passes() {
    let sought = sought();
    let pairs = encoders::ALL.into_iter().flat_map(|one| encoders::ALL.map(|two| [one, two]));
    let mut missed = Missed::default();
    for (index, pair) in pairs.enumerate() {
        for secret in SECRETS {
            let all = containers::ALL.into_iter().cycle().skip(index);
            for container in all.take(if thorough() { containers::ALL.len() } else { 2 }) {
                let Some(case) = case(secret, &pair, container) else { continue };
                missed.count(case.missed_whole(&sought));
                let size = [1, 7, 33, 64][index % 4];
                if thorough() || index % 3 == 0 {
                    missed.count(case.missed_in_chunks(&sought, case.body.chunks(size)));
                }
            }
        }
    }
    missed.are_none(3000);
}

#[test]
fn a_stand_in_leaves_json_whole_and_no_secret() {
    let sought = sought();
    let json = containers::ALL.into_iter().filter(|container| container.name.starts_with("json"));
    for container in json {
        for secret in SECRETS {
            for code in encoders::ALL {
                let Some(case) = case(secret, &[code], container) else { continue };
                let clean = sought.redact(&case.body, &mut |_| Verdict::Redact).unwrap().unwrap();
                assert!(!told(&sought.find_all(&clean), secret.rule), "{}: {}", case.name, shown(&clean));
                let read = serde_json::from_slice::<serde_json::Value>(&clean);
                assert!(read.is_ok(), "{}: {}", case.name, shown(&clean));
            }
        }
    }
}

/// Read in the wrong byte order, the blank and the letter are a character that nobody sees.
#[test]
fn what_stands_behind_wide_text_hides_nothing() {
    let sought = sought();
    for secret in SECRETS {
        let wide: Vec<u8> = secret.value.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let body = [b" \n".as_slice(), &wide, b"\n a"].concat();
        assert!(told(&sought.find_all(&body), secret.rule), "{}", secret.rule);
    }
}

/// An entity ends with what is no letter of the code, or stands beside a backslash that is one.
#[test]
fn codes_of_five_letters_are_read_through_entities() {
    let sought = sought();
    let code = |name: &str| encoders::ALL.into_iter().find(|code| code.name == name).unwrap();
    let xml = containers::ALL.into_iter().find(|container| container.name == "xml").unwrap();
    let mut missed = Missed::default();
    for names in [
        ["percent twice", "base85 of zeromq"],
        ["utf-16", "base85 of zeromq"],
        ["utf-16be", "base85 of zeromq"],
        ["ascii85", "utf-16"],
        ["ascii85", "utf-16be"],
        ["ascii85", "utf-32"],
    ] {
        for secret in SECRETS {
            let Some(case) = case(secret, &names.map(code), xml) else { continue };
            missed.count(case.missed_whole(&sought));
            for size in [1, 7, 64] {
                missed.count(case.missed_in_chunks(&sought, case.body.chunks(size)));
            }
        }
    }
    missed.are_none(60);
}

/// A soft line break is one only where it is not dropped as the escape of something that goes on.
#[test]
fn breaks_between_letters_that_look_like_others_are_read() {
    let sought = sought();
    let codes = ["quoted-printable", "full-width"]
        .map(|name| encoders::ALL.into_iter().find(|code| code.name == name).unwrap());
    let mut missed = Missed::default();
    for secret in SECRETS {
        for container in containers::ALL {
            let Some(case) = case(secret, &codes, container) else { continue };
            missed.count(case.missed_whole(&sought));
            for size in [1, 7, 64] {
                missed.count(case.missed_in_chunks(&sought, case.body.chunks(size)));
            }
        }
    }
    missed.are_none(200);
}

fn any_case() -> impl Strategy<Value = (Secret, Vec<Encoder>, Container)> {
    let code = || prop::sample::select(encoders::ALL.to_vec());
    let secret = prop::sample::select(SECRETS.to_vec());
    (secret, prop::collection::vec(code(), 0..3), prop::sample::select(containers::ALL.to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_cuts_and_neighbours_make_no_difference(
        (secret, codes, container) in any_case(),
        before in "[ -~]{0,40}", behind in "[ -~]{0,40}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let Some(case) = case(secret, &codes, container) else { return Ok(()) };
        let body = [before.as_bytes(), b" \n", &case.body, b"\n ", behind.as_bytes()].concat();
        let case = Case { body, ..case };
        prop_assert!(told(&sought().find_all(&case.body), secret.rule), "{}", case.name);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(case.body.len() + 1)).collect();
        places.extend([0, case.body.len()]);
        places.sort_unstable();
        let chunks = places.windows(2).map(|pair| &case.body[pair[0]..pair[1]]);
        prop_assert_eq!(case.missed_in_chunks(&sought(), chunks), None);
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A break behind a long word may be one that was put into a code, or the end of what stands there. The rule asks for the end
/// of a word, so that the line before or behind would hide the token.
#[test]
fn reversed_tokens_are_found_on_both_sides_of_a_break() {
    let pattern = r"\bacme_[0-9a-z]{20}\b".into();
    let rules = RuleSet::of_own(&[OwnRule { id: "acme".into(), pattern, ..OwnRule::default() }]).unwrap();
    let sought = Sought::new(KnownValues::new(&[]).0, rules, FingerprintKey::new([9; 32]));
    let token: String = "acme_3kd9slq0zx7vb2nw5ty8".chars().rev().collect();
    let word = "averylongwordwithoutanyblanks";
    for body in [format!("{token}\r\n{word} "), format!("{word}\r\n{token} ")] {
        assert!(told(&sought.find_all(body.as_bytes()), "acme"), "{body:?}");
    }
}
