//! Commands that print a secret.
use super::answer::Answer;
use super::file::reason;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const LARGEST: usize = 64 * 1024;
/// So much of what it says on standard error is shown.
const SHOWN: usize = 400;
/// How long whatever it left behind may keep its output open.
const LEFT_BEHIND: Duration = Duration::from_secs(1);
const LONGEST_NAP: Duration = Duration::from_millis(20);

/// Runs it, without a shell, with nothing to read, and in `/`: in the project it would find what the agent wrote
/// (modules that an interpreter loads from the current folder, settings of tools, a script by a relative name).
pub(crate) fn fetch(argv: &[String], limit: Duration) -> Result<Answer, String> {
    let Some(program) = argv.first() else {
        return Err("the command is empty; name a program".to_owned());
    };
    let running = Running::start(program, &argv[1..])?;
    let ended = running.end(limit).map_err(|why| format!("`{program}` {why}"))?;
    if !ended.status.success() {
        return Err(format!("`{program}` failed ({}){}", ended.status, ended.said()));
    }
    Answer::printed(&ended.output).map_err(|why| format!("`{program}` ran, but {why}{}", ended.said()))
}

/// The files that names of programs have led to. Each leads to the same one for the life of this process: the agent may
/// write into a folder of the `PATH` (an activated environment of the workspace), and what it puts there is not to be run.
#[derive(Default)]
struct Programs(Mutex<BTreeMap<String, PathBuf>>);

static PROGRAMS: Programs = Programs(Mutex::new(BTreeMap::new()));

impl Programs {
    fn find(&self, folders: &OsStr, program: &str) -> Option<PathBuf> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.get(program) {
            return Some(file.clone());
        }
        let file = locate(folders, program)?;
        known.insert(program.to_owned(), file.clone());
        Some(file)
    }
}

