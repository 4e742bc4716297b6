//! What is told to those who watch is short: a path may have 64 KiB, and a few hundred of those would be a snapshot that no client
//! takes, so that an agent could hide its bottle from its operator. The audit has all of it.
use audit::Event;
use egress::Live;
use std::sync::Arc;

/// Characters of a text.
const TEXT: usize = 1000;
/// Findings of an exchange.
const FINDINGS: usize = 32;
/// Exchanges under way.
const LIVE: usize = 500;

/// The event itself, or a short one where it is long.
pub(super) fn event(event: &Arc<Event>) -> Arc<Event> {
    if is_short(event) {
        return Arc::clone(event);
    }
    let mut event = Event::clone(event);
    match &mut event {
        Event::Lifecycle(step) => step.detail.iter_mut().for_each(cut),
        Event::Exchange(exchange) => {
            let texts = [&mut exchange.reason, &mut exchange.method, &mut exchange.host, &mut exchange.path];
            texts.into_iter().flatten().for_each(cut);
            exchange.route.iter_mut().for_each(cut);
            exchange.findings.truncate(FINDINGS);
            for finding in &mut exchange.findings {
                let texts = [&mut finding.rule, &mut finding.place, &mut finding.name];
                texts.into_iter().for_each(cut);
                [&mut finding.reason, &mut finding.excerpt].into_iter().flatten().for_each(cut);
            }
        }
    }
    Arc::new(event)
}

/// Surely so: texts are measured in bytes, of which a character has one at least.
fn is_short(event: &Event) -> bool {
    let fits = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= TEXT);
    match event {
        Event::Lifecycle(step) => fits(&step.detail),
        Event::Exchange(exchange) => {
            [&exchange.reason, &exchange.method, &exchange.host, &exchange.path, &exchange.route]
                .into_iter()
                .all(fits)
                && exchange.findings.is_empty()
        }
    }
}

pub(super) fn live(all: &mut Vec<Live>) {
    all.truncate(LIVE);
    for one in all {
        [&mut one.method, &mut one.host, &mut one.path, &mut one.route].into_iter().flatten().for_each(cut);
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::{Decision, Exchange, Finding, Lifecycle};

    /// Threat 22: whoever floods the operator's view with long texts is still seen.
    #[test]
    fn what_is_watched_stays_short_whatever_an_agent_asks_for() {
        let long = || "é".repeat(64 * 1024);
        let finding = Finding::new(&long(), &long(), &long(), "block");
        let exchange = Exchange {
            id: "i".to_owned(),
            decision: Decision::Denied,
            code: None,
            reason: Some(long()),
            protocol: "h1".to_owned(),
            scheme: None,
            method: Some("GET".to_owned()),
            host: Some(long()),
            port: None,
            path: Some(long()),
            route: Some(long()),
            policy: None,
            credential: None,
            upstream: None,
            status: None,
            bytes_up: 0,
            bytes_down: 0,
            duration_ms: 0,
            findings: vec![finding; 1000],
        };
        let told = event(&Arc::new(Event::Exchange(Box::new(exchange))));
        let length = serde_json::to_string(&*told).expect("JSON").len();
        assert!(length < 300_000, "{length}");
        let step = Lifecycle { step: "s".to_owned(), detail: Some(long()) };
        assert!(
            serde_json::to_string(&*event(&Arc::new(Event::Lifecycle(step)))).expect("JSON").len() < 3000
        );
        let one = Live {
            id: "i".to_owned(),
            protocol: "h1".to_owned(),
            method: None,
            host: None,
            path: Some(long()),
            route: None,
            since_ms: 0,
            bytes_up: 0,
            bytes_down: 0,
        };
        let mut all = vec![one; 2000];
        live(&mut all);
        assert_eq!(
            (all.len(), all[0].path.as_ref().map(|path| path.chars().count())),
            (LIVE, Some(TEXT + 1))
        );
    }
}
