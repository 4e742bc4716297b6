//! How values look: private keys and signed tokens.

pub(super) const SAMPLES: &[(&str, &[&str])] = &[
    (
        "private-key-pkcs8",
        &[
            "-----BEGIN PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END PRIVATE KEY-----\n",
            r#""-----BEGIN PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-rsa",
        &[
            "-----BEGIN RSA PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END RSA PRIVATE KEY-----\n",
            r#""-----BEGIN RSA PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END RSA PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-ec",
        &[
            "-----BEGIN EC PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END EC PRIVATE KEY-----\n",
            r#""-----BEGIN EC PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END EC PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-dsa",
        &[
            "-----BEGIN DSA PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END DSA PRIVATE KEY-----\n",
            r#""-----BEGIN DSA PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END DSA PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-encrypted",
        &[
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END ENCRYPTED PRIVATE KEY-----\n",
            r#""-----BEGIN ENCRYPTED PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END ENCRYPTED PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-openssh",
        &[
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END OPENSSH PRIVATE KEY-----\n",
            r#""-----BEGIN OPENSSH PRIVATE KEY-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END OPENSSH PRIVATE KEY-----\n""#,
        ],
    ),
    (
        "private-key-pgp",
        &[
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n{b64}\n{b64}\n{b64}\n{b64}\n{b64}\n{b30}==\n-----END PGP PRIVATE KEY BLOCK-----\n",
        ],
    ),
    (
        "private-key-ssh2",
        &["---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"x\"\n{b64}\n{b64}\n---- END SSH2"],
    ),
    (
        "openvpn-static-key",
        &[
            "-----BEGIN OpenVPN Static key V1-----\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n{h32}\n-----END",
        ],
    ),
    (
        "private-key-putty",
        &[
            "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\n{b64}\n{b16}\nPrivate-Lines: 1\n{b48}\nPrivate-MAC: {h64}\n",
        ],
    ),
    ("age-secret-key", &["{age}"]),
    ("age-quantum-key", &["AGE-SECRET-KEY-PQ-1{B58}"]),
    ("wireguard-private-key", &["[Interface]\nPrivateKey = {b42}A=\n", "PresharedKey={b42}c=\n"]),
    (
        "jwk-private-key",
        &[
            "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"{w43}\",\"y\":\"{w43}\",\"d\":\"{w43}\"}",
            r#"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{w43}\",\"d\":\"{w43}\"}"#,
        ],
    ),
    ("jwt", &["{jwt}", "Authorization: Bearer {jwt}\r\n"]),
    ("jwe", &["{jwe}"]),
    ("shadow-line", &[":$6${a16}${a86}:19000:0:99999:7:::", "root:$y$j9T${a22}${a43}:20000:0:"]),
    ("htpasswd-line", &["bob:$apr1${a8}${a22}\n"]),
];
