//! Private keys and signed tokens.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("private-key-pkcs8", "PEM", "Private key (PKCS #8)")
        .seen(&["-----BEGIN PRIVATE KEY"], r"-----BEGIN PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-rsa", "PEM", "RSA private key")
        .seen(&["-----BEGIN RSA PRIVATE"], r"-----BEGIN RSA PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END RSA PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-ec", "PEM", "Elliptic curve private key")
        .seen(&["-----BEGIN EC PRIVATE"], r"-----BEGIN EC PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END EC PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-dsa", "PEM", "DSA private key")
        .seen(&["-----BEGIN DSA PRIVATE"], r"-----BEGIN DSA PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END DSA PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-encrypted", "PEM", "Encrypted private key")
        .seen(&["-----BEGIN ENCRYPTED"], r"-----BEGIN ENCRYPTED PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END ENCRYPTED PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-openssh", "PEM", "OpenSSH private key")
        .seen(&["-----BEGIN OPENSSH"], r"-----BEGIN OPENSSH PRIVATE KEY-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END OPENSSH PRIVATE KEY-----)?").longest(16384).random(3.0),
    Kind::new("private-key-pgp", "PEM", "PGP private key")
        .seen(&["-----BEGIN PGP PRIVATE"], r"-----BEGIN PGP PRIVATE KEY BLOCK-----(?:(?:\s|\\[nr]){1,4}[0-9A-Za-z-]{4,24}: [0-9A-Za-z,. :-]{1,100}(?:\s|\\[nr])){0,4}(?:[0-9A-Za-z+/=\s]|\\[nrt]){64,}(?:-----END PGP PRIVATE KEY BLOCK-----)?").longest(16384).random(3.0),
    Kind::new("private-key-ssh2", "PEM", "SSH.com private key")
        .seen(&["---- BEGIN SSH2 ENCRYPTED"], r"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----(?:[0-9A-Za-z+/=\s:\x22@.-]|\\[nrt]){64,8000}").longest(8192).random(3.0),
    Kind::new("openvpn-static-key", "OpenVPN", "OpenVPN static key")
        .seen(&["-----BEGIN OpenVPN Static"], r"-----BEGIN OpenVPN Static key V1-----(?:[0-9a-f\s]|\\[nrt]){256,}").longest(1024).random(2.5),
    Kind::new("private-key-putty", "PuTTY", "PuTTY private key")
        .seen(&["PuTTY-User-Key-File-"], r"PuTTY-User-Key-File-[23]: [\s\S]{20,6000}?Private-Lines: [0-9]{1,3}((?:[0-9A-Za-z+/=\s]|\\[nrt]){40,})").part().longest(8192).random(3.0),
    Kind::new("age-secret-key", "age", "age secret key")
        .seen(&["AGE-SECRET-KEY-1"], "AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}").checked(checks::age),
    Kind::new("age-quantum-key", "age", "age post-quantum secret key")
        .seen(&["AGE-SECRET-KEY-PQ-1"], "AGE-SECRET-KEY-PQ-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}").random(3.6),
    Kind::new("wireguard-private-key", "WireGuard", "WireGuard private key")
        .seen(&["PrivateKey", "PresharedKey"], r"(?i:privatekey|presharedkey)\s{0,3}=\s{0,3}([0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=)").part().random(4.0),
    Kind::new("jwk-private-key", "JOSE", "Private key as a JWK")
        .seen(&["\"kty", "\\\"kty", "'kty"], r"[\\\x22']{1,3}kty[\\\x22']{1,4}\s{0,3}:\s{0,3}[^{}]{2,2000}?[\\\x22']{1,3}d[\\\x22']{1,4}\s{0,3}:\s{0,3}[\\\x22']{1,3}([0-9A-Za-z_-]{40,700})").part().longest(3000).random(4.0),
    Kind::new("jwt", "JOSE", "JSON web token")
        .seen(&["eyJhbGci", "eyJ0eXAi", "eyJraWQi", "eyJjdHki", "eyJ4NXQi", "eyJlbmMi", "eyJqa3Ui", "eyJ2ZXIi"], r"eyJ[0-9A-Za-z_-]{10,600}\.eyJ[0-9A-Za-z_-]{10,4000}\.[0-9A-Za-z_-]{20,1400}").longest(6144).checked(checks::jwt),
    Kind::new("jwe", "JOSE", "Encrypted JSON web token")
        .seen(&["eyJhbGci", "eyJlbmMi"], r"eyJ[0-9A-Za-z_-]{10,600}\.[0-9A-Za-z_-]{0,700}\.[0-9A-Za-z_-]{16}\.[0-9A-Za-z_-]{8,4000}\.[0-9A-Za-z_-]{22}").longest(6144).checked(checks::jwe),
    Kind::new("shadow-line", "Unix", "Password hash of a Unix account")
        .seen(&[":$6$", ":$5$", ":$y$", ":$gy$", ":$7$"], r":(\$(?:6|5|y|gy|7)\$[0-9A-Za-z./$=]{40,200}):[0-9]{0,6}:").part().random(3.8),
    Kind::new("htpasswd-line", "Apache", "Password hash of an .htpasswd")
        .seen(&[":$apr1$"], r":(\$apr1\$[0-9A-Za-z./]{1,8}\$[0-9A-Za-z./]{22})").part().random(3.4),
];
