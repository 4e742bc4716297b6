//! What a person must know of an engine and a layout, in the preflight.
use super::Yard;
use manifest::plan::NetworkLayout;
use sandbox::docker::facts::{Files, Kind};
use sandbox::docker::home::Home;

impl Yard<'_> {
    /// What a person must know of this engine and this layout.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("{} of {}", self.theirs.name, self.engine.described())];
        if let Files::Apart(why) = &self.facts.files {
            notes.push(format!(
                "files are the engine's own ({why}): the workspace is the folder of that path there"
            ));
            notes.push(
                "what that machine would execute is not write-protected, and the home is a volume there"
                    .into(),
            );
        }
        if self.home.is_some() && self.facts.kind == Kind::Podman && !self.run.plan.agent.tools.is_empty() {
            notes.push(
                "the bottle's tools are not entered into agents' files in that home: Podman does not tell links"
                    .into(),
            );
        }
        if let Some(Home { volume, former: Some(former) }) = &self.home {
            notes.push(format!(
                "the home is the new volume `{volume}`; `{former}` says of nobody whose it is,"
            ));
            notes.push("and is not used: copy out of it what is yours, or remove it".into());
        }
        if !(self.facts.keeps.memory && self.facts.keeps.processes) {
            notes.push("this engine bounds neither memory nor processes of its containers".into());
        }
        if self.facts.kind == Kind::Podman && !self.shares_files() {
            notes.push(
                "the filter of system calls is Podman's own, which lets `AF_VSOCK` sockets through".into(),
            );
        }
        // Docker's bridge has no address on its machine; Podman's has one with netavark, and none with CNI.
        if self.docker.network == NetworkLayout::Internal && self.facts.kind == Kind::Podman {
            notes.push(
                "network `internal`: services of the engine's machine, but for those on loopback addresses,"
                    .into(),
            );
            notes.push(
                "may be reached from inside, past the egress; `network: sealed` has no such way".into(),
            );
        }
        notes
    }
}
