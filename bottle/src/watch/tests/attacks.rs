//! Threat 22: what an agent can do to whoever answers it.
use super::*;

/// The list moves while somebody types: the answer goes where the dialog says.
#[test]
fn an_answer_goes_to_the_petition_that_is_shown() {
    let mut view = View::with(&[asks("first1"), asks("second")]);
    view.press('j');
    view.press('a');
    assert!(view.text().contains("Allow second"));
    let early = Petition { asked: jiff::Timestamp::UNIX_EPOCH, ..asks("before") };
    view.hear(News::Said(1, Say::Petition(Box::new(early))));
    view.settle("first1", State::Expired);
    assert!(view.text().contains("Allow second"));
    let (bottle, id, _) = answered(view.press('o'));
    assert_eq!((bottle, id.as_str()), (1, "second"));
}

/// Without a dialog, too: what is chosen stays chosen wherever it moves, and what comes does not slip under the key.
#[test]
fn what_is_chosen_stays_chosen_while_the_list_moves() {
    let mut view = View::with(&[asks("second")]);
    let early = Petition { asked: jiff::Timestamp::UNIX_EPOCH, ..asks("before") };
    view.hear(News::Said(1, Say::Petition(Box::new(early))));
    view.at_once(KeyCode::Char('a'));
    let text = view.text();
    assert!(text.contains("Allow second"), "{text}");
    view.code(KeyCode::Esc);
    view.settle("second", State::Expired);
    view.at_once(KeyCode::Char('a'));
    assert!(view.app.dialog.is_none(), "it did not fall to its neighbour");
}

#[test]
fn keys_typed_before_a_dialog_could_be_read_answer_nothing() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.at_once(KeyCode::Char('a'));
    assert!(view.at_once(KeyCode::Char('o')).is_none(), "never drawn");
    view.draw();
    view.later(Duration::from_millis(100));
    assert!(view.at_once(KeyCode::Char('o')).is_none(), "drawn just now");
    view.later(Duration::from_millis(200));
    assert!(view.at_once(KeyCode::Char('o')).is_some());
}

/// What is pasted is text, whatever letters it has.
#[test]
fn pasted_text_is_no_answer() {
    let mut view = View::with(&[asks("k3m9px")]);
    assert!(view.app.event(&Typed::Paste("aob".to_owned()), view.now).is_none());
    assert!(view.app.dialog.is_none());
    view.press('a');
    view.draw();
    view.later(Duration::from_secs(1));
    assert!(view.app.event(&Typed::Paste("o".to_owned()), view.now).is_none());
    assert!(view.app.dialog.is_some());
}

/// Somebody else answered meanwhile.
#[test]
fn what_was_answered_elsewhere_is_not_answered_again() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('a');
    view.settle("k3m9px", State::Refused { word: Some("not today".to_owned()) });
    assert!(view.text().contains("no longer open: refused (“not today”)"), "{}", view.text());
    for key in ['o', 'b', 'h', 'A', 'A'] {
        assert!(view.press(key).is_none(), "{key}");
    }
}

/// Ids are drawn anew in each bottle: an equal one of another bottle is another petition.
#[test]
fn an_equal_id_of_another_bottle_is_another_petition() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.bottle(2, "evil", &[petition("k3m9px", "GET", "https://evil.example/", "")]);
    view.press('a');
    assert!(view.text().contains("Allow k3m9px · bottle dev"));
    view.hear(News::Gone(1));
    view.bottle(3, "dev", &[petition("k3m9px", "GET", "https://evil.example/", "")]);
    assert!(view.press('o').is_none(), "its bottle has ended; a new one of the same name is another");
    assert!(view.text().contains("its bottle has ended"));
}

/// A petition that changes what it asks for under the same id is not answered: nobody read that.
#[test]
fn a_petition_that_turns_into_another_one_is_not_answered() {
    let mut view = View::with(&[asks("k3m9px")]);
    view.press('a');
    let turned = petition("k3m9px", "GET", "https://evil.example/", "");
    view.hear(News::Said(1, Say::Petition(Box::new(turned))));
    assert!(view.press('o').is_none());
    assert!(view.text().contains("it asks for something else now"));
}

const IMITATION: &str = "ok ┐\u{1b}[2J\u{1b}[1;1H│ credential none\n│ Allow w7yq2d · bottle safe│ \u{202e}drowssap\u{202c} e\u{301}\u{301}\u{301} 日本語の文 \
                         \u{200b}\u{feff}שלום 👨‍👩‍👧 🇩🇪 ”  o once · Esc nothing";

