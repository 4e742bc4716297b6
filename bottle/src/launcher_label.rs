//! Which launcher a container belongs to, as a label says it: so that another process, perhaps on another machine, can
//! tell whether that launcher still lives.
use crate::failure::Failure;
use crate::process::Identity;
use sha2::{Digest as _, Sha256};
use std::os::unix::fs::MetadataExt as _;

/// What is known of a container's launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// It runs.
    Alive,
    /// It ran on this machine and is gone.
    Dead,
    /// It is, or was, where it cannot be seen from here: another machine, or another container.
    Elsewhere,
}

/// This process's label: machine, boot, PID namespace, pid, start time.
pub fn own() -> Result<String, Failure> {
    let own = Identity::own()?;
    Ok(format!("{}:{}:{}:{}:{}", machine(), own.boot, namespace(), own.pid, own.start_ticks))
}

/// What this label says, of a part at an engine that is `near`: reached without a network. Machines that are copies of one
/// another have one identity and one name, and may share an engine that is not.
pub fn look(label: &str, near: bool) -> Launcher {
    let parts: Vec<&str> = label.split(':').collect();
    let [its_machine, boot, its_namespace, pid, ticks] = parts[..] else { return Launcher::Elsewhere };
    let (Ok(pid), Ok(start_ticks)) = (pid.parse(), ticks.parse()) else { return Launcher::Elsewhere };
    if its_machine != machine() {
        return Launcher::Elsewhere;
    }
    let identity = Identity { pid, start_ticks, boot: boot.to_owned() };
    match Identity::own() {
        // Whatever ran before the last start of this machine is gone.
        Ok(own) if own.boot != identity.boot => {
            if near {
                Launcher::Dead
            } else {
                Launcher::Elsewhere
            }
        }
        Ok(_) if its_namespace != namespace().to_string() => Launcher::Elsewhere,
        Ok(_) if identity.is_alive() => Launcher::Alive,
        // Another user's, where users do not see each other's processes.
        Ok(_) if identity.is_hidden() => Launcher::Elsewhere,
        Ok(_) => Launcher::Dead,
        Err(_) => Launcher::Elsewhere,
    }
}

/// A machine's identity is not shown as it is: machine-id(5) asks for that.
fn machine() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    short_digest(format!("bot-bottle launcher\n{}\n{host}", id.trim()).as_bytes())
}

/// The beginning of a text's SHA-256, in hexadecimal: 64 bits.
pub fn short_digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/pid").map(|namespace| namespace.ino()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_whether_its_launcher_lives() {
        let own = own().expect("a label");
        assert_eq!(look(&own, true), Launcher::Alive);
        let mut parts: Vec<String> = own.split(':').map(str::to_owned).collect();
        let with = |parts: &mut Vec<String>, at: usize, what: &str| {
            let old = std::mem::replace(&mut parts[at], what.to_owned());
            let label = parts.join(":");
            parts[at] = old;
            look(&label, true)
        };
        assert_eq!(with(&mut parts, 4, "1"), Launcher::Dead);
        assert_eq!(with(&mut parts, 1, "another-boot"), Launcher::Dead);
        let copy = [parts[0].as_str(), "another-boot", &parts[2], &parts[3], &parts[4]].join(":");
        assert_eq!(look(&copy, false), Launcher::Elsewhere);
        assert_eq!(with(&mut parts, 0, "another-machine"), Launcher::Elsewhere);
        assert_eq!(with(&mut parts, 2, "1"), Launcher::Elsewhere);
        assert_eq!(look("nonsense", true), Launcher::Elsewhere);
    }
}
