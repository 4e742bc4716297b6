use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn ca(common_name: &str) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "bot-bottle");
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    let key = rcgen::KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").pem()
}

fn debian() -> HostTrust {
    HostTrust {
        bundle_pem: Some(format!("{}{}", ca("public one"), ca("public two"))),
        bundle_paths: vec![BUNDLE_PATH.into()],
        hash_folders: vec!["/etc/ssl/certs".into()],
        taken_links: Vec::new(),
        java_stores: Vec::new(),
    }
}

fn provided(host: &HostTrust, env: &BTreeMap<String, String>) -> (String, Provision) {
    let ca_pem = ca("bottle dev");
    let code_hosts = ["github.com".to_owned()];
    let provision = provision(&ProvisionInput {
        ca_pem: &ca_pem,
        host,
        code_hosts: &code_hosts,
        env,
        egress_port: EGRESS_PORT,
        tools: &[],
    });
    (ca_pem, provision)
}

fn content<'a>(provision: &'a Provision, path: &str) -> &'a [u8] {
    let file = provision.files.iter().find(|file| file.path == Path::new(path));
    &file.unwrap_or_else(|| panic!("no file at {path}")).content
}

#[test]
fn every_proxy_variable_names_the_egress() {
    let (_, provision) = provided(&debian(), &BTreeMap::new());
    for name in PROXY_VARIABLES {
        assert_eq!(provision.env[name], "http://egress:9099", "{name}");
    }
    assert_eq!(provision.env["NO_PROXY"], "localhost,127.0.0.1,::1");
    assert_eq!(provision.env["no_proxy"], provision.env["NO_PROXY"]);
    assert_eq!(provision.env["NODE_USE_ENV_PROXY"], "1");
    assert_eq!(provision.env["NODE_USE_SYSTEM_CA"], "1");
}

#[test]
fn every_path_in_a_trust_variable_is_a_file_that_trusts_the_ca() {
    let (ca_pem, provision) = provided(&debian(), &BTreeMap::new());
    for name in CA_VARIABLES.iter().chain(&BUNDLE_VARIABLES) {
        let pem = String::from_utf8_lossy(content(&provision, &provision.env[*name]));
        assert!(pem.ends_with(&ca_pem), "{name}");
    }
    assert_eq!(content(&provision, CA_PATH), ca_pem.as_bytes());
}

#[test]
fn the_bundle_keeps_the_roots_of_the_host() {
    let host = debian();
    let (ca_pem, provision) = provided(&host, &BTreeMap::new());
    let bundle = String::from_utf8_lossy(content(&provision, BUNDLE_PATH)).into_owned();
    assert_eq!(bundle, format!("{}{ca_pem}", host.bundle_pem.expect("a bundle")));
    assert!(provision.missing.is_empty(), "{:?}", provision.missing);
}

#[test]
fn a_bundle_without_a_last_newline_does_not_swallow_the_ca() {
    assert_eq!(with_ca("A", "B\n"), "A\nB\n");
    assert_eq!(with_ca("A\n", "B\n"), "A\nB\n");
    assert_eq!(with_ca("", "B\n"), "B\n");
}

#[test]
fn a_host_without_roots_is_said_and_the_ca_is_trusted_all_the_same() {
    let host = HostTrust { bundle_pem: None, ..debian() };
    let (ca_pem, provision) = provided(&host, &BTreeMap::new());
    assert_eq!(content(&provision, BUNDLE_PATH), ca_pem.as_bytes());
    assert_eq!(provision.missing.len(), 1);
    assert!(provision.missing[0].contains("no bundle of public roots"));
}

// The number is what `openssl x509 -subject_hash` prints for this subject, odd spaces and capitals included.
#[test]
fn the_hash_link_has_the_name_that_openssl_looks_for() {
    let der = first_certificate(&ca(" Bottle  CA Of   Dev ")).expect("a certificate");
    assert_eq!(x509::subject_hash(&der).as_deref(), Some("5dfbc0ee"));
}

#[test]
fn the_hash_link_takes_the_first_free_number() {
    let folder = Path::new("/c");
    assert_eq!(free_link("aa", folder, &[]), "aa.0");
    assert_eq!(free_link("aa", folder, &["/c/aa.0".into(), "/c/aa.1".into(), "/d/aa.2".into()]), "aa.2");
}

#[test]
fn a_certificate_that_cannot_be_read_has_no_hash_and_that_is_said() {
    let host = debian();
    let env = BTreeMap::new();
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let provision = provision(&ProvisionInput {
        ca_pem: cut,
        host: &host,
        code_hosts: &[],
        env: &env,
        egress_port: EGRESS_PORT,
        tools: &[],
    });
    assert!(provision.missing.iter().any(|clause| clause.contains("no OpenSSL hash")));
}

#[test]
fn the_java_store_holds_every_root_and_its_digest_is_right() {
    let (ca_pem, provision) = provided(&debian(), &BTreeMap::new());
    let store = content(&provision, JAVA_STORE_PATH);
    assert_eq!(store[..12], [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 3]);
    let der = first_certificate(&ca_pem).expect("a certificate");
    assert!(store.windows(der.len()).any(|window| window == der));
    assert!(
        provision.env["JAVA_TOOL_OPTIONS"].contains("-Djavax.net.ssl.trustStore=/etc/bottle/java/cacerts ")
    );
}