/// Folders of the `PATH` that are relative do not count: they are the agent's.
fn locate(folders: &OsStr, program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return std::path::absolute(program).ok();
    }
    std::env::split_paths(folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Where commands run: in the workspace many a program reads what to do from files that the agent writes.
const FOLDER: &str = "/";

/// A command and the two threads that listen to it.
struct Running {
    child: Child,
    output: Ear,
    error: Ear,
    closed: Receiver<()>,
}

struct Ended {
    status: ExitStatus,
    output: Zeroizing<Vec<u8>>,
    error: Zeroizing<Vec<u8>>,
}

impl Ended {
    /// What it said on standard error, fit for a terminal.
    fn said(&self) -> String {
        let said = neutral(&String::from_utf8_lossy(&self.error));
        if said.is_empty() { String::new() } else { format!(": {said}") }
    }
}

impl Running {
    /// In a process group of its own, so that its children end with it.
    fn start(program: &str, arguments: &[String]) -> Result<Running, String> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let file = PROGRAMS.find(&folders, program).ok_or_else(|| {
            format!("`{program}` cannot be run: no folder of `PATH` has it; install it or mend the command")
        })?;
        let mut child = Command::new(file)
            .arg0(program)
            .args(arguments)
            .current_dir(FOLDER)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                format!("`{program}` cannot be run: {}; install it or mend the command", reason(&error))
            })?;
        let (close, closed) = channel();
        let output = Ear::listen(child.stdout.take(), close.clone());
        let error = Ear::listen(child.stderr.take(), close);
        Ok(Running { child, output, error, closed })
    }

    fn end(mut self, limit: Duration) -> Result<Ended, String> {
        let outcome = self.wait_for_exit(limit).and_then(|()| self.wait_for_silence());
        if outcome.is_err() {
            self.kill_group();
        }
        let status = self.child.wait().map_err(|error| format!("was lost: {}", reason(&error)))?;
        outcome.map(|()| Ended { status, output: self.output.heard(), error: self.error.heard() })
    }

    fn wait_for_exit(&self, limit: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let mut nap = Duration::from_millis(1);
        while !self.exited()? {
            if self.output.too_much() {
                return Err(format!("prints more than {LARGEST} bytes; let it print the token alone"));
            }
            if begun.elapsed() >= limit {
                return Err(format!("gave no answer within {} s; does it wait for input?", limit.as_secs()));
            }
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
        Ok(())
    }

    /// Looks without reaping: until then the number of the group is surely its own.
    fn exited(&self) -> Result<bool, String> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
            Ok(status) => Ok(status.is_some()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(format!("was lost: {}", error.kind())),
        }
    }

    /// Both outputs closed; a child in the background may keep them open.
    fn wait_for_silence(&self) -> Result<(), String> {
        let patience = Instant::now() + LEFT_BEHIND;
        for _ in 0..2 {
            let left = patience.saturating_duration_since(Instant::now());
            if self.closed.recv_timeout(left).is_err() {
                return Err("ended, but left a process behind that keeps its output open".to_owned());
            }
        }
        if self.output.too_much() {
            return Err(format!("prints more than {LARGEST} bytes; let it print the token alone"));
        }
        Ok(())
    }

    fn kill_group(&self) {
        // It may have ended by itself; nothing is left to do then.
        let _ended = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

/// Reads one output in a thread of its own.
struct Ear {
    heard: Arc<Mutex<Zeroizing<Vec<u8>>>>,
    too_much: Arc<AtomicBool>,
}

impl Ear {
    fn listen(pipe: Option<impl Read + Send + 'static>, close: Sender<()>) -> Ear {
        // All the room from the start: a growing buffer leaves copies behind.
        let heard = Arc::new(Mutex::new(Zeroizing::new(Vec::with_capacity(LARGEST))));
        let ear = Ear { heard, too_much: Arc::default() };
        let (heard, too_much) = (ear.heard.clone(), ear.too_much.clone());
        thread::spawn(move || {
            if let Some(pipe) = pipe {
                hear(pipe, &heard, &too_much);
            }
            // Nobody listens any more when the command was given up.
            let _gone = close.send(());
        });
        ear
    }

    fn too_much(&self) -> bool {
        self.too_much.load(Ordering::Acquire)
    }

    fn heard(&self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads to the end, keeps what there is room for.
fn hear(mut pipe: impl Read, heard: &Mutex<Zeroizing<Vec<u8>>>, too_much: &AtomicBool) {
    let mut buffer = Zeroizing::new([0; 4096]);
    loop {
        let read = match pipe.read(&mut buffer[..]) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let room = LARGEST - heard.len().min(LARGEST);
        heard.extend_from_slice(&buffer[..read.min(room)]);
        if read > room {
            too_much.store(true, Ordering::Release);
        }
    }
}

/// One line without control and direction characters, cut.
pub(crate) fn neutral(text: &str) -> String {
    let visible = |c: char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{061c}');
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| visible(*c)).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hung_command_ends_with_all_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let number = folder.path().join("pid");
        // Longer than the patience below, and short enough that a broken limit is a red test and no hang.
        let script = format!("sleep 20 & echo $! > {}; wait", number.display());
        let argv = ["sh", "-c", &script].map(str::to_owned);
        let begun = Instant::now();
        let why = fetch(&argv, Duration::from_secs(1)).err().unwrap();
        assert_eq!(why, "`sh` gave no answer within 1 s; does it wait for input?");
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(number).unwrap().trim());
        let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
        while runs() {
            assert!(begun.elapsed() < Duration::from_secs(10), "its child still runs");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Threat 26: the working folder is the agent's.
    #[test]
    fn relative_folders_of_the_path_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let planted = folder.path().join("token-tool");
        std::fs::write(&planted, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&planted, std::fs::Permissions::from_mode(0o755)).unwrap();
        let up = "../".repeat(40);
        let relative = format!("{up}{}", folder.path().display());
        assert!(Path::new(&relative).join("token-tool").is_file(), "it is there to be found");
        assert_eq!(locate(OsStr::new(&format!("{relative}::.")), "token-tool"), None);
        assert_eq!(locate(folder.path().as_os_str(), "token-tool"), Some(planted.clone()));
        std::fs::set_permissions(&planted, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(locate(folder.path().as_os_str(), "token-tool"), None, "not executable");
    }

    /// Threat 26: what the agent puts into a folder of the `PATH` later is never run.
    #[test]
    fn a_program_stays_the_file_that_it_was_at_the_start() {
        let (programs, path) = (Programs::default(), OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        let first = programs.find(path, "sh").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let planted = folder.path().join("sh");
        std::fs::copy(&first, &planted).unwrap();
        assert_eq!(locate(folder.path().as_os_str(), "sh"), Some(planted));
        assert_eq!(programs.find(folder.path().as_os_str(), "sh"), Some(first));
    }

    #[test]
    fn what_a_command_says_cannot_move_the_cursor_or_turn_the_line() {
        assert_eq!(neutral("\x1b]0;title\x07a\r\n\tb\u{202e}c\u{9b}1m\u{200b}"), "]0;title a bc 1m");
        assert_eq!(neutral(&"é".repeat(1000)).chars().count(), SHOWN + 1);
    }
}
