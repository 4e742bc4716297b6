//! How values look: registries of packages and images.

pub(super) const SAMPLES: &[(&str, &[&str])] = &[
    ("npm-token", &["npm_{a36}"]),
    ("npmrc-password", &["//registry.acme.io/:_authToken={a40}\n", "//r.acme.io/:_password={b32}\n"]),
    ("pypi-token", &["{pypi}"]),
    ("testpypi-token", &["{testpypi}"]),
    ("rubygems-key", &["rubygems_{h48}"]),
    ("crates-io-token", &["token = \"cio{s32}\"\n", "cio{s32}"]),
    ("nuget-key", &["oy2{m43}", "-k oy2{m43} "]),
    ("docker-personal-token", &["dckr_pat_{w27}"]),
    ("docker-organisation-token", &["dckr_oat_{w32}"]),
    ("docker-config-auth", &["{\"auths\": {\"registry.acme.io\": {\"auth\": \"{basic}\"}}}"]),
    ("clojars-token", &["CLOJARS_{l60}"]),
    ("packagist-token", &["packagist_uut_{h68}"]),
    ("hex-key", &["HEX_API_KEY={h32}\n"]),
    ("artifactory-key", &["AKCp{a69}"]),
    ("artifactory-reference-token", &["cmVmdGtuOj{a54}"]),
    ("buf-token", &["BUF_TOKEN={h64}\n"]),
    ("terraform-cloud-token", &["{a14}.atlasv1.{w67}"]),
    ("pulumi-token", &["pul-{h40}"]),
    ("infracost-key", &["ico-{a32}"]),
];
