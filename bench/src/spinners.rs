//! Processes that keep every core awake and yield to whatever else wants to run (SCHED_IDLE, sched(7)).
use crate::child::Process;
use crate::stage::myself;
use anyhow::Result;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// One for each core, for as long as this lives.
pub(crate) struct Spinners {
    _processes: Vec<Process>,
}

impl Spinners {
    /// Starts them by chrt(1), which is part of util-linux.
    pub(crate) fn start() -> Result<Spinners> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let spin = myself("spin")?;
        let processes = (0..cores)
            .map(|_| {
                let mut command = Command::new("chrt");
                command.args(["--idle", "0"]).arg(spin.get_program()).args(spin.get_args());
                Process::spawn(&mut command)
            })
            .collect::<Result<_>>()?;
        thread::sleep(Duration::from_millis(20));
        Ok(Spinners { _processes: processes })
    }
}

/// What such a process does.
pub(crate) fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
