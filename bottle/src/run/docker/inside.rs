//! What is laid into the agent's container before its first instruction.
use super::Yard;
use crate::failure::Failure;
use crate::mcp::entries::{self, LARGEST, Own};
use crate::mcp::inside;
use crate::registry::Registry;
use crate::run::crossing;
use crate::run::environment::Variables;
use crate::run::start::walls_failure;
use manifest::plan::NetworkLayout;
use sandbox::InjectedFile;
use sandbox::docker::facts::Kind;
use sandbox::docker::plan::{Program, RESOLVER};
use sandbox::docker::{Created, OwnFile};
use sandbox::provision::{EGRESS_HOST, HostTrust, JAVA_STORE_PATH, is_agents_own};
use std::path::PathBuf;

/// What an agent's image has.
pub(super) struct Found {
    trust: HostTrust,
    people: Vec<InjectedFile>,
}

impl Yard<'_> {
    /// Where the agent's container has this program from. What the engine mounts is found by its path and some time later: a
    /// file that an agent could have swapped for a link by then comes out of our image instead.
    pub(super) fn program(&self) -> Result<Program, Failure> {
        let Some(file) = inside::own_file().filter(|_| self.shares_files()) else {
            return Ok(Program::Image);
        };
        let swappable = crossing::is_swappable(&Registry::open()?, self.run.claim.slug(), &file)?;
        Ok(if swappable { Program::Image } else { Program::File(file) })
    }

    /// The agents' entries in a home that is a volume there; one that is a folder here has them already. Podman follows a link that
    /// it is asked about, and says that nothing is there when it dangles: what would be written where is not to be known.
    pub(super) fn see_to_home(&self, created: &Created<'_>) -> Result<(), Failure> {
        if self.home.is_none() || self.facts.kind == Kind::Podman {
            return Ok(());
        }
        entries::ALL.iter().try_for_each(|own| self.see_to(created, own))
    }

    fn see_to(&self, created: &Created<'_>, own: &Own) -> Result<(), Failure> {
        let wanted = self.run.plan.agent.tools.contains(&own.of);
        let (home, file) = (&self.run.plan.sandbox.home_inside, own.path());
        let (text, missing) = match created.own_file(home, &file, LARGEST).map_err(walls_failure)? {
            OwnFile::Text(text) => (text, 0),
            OwnFile::Missing(folders) => (String::new(), folders),
            OwnFile::Other => return Ok(()),
        };
        let Some(text) = own.changed(&text, wanted) else { return Ok(()) };
        created.write_own((home, &file), missing, &text, self.user()).map_err(walls_failure)
    }

    /// What the image has of trust stores and of people; before anything is laid in.
    pub(super) fn look_inside(&self, created: &Created<'_>) -> Result<Found, Failure> {
        let mut trust = own_java_store(created.trust().map_err(walls_failure)?);
        if trust.bundle_pem.is_none() {
            // An image without roots of its own gets those of this machine.
            trust.bundle_pem = HostTrust::read().bundle_pem;
        }
        Ok(Found { trust, people: self.people(created)? })
    }

    /// Trust stores and names, whatever the image is made of.
    pub(super) fn furnish(&self, created: &Created<'_>, found: Found, ca_pem: &str) -> Result<(), Failure> {
        let mut files = self.provided(ca_pem, &found.trust, &Variables::new()).files;
        // An image's own configuration of an agent stays.
        let mut own = Vec::new();
        for file in files.iter().filter(|file| is_agents_own(&file.path)) {
            let path = file.path.to_string_lossy();
            own.extend(created.text(&path).map_err(walls_failure)?.map(|_| file.path.clone()));
        }
        files.retain(|file| !own.contains(&file.path));
        files.extend(found.people);
        files.extend(self.names());
        created.lay(&files).map_err(walls_failure)?;
        match &self.home {
            Some(_) => created.give(&self.run.plan.sandbox.home_inside, self.user()).map_err(walls_failure),
            None => Ok(()),
        }
    }

    /// Docker shares the holder's own; Podman gives an agent that joins a holder none.
    fn names(&self) -> Vec<InjectedFile> {
        if self.facts.kind != Kind::Podman || self.docker.network != NetworkLayout::Sealed {
            return Vec::new();
        }
        let file = |path: &str, text: String| InjectedFile {
            path: path.into(),
            content: text.into_bytes(),
            mode: 0o644,
        };
        vec![
            file("/etc/resolv.conf", format!("nameserver {RESOLVER}\n")),
            file("/etc/hosts", format!("127.0.0.1 localhost {EGRESS_HOST}\n::1 localhost\n")),
        ]
    }

    /// Programs ask who they are.
    fn people(&self, created: &Created<'_>) -> Result<Vec<InjectedFile>, Failure> {
        let (uid, gid) = self.user();
        let home = self.run.plan.sandbox.home_inside.display();
        let lines = [
            ("/etc/passwd", format!("agent:x:{uid}:{gid}:agent:{home}:/bin/sh\n"), uid.to_string()),
            ("/etc/group", format!("agent:x:{gid}:\n"), gid.to_string()),
        ];
        let mut files = Vec::new();
        for (path, line, id) in lines {
            let text = created.text(path).map_err(walls_failure)?.unwrap_or_default();
            if text.lines().any(|line| line.split(':').nth(2) == Some(&id)) {
                continue;
            }
            let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            let content = format!("{text}{newline}{line}").into_bytes();
            files.push(InjectedFile { path: path.into(), content, mode: 0o644 });
        }
        Ok(files)
    }
}

pub(super) fn own_java_store(mut trust: HostTrust) -> HostTrust {
    trust.java_stores.insert(0, PathBuf::from(JAVA_STORE_PATH));
    trust
}
