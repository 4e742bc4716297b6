//! Starts the machine and listens to it until it has switched itself off.
use crate::image::{self, busybox};
use crate::scene::Played;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Its own clock and ours: what takes longer has gone wrong.
const LONGEST: Duration = Duration::from_secs(300);
/// Enough for a limit of 64 MiB to be passed, with swap to spare.
const MEMORY_MIB: &str = "1024";

/// An emulator and a kernel.
#[derive(Debug)]
pub(crate) struct Machine {
    /// `vmlinuz`, and `modules/` with a list of them in the order of their loading.
    kernel: PathBuf,
}

impl Machine {
    /// Why there is none, in words for the list of what was skipped.
    pub(crate) fn find() -> Result<Machine, String> {
        let kernel = cache().join("machine");
        // `setpriv` ties the machine's life to the test's.
        for program in [EMULATOR, "setpriv"] {
            let runs = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            if !runs.is_ok_and(|status| status.success()) {
                return Err(format!("no `{program}`"));
            }
        }
        if !kernel.join("vmlinuz").is_file() {
            return Err("no kernel (tests/setup fetches one)".to_owned());
        }
        busybox().map(|_| Machine { kernel }).ok_or_else(|| "no busybox-static".to_owned())
    }

    /// Plays the scenes; gives the log of the serial line.
    ///
    /// An emulator or a kernel that dies in the middle says nothing of a bottle, which cannot do that to a kernel: what was
    /// not played to its end is played once more, and the first death is told. What hangs is not tried again.
    pub(crate) fn play(&self, scenes: &[Played]) -> Result<String, String> {
        let (mut log, death) = self.boot(scenes)?;
        if let Some(death) = death {
            eprintln!("the machine died and is started again: {death}\n{}", end_of(&log));
            let rest: Vec<Played> = scenes.iter().filter(|one| !one.has_ended(&log)).cloned().collect();
            let (second, death) = self.boot(&rest)?;
            log.push_str(&second);
            if let Some(death) = death {
                return Err(format!("the machine died twice: {death}\n{}", end_of(&log)));
            }
        }
        if let Some(file) = std::env::var_os("BOTTLE_TEST_MACHINE_LOG") {
            std::fs::write(file, &log).map_err(|error| error.to_string())?;
        }
        Ok(log)
    }

    /// One life of the machine: what it said, and how it died before it could switch itself off, if it did.
    fn boot(&self, scenes: &[Played]) -> Result<(String, Option<String>), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let archive = image::pack(folder.path(), &self.kernel, scenes, LONGEST.as_secs())
            .map_err(|error| format!("the machine's memory could not be packed: {error}"))?;
        let begun = Instant::now();
        let child = self.command(&archive).spawn().map_err(|error| error.to_string())?;
        let heard = listen(child)?;
        eprintln!("the machine ran for {} s", begun.elapsed().as_secs());
        Ok(heard)
    }

    /// Emulated whole, on any machine alike: no KVM, no device but a serial line, no network, no disk, no file of the
    /// host. It dies with the thread that waits for it.
    fn command(&self, archive: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", EMULATOR]);
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY_MIB]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot"]);
        command.args(["-serial", "stdio", "-append"]).arg(KERNEL_LINE);
        command.arg("-kernel").arg(self.kernel.join("vmlinuz")).arg("-initrd").arg(archive);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

const EMULATOR: &str = "qemu-system-x86_64";
/// A panic ends the machine; of the kernel's own messages only the gravest are said.
const KERNEL_LINE: &str = "console=ttyS0 loglevel=2 panic=-1 apparmor=0 mitigations=off ramdisk_size=262144";

/// Clients and kernels of the tests, see `tests/setup`.
fn cache() -> PathBuf {
    let given = std::env::var_os("BOTTLE_TEST_CACHE").filter(|path| !path.is_empty()).map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-clients"))
}

/// Until the machine is off. Killed by its own pid when it takes too long.
fn listen(mut child: Child) -> Result<(String, Option<String>), String> {
    let mut serial = child.stdout.take().expect("it is piped");
    let mut errors = child.stderr.take().expect("it is piped");
    let hearing = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _what_came_counts = serial.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).replace('\r', "")
    });
    let deadline = Instant::now() + LONGEST;
    let mut late = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if Instant::now() > deadline {
            late = true;
            let _ended_already = child.kill();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let log = hearing.join().unwrap_or_default();
    let mut complaint = String::new();
    let _what_came_counts = errors.read_to_string(&mut complaint);
    if !log.contains("@@ begin\n") {
        return Err(format!("the machine did not start ({status}):\n{complaint}\n{log}"));
    }
    let in_time = !late && !log.contains("@@ too long");
    let death = (in_time && !log.contains("@@ all\n")).then(|| format!("{status} {complaint}"));
    Ok((log, death))
}

/// What it said last.
fn end_of(log: &str) -> &str {
    let start = log.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
    &log[start..]
}
