//! A scene: a manifest and a script that a user plays in the machine, and what must have been said.
use std::path::Path;

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    Ordinary,
}

/// Both of them.
pub(crate) const BOTH: &[User] = &[User::Root, User::Ordinary];

/// What control groups the user was given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// With every controller.
    Whole,
    /// With that of processes only.
    Half,
    /// None.
    Bare,
}

/// What is played, and what is asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The claim.
    pub(crate) name: &'static str,
    pub(crate) users: &'static [User],
    pub(crate) place: Place,
    /// The manifest but for its name.
    pub(crate) manifest: &'static str,
    pub(crate) script: &'static str,
    /// Panics when it was not as claimed.
    pub(crate) check: fn(&Heard),
}

/// A scene by one of its users.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) scene: Scene,
    pub(crate) user: User,
}

/// What a scene said.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) said: String,
}

impl Played {
    pub(crate) fn title(&self) -> String {
        let by = match self.user {
            User::Root => "root",
            User::Ordinary => "ordinary",
        };
        format!("{}::{by}", self.scene.name)
    }

    /// Writes it down for the machine.
    pub(crate) fn write(&self, scenes: &Path, number: usize) -> std::io::Result<()> {
        let folder = scenes.join(folder_of(number));
        std::fs::create_dir_all(&folder)?;
        let user = if self.user == User::Root { "0" } else { "1000" };
        let place = format!("{:?}", self.scene.place).to_lowercase();
        let script = format!("{}\n{}", include_str!("help.sh"), self.scene.script);
        let manifest = format!("name: dev\n{}", self.scene.manifest);
        for (name, text) in
            [("user", user), ("place", &place), ("script", &script), ("bottle.yaml", &manifest)]
        {
            std::fs::write(folder.join(name), text)?;
        }
        std::fs::write(folder.join("title"), format!("{}\n", self.title()))
    }

    /// Its part of the log, if it came to its end.
    fn said<'a>(&self, log: &'a str) -> Option<&'a str> {
        let mut parts = log.split("@@ begin\n").filter(|part| part.lines().next() == Some(&self.title()));
        parts.find_map(|part| Some(part.split_once("\n@@ end ")?.0))
    }

    pub(crate) fn has_ended(&self, log: &str) -> bool {
        self.said(log).is_some()
    }

    /// Finds its part of the log and looks at it.
    pub(crate) fn check(&self, log: &str) -> Result<(), String> {
        let Some(said) = self.said(log) else {
            return Err(format!("the machine did not come to the end of this scene:\n{log}"));
        };
        assert!(!said.contains("@@ left"), "a control group is still there:\n{said}");
        (self.scene.check)(&Heard { said: format!("{said}\n") });
        Ok(())
    }
}

/// In the order of their playing.
fn folder_of(number: usize) -> String {
    format!("{number:02}")
}

impl Heard {
    /// All of these were said.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.said.contains(word), "`{word}` was not said:\n{}", self.said);
        }
    }

    /// None of these was.
    #[track_caller]
    pub(crate) fn keeps_quiet(&self, words: &[&str]) {
        for word in words {
            assert!(!self.said.contains(word), "`{word}` was said:\n{}", self.said);
        }
    }

    /// The number after a word at the head of a line, the last of them.
    #[track_caller]
    pub(crate) fn number(&self, word: &str) -> u64 {
        let found = self.said.lines().rev().find_map(|line| line.strip_prefix(word)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no number after `{word}`:\n{}", self.said))
    }
}
