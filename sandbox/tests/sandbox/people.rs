//! Who runs the scenarios.
use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

/// A user of the test's own, whom no account of the machine has.
const ORDINARY: u32 = 47_011;

#[derive(Clone)]
pub(crate) struct Person {
    uid: u32,
    program: Option<PathBuf>,
}

/// Both when the tests run as root; without root, root's part is listed as ignored.
pub(crate) fn people() -> Vec<Person> {
    let me = rustix::process::getuid().as_raw();
    let program = std::env::current_exe().expect("this program's path");
    if me != 0 {
        return vec![Person { uid: me, program: Some(program) }, Person { uid: 0, program: None }];
    }
    vec![
        Person { uid: 0, program: Some(program.clone()) },
        Person { uid: ORDINARY, program: Some(shared(&program)) },
    ]
}

/// Where an ordinary user can execute this program: the build folder may be root's alone.
fn shared(program: &PathBuf) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(program).expect("this program's age");
    let stamp =
        about.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).expect("a time");
    let folder = std::env::temp_dir().join(format!("bottle-tests-{}-{}", stamp.as_nanos(), about.len()));
    let copy = folder.join("sandbox");
    if !copy.exists() {
        std::fs::create_dir_all(&folder).expect("a folder for the program");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("readable");
        let part = folder.join(format!("part-{}", std::process::id()));
        std::fs::copy(program, &part).expect("a copy of the program");
        std::fs::rename(part, &copy).expect("the copy in place");
    }
    copy
}

impl Person {
    pub(crate) fn missing(&self) -> bool {
        self.program.is_none()
    }

    /// Plays a scenario in a process of its own.
    pub(crate) fn play(&self, scenario: &str) -> Result<(), String> {
        let program = self.program.as_ref().ok_or("needs root")?;
        let mut command = Command::new(program);
        command.args(["__scenario", scenario]).current_dir("/");
        if self.uid != rustix::process::getuid().as_raw() {
            command.uid(self.uid).gid(self.uid).env("HOME", "/nonexistent");
        }
        let output = command.output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&said)))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.uid == 0 { "root" } else { "ordinary" })
    }
}
