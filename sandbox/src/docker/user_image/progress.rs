//! What people hear while something takes long: calm, short, and harmless for their terminal.
use bollard::models::ProgressDetail;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Between two sentences.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Characters of a line of a build's output: more is no line for people.
const LONGEST: usize = 240;
/// Lines that are kept for the error.
const KEPT: usize = 20;
/// Layers that are counted; images have 127 at most.
const MOST_LAYERS: usize = 1024;

/// Lets one sentence a second through; of those between, the newest waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Calm {
    last: Option<Instant>,
    news: Option<String>,
}

impl Calm {
    pub(super) fn hear(&mut self, news: String) {
        self.news = Some(news);
    }

    /// What is to be said now.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return None;
        }
        let news = self.news.take()?;
        self.last = Some(now);
        Some(news)
    }
}

/// How far an image's layers have come.
#[derive(Debug, Default)]
pub(super) struct Layers {
    known: HashMap<String, (u64, u64)>,
}

impl Layers {
    /// An engine's word on one of them: its phase, as the engine calls it, and bytes.
    pub(super) fn hear(&mut self, id: Option<&str>, status: &str, detail: Option<&ProgressDetail>) {
        let Some(id) = id else { return };
        let room = self.known.len() < MOST_LAYERS;
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
        let total = detail.map_or(0, |detail| number(detail.total));
        match self.known.get_mut(id) {
            // What follows a download (unpacking it) would count every byte twice.
            Some(layer) if status == "Downloading" => {
                *layer = (number(detail.and_then(|detail| detail.current)), total.max(layer.1));
            }
            Some(layer) => layer.0 = if layer.1 > 0 && status != "Waiting" { layer.1 } else { layer.0 },
            None if room && total > 0 => {
                self.known.insert(id.to_owned(), (number(detail.and_then(|detail| detail.current)), total));
            }
            None => {}
        }
    }

    /// `12.0 MiB of 80.1 MiB`; what is not begun is not counted.
    pub(super) fn said(&self) -> Option<String> {
        let (done, total) = self.known.values().fold((0_u64, 0_u64), |(done, total), layer| {
            (done.saturating_add(layer.0.min(layer.1)), total.saturating_add(layer.1))
        });
        (total > 0).then(|| format!("{} of {}", bytes(done), bytes(total)))
    }
}

/// A build's output as lines: the last ones, and whether a step begins.
#[derive(Debug, Default)]
pub(super) struct Output {
    line: String,
    last: VecDeque<String>,
}

impl Output {
    /// Takes a piece of output; gives the steps that begin in it.
    pub(super) fn hear(&mut self, piece: &str) -> Vec<String> {
        let mut steps = Vec::new();
        for character in piece.chars() {
            match character {
                '\n' | '\r' => steps.extend(self.end_line()),
                // What is beyond is dropped before it is stored.
                other if self.line.len() < LONGEST * 4 => self.line.push(other),
                _ => {}
            }
        }
        steps
    }

    fn end_line(&mut self) -> Option<String> {
        let line = short(std::mem::take(&mut self.line).trim_end());
        if line.is_empty() {
            return None;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        is_step(&line).then_some(line)
    }

    /// The last lines, each on a line of its own behind a bar.
    pub(super) fn end(mut self) -> String {
        let _ = self.end_line();
        self.last.iter().fold(String::new(), |mut text, line| {
            let _ = write!(text, "\n  | {line}");
            text
        })
    }
}

/// `Step 3/7 : RUN …` is Docker's, `STEP 3/7: RUN …` Podman's.
fn is_step(line: &str) -> bool {
    let Some((word, rest)) = line.split_once(' ') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = rest.split_once('/').and_then(|(at, rest)| Some((at, rest.split_once(':')?.0.trim_end())));
    word.eq_ignore_ascii_case("step") && counted.is_some_and(|(at, of)| digits(at) && digits(of))
}

fn short(line: &str) -> String {
    let mut line = neutral(line);
    if let Some((at, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// Text of an image, a Dockerfile or a registry, made harmless for a terminal: escape sequences, bidi controls and
/// invisible characters are spelled out.
pub(in crate::docker) fn neutral(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '\t' => out.push(' '),
            _ if is_harmless(character) => out.push(character),
            _ => drop(write!(out, "\\u{{{:x}}}", u32::from(character))),
        }
        out
    })
}

fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// `1.2 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (u128::from(count) * 10 / 1024, 0);
    while tenths >= 10240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_a_second_and_the_newest_of_those_between() {
        let (start, mut calm) = (Instant::now(), Calm::default());
        calm.hear("a".into());
        assert_eq!(calm.due(start).as_deref(), Some("a"));
        for news in ["b", "c", "d"] {
            calm.hear(news.into());
            assert_eq!(calm.due(start + Duration::from_millis(999)), None);
        }
        assert_eq!(calm.due(start + PAUSE).as_deref(), Some("d"));
        assert_eq!(calm.due(start + 9 * PAUSE), None, "nothing is said twice");
    }

    #[test]
    fn layers_are_summed_up() {
        let mut layers = Layers::default();
        let at = |current, total| ProgressDetail { current: Some(current), total: Some(total) };
        layers.hear(None, "Pulling from x", None);
        layers.hear(Some("a"), "Pulling fs layer", Some(&ProgressDetail::default()));
        assert_eq!(layers.said(), None);
        layers.hear(Some("a"), "Downloading", Some(&at(1 << 20, 4 << 20)));
        layers.hear(Some("b"), "Downloading", Some(&at(2 << 20, 4 << 20)));
        assert_eq!(layers.said().as_deref(), Some("3.0 MiB of 8.0 MiB"));
        layers.hear(Some("a"), "Extracting", Some(&at(1, 4 << 20)));
        assert_eq!(layers.said().as_deref(), Some("6.0 MiB of 8.0 MiB"));
        layers.hear(Some("c"), "Downloading", Some(&at(-1, i64::MAX)));
        assert!(layers.said().is_some());
    }

    #[test]
    fn a_hostile_output_writes_nothing_on_the_terminal_but_text() {
        let mut output = Output::default();
        let steps = output
            .hear("Step 1/2 : RUN \u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}x\n\u{9b}31m\u{200b}\r\u{1b}[A\n");
        assert_eq!(steps, ["Step 1/2 : RUN \\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{202e}x"]);
        let end = output.end();
        assert!(end.chars().all(|c| c == '\n' || is_harmless(c)), "{end:?}");
        assert_eq!(end.lines().filter(|line| line.starts_with("  | ")).count(), 3);
    }

    #[test]
    fn the_last_twenty_lines_are_kept_and_none_is_endless() {
        let mut output = Output::default();
        (0..1000).for_each(|n| drop(output.hear(&format!("line {n}\n"))));
        output.hear(&"x".repeat(1 << 20));
        let end = output.end();
        assert_eq!(end.lines().filter(|line| !line.is_empty()).count(), KEPT);
        assert!(end.contains("line 981\n") && !end.contains("line 980\n"));
        assert!(end.len() < KEPT * (LONGEST + 8), "{}", end.len());
    }

    #[test]
    fn steps_are_known_in_pieces_and_from_both_engines() {
        let mut output = Output::default();
        assert!(output.hear("Step 3/7 : RU").is_empty());
        assert_eq!(output.hear("N x\n"), ["Step 3/7 : RUN x"]);
        assert_eq!(output.hear("STEP 1/2: FROM a\n"), ["STEP 1/2: FROM a"]);
        assert!(output.hear("Step by step: 1/2\nStep /: x\nSTEPS\n").is_empty());
    }
}
