//! How values look: the large clouds.

pub(super) const SAMPLES: &[(&str, &[&str])] = &[
    (
        "aws-secret-beside-key-id",
        &[
            "AKIA{T16}\",\"secret\":\"{s40}\"",
            "aws_access_key_id = AKIA{T16}\naws_secret_access_key = {s40}\n",
            "ASIA{T16} {s40}\n",
        ],
    ),
    (
        "aws-secret-access-key",
        &["AWS_SECRET_ACCESS_KEY={s40}\n", "\"SecretAccessKey\": \"{s40}\"", "aws_secret_key: {s40}\n"],
    ),
    ("aws-session-token", &["IQoJb3JpZ2lu{b300}", "AWS_SESSION_TOKEN=FwoGZXIvYXdz{b400}==\n"]),
    ("aws-bedrock-key", &["ABSK{b128}"]),
    ("aws-bedrock-short-key", &["bedrock-api-key-{b300}"]),
    ("aws-mws-token", &["amzn.mws.{u}"]),
    ("aws-appsync-key", &["x-api-key: da2-{l26}\n"]),
    ("google-api-key", &["AIza{w35}", "key=AIza{w35}&q=1"]),
    (
        "google-service-account-key",
        &[
            r#""private_key_id": "{h40}", "private_key": "-----BEGIN PRIVATE KEY-----\n{b64}\n{b64}\n{b20}\n-----END PRIVATE KEY-----\n""#,
        ],
    ),
    ("google-oauth-client-secret", &["GOCSPX-{w28}"]),
    ("google-oauth-access-token", &["ya29.{w120}", "ya29.a0{w200}"]),
    ("google-oauth-refresh-token", &["1//0{w60}", "\"refresh_token\":\"1//0g{w96}\""]),
    ("google-hmac-secret", &["GOOG1{T56}\",\"secret\":\"{s40}\""]),
    ("azure-storage-connection", &["AccountName=files;AccountKey={b86}==;EndpointSuffix=core.windows.net"]),
    (
        "azure-shared-access-connection",
        &["Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={b43}="],
    ),
    (
        "azure-account-sas",
        &[
            "?sv=2024-11-04&ss=bfqt&srt=sco&sp=rwdlac&se=2027-01-01T00:00:00Z&st=2026-01-01T00:00:00Z&spr=https&sig={b43}%3D",
        ],
    ),
    ("azure-storage-key", &["{b76}+ASt{b5}=="]),
    ("azure-batch-key", &["{b76}+ABa{b5}=="]),
    ("azure-cosmos-key", &["{b76}ACDb{b5}=="]),
    ("azure-service-bus-key", &["\"{b33}+ASbB{b5}=\""]),
    ("azure-event-hubs-key", &["\"{b33}+AEhB{b5}=\""]),
    ("azure-relay-key", &["\"{b33}+ARmB{b5}=\""]),
    ("azure-iot-key", &["\"{b33}AIoTB{b5}=\""]),
    ("azure-redis-key", &["\"{b33}AzCaB{b5}=\""]),
    ("azure-container-registry-key", &["{b42}+ACRA{b5}"]),
    ("azure-search-key", &["{a42}AzSeB{a5}"]),
    ("azure-functions-key", &["{w44}AzFu{w5}Q=="]),
    ("azure-ai-key", &["{a52}JQQJ99{a26}", "k7/{a52}JQQJ99{a18}AZDO{a4}/x"]),
    ("azure-client-secret", &["\"{a3}8Q~{w34}\"", "AZURE_CLIENT_SECRET={a3}7Q~{w31}\n"]),
    (
        "azure-devops-token",
        &[
            "{a76}AZDO{a4}",
            "GET /_apis/projects?pat={a76}AZDO{a4}&top=1",
            "AZURE_DEVOPS_EXT_PAT={a76}AZDO{a4}\n",
            "\"pat\":\"{a76}AZDO{a4}\"",
        ],
    ),
    ("azure-devops-old-token", &["AZURE_DEVOPS_PAT={t52}\n", "AZDO_PERSONAL_ACCESS_TOKEN=\"{t52}\""]),
    ("digitalocean-personal-token", &["dop_v1_{h64}"]),
    ("digitalocean-oauth-token", &["doo_v1_{h64}"]),
    ("digitalocean-refresh-token", &["dor_v1_{h64}"]),
    ("alibaba-secret-beside-key-id", &["LTAI{a20}\",\"AccessKeySecret\":\"{s30}\""]),
    ("tencent-secret-beside-key-id", &["AKID{a32}\",\"SecretKey\":\"{s32}\""]),
];
