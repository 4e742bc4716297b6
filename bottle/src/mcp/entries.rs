//! The entries that name the bottle's tools in the agents' own files in the private home: what is in such a file, and what it should
//! be. Nothing here touches a file.
//!
//! They stand where each agent's user would have written them, for these agents read no layer of a system which could hold them:
//! Claude Code's would be exclusive, Gemini CLI believes only what belongs to root, opencode reads the one that a variable
//! names after its user's, and Codex puts the keys of one server from all layers together: with an own `command` and our `url` it
//! does not start. So an entry of somebody's own is the only one of its name, or the one that is read last.
use manifest::plan::ToolsOf;
use sandbox::provision::{TOOLS_NAME, TOOLS_URL};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// A file of an agent's own in the private home.
pub struct Own {
    /// Whose.
    pub of: ToolsOf,
    /// Below the home, one in the other.
    pub folders: &'static [&'static str],
    /// Its name.
    pub file: &'static str,
    format: Format,
}

enum Format {
    /// Below this key.
    Json(&'static str, fn() -> Value),
    Toml,
}

/// Bytes of such a file: one also holds the history of projects.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// Where Claude Code keeps the servers of its user. Four tools, and each may be needed at any time: not behind a search for tools.
pub const CLAUDE: Own = Own {
    of: ToolsOf::ClaudeCode,
    folders: &[],
    file: ".claude.json",
    format: Format::Json("mcpServers", || json!({ "type": "http", "url": TOOLS_URL, "alwaysLoad": true })),
};
/// Codex's.
pub const CODEX: Own =
    Own { of: ToolsOf::Codex, folders: &[".codex"], file: "config.toml", format: Format::Toml };
/// Gemini CLI's.
pub const GEMINI: Own = Own {
    of: ToolsOf::GeminiCli,
    folders: &[".gemini"],
    file: "settings.json",
    format: Format::Json("mcpServers", || json!({ "httpUrl": TOOLS_URL })),
};
/// Of opencode's three files for its user the one that is read first: `opencode.json` and `opencode.jsonc` go before it.
pub const OPENCODE: Own = Own {
    of: ToolsOf::Opencode,
    folders: &[".config", "opencode"],
    file: "config.json",
    format: Format::Json("mcp", || json!({ "type": "remote", "url": TOOLS_URL, "enabled": true })),
};
/// All of them.
pub const ALL: [Own; 4] = [CLAUDE, CODEX, GEMINI, OPENCODE];

impl Own {
    /// Below the home.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folders.iter().chain([&self.file]).collect()
    }

    /// The file as it should be, with the entry or without it; `None`: it is so, or is not what the agent writes.
    #[must_use]
    pub fn changed(&self, text: &str, wanted: bool) -> Option<String> {
        match self.format {
            Format::Json(key, entry) => changed_json(text, key, entry(), wanted),
            Format::Toml => changed_toml(text, wanted),
        }
    }
}

fn changed_json(text: &str, key: &str, entry: Value, wanted: bool) -> Option<String> {
    let mut whole: Map<String, Value> = match text.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).ok()?,
    };
    match (whole.get(key).and_then(|servers| servers.get(TOOLS_NAME)), wanted) {
        (None, true) => {
            let servers = whole.entry(key).or_insert_with(|| json!({}));
            servers.as_object_mut()?.insert(TOOLS_NAME.to_owned(), entry);
        }
        (Some(ours), false) if *ours == entry => {
            whole.get_mut(key)?.as_object_mut()?.remove(TOOLS_NAME);
        }
        // There already, or an entry of somebody's own; or there is none, and none is wanted.
        _ => return None,
    }
    Some(format!("{:#}\n", Value::Object(whole)))
}

/// A file that people write: all else of it stays as it is, letter by letter. What comes out is read again, and a file where
/// a table at the end means something else (`mcp_servers = {…}`) is left alone.
fn changed_toml(text: &str, wanted: bool) -> Option<String> {
    let ours = format!("[mcp_servers.{TOOLS_NAME}]\nurl = \"{TOOLS_URL}\"\n");
    let changed = match (held(text)?, wanted) {
        (Held::Nothing, true) if text.trim().is_empty() => ours,
        (Held::Nothing, true) => format!("{}\n\n{ours}", text.trim_end()),
        (Held::Ours, false) => {
            let (before, after) = text.split_once(&ours)?;
            match before.strip_suffix("\n\n") {
                Some(before) => format!("{before}\n{after}"),
                None => format!("{before}{after}"),
            }
        }
        _ => return None,
    };
    let expected = if wanted { Held::Ours } else { Held::Nothing };
    (held(&changed)? == expected).then_some(changed)
}

/// What a file of Codex's has by our name.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Ours,
    SomebodysOwn,
}

fn held(text: &str) -> Option<Held> {
    let whole = DeTable::parse(text).ok()?;
    let servers = below(whole.get_ref(), "mcp_servers").and_then(DeValue::as_table);
    let Some(entry) = servers.and_then(|servers| below(servers, TOOLS_NAME)) else {
        return Some(Held::Nothing);
    };
    let entry = entry.as_table().filter(|entry| entry.len() == 1);
    let url = entry.and_then(|entry| below(entry, "url")).and_then(DeValue::as_str);
    Some(if url == Some(TOOLS_URL) { Held::Ours } else { Held::SomebodysOwn })
}

fn below<'v>(table: &'v DeTable<'_>, key: &str) -> Option<&'v DeValue<'v>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codexs_entry_comes_and_goes_and_the_rest_stays_letter_by_letter() {
        let own = "# mine\nmodel = 'x'\n\n[mcp_servers.other] # as well\ncommand = \"y\"\n";
        for before in ["", own] {
            let with = CODEX.changed(before, true).expect("it is put in");
            assert!(with.starts_with(before) && with.contains(TOOLS_URL), "{with}");
            assert_eq!(CODEX.changed(&with, true), None, "once");
            assert_eq!(CODEX.changed(&with, false).as_deref(), Some(before));
            let more = format!("{with}\n[mcp_servers.later]\ncommand = \"z\"\n");
            let without = CODEX.changed(&more, false).expect("it is taken out");
            assert!(!without.contains(TOOLS_URL) && without.contains("later"), "{without}");
        }
    }

    /// With keys of both Codex does not start.
    #[test]
    fn an_own_entry_of_codexs_user_is_the_only_one_of_its_name() {
        for own in [
            "[mcp_servers.bottle]\ncommand = \"mine\"\n",
            "mcp_servers.bottle.command = 'mine'\n",
            "mcp_servers = { bottle = { command = 'mine' } }\n",
            "[mcp_servers]\n[mcp_servers.\"bottle\"]\nurl = 'http://mine.test/'\n",
            // Nothing can be added to these, and they are not ours to write anew.
            "mcp_servers = { other = { command = 'mine' } }\n",
            "mcp_servers = 3\n",
            "no toml",
        ] {
            assert_eq!((CODEX.changed(own, true), CODEX.changed(own, false)), (None, None), "{own}");
        }
    }

    #[test]
    fn each_agent_finds_its_entry_where_it_looks() {
        for (own, key, url) in
            [(CLAUDE, "mcpServers", "url"), (GEMINI, "mcpServers", "httpUrl"), (OPENCODE, "mcp", "url")]
        {
            let text = own.changed("", true).expect("it is put in");
            let whole: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(whole[key][TOOLS_NAME][url], TOOLS_URL);
            let same_name = json!({ key: { TOOLS_NAME: { "command": "mine" } } }).to_string();
            assert_eq!((own.changed(&same_name, true), own.changed(&same_name, false)), (None, None));
        }
    }
}
