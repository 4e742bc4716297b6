//! Registries of packages and images.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("npm-token", "npm", "npm access token")
        .seen(&["npm_"], "npm_[0-9A-Za-z]{36}").alone().random(3.8),
    Kind::new("npmrc-password", "npm", "Password or token in an .npmrc")
        .seen(&[":_authToken", ":_auth", ":_password"], r":_(?i:authtoken|auth|password)\s{0,3}=\s{0,3}[\x22']?([0-9A-Za-z+/=_.-]{16,600})").part().longest(700).random(3.4),
    Kind::new("pypi-token", "PyPI", "PyPI API token")
        .seen(&["pypi-AgEIcHlwaS5vcmc"], "pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,1000}").longest(1100).checked(checks::macaroon),
    Kind::new("testpypi-token", "TestPyPI", "TestPyPI API token")
        .seen(&["pypi-AgENdGVzdC5weXBpLm9yZ"], "pypi-AgENdGVzdC5weXBpLm9yZ[0-9A-Za-z_-]{50,1000}").longest(1100).checked(checks::macaroon),
    Kind::new("rubygems-key", "RubyGems", "RubyGems API key")
        .seen(&["rubygems_"], "rubygems_[0-9a-f]{48}").random(3.0),
    Kind::new("crates-io-token", "crates.io", "crates.io API token")
        .seen(&["cio"], bounded!("cio[0-9A-Za-z]{32}")).part().alone().random(3.9).checked(checks::all_sorts),
    Kind::new("nuget-key", "NuGet", "NuGet API key")
        .seen(&["oy2"], r"(oy2[0-9a-z]{43})(?:[^0-9A-Za-z]|\z)").part().alone().random(3.6).checked(checks::letters_and_digits),
    Kind::new("docker-personal-token", "Docker", "Docker personal access token")
        .seen(&["dckr_pat_"], "dckr_pat_[0-9A-Za-z_-]{27}").random(3.4),
    Kind::new("docker-organisation-token", "Docker", "Docker organisation access token")
        .seen(&["dckr_oat_"], "dckr_oat_[0-9A-Za-z_-]{32}").random(3.4),
    Kind::new("docker-config-auth", "Docker", "Registry password in a Docker config")
        .seen(&["auths"], r"auths[\\\x22']{1,4}\s{0,4}:\s{0,4}\{\s{0,40}[\\\x22']{1,4}[^\s\\\x22']{1,200}[\\\x22']{1,4}\s{0,4}:\s{0,4}\{\s{0,40}[\\\x22']{1,4}auth[\\\x22']{1,4}\s{0,4}:\s{0,4}[\\\x22']{1,4}([0-9A-Za-z+/]{12,1000}={0,2})").part().longest(1400).checked(checks::basic_auth),
    Kind::new("clojars-token", "Clojars", "Clojars deploy token")
        .seen(&["CLOJARS_"], "CLOJARS_[0-9a-z]{60}").random(3.8),
    Kind::new("packagist-token", "Packagist", "Private Packagist token")
        .seen(&["packagist_"], "packagist_(?:ack|ort|out|uut)_[0-9a-f]{60,80}").random(3.0),
    Kind::new("hex-key", "Hex", "Hex (Elixir) API key")
        .seen(&["hex_api", "hexpm"], named!("hex_api|hexpm", "[0-9a-f]{32}")).part().random(3.0),
    Kind::new("artifactory-key", "JFrog", "Artifactory API key")
        .seen(&["AKCp"], "AKCp[0-9A-Za-z]{69}").alone().random(4.2),
    Kind::new("artifactory-reference-token", "JFrog", "Artifactory reference token")
        .seen(&["cmVmdGtuOj"], "cmVmdGtuOj[0-9A-Za-z]{54}").alone().random(4.0),
    Kind::new("buf-token", "Buf", "Buf registry token")
        .seen(&["buf_token"], named!("buf_token", "[0-9a-f]{64}")).part().random(3.0),
    Kind::new("terraform-cloud-token", "HashiCorp", "HCP Terraform API token")
        .seen(&[".atlasv1."], r"[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{60,70}").lead(14).random(4.2),
    Kind::new("pulumi-token", "Pulumi", "Pulumi access token")
        .seen(&["pul-"], "pul-[0-9a-f]{40}").alone().random(3.0),
    Kind::new("infracost-key", "Infracost", "Infracost API key")
        .seen(&["ico-"], bounded!("ico-[0-9A-Za-z]{32}")).part().alone().random(3.8),
];
