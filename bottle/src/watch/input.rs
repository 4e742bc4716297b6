//! A line that is typed.
use super::text::{safe, width};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters that it takes.
const LONGEST: usize = 300;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Input {
    text: Vec<char>,
    at: usize,
}

impl Input {
    pub(super) fn with(text: &str) -> Input {
        let text: Vec<char> = text.chars().take(LONGEST).collect();
        Input { at: text.len(), text }
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Text that was pasted: one line of it.
    pub(super) fn paste(&mut self, pasted: &str) {
        pasted
            .chars()
            .filter(|character| !character.is_control())
            .for_each(|character| self.insert(character));
    }

    fn insert(&mut self, character: char) {
        if self.text.len() < LONGEST {
            self.text.insert(self.at, character);
            self.at += 1;
        }
    }

    /// False when it means nothing here.
    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => *self = Input::default(),
            KeyCode::Char('w') if control => self.erase_word(),
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char(character) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(character)
            }
            KeyCode::Backspace => self.erase(),
            KeyCode::Delete if self.at < self.text.len() => drop(self.text.remove(self.at)),
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right => self.at = (self.at + 1).min(self.text.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    fn erase(&mut self) {
        if self.at > 0 {
            self.at -= 1;
            self.text.remove(self.at);
        }
    }

    fn erase_word(&mut self) {
        while self.at > 0 && self.text[self.at - 1] == ' ' {
            self.erase();
        }
        while self.at > 0 && self.text[self.at - 1] != ' ' {
            self.erase();
        }
    }

    /// What is shown of it in so many cells, and in which of them the cursor stands.
    pub(super) fn shown(&self, cells: usize) -> (String, usize) {
        let mut first = 0;
        let before = |first: usize| safe(&self.text[first..self.at].iter().collect::<String>());
        while width(&before(first)) >= cells && first < self.at {
            first += 1;
        }
        (safe(&self.text[first..].iter().collect::<String>()), width(&before(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited() {
        let mut input = Input::with("one two");
        let press = |input: &mut Input, code| input.key(KeyEvent::new(code, KeyModifiers::NONE));
        let control = |input: &mut Input, letter| {
            input.key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL))
        };
        control(&mut input, 'w');
        input.paste("th\u{1b}re\ne");
        assert_eq!(input.text(), "one three");
        press(&mut input, KeyCode::Home);
        press(&mut input, KeyCode::Delete);
        press(&mut input, KeyCode::Char('O'));
        assert_eq!(input.text(), "One three");
        assert_eq!(input.shown(20), ("One three".to_owned(), 1));
        press(&mut input, KeyCode::End);
        assert_eq!(input.shown(4), ("ree".to_owned(), 3), "the cursor is in sight");
        control(&mut input, 'u');
        assert_eq!(input.text(), "");
        assert!(!press(&mut input, KeyCode::F(1)));
    }
}
