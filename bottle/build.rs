//! What the linker is told about the shipped program, where it is known to take the word: the linker that Rust itself brings, which is
//! the default on this platform alone.
use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !is("TARGET", "x86_64-unknown-linux-gnu") || !is("PROFILE", "release") {
        return;
    }
    // Functions of the same instructions are one: generic code makes thousands of them.
    link("--icf=all");
    if libc_relocates_packed() {
        // Seventy thousand addresses are moved at each start: a bit for each of them, not 24 bytes.
        link("-z,pack-relative-relocs");
    }
}

fn link(word: &str) {
    println!("cargo:rustc-link-arg-bins=-Wl,{word}");
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
