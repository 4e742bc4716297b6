//! The product as it ships: its own process, its own manifest, everything on; or with rules off as far as a manifest can say so.
use crate::child::Process;
use crate::pki::DOMAIN;
use crate::upstream::CREDENTIAL;
use crate::way::{Way, Who};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a manifest for a measurement says.
pub(crate) struct Manifest<'a> {
    /// Where the upstream is.
    pub(crate) upstream: SocketAddr,
    /// The folder with `upstream.pem`.
    pub(crate) pki: &'a Path,
    /// Whether rules and the look for instructions are on, as they are by default.
    pub(crate) dlp: bool,
    /// Routes to other hosts before the one that is used.
    pub(crate) other_routes: usize,
    /// Names of the upstream, below the domain.
    pub(crate) names: &'a [String],
}

/// A secret besides the credential, sought in what leaves. Made up.
pub(crate) const OTHER_SECRET: &str = "bench-other-secret-fedcba9876543210";

/// The program, and a folder of its own for all that it writes.
pub(crate) struct Product {
    /// Path of `bottle`.
    pub(crate) program: PathBuf,
    folder: PathBuf,
}

impl Product {
    /// With this program; what it writes goes below `folder`.
    pub(crate) fn new(program: &Path, folder: &Path) -> Result<Product> {
        for part in ["state", "runtime", "home", "empty"] {
            let part = folder.join(part);
            fs::create_dir_all(&part)?;
            fs::set_permissions(&part, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        }
        Ok(Product { program: program.to_owned(), folder: folder.to_owned() })
    }

    /// A command of it that touches nothing of this user's.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).env_clear();
        command.env("HOME", self.folder.join("home")).env("PATH", "/usr/bin:/bin");
        command.env("XDG_STATE_HOME", self.folder.join("state"));
        command.env("XDG_RUNTIME_DIR", self.folder.join("runtime"));
        command.env("BENCH_TOKEN", CREDENTIAL);
        command
    }

    /// Writes a manifest under this name; its path.
    pub(crate) fn write(&self, name: &str, manifest: &Manifest<'_>) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(folder.join("workspace"))?;
        fs::write(self.folder.join("secrets.env"), format!("OTHER={OTHER_SECRET}\n"))?;
        let path = folder.join("bottle.yaml");
        let text = self.text(name, manifest)?;
        // A running bottle reads its manifest again when it changes.
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(&path, text)?;
        }
        Ok(path)
    }

    fn text(&self, name: &str, manifest: &Manifest<'_>) -> Result<String> {
        let mut text = format!("name: {name}\nworkspace: ./workspace\negress:\n  routes:\n");
        for index in 0..manifest.other_routes {
            // No methods: with them, ten thousand would be more than a manifest may hold (100,000 nodes of YAML).
            writeln!(text, "    - {{ host: service-{index}.example.com, paths: [\"/v1/**\"] }}")?;
        }
        let auth = "auth: { scheme: bearer, token: { env: BENCH_TOKEN } }";
        let paths = "paths: [\"/get/**\", \"/put/**\", \"/events/**\", \"/stream/**\", \"/echo\"], methods: [GET, POST]";
        writeln!(text, "    - {{ host: \"*.{DOMAIN}\", {paths}, {auth} }}")?;
        writeln!(text, "  upstream_roots: [{}]", manifest.pki.join("upstream.pem").display())?;
        writeln!(text, "  resolve:")?;
        for label in manifest.names {
            writeln!(text, "    {label}.{DOMAIN}: \"{}\"", manifest.upstream)?;
        }
        writeln!(text, "  dlp:\n    secrets: [{{ file: {} }}]", self.folder.join("secrets.env").display())?;
        if !manifest.dlp {
            text.push_str("    responses: { prompt_injection: off }\n    rules:\n");
            for rule in self.rules()? {
                writeln!(text, "      {rule}: off")?;
            }
        }
        Ok(text)
    }

    /// The ids of all rules.
    fn rules(&self) -> Result<Vec<String>> {
        let mut command = self.command(&["scan", "--rules"]);
        // Where no manifest is, or it is read.
        command.current_dir(self.folder.join("empty"));
        let output = command.output().context("cannot run `bottle scan --rules`")?;
        let text = String::from_utf8(output.stdout)?;
        let rules: Vec<_> =
            text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        if rules.len() < 100 {
            bail!("`bottle scan --rules` lists {} rules only", rules.len());
        }
        Ok(rules)
    }

    /// Starts `bottle egress` with a manifest; the way through it.
    pub(crate) fn start(&self, who: Who, manifest: &Path) -> Result<Way> {
        let folder = manifest.parent().context("a manifest without a folder")?;
        let (ca, env) = (folder.join("ca.pem"), folder.join("env.sh"));
        let mut command = self.command(&["egress", "--quiet", "--unattended", "--listen", "127.0.0.1:0"]);
        command.arg("--manifest").arg(manifest).arg("--ca-out").arg(&ca).arg("--env-out").arg(&env);
        let (process, address) = Process::listening(command, true)?;
        Ok(Way::new(who, address, &ca, &placeholder(&env)?)?.of(process))
    }
}

/// What stands for the credential: what the agent holds, and so what the driver sends.
fn placeholder(env: &Path) -> Result<String> {
    let text = fs::read_to_string(env)?;
    let value = text.lines().find_map(|line| line.strip_prefix("export BENCH_TOKEN='")?.strip_suffix('\''));
    let value = value.context("`bottle egress` wrote no placeholder")?;
    if value == CREDENTIAL {
        bail!("`bottle egress` wrote the credential instead of a placeholder");
    }
    Ok(value.to_owned())
}
