//! How values look: passwords in addresses and connection strings.

pub(super) const SAMPLES: &[(&str, &[&str])] = &[
    (
        "postgres-password",
        &["postgres://user:{p16}@db.acme.io:5432/app", "\"postgres://admin:{p20}@10.1.2.3/x\""],
    ),
    ("mysql-password", &["mysql://user:{p16}@db.acme.io:5432/app", "\"mysql://admin:{p20}@10.1.2.3/x\""]),
    (
        "mongodb-password",
        &["mongodb://user:{p16}@db.acme.io:5432/app", "\"mongodb://admin:{p20}@10.1.2.3/x\""],
    ),
    ("redis-password", &["redis://user:{p16}@db.acme.io:5432/app", "\"redis://admin:{p20}@10.1.2.3/x\""]),
    ("amqp-password", &["amqp://user:{p16}@db.acme.io:5432/app", "\"amqp://admin:{p20}@10.1.2.3/x\""]),
    (
        "clickhouse-password",
        &["clickhouse://user:{p16}@db.acme.io:5432/app", "\"clickhouse://admin:{p20}@10.1.2.3/x\""],
    ),
    (
        "cockroach-password",
        &["cockroachdb://user:{p16}@db.acme.io:5432/app", "\"cockroachdb://admin:{p20}@10.1.2.3/x\""],
    ),
    (
        "sqlserver-url-password",
        &["mssql://user:{p16}@db.acme.io:5432/app", "\"mssql://admin:{p20}@10.1.2.3/x\""],
    ),
    ("ldap-password", &["ldap://user:{p16}@db.acme.io:5432/app", "\"ldap://admin:{p20}@10.1.2.3/x\""]),
    ("smtp-password", &["smtp://user:{p16}@db.acme.io:5432/app", "\"smtp://admin:{p20}@10.1.2.3/x\""]),
    ("ftp-password", &["ftp://user:{p16}@db.acme.io:5432/app", "\"ftp://admin:{p20}@10.1.2.3/x\""]),
    ("nats-password", &["nats://user:{p16}@db.acme.io:5432/app", "\"nats://admin:{p20}@10.1.2.3/x\""]),
    ("mqtt-password", &["mqtt://user:{p16}@db.acme.io:5432/app", "\"mqtt://admin:{p20}@10.1.2.3/x\""]),
    ("http-basic-password", &["http://user:{p16}@db.acme.io:5432/app", "\"http://admin:{p20}@10.1.2.3/x\""]),
    (
        "jdbc-password",
        &[
            "jdbc:postgresql://db.acme.io/app?user=x&password={p16}",
            "jdbc:sqlserver://db;user=sa;password={p20};",
        ],
    ),
    (
        "odbc-password",
        &["Server=tcp:x.database.windows.net;User ID=sa;Password={p16};Encrypt=True", "Pwd={p20};Database=x"],
    ),
    (
        "netrc-password",
        &[
            "machine api.acme.io\n  login bob\n  password {p18}\n",
            "machine api.acme.io login bob password {p20}",
        ],
    ),
    ("url-token-parameter", &["grant_type=client_credentials&client_id=app&client_secret={s40_}&x=1"]),
];
