//! What is write-protected inside and is replaced on this machine while the bottle runs: told at once, and at the end.
//!
//! On Linux protection is put back within a moment, in a container it is gone for good. In that moment the agent could write the
//! file, and before it also what the new file was made from, in a folder that is its own. So a person has to look.
use super::journal;
use crate::control::Hub;
use crate::failure::Failure;
use crate::style::neutral;
use audit::Auditor;
use manifest::plan::Backend;
use sandbox::linux::Survey;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looked at this often, as the manifest is: what tells of changes tells of one name in one folder.
const EVERY: Duration = Duration::from_secs(1);

/// Looks until this goes.
pub(super) struct Guarded {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Guarded {
    pub(super) fn begin(survey: Survey, backend: Backend, auditor: Auditor, hub: Hub) -> Guarded {
        let (end, ended) = channel();
        let mut told = BTreeSet::new();
        let mut look = move || {
            for path in survey.replaced() {
                if told.insert(path.clone()) {
                    tell(&path, backend, &auditor, &hub);
                }
            }
        };
        let looking = move || {
            while matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout)) {
                look();
            }
            look();
        };
        let thread = std::thread::Builder::new().name("guarded".to_owned()).spawn(looking);
        let thread =
            thread.inspect_err(|error| tracing::error!(%error, "nobody looks at what is protected")).ok();
        Guarded { end: Some(end), thread }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn tell(path: &Path, backend: Backend, auditor: &Auditor, hub: &Hub) {
    journal::step(auditor, "protected-replaced", Some(path.display().to_string()));
    hub.warn(&warning(path, backend));
}

fn warning(path: &Path, backend: Backend) -> Failure {
    let since = match backend {
        Backend::Linux => "it is protected again; for a moment the agent could write it",
        Backend::Docker => "the agent can write it from now on, until the bottle ends",
    };
    Failure::new(format!("`{}` was replaced on this machine: {since}", neutral(&path.display().to_string())))
        .help("look at what it says before a tool of this machine obeys it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_whether_protection_is_back() {
        let of = |backend| warning(Path::new("/w/.git/config\u{1b}[2J"), backend).what;
        assert!(of(Backend::Linux).contains("protected again") && !of(Backend::Linux).contains('\u{1b}'));
        assert!(of(Backend::Docker).contains("from now on"));
    }
}
