//! A machine that exists on paper.
use manifest::{Host, Loaded, Overrides, Place, Problems, Registries, load};
use std::path::{Path, PathBuf};

/// A user `ada` with a project; nothing else unless a test says so.
#[derive(Clone, Default)]
pub(crate) struct Paper {
    pub(crate) variables: Vec<&'static str>,
    pub(crate) files: Vec<&'static str>,
    pub(crate) programs: Vec<&'static str>,
    /// Names and where they lead.
    pub(crate) links: Vec<(&'static str, &'static str)>,
    pub(crate) registries: Registries,
}

impl Host for Paper {
    fn home(&self) -> PathBuf {
        "/home/ada".into()
    }
    fn state(&self) -> PathBuf {
        "/home/ada/.local/state".into()
    }
    fn runtime(&self) -> PathBuf {
        "/run/user/1000/bottle".into()
    }
    fn has_variable(&self, name: &str) -> bool {
        self.variables.contains(&name)
    }
    fn exists(&self, path: &Path) -> bool {
        let always = ["/", "/home", "/home/ada", "/home/ada/project", "/home/ada/project/bottle.yaml"];
        always.iter().chain(&self.files).any(|known| path == Path::new(known))
    }
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        let linked = self.links.iter().find(|(name, _)| path == Path::new(name));
        linked.map(|(_, to)| PathBuf::from(to)).or_else(|| self.exists(path).then(|| path.to_path_buf()))
    }
    fn program(&self, name: &str) -> Option<PathBuf> {
        let known = |path: &&&str| Path::new(path).file_name().is_some_and(|file| file == name);
        self.programs.iter().find(known).map(PathBuf::from)
    }
    fn registries(&self, _workspace: &Path) -> Registries {
        self.registries.clone()
    }
}

pub(crate) fn load_on(text: &str, host: &Paper) -> Result<Loaded, Problems> {
    let place = Place {
        name: "bottle.yaml",
        file: Some(Path::new("/home/ada/project/bottle.yaml")),
        folder: Path::new("/home/ada/project"),
        overrides: Overrides::default(),
    };
    load(text, place, host)
}

/// On a machine where nothing is set.
pub(crate) fn load_here(text: &str) -> Result<Loaded, Problems> {
    load_on(text, &Paper::default())
}

/// What is wrong, as people read it.
pub(crate) fn problems(text: &str) -> String {
    match load_here(text) {
        Ok(loaded) => panic!("this was to be wrong and has a plan; warnings: {}", loaded.warnings),
        Err(problems) => problems.to_string(),
    }
}

/// The messages of warnings.
pub(crate) fn warnings(text: &str, host: &Paper) -> Vec<String> {
    let loaded = load_on(text, host).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.warnings.list.into_iter().map(|problem| problem.message).collect()
}
