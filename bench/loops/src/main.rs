//! Inner loops of the request path, counted in instructions, which are the same on a busy machine and a quiet one.
//!
//! `loops one NAME COUNT` runs one of them so many times and says nothing. `loops [--save] [--apart MINT REQUESTS]` runs each under
//! callgrind twice, a few times and more often; what lies between is the loop alone, without what was built for it. It prints
//! a Markdown table beside `baseline.toml`; `--save` writes that file anew.
mod baseline;
mod callgrind;
mod decide;
mod line;
mod scan;
mod swap;
mod table;

use baseline::Baseline;
use std::process::ExitCode;
use table::Row;

/// A loop: what it is called, how often it is run at least to be counted, and itself.
struct Loop {
    name: &'static str,
    times: u32,
    run: fn(u32),
}

const LOOPS: &[Loop] = &[
    Loop { name: "normalise", times: 400, run: decide::normalise },
    Loop { name: "normalise, escaped", times: 400, run: decide::normalise_escaped },
    Loop { name: "decide, 10 routes", times: 400, run: decide::among_10 },
    Loop { name: "decide, 10,000 routes", times: 400, run: decide::among_10_000 },
    Loop { name: "scan a head", times: 40, run: scan::head },
    Loop { name: "scan 1 KiB of JSON", times: 40, run: scan::small },
    Loop { name: "scan 1 KiB of JSON at once", times: 40, run: scan::small_at_once },
    Loop { name: "scan 64 KiB of JSON", times: 2, run: scan::json },
    Loop { name: "scan 64 KiB of base64", times: 2, run: scan::base64 },
    Loop { name: "scan 64 KiB of noise", times: 2, run: scan::noise },
    Loop { name: "scrub 1 KiB of JSON", times: 40, run: scan::scrub_small },
    Loop { name: "scrub 64 KiB of JSON", times: 4, run: scan::scrub },
    Loop { name: "inject", times: 400, run: swap::inject },
    Loop { name: "audit line", times: 400, run: line::line },
];

/// In programs of their own: the crate that mints and serves is not built for this, it is taken as the tests have built it.
const APART: [(&str, u32); 3] =
    [("mint", 4), ("16 requests, from end to end", 10), ("16 requests, upstream HTTP/1.1", 10)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["one", name, count] => one(name, count),
        [] => count(None, false),
        ["--save"] => count(None, true),
        ["--apart", mint, requests] => count(Some([mint, requests, requests]), false),
        ["--save", "--apart", mint, requests] => count(Some([mint, requests, requests]), true),
        _ => Err("usage: loops [--save] [--apart MINT REQUESTS] | loops one NAME COUNT".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn one(name: &str, count: &str) -> Result<(), String> {
    let count = count.parse().map_err(|_| format!("`{count}` is no number"))?;
    let known =
        LOOPS.iter().find(|one| one.name == name).ok_or_else(|| format!("no loop is called `{name}`"))?;
    (known.run)(count);
    Ok(())
}

fn count(apart: Option<[&str; APART.len()]>, save: bool) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let own = own.display().to_string();
    let mut jobs: Vec<(&str, &str, u32)> =
        LOOPS.iter().map(|one| (own.as_str(), one.name, one.times)).collect();
    let apart = apart.into_iter().flatten().zip(APART);
    jobs.extend(apart.map(|(program, (name, times))| (program, name, times)));
    let counts = callgrind::count_all(&jobs)?;
    let baseline = Baseline::read()?;
    let rows: Vec<Row> = jobs
        .iter()
        .zip(counts)
        .map(|((_, name, _), count)| Row { name: (*name).to_owned(), count, before: baseline.of(name) })
        .collect();
    print!("{}", table::print(&rows));
    if save { Baseline::write(&rows) } else { Ok(()) }
}