#[test]
fn javas_own_stores_are_laid_over_where_they_are() {
    let host = HostTrust { java_stores: vec!["/etc/ssl/certs/java/cacerts".into()], ..debian() };
    let (_, provision) = provided(&host, &BTreeMap::new());
    assert!(provision.env["JAVA_TOOL_OPTIONS"].contains("trustStore=/etc/ssl/certs/java/cacerts "));
    assert!(!content(&provision, "/etc/ssl/certs/java/cacerts").is_empty());
    assert!(provision.files.iter().all(|file| file.path != Path::new(JAVA_STORE_PATH)));
}

#[test]
fn options_and_git_settings_of_the_manifest_are_kept() {
    let env = BTreeMap::from([
        ("JAVA_TOOL_OPTIONS".to_owned(), "-Xmx1g".to_owned()),
        ("GIT_CONFIG_COUNT".to_owned(), "2".to_owned()),
    ]);
    let (_, provision) = provided(&debian(), &env);
    assert!(provision.env["JAVA_TOOL_OPTIONS"].starts_with("-Xmx1g -D"));
    assert_eq!(provision.env["GIT_CONFIG_COUNT"], "5");
    assert_eq!(provision.env["GIT_CONFIG_KEY_2"], "url.https://github.com/.insteadOf");
    assert!(!provision.env.contains_key("GIT_CONFIG_KEY_1"));
}

#[test]
fn both_ssh_spellings_of_a_code_host_become_https() {
    let (_, provision) = provided(&debian(), &BTreeMap::new());
    let values: Vec<_> = (0..3).map(|n| provision.env[&format!("GIT_CONFIG_VALUE_{n}")].as_str()).collect();
    assert_eq!(values, ["ssh://git@github.com/", "git@github.com:", "ssh://github.com/"]);
}

#[test]
fn without_code_hosts_git_is_left_alone() {
    assert!(git::rewrites(&[], &BTreeMap::new()).is_empty());
}

#[test]
fn chromium_gets_a_policy_that_is_json_with_the_certificate() {
    let (_, provision) = provided(&debian(), &BTreeMap::new());
    let policy = content(&provision, "/etc/chromium/policies/managed/bottle.json");
    let policy: serde_json::Value = serde_json::from_slice(policy).expect("JSON");
    assert!(policy["CACertificates"][0].as_str().is_some_and(|der| der.starts_with("MII")));
}

#[test]
fn nothing_provided_is_writable_or_secret() {
    let (_, provision) = provided(&debian(), &BTreeMap::new());
    for file in &provision.files {
        assert_eq!(file.mode, 0o644, "{}", file.path.display());
        assert!(!String::from_utf8_lossy(&file.content).contains("PRIVATE KEY"), "{}", file.path.display());
    }
}

#[test]
fn a_host_is_read_without_links_and_each_file_once() {
    let root = tempfile::tempdir().expect("a folder");
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("etc/pki/tls/certs")).expect("folders");
    fs::create_dir_all(at("etc/pki/ca-trust/extracted/pem")).expect("folders");
    fs::create_dir_all(at("etc/ssl")).expect("folders");
    fs::write(at("etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"), "ROOTS").expect("a bundle");
    symlink("../../ca-trust/extracted/pem/tls-ca-bundle.pem", at("etc/pki/tls/certs/ca-bundle.crt"))
        .expect("a link");
    symlink("../pki/tls/certs", at("etc/ssl/certs")).expect("a link");
    fs::write(at("etc/pki/tls/certs/01234567.0"), "").expect("a hash link");

    let host = HostTrust::read_below(root.path());
    assert_eq!(host.bundle_pem.as_deref(), Some("ROOTS"));
    let paths: Vec<_> = host.bundle_paths.iter().map(|path| path.to_string_lossy()).collect();
    let real = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem";
    assert_eq!(paths, [real, "/etc/pki/tls/certs/ca-certificates.crt"]);
    assert_eq!(host.hash_folders, [Path::new("/etc/pki/tls/certs")]);
    assert_eq!(host.taken_links, [Path::new("/etc/pki/tls/certs/01234567.0")]);
    assert!(host.java_stores.is_empty());
}

#[test]
fn an_empty_host_still_gets_its_files_somewhere() {
    let root = tempfile::tempdir().expect("a folder");
    let host = HostTrust::read_below(root.path());
    assert_eq!(host.bundle_paths, [Path::new(BUNDLE_PATH)]);
    assert_eq!(host.hash_folders, [Path::new("/etc/ssl/certs")]);
}

#[test]
fn a_link_out_of_the_root_is_not_followed() {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("etc/ssl")).expect("folders");
    symlink("/etc/hostname", root.path().join("etc/ssl/cert.pem")).expect("a link");
    let host = HostTrust::read_below(root.path());
    assert!(host.bundle_paths.iter().all(|path| !path.ends_with("hostname")));
}
