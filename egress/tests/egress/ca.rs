//! Certificates: what strict clients accept, and that a session of one name is worth nothing for another.
use egress::CertificateAuthority;
use policy::Host;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn name(text: &str) -> Host {
    Host::parse(text).unwrap()
}

fn server_name(host: &Host) -> ServerName<'static> {
    match host {
        Host::Name(name) => ServerName::try_from(name.to_string()).unwrap(),
        Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
    }
}

fn client_config(
    ca: &CertificateAuthority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    client_with(ca, versions, rustls::crypto::aws_lc_rs::default_provider())
}

fn client_with(
    ca: &CertificateAuthority,
    versions: &[&'static rustls::SupportedProtocolVersion],
    provider: CryptoProvider,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ca.certificate_der().to_vec())).unwrap();
    let provider = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// Shakes hands in memory and exchanges a byte each way, so that tickets arrive. Gives the leaf and the kind.
async fn shake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    host: &Host,
) -> std::io::Result<(CertificateDer<'static>, HandshakeKind)> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(async move {
        let mut stream = TlsAcceptor::from(server).accept(far).await?;
        stream.write_all(b"x").await?;
        stream.shutdown().await
    });
    let mut stream = TlsConnector::from(client).connect(server_name(host), near).await?;
    let mut byte = Vec::new();
    stream.read_to_end(&mut byte).await?;
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    serving.await.unwrap()?;
    Ok((leaf, kind))
}

async fn leaf_of(ca: &CertificateAuthority, host: &Host) -> CertificateDer<'static> {
    let client = client_config(ca, &[&rustls::version::TLS13]);
    shake(ca.server_config(host).unwrap(), client, host).await.unwrap().0
}

fn pem(der: &CertificateDer<'_>) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", base64_lines(der))
}

fn base64_lines(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (n, chunk) in bytes.chunks(3).enumerate() {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place <= chunk.len() { sign } else { '=' });
        }
        if n % 16 == 15 {
            text.push('\n');
        }
    }
    text + "\n"
}

fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("openssl is part of the test set-up")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn hosts() -> Vec<Host> {
    let label = "a".repeat(60);
    vec![
        name("api.example.com"),
        name("_egress.local"),
        name("egress"),
        name(&format!("{label}.{label}.{label}.example.com")),
        name("xn--bcher-kva.example"),
        Host::Ip("192.0.2.7".parse().unwrap()),
        Host::Ip("2001:db8::7".parse().unwrap()),
    ]
}

#[tokio::test]
async fn openssl_strict_accepts_ca_and_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::generate("dev-0123").unwrap();
    fs::write(folder.path().join("ca.pem"), ca.certificate_pem()).unwrap();
    let own =
        openssl(folder.path(), &["verify", "-x509_strict", "-check_ss_sig", "-CAfile", "ca.pem", "ca.pem"]);
    assert!(own.status.success(), "{}", text(&own));
    for host in hosts() {
        fs::write(folder.path().join("leaf.pem"), pem(&leaf_of(&ca, &host).await)).unwrap();
        let (kind, value) = match &host {
            Host::Name(name) => ("-verify_hostname", name.to_string()),
            Host::Ip(ip) => ("-verify_ip", ip.to_string()),
        };
        let arguments = [
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            kind,
            &value,
            "-CAfile",
            "ca.pem",
            "leaf.pem",
        ];
        let verified = openssl(folder.path(), &arguments);
        assert!(verified.status.success(), "{host}: {}", text(&verified));
    }
}

#[tokio::test]
async fn openssl_refuses_a_leaf_for_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::generate("dev").unwrap();
    fs::write(folder.path().join("ca.pem"), ca.certificate_pem()).unwrap();
    fs::write(folder.path().join("leaf.pem"), pem(&leaf_of(&ca, &name("a.example.com")).await)).unwrap();
    let arguments =
        ["verify", "-x509_strict", "-verify_hostname", "b.example.com", "-CAfile", "ca.pem", "leaf.pem"];
    assert!(!openssl(folder.path(), &arguments).status.success());
}

