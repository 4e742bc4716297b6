//! Passwords in addresses and connection strings.
use super::Kind;
use crate::rules::checks;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("postgres-password", "PostgreSQL", "Password in a PostgreSQL address")
        .seen(&["postgres://", "postgresql://", "postgresql+"], r"(?i:postgres(?:ql)?(?:\+[a-z0-9]{2,12})?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("mysql-password", "MySQL", "Password in a MySQL or MariaDB address")
        .seen(&["mysql://", "mysql2://", "mysql+", "mariadb://", "mariadb+"], r"(?i:(?:mysql2?|mariadb)(?:\+[a-z0-9]{2,12})?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("mongodb-password", "MongoDB", "Password in a MongoDB address")
        .seen(&["mongodb://", "mongodb+srv://"], r"(?i:mongodb(?:\+srv)?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("redis-password", "Redis", "Password in a Redis or Valkey address")
        .seen(&["redis://", "rediss://", "valkey://"], r"(?i:(?:rediss?|valkey))://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("amqp-password", "RabbitMQ", "Password in an AMQP address")
        .seen(&["amqp://", "amqps://"], r"(?i:amqps?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("clickhouse-password", "ClickHouse", "Password in a ClickHouse address")
        .seen(&["clickhouse://", "clickhouses://", "clickhouse+"], r"(?i:clickhouses?(?:\+[a-z0-9]{2,12})?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("cockroach-password", "CockroachDB", "Password in a CockroachDB address")
        .seen(&["cockroachdb://"], r"(?i:cockroachdb)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("sqlserver-url-password", "Microsoft SQL Server", "Password in an SQL Server address")
        .seen(&["mssql://", "sqlserver://", "mssql+"], r"(?i:(?:mssql|sqlserver)(?:\+[a-z0-9]{2,12})?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("ldap-password", "LDAP", "Password in an LDAP address")
        .seen(&["ldap://", "ldaps://"], r"(?i:ldaps?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("smtp-password", "SMTP", "Password in an SMTP address")
        .seen(&["smtp://", "smtps://"], r"(?i:smtps?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("ftp-password", "FTP", "Password in an FTP or SFTP address")
        .seen(&["ftp://", "ftps://", "sftp://"], r"(?i:s?ftps?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("nats-password", "NATS", "Password in a NATS address")
        .seen(&["nats://"], r"(?i:nats)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("mqtt-password", "MQTT", "Password in an MQTT address")
        .seen(&["mqtt://", "mqtts://"], r"(?i:mqtts?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("http-basic-password", "HTTP", "Password in an HTTP address")
        .seen(&["http://", "https://"], r"(?i:https?)://[^\s:@/\x22'`<>\\]{0,80}:([^\s@/\x22'`<>]{1,120})@[^\s/?#\x22'`<>\\]{1,200}").part().longest(460).checked(checks::url_password),
    Kind::new("jdbc-password", "Java", "Password in a JDBC address")
        .seen(&["jdbc:"], r"jdbc:[a-z]{2,12}:[^\s\x22'`<>]{1,200}?(?i:password|pwd)=([^\s&;\x22'`<>]{1,120})").part().longest(400).checked(checks::password),
    Kind::new("odbc-password", "ODBC", "Password in an ODBC or ADO connection string")
        .seen(&["Password=", "Pwd="], r"(?i:password|pwd)=([^\s;\x22'`<>&]{4,120});\s{0,2}[A-Za-z][A-Za-z ]{1,40}=").part().alone().checked(checks::password),
    Kind::new("netrc-password", "netrc", "Password in a .netrc")
        .seen(&["machine "], r"machine\s{1,4}[0-9A-Za-z.-]{3,100}(?:\s|\\[nrt]){1,8}login(?:\s|\\[t]){1,4}[^\s\\]{1,80}(?:\s|\\[nrt]){1,8}password(?:\s|\\[t]){1,4}([^\s\x22\\]{6,120})").part().longest(460).alone().checked(checks::password),
    Kind::new("url-token-parameter", "several", "Token of an OAuth client in a URL")
        .seen(&["client_secret="], "client_secret=([0-9A-Za-z_.~-]{24,100})").part().alone().random(3.7).checked(checks::all_sorts),
];
