//! Routes written into manifests: everything else stays as it is.
use crate::support::{Paper, load_on};
use manifest::edit::{Addition, EditError, add_routes};
use manifest::{Overrides, Place};
use policy::{Host, HostPattern, Method, PathPattern, Proposal, Request};
use proptest::prelude::*;
use std::path::Path;

fn machine() -> Paper {
    Paper { variables: vec!["T", "GH_TOKEN"], programs: vec!["/usr/bin/gh"], ..Paper::default() }
}

fn add_all(text: &str, additions: &[Addition]) -> Result<String, EditError> {
    let place = Place {
        name: "bottle.yaml",
        file: Some(Path::new("/home/ada/project/bottle.yaml")),
        folder: Path::new("/home/ada/project"),
        overrides: Overrides::default(),
    };
    add_routes(text, additions, place, &machine())
}

fn asked() -> Addition {
    let request = Request::from_url("GET", "https://new.example/v1/users").expect("a request");
    Addition {
        comments: vec!["allowed 2026-11-27 14:03: why".to_owned()],
        ..Addition::of(Proposal::of(&request))
    }
}

#[track_caller]
fn add(text: &str) -> String {
    add_all(text, &[asked()]).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// What the edit did: lines with `-` or `+` before them.
fn changed(old: &str, new: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(old, new);
    let line = |change: similar::Change<&str>| match change.tag() {
        similar::ChangeTag::Equal => None,
        tag => Some(format!("{tag}{}", change.value().trim_end_matches(['\r', '\n']))),
    };
    diff.iter_all_changes().filter_map(line).collect()
}

const BLOCK: [&str; 4] = [
    "+    # allowed 2026-11-27 14:03: why",
    "+    - host: new.example",
    "+      methods: [GET]",
    "+      paths: [\"/v1/users\"]",
];

#[test]
fn a_route_is_added_after_the_last_one_with_its_comments() {
    let old = "name: dev   # mine\n\negress:\n  # the list\n  routes:\n    - host: 'a.test'  # why\n      methods: [GET]\n\n    - host: \"b.test\"\n      # about b\n    # - host: c.test\n\n  # what is sought\n  dlp: { action: warn }\n";
    let new = add(old);
    assert_eq!(changed(old, &new), BLOCK);
    assert!(new.contains("    # - host: c.test\n    # allowed"), "after the comments of the list:\n{new}");
    assert!(new.contains("\"/v1/users\"]\n\n  # what is sought"), "{new}");
}

#[test]
fn every_way_to_write_a_list_is_kept() {
    for (old, wanted) in [
        ("", "egress:\n  routes:\n    # C\n    - N\n"),
        ("# nothing yet\n", "# nothing yet\negress:\n  routes:\n    # C\n    - N\n"),
        ("name: dev\n", "name: dev\n\negress:\n  routes:\n    # C\n    - N\n"),
        ("name: dev", "name: dev\n\negress:\n  routes:\n    # C\n    - N"),
        ("---\nname: dev\n...\n", "---\nname: dev\n\negress:\n  routes:\n    # C\n    - N\n...\n"),
        ("  name: dev\n", "  name: dev\n\n  egress:\n    routes:\n      # C\n      - N\n"),
        ("{}\n", "# C\n{ egress: { routes: [F] } }\n"),
        ("{name: dev}\n", "# C\n{name: dev, egress: { routes: [F] }}\n"),
        ("egress: {}\n", "egress:\n  routes:\n    # C\n    - N\n"),
        ("egress: { unmatched: deny } # x\n", "# C\negress: { unmatched: deny, routes: [F] } # x\n"),
        (
            "egress:\n    # x\n    unmatched: deny\n",
            "egress:\n    routes:\n      # C\n      - N\n    # x\n    unmatched: deny\n",
        ),
        ("egress:\n  routes: []   # none\n", "egress:\n  routes:   # none\n    # C\n    - N\n"),
        ("egress: { routes: [] }\n", "# C\negress: { routes: [F] }\n"),
        ("egress:\n  routes: [{ host: a.test }]\n", "egress:\n  # C\n  routes: [{ host: a.test }, F]\n"),
        (
            "egress:\n  routes: [{ host: a.test },] # x\n",
            "egress:\n  # C\n  routes: [{ host: a.test }, F,] # x\n",
        ),
        (
            "egress:\n  routes: [\n    { host: a.test }, # a\n    { host: b.test } # b\n  ]\n",
            "egress:\n  routes: [\n    { host: a.test }, # a\n    { host: b.test }, # b\n    # C\n    F\n  ]\n",
        ),
        (
            "egress:\n  routes: [\n    { host: a.test },\n  ]\n",
            "egress:\n  routes: [\n    { host: a.test },\n    # C\n    F,\n  ]\n",
        ),
        (
            "egress:\n  routes:\n  - host: a.test\n  # about dlp\n  dlp: { action: warn }\n",
            "egress:\n  routes:\n  - host: a.test\n  # C\n  - N\n  # about dlp\n  dlp: { action: warn }\n",
        ),
        (
            "egress:\n  routes:\n    - { host: a.test }\n",
            "egress:\n  routes:\n    - { host: a.test }\n    # C\n    - F\n",
        ),
        (
            "egress:\n  routes:\n    -\n      host: a.test\n",
            "egress:\n  routes:\n    -\n      host: a.test\n    # C\n    - N\n",
        ),
        (
            "egress:\n  routes: &all\n    - &one\n      host: a.test\nname: dev\n",
            "egress:\n  routes: &all\n    - &one\n      host: a.test\n    # C\n    - N\nname: dev\n",
        ),
        (
            "\"egress\":\n  'routes' :\n    - host: a.test\n",
            "\"egress\":\n  'routes' :\n    - host: a.test\n    # C\n    - N\n",
        ),
        (
            "egress:\n  routes:\n    - host: a.test",
            "egress:\n  routes:\n    - host: a.test\n    # C\n    - N",
        ),
        (
            "\u{feff}egress:\n  routes:\n    - host: a.test\n",
            "\u{feff}egress:\n  routes:\n    - host: a.test\n    # C\n    - N\n",
        ),
    ] {
        let new = add(old);
        let block = wanted.split("# C").nth(1).unwrap_or("");
        let pad = " ".repeat(block.find('-').unwrap_or(0).saturating_sub(1) + 2);
        let keys = format!("host: new.example\n{pad}methods: [GET]\n{pad}paths: [\"/v1/users\"]");
        let flow = "{ host: new.example, methods: [GET], paths: [\"/v1/users\"] }";
        let wanted = wanted
            .replace("# C", "# allowed 2026-11-27 14:03: why")
            .replace("- N", &format!("- {keys}"))
            .replace("F", flow);
        assert_eq!(new, wanted, "from\n{old}");
    }
}

#[test]
fn lines_end_as_they_did_and_odd_indentation_is_kept() {
    let old = "egress:\r\n   routes:\r\n       -   host: a.test\r\n           methods: [GET]\r\n";
    let new = add(old);
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    assert!(new.ends_with("       -   host: new.example\r\n           methods: [GET]\r\n           paths: [\"/v1/users\"]\r\n"), "{new}");
    let tabs = "egress:\n  routes:\n    - host: a.test\t# a tab\n    -\thost: b.test\n";
    assert_eq!(changed(tabs, &add(tabs)), BLOCK);
}

#[test]
fn texts_over_several_lines_are_not_cut() {
    for last in [
        "      name: |\n        # no comment\n\n        - host: x\n\n",
        "      name: >+\n        a\n\n\n",
        "      name: \"a\n\n        - b\"\n",
        "      name: 'it''s\n        # more'\n",
        "      dlp:\n        action: warn\n\n\n",
    ] {
        for after in ["", "name: dev\n", "# the end\n"] {
            let old = format!("egress:\n  routes:\n    - host: a.test\n{last}{after}");
            let new = add(&old);
            assert!(changed(&old, &new).iter().all(|line| line.starts_with('+')), "{old}\n{new}");
        }
    }
}

#[test]
fn what_cannot_be_added_to_is_said_and_left() {
    for (old, wanted) in [
        ("egress:\n  routes:\n", "wrong as it is"),
        ("egress: [\n", "wrong as it is"),
        ("nonsense: 1\n", "wrong as it is"),
        ("? egress\n: { routes: [{ host: a.test }] }\n", "unusual way"),
        ("egress:\n  routes:\n    - host: new.example\n", "no request ever comes to this route"),
        ("egress:\n  routes:\n    - { host: \"*.example\" }\n", "wrong as it is"),
    ] {
        let error = add_all(old, &[asked()]).expect_err(old);
        assert!(error.what.contains(wanted) && !error.help.is_empty(), "{old}: {error:?}");
    }
}

/// A preset's route comes after the user's: one that covers it, or a part of it that has a credential, would change
/// what is decided now.
#[test]
fn a_route_that_takes_something_over_is_refused() {
    let base = Request::from_url("GET", "https://api.github.com/user").expect("a request");
    let wide = Proposal { methods: None, paths: None, ..Proposal::of(&base) };
    let place = |proposal: Proposal| add_all("presets: [github]\n", &[Addition::of(proposal)]);
    let error = place(wide).expect_err("it covers the preset's route");
    assert!(error.what.contains("take the place of `github: "), "{error:?}");
    let other = Request::from_url("GET", "https://api.github.com:8443/user").expect("a request");
    let new = place(Proposal::of(&other)).expect("another port");
    assert!(new.starts_with("presets: [github]\n\negress:\n"), "{new}");
}

/// A narrower route in front of a preset's would send what it covers without the preset's credential.
#[test]
fn a_part_of_a_route_with_a_credential_is_not_taken_over() {
    let logged_in = Paper { files: vec!["/home/ada/.config/gh/hosts.yml"], ..machine() };
    let request = Request::from_url("GET", "https://api.github.com/user").expect("a request");
    let narrow = Addition::of(Proposal::of(&request));
    let place = Place {
        name: "bottle.yaml",
        file: Some(Path::new("/home/ada/project/bottle.yaml")),
        folder: Path::new("/home/ada/project"),
        overrides: Overrides::default(),
    };
    let error = add_routes("presets: [github]\n", std::slice::from_ref(&narrow), place, &logged_in)
        .expect_err("it has one");
    assert!(
        error.what.contains("would decide requests that `github: api.github.com` decides now"),
        "{error:?}"
    );
    let none = Paper { programs: vec![], variables: vec![], ..Paper::default() };
    add_routes("presets: [github]\n", &[narrow], place, &none).expect("without a credential nothing is lost");
}

/// The agent's reason and a name stand in the manifest as text, whatever they are made of.
#[test]
fn what_an_agent_says_stays_a_comment() {
    let mut addition = asked();
    addition.comments = vec!["x\n  - host: evil.example\u{202e}\u{1b}[2J\r- b".to_owned(), String::new()];
    addition.name = Some("it's \"new\": # {x}\n".to_owned());
    for old in ["egress:\n  routes:\n    - host: a.test\n", "egress: { routes: [{ host: a.test }] }\n"] {
        let new = add_all(old, &[addition.clone()]).expect("added");
        assert!(new.contains("# x\\u{a}  - host: evil.example\\u{202e}\\u{1b}[2J\\u{d}- b"), "{new}");
        let plan = load_on(&new, &machine()).expect("a plan").plan;
        assert_eq!(plan.egress.policy.routes().len(), 2);
        assert_eq!(plan.egress.policy.routes()[1].name, "it's \"new\": # {x}\n");
    }
}

#[test]
fn everything_a_proposal_can_say_is_written() {
    let request = |url: &str| Request::from_url("GET", url).expect("a request");
    let methods =
        |names: &[&str]| Some(names.iter().map(|name| Method::parse(name).expect("a method")).collect());
    let paths = |texts: &[&str]| {
        Some(texts.iter().map(|text| PathPattern::parse(text).expect("a pattern")).collect())
    };
    let of = |url: &str| Proposal::of(&request(url));
    let proposals = [
        of("http://plain.example/"),
        of("https://[2606:4700::1]:8443/x"),
        of("https://true/"),
        of("https://1e5/a%20b/*/c"),
        Proposal { methods: methods(&["NULL", "TRUE", "M-SEARCH"]), ..of("https://m.example/") },
        Proposal { paths: paths(&["/a/**", "/b*"]), methods: None, ..of("https://p.example/") },
        Proposal {
            host: HostPattern::parse("*.below.example").expect("a pattern"),
            paths: None,
            ..of("https://x.example/")
        },
        Proposal::raw(Host::parse("db.example").expect("a host"), 5432),
        Proposal {
            tls: policy::TlsMode::Passthrough,
            methods: None,
            paths: None,
            ..of("https://pinned.example/")
        },
    ];
    let additions: Vec<Addition> = proposals.iter().cloned().map(Addition::of).collect();
    for old in ["", "egress: { routes: [{ host: a.test }] }\n", "presets: [github]\negress:\n  routes: []\n"]
    {
        let new = add_all(old, &additions).unwrap_or_else(|error| panic!("{error:?}"));
        let plan = load_on(&new, &machine()).expect("a plan").plan;
        for proposal in &proposals {
            let found =
                plan.egress.policy.routes().iter().any(|r| **r == proposal.route(r.id, r.name.clone()));
            assert!(found, "{proposal} in\n{new}");
        }
    }
}

/// A `resolve` without a port means every port that routes open: a new route makes it say more, and that is meant.
#[test]
fn a_name_table_may_grow_by_the_new_route_alone() {
    let old = "egress:\n  routes:\n    - host: new.example\n      port: 8443\n  resolve: { new.example: 10.0.0.1 }\n";
    let new = add(old);
    let plan = load_on(&new, &machine()).expect("a plan").plan;
    assert_eq!(plan.egress.policy.names().len(), 2);
}

/// A manifest as somebody might have written it.
fn manifests() -> impl Strategy<Value = (String, bool)> {
    let comment = prop_oneof![Just(""), Just("  # a comment"), Just(" # it's \"odd\" ] }")];
    let blank = prop_oneof![Just(""), Just("\n"), Just("# between\n"), Just("\n   # in the middle\n\n")];
    let routes = prop::collection::vec((0..4_usize, comment.clone(), blank.clone()), 0..4);
    let others = prop::sample::subsequence(
        vec![
            "name: dev",
            "presets: [github]",
            "ports: [3000]",
            "agent:\n  command: [\"a\", 'b # c']\n  env: { A: \"x\" }",
            "limits:\n  memory: 4GiB # much",
        ],
        0..5,
    )
    .prop_shuffle();
    let style = (0..4_usize, 1..4_usize, 0..4_usize, any::<bool>(), any::<bool>(), any::<bool>(), 0..6_usize);
    (routes, others, style, blank)
        .prop_map(|(routes, others, style, blank)| written(&routes, &others, style, blank))
}

type Style = (usize, usize, usize, bool, bool, bool, usize);

fn written(
    routes: &[(usize, &str, &str)],
    others: &[&str],
    (shape, step, dash, windows, open, before, place): Style,
    blank: &str,
) -> (String, bool) {
    let pad = " ".repeat(step);
    let mut egress = String::from("egress:");
    let item = |i: usize, kind: usize| match kind {
        0 => format!("host: a{i}.test"),
        1 => format!("host: 'b{i}.test'\n{pad}{}  paths: [\"/x/**\"]", " ".repeat(dash)),
        2 => format!("{{ host: \"c{i}.test\", methods: [GET] }}"),
        _ => format!(
            "host: d{i}.test\n{pad}{}  auth:\n{pad}{}     scheme: bearer\n{pad}{}     token: {{ env: T }}",
            " ".repeat(dash),
            " ".repeat(dash),
            " ".repeat(dash)
        ),
    };
    let inside = |i: usize| format!("{{ host: f{i}.test }}");
    let all: Vec<String> = (0..routes.len()).map(inside).collect();
    let flow = shape >= 2 || routes.is_empty();
    match shape {
        2 => egress += &format!("\n{pad}routes: [{}]\n", all.join(", ")),
        3 => egress += &format!(" {{ unmatched: deny, routes: [ {} ] }}\n", all.join(",")),
        _ if routes.is_empty() => egress += &format!("\n{pad}unmatched: deny\n"),
        _ => {
            if before {
                egress += &format!("\n{pad}unmatched: deny");
            }
            egress += &format!("\n{pad}routes:\n");
            for (i, (kind, comment, blank)) in routes.iter().enumerate() {
                egress += &format!("{pad}{}- {}{comment}\n{blank}", " ".repeat(dash), item(i, *kind));
            }
            if !before {
                egress += &format!("{pad}dlp: {{ action: warn }}\n");
            }
        }
    }
    let mut parts: Vec<String> = others.iter().map(|text| format!("{text}\n{blank}")).collect();
    parts.insert(place.min(parts.len()), egress);
    let mut text = parts.concat();
    if open {
        text.truncate(text.trim_end().len());
    }
    (if windows { text.replace('\n', "\r\n") } else { text }, flow)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines are added and none is lost; in brackets one line may change.
    #[test]
    fn nothing_but_the_route_changes((old, flow) in manifests()) {
        let before = load_on(&old, &machine()).map_err(|problems| TestCaseError::fail(format!("{old}\n{problems}")))?;
        let new = add_all(&old, &[asked()]).map_err(|error| TestCaseError::fail(format!("{error:?}\n{old}")))?;
        let after = load_on(&new, &machine()).map_err(|problems| TestCaseError::fail(format!("{new}\n{problems}")))?;
        prop_assert_eq!(after.plan.egress.policy.routes().len(), before.plan.egress.policy.routes().len() + 1);
        // The last line may have had no end.
        let whole = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned() + "\n";
        let (whole_old, whole_new) = (whole(&old), whole(&new));
        if old.contains("\r\n") {
            prop_assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "one way to end lines: {:?}", new);
        }
        let changes = changed(&whole_old, &whole_new);
        let removed = changes.iter().filter(|line| line.starts_with('-')).count();
        prop_assert!(removed <= usize::from(flow), "{changes:#?}\n{new}");
        prop_assert!(changes.iter().any(|line| line.contains("# allowed 2026-11-27 14:03: why")), "{new}");
        let twice = add_all(&new, &[asked()]).expect_err("it is there");
        prop_assert!(twice.what.contains("no request ever comes"), "{twice:?}");
    }
}
