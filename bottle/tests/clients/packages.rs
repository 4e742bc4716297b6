//! Package managers, against indexes of packages that the tests build.
use crate::bottle::{Bottle, arrived, client, scripts};
use crate::{tokens, world};
use std::process::Command;
use std::sync::OnceLock;

/// Laid out once for all tests.
fn laid_out() -> bool {
    static LAID_OUT: OnceLock<bool> = OnceLock::new();
    *LAID_OUT.get_or_init(|| {
        let Some(python) = client("python3") else { return false };
        let made = Command::new(python)
            .arg(scripts().join("packages.py"))
            .arg(world::world().folder().join("packages"))
            .status();
        assert!(made.expect("python runs").success());
        true
    })
}

#[track_caller]
fn installs(bottle: &Bottle, script: &str, file: &str) {
    bottle.run(script).ended(0).says("bottled by");
    arrived(world::PACKAGES, file, "authorization", &format!("Bearer {}", tokens::PACKAGES));
}

#[test]
fn pip_installs_from_a_private_index() {
    let (Some(python), true) = (client("python/bin/python"), laid_out()) else { return };
    let script = format!(
        "{python} -m pip install -q --disable-pip-version-check --target lib --index-url https://packages.test/simple bottled &&\n\
         PYTHONPATH=lib {python} -c 'import bottled; print(bottled.WORDS)'"
    );
    installs(&Bottle::new("pip"), &script, "/files/bottled-1.0-py3");
}

#[test]
fn pip_shows_why_an_index_is_refused() {
    let Some(python) = client("python/bin/python") else { return };
    let script = format!(
        "{python} -m pip install -vvv --retries 0 --index-url https://refused.test/simple bottled 2>&1; exit 0"
    );
    Bottle::new("pip-refused").run(&script).ended(0).says("403");
}

#[test]
fn npm_installs_from_a_private_registry() {
    let (Some(npm), Some(node), true) = (client("npm"), client("node"), laid_out()) else { return };
    let script = format!(
        "{npm} install --no-audit --no-fund --registry https://packages.test/npm/ bottled >&2 && {node} -p 'require(\"bottled\")'"
    );
    installs(&Bottle::new("npm").file("package.json", "{}"), &script, "/files/bottled-1.0.0.tgz");
}

#[test]
fn npm_shows_why_a_registry_is_refused() {
    let Some(npm) = client("npm") else { return };
    let script = format!(
        "{npm} install --no-audit --fetch-retries=0 --registry https://refused.test/ bottled 2>&1; exit 0"
    );
    Bottle::new("npm-refused").file("package.json", "{}").run(&script).ended(0).says("403");
}

#[test]
fn cargo_fetches_from_a_private_registry() {
    let (Some(cargo), Some(rustc), true) = (client("rust/bin/cargo"), client("rust/bin/rustc"), laid_out())
    else {
        return;
    };
    let config = "[registries.tests]\nindex = \"sparse+https://packages.test/cargo/\"\n";
    let manifest = "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                    [dependencies]\nbottled = { version = \"1\", registry = \"tests\" }\n";
    let script = format!(
        "export RUSTC={rustc} CARGO_HOME=$PWD/home; {cargo} fetch -q && cat home/registry/src/*/bottled-1.0.0/src/lib.rs"
    );
    let bottle = Bottle::new("cargo").file(".cargo/config.toml", config).file("Cargo.toml", manifest);
    installs(&bottle.file("src/lib.rs", ""), &script, "/files/bottled-1.0.0.crate");
}

#[test]
fn go_downloads_from_a_private_proxy() {
    let (Some(go), true) = (client("go"), laid_out()) else { return };
    let script = format!(
        "export GOPROXY=https://packages.test/go GOSUMDB=off GOFLAGS=-mod=mod GOPATH=$PWD/path GOCACHE=$PWD/cache GOTOOLCHAIN=local\n\
         {go} mod init user && {go} get example.test/bottled@v1.0.0 && cat path/pkg/mod/example.test/bottled@v1.0.0/bottled.go\n\
         code=$?; chmod -R u+w path; exit $code"
    );
    installs(&Bottle::new("go-get"), &script, "/go/example.test/bottled/@v/v1.0.0.zip");
}