/// Escape sequences, frames, wide, combining and invisible letters: the frame stands, and what is said stays in its quotation.
#[test]
fn what_an_agent_says_moves_nothing_and_imitates_nothing() {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut view = View::new(width, height);
        view.bottle(
            1,
            "dev",
            &[petition("k3m9px", "POST", "https://api.example/x", IMITATION), asks("w7yq2d")],
        );
        for keys in ["", "a", "n"] {
            keys.chars().for_each(|key| drop(view.press(key)));
            let shown = view.draw();
            let text = shown.join("\n");
            assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{301}', '\u{200b}', '\u{feff}', 'ש']), "{text}");
            assert!(shown.iter().all(|line| super::super::text::width(line) == usize::from(width)), "{text}");
            if !keys.is_empty() {
                frame_stands(&shown);
                // Once: in the title, which is ours.
                assert_eq!(text.matches("k3m9px · bottle dev").count(), 1, "{text}");
                assert_eq!(
                    text.matches('”').count() - text.matches("need it”").count(),
                    1,
                    "one quotation: {text}"
                );
            }
            view.code(KeyCode::Esc);
        }
    }
}

/// From its title on, every line of the dialog has its edges in the same two columns, and nothing in between looks like an edge.
fn frame_stands(shown: &[String]) {
    let cells: Vec<Vec<char>> = shown.iter().map(|line| spread(line)).collect();
    let all = shown.join("\n");
    let titles = ["╭ Allow k3m9px", "╭ Refuse k3m9px"].map(|title| title.chars().collect::<Vec<char>>());
    let title_in = |line: &[char]| {
        titles.iter().find_map(|title| line.windows(title.len()).position(|part| part == title))
    };
    let (top, left) =
        cells.iter().enumerate().find_map(|(y, line)| Some((y, title_in(line)?))).expect("a title");
    let right = (left..cells[top].len()).find(|x| cells[top][*x] == '╮').expect("a corner");
    let bottom = (top..cells.len()).find(|y| cells[*y][left] == '╰').expect("a corner");
    assert!(bottom > top + 5, "{all}");
    for line in &cells[top + 1..bottom] {
        assert_eq!((line[left], line[right]), ('│', '│'), "{all}");
        assert!(!line[left + 1..right].iter().any(|cell| matches!(cell, '\u{2500}'..='\u{259f}')), "{all}");
    }
}

/// A line with a blank for the second cell of wide characters.
fn spread(line: &str) -> Vec<char> {
    line.chars()
        .flat_map(|one| {
            [one].into_iter().chain((super::super::text::width(&one.to_string()) == 2).then_some(' '))
        })
        .collect()
}

/// A homograph is another name, and looks like that.
#[test]
fn a_homograph_is_shown_in_its_canonical_form() {
    let mut view = View::with(&[petition("k3m9px", "GET", "https://аpple.com/", "")]);
    assert!(view.text().contains("GET https://xn--pple-43d.com/"));
    view.press('a');
    let text = view.text();
    assert!(
        text.contains("xn--pple-43d.com") && text.contains("an international name") && !text.contains('а'),
        "{text}"
    );
}

/// What a bottle has is bounded, and what waits stays in sight.
#[test]
fn a_flood_leaves_the_view_usable_and_bounded() {
    let mut view = View::with(&[asks("k3m9px")]);
    let long = "x".repeat(64 * 1024);
    let finding = Finding::new("known-secret", &long, &long, "block");
    for number in 0..5000 {
        let mut event = exchange(Decision::Denied, &format!("/{number}/{long}"));
        if let Event::Exchange(exchange) = &mut event {
            exchange.findings = vec![finding.clone(); 3];
        }
        view.hear(seen(event));
        let closed = Petition { state: State::Withdrawn, ..asks(&format!("n{number}")) };
        view.hear(News::Said(1, Say::Petition(Box::new(closed))));
    }
    let world = &view.app.world;
    let kept: usize = world
        .rows
        .iter()
        .map(|row| {
            row.line.len() + row.facts.iter().map(|(about, said)| about.len() + said.len()).sum::<usize>()
        })
        .sum();
    assert!(world.rows.len() <= 2000 && kept < 20_000_000, "{} rows, {kept} bytes", world.rows.len());
    assert!(world.bottles[0].petitions.len() <= 300);
    let begun = Instant::now();
    let text = view.text();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(text.contains("1 request waits") && text.contains("k3m9px"), "{text}");
    assert_eq!(view.app.current(), Some(Key::Petition(1, "k3m9px".to_owned())));
    assert_eq!(view.app.pane, Pane::Requests);
    view.press('a');
    assert!(view.press('o').is_some());
}
