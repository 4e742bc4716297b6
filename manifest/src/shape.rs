//! The shape of a manifest against its schema: unknown, missing and repeated keys, and values of the wrong kind.
//!
//! What is wrong is told and cut out; what is left has the right shape and is looked at further, so that a mistake of
//! shape in one place does not hide a mistake of meaning in another. A tree that lost anything never becomes a plan.
use crate::node::{Key, Node, Value};
use crate::problem::{Problem, Span};
use crate::schema::{resolve, schema};
use serde_json::Value as Schema;

/// Gives the part of the tree that has the right shape.
pub(crate) fn check(root: &Node, problems: &mut Vec<Problem>) -> Option<Node> {
    Shape { problems }.node(root, schema(), "the manifest")
}

/// Where to point for something about the whole of a node: a map's own place may be empty, its first key's is not.
fn anchor(node: &Node) -> Span {
    match &node.value {
        Value::Map(entries) => entries.first().map_or(node.span, |(key, _)| key.span),
        _ => node.span,
    }
}

struct Shape<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Shape<'_> {
    /// `name` is what people know the value by: its key, in backticks.
    fn node(&mut self, node: &Node, schema: &'static Schema, name: &str) -> Option<Node> {
        let schema = resolve(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Schema::as_array) {
            return self.any_of(node, choices, name);
        }
        if let Some(words) = words(schema) {
            return self.word(node, &words, name);
        }
        match (&node.value, kind(schema)) {
            (Value::Map(entries), "object") => self.map(node, entries, schema, name),
            (Value::List(items), "array") => self.list(node, items, schema, name),
            (Value::Text(_), "string")
            | (Value::Bool(_), "boolean")
            | (Value::Int(_) | Value::Float(_), "number") => Some(node.clone()),
            (Value::Int(number), "integer") => self.integer(node, *number, schema, name),
            _ => self.wrong_kind(node, schema, name),
        }
    }

    /// Alternatives of different kinds; one thing where a list of them may stand is a list of one.
    fn any_of(&mut self, node: &Node, choices: &'static [Schema], name: &str) -> Option<Node> {
        let fits = |choice: &&'static Schema| holds(&node.value, kind(resolve(choice)));
        let Some(choice) = choices.iter().find(fits) else {
            let kinds: Vec<&str> = choices.iter().map(|c| for_people(kind(resolve(c)))).collect();
            let message = format!("{name} must be {}, found {}", kinds.join(" or "), node.value.kind());
            self.problems.push(Problem::error(anchor(node), message));
            return None;
        };
        let checked = self.node(node, choice, name)?;
        let list_of = |c: &'static Schema| {
            c.get("items").is_some_and(|item| kind(resolve(item)) == kind(resolve(choice)))
        };
        let listed = choices.iter().any(|c| list_of(resolve(c)));
        match checked.value {
            Value::List(_) => Some(checked),
            _ if listed => Some(Node { span: checked.span, value: Value::List(vec![checked]) }),
            _ => Some(checked),
        }
    }

    fn word(&mut self, node: &Node, words: &[&str], name: &str) -> Option<Node> {
        if let Value::Text(text) = &node.value
            && words.contains(&text.as_str())
        {
            return Some(node.clone());
        }
        let found = match &node.value {
            Value::Text(text) => format!("`{text}`"),
            other => other.kind().to_owned(),
        };
        let known = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        let problem = Problem::error(anchor(node), format!("{name} must be one of {known}, found {found}"));
        let near = match &node.value {
            Value::Text(text) => nearest(text, words.iter().copied()),
            _ => None,
        };
        self.problems.push(match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        });
        None
    }

    fn integer(&mut self, node: &Node, number: i64, schema: &Schema, name: &str) -> Option<Node> {
        let least = schema.get("minimum").and_then(Schema::as_i64).unwrap_or(i64::MIN);
        let most = schema.get("maximum").and_then(Schema::as_i64).unwrap_or(i64::MAX);
        if (least..=most).contains(&number) {
            return Some(node.clone());
        }
        let bounds =
            if most == i64::MAX { format!("at least {least}") } else { format!("from {least} to {most}") };
        self.problems.push(Problem::error(node.span, format!("{name} must be {bounds}, found {number}")));
        None
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'static Schema, name: &str) -> Option<Node> {
        if items.is_empty() && schema.get("minItems").is_some() {
            self.problems.push(Problem::error(node.span, format!("{name} is an empty list")));
            return None;
        }
        let Some(item) = schema.get("items") else { return Some(node.clone()) };
        let name = format!("an entry of {name}");
        let value = items.iter().filter_map(|i| self.node(i, item, &name)).collect();
        Some(Node { span: node.span, value: Value::List(value) })
    }

    fn map(
        &mut self,
        node: &Node,
        entries: &[(Key, Node)],
        schema: &'static Schema,
        name: &str,
    ) -> Option<Node> {
        let mut kept: Vec<(Key, Node)> = Vec::new();
        for (i, (key, value)) in entries.iter().enumerate() {
            if entries.iter().take(i).any(|(earlier, _)| earlier.text == key.text) {
                let message = format!("`{}` is written twice", key.text);
                self.problems.push(Problem::error(key.span, message).hint("keep one of the two"));
            } else if let Some(value) = self.entry(key, value, schema, name) {
                kept.push((key.clone(), value));
            }
        }
        self.required(node, entries, &kept, schema, name)?;
        Some(Node { span: anchor(node), value: Value::Map(kept) })
    }

    fn entry(&mut self, key: &Key, value: &Node, schema: &'static Schema, name: &str) -> Option<Node> {
        let property = schema.get("properties").and_then(|p| p.get(&key.text));
        let Some(inner) = property.or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
        else {
            self.unknown(key, schema, name);
            return None;
        };
        if value.value == Value::Null {
            let problem = Problem::error(key.span, format!("`{}` has no value", key.text));
            let path = ["workspace", "path", "file"].contains(&key.text.as_str());
            let home = if path { "; the home folder alone is `\"~\"`, in quotes" } else { "" };
            self.problems.push(problem.hint(format!("give it one, or take the key out{home}")));
            return None;
        }
        self.node(value, inner, &format!("`{}`", key.text))
    }

    fn unknown(&mut self, key: &Key, schema: &Schema, name: &str) {
        let known: Vec<&str> = schema
            .get("properties")
            .and_then(Schema::as_object)
            .into_iter()
            .flatten()
            .map(|(k, _)| &**k)
            .collect();
        let problem = Problem::error(key.span, format!("{name} has no key `{}`", key.text));
        self.problems.push(match nearest(&key.text, known.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("its keys are {}", known.join(", "))),
        });
    }

    /// `None`: something that must be there is not; told unless it was there and is told already.
    fn required(
        &mut self,
        node: &Node,
        entries: &[(Key, Node)],
        kept: &[(Key, Node)],
        schema: &Schema,
        name: &str,
    ) -> Option<()> {
        let has = |entries: &[(Key, Node)], key: &str| entries.iter().any(|(k, _)| k.text == key);
        let needed = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
        let missing: Vec<&str> = needed.filter_map(Schema::as_str).filter(|key| !has(kept, key)).collect();
        for key in missing.iter().filter(|key| !has(entries, key)) {
            let message = format!("{name} needs the key `{key}`");
            self.problems.push(Problem::error(anchor(node), message));
        }
        missing.is_empty().then_some(())
    }

    fn wrong_kind(&mut self, node: &Node, schema: &'static Schema, name: &str) -> Option<Node> {
        let wanted = kind(schema);
        let message = format!("{name} must be {}, found {}", for_people(wanted), node.value.kind());
        let problem = Problem::error(anchor(node), message);
        let hint = match (&node.value, wanted) {
            (Value::Int(_) | Value::Float(_) | Value::Bool(_), "string") => {
                Some("put it in quotes".to_owned())
            }
            (Value::Text(text), "array") => Some(format!("write `[{text}]`")),
            (Value::Map(_), "array") => Some("begin each of its entries with `- `".to_owned()),
            (Value::Text(text), "boolean") if ["yes", "on"].contains(&text.as_str()) => {
                Some("write `true`".to_owned())
            }
            (Value::Text(text), "boolean") if ["no", "off"].contains(&text.as_str()) => {
                Some("write `false`".to_owned())
            }
            _ => None,
        };
        self.problems.push(Problem { hint, ..problem });
        None
    }
}

fn kind(schema: &Schema) -> &str {
    schema.get("type").and_then(Schema::as_str).unwrap_or("object")
}

fn holds(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) => kind == "boolean",
        Value::Int(_) => kind == "integer" || kind == "number",
        Value::Float(_) => kind == "number",
        Value::Text(_) => kind == "string",
        Value::List(_) => kind == "array",
        Value::Map(_) => kind == "object",
    }
}

fn for_people(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        _ => "a group of keys",
    }
}

/// The words of an enumeration.
fn words(schema: &'static Schema) -> Option<Vec<&'static str>> {
    if let Some(words) = schema.get("enum").and_then(Schema::as_array) {
        return Some(words.iter().filter_map(Schema::as_str).collect());
    }
    let choices = schema.get("oneOf")?.as_array()?;
    Some(
        choices
            .iter()
            .flat_map(|c| {
                words(c).unwrap_or_else(|| c.get("const").and_then(Schema::as_str).into_iter().collect())
            })
            .collect(),
    )
}

/// The known word that was probably meant.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    known
        .map(|word| (strsim::jaro_winkler(&text, word), word))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
