//! Rule files of gitleaks, as they are.
use super::RuleSet;
use super::go::translated;
use super::own::{OwnRule, RuleError, exception, lowered, made};
use super::rule::{Allowed, Target};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A file that was loaded.
pub struct Loaded {
    /// Its rules; ours before them where it extends the default ones.
    pub rules: RuleSet,
    /// Ids of default rules that it leaves out, where it extends them.
    pub without: Vec<String>,
    /// What of it is not used here, with its place: paths and commits, which streams do not have.
    pub notes: Vec<RuleError>,
}

impl RuleSet {
    /// Reads a rule file of gitleaks. `[extend] useDefault` adds the built-in rules of this crate. Words are found in the patterns
    /// themselves, so `keywords` are not needed.
    /// # Errors
    /// Everything in it that cannot be used, with its place.
    pub fn from_gitleaks(text: &str) -> Result<Loaded, Vec<RuleError>> {
        let file = DeTable::parse(text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            vec![placed(text, &at, error.message().to_owned())]
        })?;
        let mut reader = Reader { text, errors: Vec::new(), notes: Vec::new() };
        let (rules, without) = reader.file(file.get_ref());
        if reader.errors.is_empty() {
            Ok(Loaded { rules, without, notes: reader.notes })
        } else {
            Err(reader.errors)
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    errors: Vec<RuleError>,
    notes: Vec<RuleError>,
}

type Value<'v> = Spanned<DeValue<'v>>;

/// What is read of `[extend]`.
#[derive(Default)]
struct Extend {
    ours: bool,
    without: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, file: &DeTable<'_>) -> (RuleSet, Vec<String>) {
        let extend = self.extend(file);
        let mut made = Vec::new();
        for rule in self.tables(file, "rules") {
            if let Some(rule) = self.rule(file, rule) {
                made.push(Arc::new(rule));
            }
        }
        let own = RuleSet::of(made);
        if !extend.ours {
            return (own, Vec::new());
        }
        let ours = RuleSet::built_in().only(|rule| !extend.without.iter().any(|id| id == rule.id()));
        (ours.with(&own), extend.without)
    }

    fn extend(&mut self, file: &DeTable<'_>) -> Extend {
        let Some(table) = get(file, "extend").and_then(|value| value.get_ref().as_table()) else {
            return Extend::default();
        };
        for key in ["path", "url"] {
            if let Some(value) = get(table, key) {
                self.error(
                    value,
                    format!("`extend.{key}` is not followed: name the other file beside this one"),
                );
            }
        }
        let ours = get(table, "useDefault").and_then(|value| value.get_ref().as_bool()).unwrap_or(false);
        Extend { ours, without: self.texts(table, "disabledRules") }
    }

    fn rule(&mut self, file: &DeTable<'_>, table: &Value<'_>) -> Option<super::Rule> {
        let rule = table.get_ref().as_table()?;
        let Some(id) = self.text(rule, "id") else {
            self.error(table, "a rule needs an `id`".to_owned());
            return None;
        };
        for key in ["path", "required"] {
            if let Some(value) = get(rule, key) {
                self.note(value, format!("`{key}` of `{id}` is not used: what is scanned is a stream"));
            }
        }
        let Some(pattern) = self.text(rule, "regex") else {
            self.note(table, format!("`{id}` has no `regex` and is left out"));
            return None;
        };
        let own = OwnRule {
            about: self.text(rule, "description").unwrap_or_default(),
            pattern: translated(&pattern),
            group: self.group(rule),
            entropy: self.number(rule, "entropy").unwrap_or(0.0),
            id: id.clone(),
            ..OwnRule::default()
        };
        let mut allowed = self.allowed(file, Some(&id));
        allowed.extend(self.allowed(rule, None));
        match made(&own, allowed) {
            Ok(rule) => Some(rule),
            Err(message) => {
                self.error(get(rule, "regex").unwrap_or(table), message);
                None
            }
        }
    }

