//! Paths of one destination → patterns.
use super::ids::{Kind, kind};
use policy::{Method, NormalPath, PathPattern};
use std::collections::{BTreeMap, BTreeSet};

/// So many words in one place, with the same below them, are names of things.
const NAMES: usize = 6;
/// More patterns than this below one segment say nothing that `**` does not say.
const MOST: usize = 16;
/// More different paths than these are not told apart.
const MOST_PATHS: usize = 20_000;
/// Every path.
const EVERYTHING: &str = "/**";
/// A path of more segments is asked for with `**` at its end.
const DEEPEST: usize = 32;

/// Paths by method, and how often something was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    by_method: BTreeMap<String, (Method, BTreeSet<String>)>,
    pub(super) times: u64,
}

impl Seen {
    pub(super) fn add(&mut self, method: Method, path: &NormalPath) {
        self.times += 1;
        let name = method.as_str().to_owned();
        self.by_method
            .entry(name)
            .or_insert_with(|| (method, BTreeSet::new()))
            .1
            .insert(path.as_str().to_owned());
    }

    /// With what was seen elsewhere.
    pub(super) fn with(mut self, other: Seen) -> Seen {
        self.times += other.times;
        for (name, (method, paths)) in other.by_method {
            self.by_method.entry(name).or_insert_with(|| (method, BTreeSet::new())).1.extend(paths);
        }
        self
    }
}

/// Methods, the patterns that all of them have, and what is wider than it was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) methods: Vec<Method>,
    /// `None`: everything.
    pub(super) paths: Option<Vec<PathPattern>>,
    pub(super) notes: Vec<String>,
}

/// The narrowest groups: patterns are found for each method by itself, and methods with a pattern in common share it.
pub(super) fn groups(seen: &Seen) -> Vec<Group> {
    let mut methods_of: BTreeMap<String, Vec<Method>> = BTreeMap::new();
    let mut notes: BTreeMap<String, String> = BTreeMap::new();
    for (method, paths) in seen.by_method.values() {
        for (pattern, note) in patterns(paths) {
            methods_of.entry(pattern.clone()).or_default().push(method.clone());
            notes.extend(note.map(|note| (pattern, note)));
        }
    }
    let mut groups: Vec<(Vec<Method>, Vec<String>)> = Vec::new();
    for (pattern, methods) in methods_of {
        match groups.iter_mut().find(|(of, _)| *of == methods) {
            Some((_, patterns)) => patterns.push(pattern),
            None => groups.push((methods, vec![pattern])),
        }
    }
    groups.into_iter().map(|(methods, patterns)| group(methods, &patterns, &notes)).collect()
}

fn group(methods: Vec<Method>, patterns: &[String], notes: &BTreeMap<String, String>) -> Group {
    let notes = patterns.iter().filter_map(|pattern| notes.get(pattern).cloned()).collect();
    let all = patterns.iter().any(|pattern| pattern == EVERYTHING);
    let parsed = || patterns.iter().filter_map(|pattern| PathPattern::parse(pattern).ok()).collect();
    Group { methods, paths: (!all).then(parsed), notes }
}

/// Patterns for these paths, each with what is to be said about it. Whatever the tree makes of them, each path is covered.
fn patterns(paths: &BTreeSet<String>) -> Vec<(String, Option<String>)> {
    if paths.len() >= MOST_PATHS {
        return vec![(
            EVERYTHING.to_owned(),
            Some(format!("{EVERYTHING}: {MOST_PATHS} different paths or more")),
        )];
    }
    let mut tree = Tree::default();
    for path in paths {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        if segments.len() <= DEEPEST && segments.iter().all(|segment| is_plain(segment)) {
            tree.add(&segments);
        }
    }
    let mut found: Vec<(PathPattern, Option<String>)> = Vec::new();
    for (pattern, note) in tree.patterns(true) {
        // Some paths no pattern can spell: empty segments in their middle.
        found.extend(PathPattern::parse(&pattern).ok().map(|pattern| (pattern, note)));
    }
    let normal = paths.iter().filter_map(|path| NormalPath::parse(path).ok());
    let odd: Vec<NormalPath> =
        normal.filter(|path| !found.iter().any(|(pattern, _)| pattern.matches(path))).collect();
    let spelled = spell_all(&odd);
    let said = |pattern: &str| format!("{pattern}: no narrower pattern spells what was seen");
    let spelled = spelled.into_iter().map(|pattern| {
        let note = pattern.ends_with("/**").then(|| said(&pattern));
        (pattern, note)
    });
    found.into_iter().map(|(pattern, note)| (pattern.as_str().to_owned(), note)).chain(spelled).collect()
}

