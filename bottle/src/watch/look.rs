//! Colours and signs: the terminal's own sixteen colours on its own background, so that light and dark ones both do, and never a
//! colour alone.
use super::event::Mark;
use egress::desk::State;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) colour: bool,
    /// Whether the terminal takes more than ASCII.
    pub(super) unicode: bool,
}

impl Look {
    pub(super) fn of_terminal() -> Look {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        let unicode = locale.contains("utf-8") || locale.contains("utf8");
        Look { colour: set("NO_COLOR").is_none(), unicode }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Where the keys go.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Somebody waits.
    pub(super) fn waits(self) -> Style {
        self.coloured(Color::Magenta).add_modifier(Modifier::BOLD)
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red)
    }

    /// Everything is refused.
    pub(super) fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    pub(super) fn mark(self, mark: Mark) -> (&'static str, Style) {
        match mark {
            Mark::Allowed => ("✓", self.good()),
            Mark::Refused => ("✗", self.bad()),
            Mark::Aborted => ("!", self.bad()),
            Mark::Finding => ("!", self.waits()),
            Mark::Step => ("·", self.dim()),
        }
    }

    pub(super) fn state(self, state: &State) -> (&'static str, Style) {
        match state {
            State::Open => ("?", self.waits()),
            State::Allowed { .. } => ("✓", self.good()),
            State::Refused { .. } => ("✗", self.bad()),
            State::Expired | State::Withdrawn => ("-", self.dim()),
        }
    }

    /// What was drawn, in the signs that the terminal has.
    pub(super) fn finish(self, buffer: &mut Buffer) {
        if self.unicode {
            return;
        }
        for cell in &mut buffer.content {
            if let Some(sign) = plain(cell.symbol()) {
                cell.set_symbol(sign);
            }
        }
    }
}

fn plain(symbol: &str) -> Option<&'static str> {
    let first = symbol.chars().next().filter(|first| !first.is_ascii())?;
    Some(match first {
        '─' | '━' | '–' => "-",
        '│' | '┃' => "|",
        '┌' | '┐' | '└' | '┘' | '╭' | '╮' | '╰' | '╯' => "+",
        '✓' => "+",
        '✗' => "x",
        '●' => "*",
        '○' => "o",
        '·' => ".",
        '…' => "~",
        '“' | '”' => "\"",
        '›' => ">",
        '↑' => "^",
        '↓' => "v",
        _ => "?",
    })
}
