//! Pieces in every order and code, and what is none.
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

const VALUE: &str = "sk_live_9aJx2QmT7vLzR4wKpE8sYc1N";

fn key() -> FingerprintKey {
    FingerprintKey::new([3; 32])
}

fn of(values: &[&str]) -> Fragments {
    let known = |value: &&'static str| KnownValue {
        rule: "known-secret".into(),
        name: "KEY".into(),
        replacement: "-".into(),
        value: value.as_bytes(),
    };
    let values: Vec<&'static str> = values.iter().map(|value| &*value.to_string().leak()).collect();
    Fragments::new(&values.iter().map(known).collect::<Vec<_>>(), &key())
}

fn seen(collector: &Collector, places: &[&str]) -> Option<Hit> {
    places.iter().find_map(|place| collector.see(place.as_bytes()))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn pieces_are_joined_in_any_order() {
    for places in [
        ["/a?x=sk_live_9aJx2QmT", "y=7vLzR4wKpE8sYc1N"],
        ["y: 7vLzR4wKpE8sYc1N", "{\"k\":\"sk_live_9aJx2QmT\"}"],
        ["SK_LIVE_9AJX2QMT", "%37vLzR4wKpE8sYc1N"],
    ] {
        let collector = Collector::new(of(&[VALUE]));
        assert_eq!(collector.see(places[0].as_bytes()), None, "one piece is half of it");
        let hit = collector.see(places[1].as_bytes()).unwrap();
        assert_eq!((&*hit.rule, &*hit.name, &*hit.layer), (RULE, "KEY", "pieces"));
        assert_eq!(hit.fingerprint, key().fingerprint(VALUE.as_bytes()));
    }
    let whole = "?a=sk_live_9a&b=Jx2QmT7v&c=LzR4wKpE&d=8sYc1N__";
    assert!(Collector::new(of(&[VALUE])).see(whole.as_bytes()).is_some(), "in one place");
}

#[test]
fn pieces_of_codes_count_and_mix() {
    let base64 = STANDARD.encode(VALUE);
    let shifted = URL_SAFE_NO_PAD.encode(format!("u:{VALUE}"));
    let reversed: String = VALUE.chars().rev().collect();
    let hex = hex(VALUE);
    for (first, second) in [
        (&base64[..20], &base64[20..]),
        (&shifted[..24], &shifted[24..]),
        (&hex[..30], &hex[30..]),
        (&reversed[..16], &reversed[16..]),
        (&hex[..32], &base64[21..]),
        (&*STANDARD.encode(&VALUE[..16]), &*STANDARD.encode(&VALUE[16..])),
        (&VALUE[..16], &*STANDARD.encode(&VALUE[15..])),
    ] {
        let collector = Collector::new(of(&[VALUE]));
        assert_eq!(collector.see(first.as_bytes()), None, "{first}");
        assert!(collector.see(second.as_bytes()).is_some(), "{first} {second}");
    }
}

#[test]
fn what_stands_there_whole_is_no_piece() {
    let collector = Collector::new(of(&[VALUE]));
    let percent: String = VALUE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let wrapped = STANDARD.encode(format!("{VALUE}{VALUE}"));
    for place in [VALUE, &VALUE.replace('_', "%5F"), &percent, &STANDARD.encode(VALUE), &hex(VALUE), &wrapped]
    {
        assert_eq!(collector.see(place.as_bytes()), None, "{place}");
    }
    assert!(collector.see(&VALUE.as_bytes()[..31]).is_some(), "one letter less is one");
}

#[test]
fn an_address_without_its_password_is_no_secret() {
    let url = "postgres://app:Kx7Qm2Zt9Lw@db.internal.example:5432/production";
    let collector = Collector::new(of(&[url]));
    assert_eq!(seen(&collector, &["postgres://app:***", "@db.internal.example:5432/production"]), None);
    assert!(collector.see(b"pw=app:Kx7Qm2Zt9Lw@").is_some());
}

#[test]
fn a_flow_joins_what_was_cut_and_knows_what_is_whole() {
    for size in 1..80 {
        let body = format!("{{\"a\":\"{}\",\"b\":\"{}\"}}", &VALUE[..15], &VALUE[15..]);
        let collector = Collector::new(of(&[VALUE]));
        let mut flow = collector.flow();
        let hit = body.as_bytes().chunks(size).find_map(|chunk| flow.push(chunk)).or_else(|| flow.finish());
        let hit = hit.unwrap_or_else(|| panic!("in chunks of {size}"));
        let end = usize::try_from(hit.offset).unwrap() + hit.length;
        assert!(VALUE.contains(&body[usize::try_from(hit.offset).unwrap()..end]), "in chunks of {size}");

        let whole = format!(
            "{} {VALUE} {} {}",
            "words ".repeat(9),
            STANDARD.encode(VALUE),
            VALUE.replace('_', "%5f")
        );
        let collector = Collector::new(of(&[VALUE]));
        let mut flow = collector.flow();
        let hit = whole.as_bytes().chunks(size).find_map(|chunk| flow.push(chunk)).or_else(|| flow.finish());
        assert_eq!(hit, None, "in chunks of {size}");
    }
}

#[test]
fn a_memory_joins_requests_to_one_host_for_a_while() {
    let fragments = of(&[VALUE]);
    let memory = Memory::new(2, 100);
    let see = |host: &str, tick, place: &str| {
        memory.collector(fragments.clone(), host, tick).see(place.as_bytes()).is_some()
    };
    let (one, two) = VALUE.split_at(16);
    assert!(!see("a.example", 0, one) && !see("b.example", 0, two), "hosts are apart");
    assert!(see("A.example", 99, two));
    assert!(see("b.example", 199, one), "remembered for one span at least");
    assert!(!see("a.example", 1000, one), "and forgotten after two");
    assert!(!see("a.example", 1201, two));
    for host in ["c.example", "d.example", "e.example"] {
        see(host, 1300, one);
    }
    assert_eq!(memory.hosts(), 2);
    assert!(!see("nothing.example", 1300, "nothing of it") && memory.hosts() == 2);
}

#[test]
fn a_memory_outlives_a_change_of_values() {
    let memory = Memory::new(9, 100);
    let (one, two) = VALUE.split_at(16);
    assert_eq!(memory.collector(of(&["another-value-0123", VALUE]), "h", 0).see(one.as_bytes()), None);
    assert!(memory.collector(of(&[VALUE]), "h", 1).see(two.as_bytes()).is_some());
}

#[test]
fn short_values_are_not_sought_in_pieces() {
    assert!(of(&["fifteen-letters"]).is_empty());
    assert!(!of(&["sixteen--letters"]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_value_in_any_pieces(
        value in "[!-~]{24,90}", cuts in prop::collection::vec(8_usize..20, 1..12), turn in any::<prop::sample::Index>(),
    ) {
        let mut pieces: Vec<&str> = Vec::new();
        let mut rest = value.as_str();
        for cut in cuts.iter().cycle() {
            if rest.len() < cut + 8 { break }
            let (piece, behind) = rest.split_at(*cut);
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        prop_assume!(pieces.len() > 1);
        let middle = turn.index(pieces.len());
        pieces.rotate_left(middle);
        let body = pieces.iter().map(|piece| format!("\u{1}{piece}\u{1}")).collect::<Vec<_>>().join("--");
        let value = value.clone();
        prop_assert!(Collector::new(of(&[&value])).see(body.as_bytes()).is_some(), "{}", body);
        let twin: String = body.chars().map(|c| if c.is_ascii_graphic() { '~' } else { c }).collect();
        if !value.contains("~~~~~~") {
            prop_assert!(Collector::new(of(&[&value])).see(twin.as_bytes()).is_none());
        }
    }

    /// What a look at all of the view sees.
    #[test]
    fn pieces_at_escapes_are_all_that_a_view_adds(
        parts in prop::collection::vec((0_usize..32, 1_usize..32, 0_usize..7, "[ a-z\\\\%&\"]{0,12}"), 0..9), last: bool,
        end in prop_oneof!["", "%", "%4", "\\\\u00"],
    ) {
        let other = "ghp_Zk3Lq8Wd5Rf1Tg6Yh2Uj4Ip7Oa9S";
        let mut body: String = parts.iter().map(|(start, length, how, between)| {
            let value = if how % 2 == 0 { VALUE } else { other };
            let piece = &value[*start..value.len().min(start + length)];
            let middle = piece.len() / 2;
            match how {
                0 | 1 => format!("{piece}{between}"),
                2 => format!("{}%{:02x}{}{between}", &piece[..middle], piece.as_bytes()[middle], &piece[middle + 1..]),
                3 => format!("\\{piece}\\{between}"),
                4 => format!("\\u{:04x}{}{between}", piece.as_bytes()[0], &piece[1..]),
                5 => format!("{}\u{200b}{}{between}", &piece[..middle], &piece[middle..]),
                _ => format!("{}{between}", hex(piece)),
            }
        }).collect();
        body += &end;
        let (collector, body) = (Collector::new(of(&[VALUE, other])), body.as_bytes());
        let told = |piece: &Piece| (piece.source.clone(), piece.bits.clone(), piece.is_whole, piece.is_open);
        let mut slowly = Vec::new();
        let index = &collector.fragments.index;
        index.pieces(body, 0..body.len(), &mut |piece| slowly.push(told(&piece)));
        if let Some(view) = View::of(body, Before::default(), last) {
            let text = view.text(body);
            index.pieces(text, 0..text.len(), &mut |piece| slowly.push(told(&unescaped(piece, &view, text))));
        }
        let mut fast: Vec<_> = collector.pieces(body, last).iter().map(told).collect();
        for all in [&mut fast, &mut slowly] {
            all.sort_by_key(|piece| (piece.0.start, piece.0.end, piece.1.start, piece.1.end, piece.2, piece.3));
            all.dedup();
        }
        prop_assert_eq!(fast, slowly, "{}", String::from_utf8_lossy(body));
    }

    /// Every eight bytes of a form are found wherever they stand, and nothing else.
    #[test]
    fn pieces_are_found_wherever_they_stand(before in "[ a-z]{0,60}", start in 0_usize..24, length in 8_usize..32, behind in "[ a-z]{0,60}") {
        let piece = &VALUE[start..VALUE.len().min(start + length)];
        let body = format!("{before}\u{1}{piece}\u{1}{behind}");
        let mut found = Vec::new();
        of(&[VALUE]).index.pieces(body.as_bytes(), 0..body.len(), &mut |piece| found.push(piece.source));
        found.dedup();
        prop_assert_eq!(found, vec![before.len() + 1..before.len() + 1 + piece.len()]);
    }
}
