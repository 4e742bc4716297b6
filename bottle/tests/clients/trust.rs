//! What a bottle provides, read by the programs that it is meant for.
use crate::bottle::{Bottle, client};

#[test]
fn every_trust_variable_names_a_file_with_the_bottles_certificate() {
    let Some(_) = client("openssl") else { return };
    let script = "for name in NODE_EXTRA_CA_CERTS DENO_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO \
                  CARGO_HTTP_CAINFO PIP_CERT AWS_CA_BUNDLE npm_config_cafile CODEX_CA_CERTIFICATE GRPC_DEFAULT_SSL_ROOTS_FILE_PATH\n\
                  do file=$(printenv $name) || { echo missing $name; continue; }\n\
                  last=$(sed -n '2p' /etc/bottle/ca.pem); grep -qF \"$last\" \"$file\" && echo ok $name || echo no ca in $name; done";
    let ran = Bottle::new("trust-variables").run(script).ended(0);
    assert_eq!(ran.said.matches("ok ").count(), 12, "{}", ran.said);
}

#[test]
fn the_bundle_inside_still_has_the_roots_of_this_machine() {
    let script = "grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt";
    let inside: usize =
        Bottle::new("trust-bundle").run(script).ended(0).said.trim().parse().expect("a number");
    let outside = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    assert_eq!(inside, outside.matches("BEGIN CERTIFICATE").count() + 1);
}

#[test]
fn keytool_reads_the_java_store_and_finds_its_digest_right() {
    let Some(keytool) = client("keytool") else { return };
    let script = format!(
        "store=$(printf '%s\\n' $JAVA_TOOL_OPTIONS | sed -n 's/^-Djavax.net.ssl.trustStore=//p')\n\
         unset JAVA_TOOL_OPTIONS; {keytool} -list -keystore \"$store\" -storepass changeit 2>/dev/null | grep -c trustedCertEntry"
    );
    let inside: usize =
        Bottle::new("trust-java").run(&script).ended(0).said.trim().parse().expect("a number");
    let outside = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    assert_eq!(inside, outside.matches("BEGIN CERTIFICATE").count() + 1);
}

#[test]
fn nothing_of_the_trust_stores_can_be_written_from_inside() {
    let script = "for file in /etc/bottle/ca.pem /etc/ssl/certs/ca-certificates.crt; do (echo x >> $file) 2>/dev/null && echo written; done; exit 0";
    let ran = Bottle::new("trust-written").run(script).ended(0);
    assert!(!ran.said.contains("written"), "{}", ran.said);
}

#[test]
fn a_certificate_of_the_bottle_passes_strict_verification() {
    let Some(openssl) = client("openssl") else { return };
    let script = format!(
        "{openssl} s_client -connect echo.test:443 -servername echo.test </dev/null 2>/dev/null | {openssl} x509 > leaf.pem\n\
         {openssl} verify -x509_strict -CAfile /etc/bottle/ca.pem leaf.pem"
    );
    Bottle::new("trust-strict").run(&script).ended(0).says("leaf.pem: OK");
}
