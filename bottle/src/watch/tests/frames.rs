//! What is drawn, on terminals of all kinds.
use super::*;
use ratatui::style::Color;

#[test]
fn every_size_is_drawn() {
    for (width, height) in
        [(1, 1), (10, 3), (39, 9), (40, 10), (80, 24), (120, 32), (200, 60), (300, 20), (40, 100)]
    {
        let mut view = View::new(width, height);
        view.bottle(1, "a-bottle-with-a-long-name", &[asks("k3m9px")]);
        view.hear(seen(exchange(Decision::Denied, "/x")));
        for pane in ['1', '2', '3', '4'] {
            view.press(pane);
            view.draw();
            for open in [
                KeyCode::Enter,
                KeyCode::Char('a'),
                KeyCode::Char('n'),
                KeyCode::Char('?'),
                KeyCode::Char('K'),
            ] {
                view.code(open);
                view.code(KeyCode::Down);
                view.draw();
                view.code(KeyCode::Esc);
            }
        }
    }
}

#[test]
fn eighty_by_twenty_four_has_all_that_is_needed_to_answer() {
    let long = "because ".repeat(60);
    let mut view = View::with(&[petition(
        "k3m9px",
        "POST",
        &format!("https://api.example/{}", "x/".repeat(200)),
        &long,
    )]);
    for (key, needed) in [('a', "o once"), ('n', "Enter refuse")] {
        view.press(key);
        let text = view.text();
        for part in [needed, "k3m9px", "bottle dev", "asks for", "the agent says"] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        view.code(KeyCode::Esc);
    }
}

#[test]
fn no_colour_and_no_unicode_where_there_is_none() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.hear(seen(exchange(Decision::Denied, "/x")));
    let coloured =
        |view: &View| view.terminal.backend().buffer().content.iter().any(|cell| cell.fg != Color::Reset);
    view.draw();
    assert!(coloured(&view));
    view.look = Look { colour: false, unicode: false };
    for pane in ['1', '3', '4'] {
        view.press(pane);
        let text = view.text();
        assert!(!coloured(&view) && text.is_ascii(), "{text}");
    }
}