#[tokio::test]
async fn extensions_are_as_designed() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::generate("dev").unwrap();
    fs::write(folder.path().join("ca.pem"), ca.certificate_pem()).unwrap();
    let shown = text(&openssl(folder.path(), &["x509", "-in", "ca.pem", "-noout", "-text"]));
    assert!(shown.contains("Basic Constraints: critical\n                CA:TRUE, pathlen:0"), "{shown}");
    assert!(shown.contains("Key Usage: critical\n                Certificate Sign, CRL Sign"), "{shown}");
    let long = name(&format!("{}.{}.example.com", "b".repeat(40), "c".repeat(40)));
    fs::write(folder.path().join("leaf.pem"), pem(&leaf_of(&ca, &long).await)).unwrap();
    let shown = text(&openssl(folder.path(), &["x509", "-in", "leaf.pem", "-noout", "-text"]));
    assert!(shown.contains("Subject Alternative Name: critical"), "{shown}");
    assert!(shown.contains("Key Usage: critical\n                Digital Signature\n"), "{shown}");
    assert!(shown.contains("TLS Web Server Authentication"), "{shown}");
}

/// RFC 5280 method 1, which others compute on their own: the identifier is the SHA-1 of the key's bits.
#[test]
fn the_subject_key_identifier_is_what_openssl_would_compute() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::generate("dev").unwrap();
    fs::write(folder.path().join("ca.pem"), ca.certificate_pem()).unwrap();
    let shown =
        text(&openssl(folder.path(), &["x509", "-in", "ca.pem", "-noout", "-ext", "subjectKeyIdentifier"]));
    fs::write(folder.path().join("ext"), "subjectKeyIdentifier=hash\n").unwrap();
    let key = openssl(folder.path(), &["x509", "-in", "ca.pem", "-noout", "-pubkey"]);
    fs::write(folder.path().join("pub.pem"), key.stdout).unwrap();
    let own = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "k",
        "-subj",
        "/CN=t",
        "-out",
        "c",
    ];
    assert!(openssl(folder.path(), &own).status.success());
    let again = [
        "x509",
        "-in",
        "c",
        "-force_pubkey",
        "pub.pem",
        "-signkey",
        "k",
        "-clrext",
        "-extfile",
        "ext",
        "-out",
        "d",
    ];
    let made = openssl(folder.path(), &again);
    assert!(made.status.success(), "{}", text(&made));
    assert_eq!(
        shown,
        text(&openssl(folder.path(), &["x509", "-in", "d", "-noout", "-ext", "subjectKeyIdentifier"]))
    );
}

#[tokio::test]
async fn python_strict_accepts_the_leaf() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::generate("dev").unwrap();
    fs::write(folder.path().join("ca.pem"), ca.certificate_pem()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(ca.server_config(&name("api.example.com")).unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        // The client may have closed first.
        let _closed = stream.shutdown().await;
    });
    let script = format!(
        "import socket, ssl\ncontext = ssl.create_default_context(cafile='ca.pem')\n\
         context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN\n\
         raw = socket.create_connection(('127.0.0.1', {port}))\n\
         print(context.wrap_socket(raw, server_hostname='api.example.com').version())\n"
    );
    let folder_path = folder.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || python(&folder_path, &script)).await.unwrap();
    assert!(ran.status.success() && text(&ran).contains("TLSv1.3"), "{}", text(&ran));
    serving.await.unwrap();
}

/// The newest Python there is; from 3.13 on it is strict by itself.
fn python(folder: &Path, script: &str) -> Output {
    let run = |program: &str| Command::new(program).current_dir(folder).args(["-c", script]).output();
    let newest = Command::new("python3.13").arg("--version").output().is_ok_and(|o| o.status.success());
    run(if newest { "python3.13" } else { "python3" }).expect("python3 is part of the test set-up")
}

#[tokio::test]
async fn a_session_of_one_name_is_not_taken_for_another() {
    let ca = CertificateAuthority::generate("dev").unwrap();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = client_config(&ca, &[version]);
        let host = name("a.example.com");
        let first = ca.server_config(&host).unwrap();
        assert_eq!(shake(first.clone(), client.clone(), &host).await.unwrap().1, HandshakeKind::Full);
        assert_eq!(shake(first, client.clone(), &host).await.unwrap().1, HandshakeKind::Resumed);
        // The same client, with the ticket for a.example.com, reaches the configuration of another name.
        let other = ca.server_config(&name("b.example.com")).unwrap();
        let stolen = shake(other, client, &host).await;
        assert!(stolen.is_err(), "a ticket of one name opened another: {stolen:?}");
    }
}