    /// The exceptions of the whole file (those that name rules only for `rule`), or of one rule.
    fn allowed(&mut self, table: &DeTable<'_>, rule: Option<&str>) -> Vec<Allowed> {
        let single = get(table, "allowlist").into_iter();
        let lists: Vec<&Value<'_>> = single.chain(self.tables(table, "allowlists")).collect();
        let mut all = Vec::new();
        for list in lists.into_iter().filter_map(|value| value.get_ref().as_table()) {
            let named = self.texts(list, "targetRules");
            if rule.is_none_or(|rule| named.is_empty() || named.iter().any(|name| name == rule)) {
                all.extend(self.exception(list));
            }
        }
        all
    }

    fn exception(&mut self, list: &DeTable<'_>) -> Option<Allowed> {
        let all = self.text(list, "condition").is_some_and(|word| word.eq_ignore_ascii_case("and"));
        let unseen = ["paths", "commits"].into_iter().find_map(|key| get(list, key));
        if let Some(value) = unseen {
            let rest =
                if all { ", and with it the whole list, which asks for all of its conditions" } else { "" };
            self.note(value, format!("exceptions by path or commit are not used{rest}"));
            if all {
                return None;
            }
        }
        let target = self.text(list, "regexTarget").unwrap_or_default();
        if target == "line" {
            self.note(
                get(list, "regexTarget")?,
                "an exception for a line is tried on the match: streams have no lines".to_owned(),
            );
        }
        let mut patterns = Vec::new();
        for pattern in self.texts(list, "regexes") {
            match exception(&translated(&pattern)) {
                Ok(pattern) => patterns.push(pattern),
                Err(message) => self.error(get(list, "regexes")?, message),
            }
        }
        let words = lowered(&self.texts(list, "stopwords"));
        let both = all && !patterns.is_empty() && !words.is_empty();
        let target = if target.is_empty() || target == "secret" { Target::Value } else { Target::Match };
        Some(Allowed { target, patterns, words, all: both })
    }

    fn tables<'v>(&mut self, table: &'v DeTable<'_>, key: &str) -> Vec<&'v Value<'v>> {
        let Some(value) = get(table, key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.error(value, format!("`{key}` is no list: write `[[{key}]]`"));
            return Vec::new();
        };
        array.iter().collect()
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = get(table, key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.error(value, format!("`{key}` is no text"));
        }
        text
    }

    fn texts(&mut self, table: &DeTable<'_>, key: &str) -> Vec<String> {
        let Some(value) = get(table, key) else { return Vec::new() };
        let texts = value.get_ref().as_array().map(|array| {
            array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        texts.flatten().unwrap_or_else(|| {
            self.error(value, format!("`{key}` is no list of texts"));
            Vec::new()
        })
    }

    fn group(&mut self, rule: &DeTable<'_>) -> usize {
        let Some(value) = get(rule, "secretGroup") else { return 0 };
        let number = value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok());
        number.unwrap_or_else(|| {
            self.error(value, "`secretGroup` is no whole number".to_owned());
            0
        })
    }

    fn number(&mut self, table: &DeTable<'_>, key: &str) -> Option<f64> {
        let value = get(table, key)?;
        let inner = value.get_ref();
        let text = inner
            .as_integer()
            .map(|number| number.as_str())
            .or(inner.as_float().map(|number| number.as_str()));
        let number = text.and_then(|text| text.parse().ok());
        if number.is_none() {
            self.error(value, format!("`{key}` is no number"));
        }
        number
    }

    fn error(&mut self, value: &Value<'_>, message: String) {
        push_once(&mut self.errors, placed(self.text, &value.span(), message));
    }

    fn note(&mut self, value: &Value<'_>, message: String) {
        push_once(&mut self.notes, placed(self.text, &value.span(), message));
    }
}

/// The exceptions of a whole file are read for each of its rules.
fn push_once(all: &mut Vec<RuleError>, one: RuleError) {
    if !all.contains(&one) {
        all.push(one);
    }
}

fn get<'v>(table: &'v DeTable<'_>, key: &str) -> Option<&'v Value<'v>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}

fn placed(text: &str, at: &Range<usize>, message: String) -> RuleError {
    let before = text.get(..at.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    RuleError { line, column, message }
}
