//! The text that Prometheus reads, format 0.0.4.
use super::metrics::Sheet;
use std::fmt::Write as _;

/// Its media type.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn text(sheet: &Sheet) -> String {
    let mut out = String::new();
    for (family, points) in sheet.families() {
        let about = family.about();
        let (name, kind) = (about.name, if about.sum { "counter" } else { "gauge" });
        // Writing into a text does not fail.
        let _ = write!(out, "# HELP {name} {}\n# TYPE {name} {kind}\n", about.help);
        for (labels, number) in points {
            let pairs: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let pairs = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
            let _ = writeln!(out, "{name}{pairs} {number}");
        }
    }
    out
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Family;
    use super::*;

    #[test]
    fn a_value_stays_within_its_quotes() {
        assert_eq!(escaped("a\"} 1\nbottle_up{b=\"\\"), "a\\\"} 1\\nbottle_up{b=\\\"\\\\");
    }

    #[test]
    fn the_text_has_help_and_type_once_and_a_line_for_each_number() {
        let mut sheet = Sheet::default();
        for (code, number) in [("", 2), ("no-route", 3)] {
            let labels = vec![("bottle", "dev".to_owned()), ("code", code.to_owned())];
            sheet.add(Family::Exchanges, labels, number);
        }
        sheet.set(Family::KillSwitch, Vec::new(), 0);
        let wanted = "# HELP bottle_kill_switch 1 while the kill switch of this user is on.\n\
            # TYPE bottle_kill_switch gauge\nbottle_kill_switch 0\n\
            # HELP bottle_exchanges_total Exchanges that ended.\n# TYPE bottle_exchanges_total counter\n\
            bottle_exchanges_total{bottle=\"dev\",code=\"\"} 2\n\
            bottle_exchanges_total{bottle=\"dev\",code=\"no-route\"} 3\n";
        assert_eq!(text(&sheet), wanted);
    }
}