/// Whatever the client would rather have; and who has nothing else gets what it has.
#[tokio::test]
async fn the_cheapest_cipher_suite_is_agreed_upon() {
    let ca = CertificateAuthority::generate("dev").unwrap();
    let host = name("a.example.com");
    for (version, cheap, other) in [
        (&rustls::version::TLS13, "TLS13_AES_128_GCM_SHA256", "TLS13_CHACHA20_POLY1305_SHA256"),
        (
            &rustls::version::TLS12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ),
    ] {
        for (known, expected) in [(None, cheap), (Some(other), other)] {
            let mut provider = rustls::crypto::aws_lc_rs::default_provider();
            let is_known = |suite: &str| known.is_none_or(|known| known == suite);
            provider.cipher_suites.retain(|suite| is_known(&format!("{:?}", suite.suite())));
            let client = client_with(&ca, &[version], provider);
            let (near, far) = tokio::io::duplex(64 * 1024);
            let server = ca.server_config(&host).unwrap();
            let serving = tokio::spawn(async move { TlsAcceptor::from(server).accept(far).await.map(drop) });
            let stream = TlsConnector::from(client).connect(server_name(&host), near).await.unwrap();
            let agreed = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
            assert_eq!(format!("{agreed:?}"), expected);
            serving.await.unwrap().unwrap();
        }
    }
}

#[test]
fn a_host_keeps_its_configuration() {
    let ca = CertificateAuthority::generate("dev").unwrap();
    let first = ca.server_config(&name("a.example.com")).unwrap();
    assert!(Arc::ptr_eq(&first, &ca.clone().server_config(&name("a.example.com")).unwrap()));
    assert!(!Arc::ptr_eq(&first, &ca.server_config(&name("b.example.com")).unwrap()));
}

/// A CA as `openssl` makes it: its certificate and key.
fn user_ca(folder: &Path, key: &[&str], subject: &str) -> (String, String) {
    let mut arguments =
        vec!["req", "-x509", "-nodes", "-days", "30", "-subj", subject, "-keyout", "k.pem", "-out", "c.pem"];
    arguments.extend(["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-newkey"]);
    arguments.extend(key);
    let made = openssl(folder, &arguments);
    assert!(made.status.success(), "{}", text(&made));
    (fs::read_to_string(folder.join("c.pem")).unwrap(), fs::read_to_string(folder.join("k.pem")).unwrap())
}

const EC: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[tokio::test]
async fn the_users_own_ca_signs_with_every_kind_of_key() {
    for key in [EC, &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], &["rsa:2048"]] {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = user_ca(folder.path(), key, "/C=CH/O=Example/CN=Own CA");
        let traditional = openssl(folder.path(), &["pkey", "-in", "k.pem", "-traditional"]);
        let traditional = String::from_utf8(traditional.stdout).unwrap();
        assert!(traditional.contains("EC PRIVATE KEY") || traditional.contains("RSA PRIVATE KEY"));
        for key in [key, traditional] {
            let ca = CertificateAuthority::load(&certificate, &key).unwrap();
            fs::write(folder.path().join("leaf.pem"), pem(&leaf_of(&ca, &name("a.example.com")).await))
                .unwrap();
            let verified =
                openssl(folder.path(), &["verify", "-x509_strict", "-CAfile", "c.pem", "leaf.pem"]);
            assert!(verified.status.success(), "{}", text(&verified));
        }
    }
}

fn refusal(certificate: &str, key: &str) -> String {
    CertificateAuthority::load(certificate, key).unwrap_err().to_string()
}

#[test]
fn an_unfit_ca_is_refused_and_the_message_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = user_ca(folder.path(), EC, "/CN=Own CA");
    let (_, other_key) = user_ca(folder.path(), EC, "/CN=Own CA");
    assert!(refusal(&certificate, &other_key).contains("key file: not the key of the certificate"));
    assert!(refusal(&certificate, "nothing").contains("key file: no private key"));
    assert!(refusal("nothing", &key).contains("certificate file: no certificate"));
    let (twice, key) = user_ca(folder.path(), EC, "/OU=one/OU=two/CN=Own CA");
    assert!(refusal(&twice, &key).contains("certificate file: its subject"), "{}", refusal(&twice, &key));
}

#[test]
fn an_expired_or_powerless_certificate_is_refused() {
    let key = KeyPair::generate().unwrap();
    let sign = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        refusal(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem())
    };
    let expired = sign(&|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    assert!(expired.contains("certificate file: expired"), "{expired}");
    let no_ca = sign(&|params| params.is_ca = IsCa::ExplicitNoCa);
    assert!(no_ca.contains("certificate file: not a CA"), "{no_ca}");
    let no_sign = sign(&|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert!(no_sign.contains("keyUsage lacks keyCertSign"), "{no_sign}");
}
