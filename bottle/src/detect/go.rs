//! go: its module proxies and its checksum database.
use super::Findings;
use super::ask::ask;
use super::files::urls;
use std::path::Path;

pub(super) fn find(workspace: &Path) -> Findings {
    let mut found = Findings::default();
    if let Some(answer) = ask("go", &["env", "GOPROXY", "GOSUMDB"], workspace) {
        let mut lines = answer.lines();
        environment(lines.next().unwrap_or(""), lines.next().unwrap_or(""), &mut found);
    }
    found
}

/// The database is a host, or a name with a key and a URL.
fn environment(proxies: &str, database: &str, found: &mut Findings) {
    let configured = std::env::var_os("GOPROXY").is_some();
    urls(proxies).for_each(|url| found.add("go", "`go env GOPROXY`", url, configured));
    let words: Vec<&str> = database.split_whitespace().collect();
    let host = match words.as_slice() {
        [] | ["off"] => return,
        [_, url, ..] => (*url).to_owned(),
        [name] => format!("https://{}", name.split('+').next().unwrap_or(name)),
    };
    found.add("go", "`go env GOSUMDB`", &host, configured);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_and_database_are_found() {
        let hosts = |proxies, database| {
            let mut found = Findings::default();
            environment(proxies, database, &mut found);
            found.list.iter().map(|registry| registry.host.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            hosts("https://a.test|https://b.test,direct", "sum.test"),
            ["a.test", "b.test", "sum.test"]
        );
        assert_eq!(hosts("off", "off"), Vec::<String>::new());
        assert_eq!(hosts("direct", "db.test+1a+key https://mirror.test/db"), ["mirror.test"]);
        assert_eq!(hosts("direct", "db.test+1a+key"), ["db.test"]);
    }
}