/// Patterns for paths that the tree has none for; of many the one that covers them all.
fn spell_all(odd: &[NormalPath]) -> Vec<String> {
    if odd.len() <= MOST {
        return odd.iter().map(spell).collect();
    }
    let mut common = odd.first().map_or("", NormalPath::as_str);
    for path in odd {
        while !path.as_str().starts_with(common) || !path.as_str()[common.len()..].starts_with('/') {
            common = common.rsplit_once('/').map_or("", |(before, _)| before);
        }
    }
    let below = format!("{common}/**");
    vec![if PathPattern::parse(&below).is_ok() { below } else { EVERYTHING.to_owned() }]
}

/// What a `*` covers.
fn is_plain(segment: &str) -> bool {
    !segment.contains(';') && !["%2F", "%3B", "%3F", "%23"].iter().any(|sign| segment.contains(sign))
}

/// The path itself as a pattern, or the longest beginning of it that can be one.
fn spell(path: &NormalPath) -> String {
    let literal = path.as_str().replace('*', "%2A");
    let before = literal.rmatch_indices('/').map(|(at, _)| format!("{}/**", &literal[..at]));
    let covers = |way: &String| PathPattern::parse(way).is_ok_and(|pattern| pattern.matches(path));
    std::iter::once(literal.clone()).chain(before).find(covers).unwrap_or_else(|| EVERYTHING.to_owned())
}

/// Segments, and what stands below them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Tree {
    /// A path ends here.
    ends: bool,
    below: BTreeMap<String, Tree>,
}

impl Tree {
    fn add(&mut self, segments: &[&str]) {
        match segments {
            [] => self.ends = true,
            [first, rest @ ..] => self.below.entry((*first).to_owned()).or_default().add(rest),
        }
    }

    fn merge(&mut self, other: Tree) {
        self.ends |= other.ends;
        for (segment, tree) in other.below {
            self.below.entry(segment).or_default().merge(tree);
        }
    }

    fn paths(&self) -> usize {
        usize::from(self.ends) + self.below.values().map(Tree::paths).sum::<usize>()
    }

    /// The same with every segment that may be a name replaced: what is alike has the same shape.
    fn shape(&self) -> Tree {
        let mut shape = Tree { ends: self.ends, below: BTreeMap::new() };
        for (segment, tree) in &self.below {
            let name = if kind(segment) == Kind::Word { segment.clone() } else { "*".to_owned() };
            shape.below.entry(name).or_default().merge(tree.shape());
        }
        shape
    }

    /// Patterns for what is below here, each beginning with `/` or empty for this very place.
    fn patterns(&self, top: bool) -> Vec<(String, Option<String>)> {
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        for (segment, tree) in self.grouped() {
            found.extend(tree.patterns(false).into_iter().map(|(suffix, note)| {
                let note = note.map(|note| format!("/{segment}{note}"));
                (format!("/{segment}{suffix}"), note)
            }));
        }
        if found.len() > MOST {
            let note =
                format!("/**: {} different paths", self.below.values().map(Tree::paths).sum::<usize>());
            found = vec![("/**".to_owned(), Some(note))];
        }
        if self.ends && !top {
            found.push((String::new(), None));
        }
        found
    }

    /// What is below here, with names put together under `*`.
    fn grouped(&self) -> BTreeMap<String, Tree> {
        let names = self.names();
        let mut grouped: BTreeMap<String, Tree> = BTreeMap::new();
        for (segment, tree) in &self.below {
            let segment =
                if names.contains(segment.as_str()) { "*".to_owned() } else { segment.replace('*', "%2A") };
            grouped.entry(segment).or_default().merge(tree.clone());
        }
        grouped
    }

    fn names(&self) -> BTreeSet<&str> {
        let of = |wanted: Kind| {
            self.below.keys().map(String::as_str).filter(move |segment| kind(segment) == wanted)
        };
        let mut names: BTreeSet<&str> = of(Kind::Surely).collect();
        let perhaps: BTreeSet<&str> = of(Kind::Perhaps).collect();
        if perhaps.len() + names.len() >= 2 && !perhaps.is_empty() {
            names.extend(perhaps);
        }
        let mut alike: BTreeMap<Tree, Vec<&str>> = BTreeMap::new();
        for segment in of(Kind::Word).filter(|segment| !segment.is_empty()) {
            if let Some(tree) = self.below.get(segment) {
                alike.entry(tree.shape()).or_default().push(segment);
            }
        }
        names.extend(alike.into_values().filter(|words| words.len() >= NAMES).flatten());
        names
    }
}
