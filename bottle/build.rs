//! What the linker is told about the shipped program.
use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("TARGET", "x86_64-unknown-linux-gnu") && is("PROFILE", "release") && libc_relocates_packed() {
        // Seventy thousand addresses are moved at each start: a bit for each of them, not 24 bytes. Linkers that do not know
        // the word say so and go on.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// glibc can since 2.36; with an older one inside, the program would die at its first instruction.
fn libc_relocates_packed() -> bool {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let said = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let version = said.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    let number = |text: &str| text.parse::<u32>().ok();
    version
        .and_then(|(major, minor)| Some((number(major)?, number(minor)?)))
        .is_some_and(|have| have >= (2, 36))
}
