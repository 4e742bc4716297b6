//! What pages are told: what control sockets say, with every text in it neutralised, whoever it came from.
use crate::control::{Say, describe};
use egress::desk::{Petition, State};
use serde_json::{Map, Value, json};

/// Characters of one text; a reason of an agent's is shorter.
const TEXT: usize = 4096;

/// An event of a bottle, as a page reads it.
pub(super) fn of_bottle(slug: &str, say: &Say) -> Value {
    let mut value = serde_json::to_value(say).unwrap_or_default();
    match say {
        Say::Snapshot(snapshot) => {
            let shown: Vec<Value> = snapshot.petitions.iter().map(petition).collect();
            if let Some(petitions) = value.get_mut("petitions") {
                *petitions = Value::Array(shown);
            }
        }
        Say::Petition(asked) => value = json!({ "say": "petition", "petition": petition(asked) }),
        _ => {}
    }
    if let Value::Object(fields) = &mut value {
        fields.insert("bottle".to_owned(), slug.into());
    }
    neutral(value)
}

/// A petition and, in words, what it asks for and what became of it.
pub(super) fn petition(petition: &Petition) -> Value {
    let mut value = serde_json::to_value(petition).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("shows".to_owned(), petition.proposal.to_string().into());
        fields.insert("became".to_owned(), became(&petition.state).into());
        let is_international = describe::is_international(&petition.proposal.host.to_string());
        fields.insert("international".to_owned(), is_international.into());
    }
    value
}

/// What became of it, in a few words; empty: nothing yet.
pub(super) fn became(state: &State) -> String {
    let with = |word: &Option<String>| word.as_ref().map(|word| format!(": “{word}”")).unwrap_or_default();
    match state {
        State::Open => String::new(),
        State::Allowed { span, narrowed: None, word } => format!("allowed {span}{}", with(word)),
        State::Allowed { span, narrowed: Some(narrowed), word } => {
            format!("allowed {span}, as {narrowed}{}", with(word))
        }
        State::Refused { word } => format!("refused{}", with(word)),
        State::Expired => "nobody answered in time".to_owned(),
        State::Withdrawn => "whoever asked is gone".to_owned(),
    }
}

/// Every text of a value, names too.
pub(super) fn neutral(value: Value) -> Value {
    match value {
        Value::String(text) => policy::neutral(&text, TEXT).into(),
        Value::Array(all) => all.into_iter().map(neutral).collect(),
        Value::Object(fields) => {
            let fields =
                fields.into_iter().map(|(name, value)| (policy::neutral(&name, TEXT), neutral(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Seen;
    use audit::{Event, Lifecycle};

    #[test]
    fn no_text_reaches_a_page_with_its_teeth() {
        let detail = Some("a\u{202e}b\u{1b}[2J\u{200b}<b>\n".to_owned());
        let event = Event::Lifecycle(Lifecycle { step: "odd\u{7}".into(), detail });
        let seen = Seen { time: jiff::Timestamp::UNIX_EPOCH, event };
        let shown = of_bottle("dev\u{2066}", &Say::Seen(Box::new(seen))).to_string();
        assert!(shown.is_ascii(), "{shown}");
        assert!(shown.contains("a\\\\u{202e}b\\\\u{1b}[2J\\\\u{200b}<b>\\\\u{a}"), "{shown}");
        let named = neutral(json!({ "\u{202e}": ["\u{feff}", { "x": "\u{85}" }] })).to_string();
        assert!(named.is_ascii(), "{named}");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = neutral("x".repeat(TEXT * 2).into());
        assert_eq!(long.as_str().map(|text| text.chars().count()), Some(TEXT + 1));
    }
}
