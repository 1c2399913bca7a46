"""Connection URLs in the spelling of each driver."""

from __future__ import annotations

import time

import pytest

from policies.model.connection_urls import lines_of, urls_in, weakness

PROTECTED = (
    "jdbc:mysql://h/d?useSSL=true", "jdbc:mysql://h/d?sslMode=REQUIRED", "jdbc:mysql://h/d?sslMode=VERIFY_CA",
    "jdbc:mariadb://h/d?sslMode=verify-full", "jdbc:postgresql://h/d?ssl=true",
    "jdbc:sqlserver://h:1433;databaseName=d;encrypt=true", "jdbc:oracle:thin:@tcps://h:1522/s",
    "postgresql+asyncpg://h/d?ssl=require", "mysql+pymysql://h/d?ssl_ca=/ca.pem", "mysql://h/d?sslaccept=strict",
    'mysql://h/d?ssl={"rejectUnauthorized":true}', "r2dbcs:mysql://h/d", "r2dbc:mysql://h/d?sslMode=REQUIRED",
    "git+ssh://h/r", "smtp://h?starttls=always", "ldap://h?starttls=true", "pulsar+ssl://h",
    "kafka://h:9093?security.protocol=SASL_SSL", "kafka+ssl://h", "mongodb+srv://h/d", "mongodb://h/d?tls=true",
    "rediss://h", "amqps://h", "smtp+starttls://h:587", "neo4j+s://h", "clickhouse://h?secure=true",
    "mssql+pyodbc://h/d?Encrypt=yes", "cockroachdb://h/d?sslmode=verify-full", "http://127.0.0.53",
    "http://localhost:8080", "http://[::1]:80", "http+unix://%2Fvar%2Frun", "unix:///var/run/x",
    "mysql://h/d?tls=custom", "u:p@tcp(h:3306)/d?tls=custom", "u:p@tcp(h:3306)/d?parseTime=true&tls=true",
    "u:p@tcp(localhost:3306)/d", "u:p@unix(/run/mysqld.sock)/d", "mysql://h/d?ssl=Amazon%20RDS",
    "mysql://h/d?ssl-mode=VERIFY_IDENTITY", "mysql://h/d?require_ssl=true", "mysql://h/d?ssl_verify_cert=true",
    "mongodb://h/d?tlsCAFile=/ca.pem", "jdbc:db2://h:50001/D:sslConnection=true;user=a;",
    "jdbc:trino://h:443/c?SSL=true", "cassandra://h:9042/k?ssl=true", "jdbc:hive2://h:10000/d;ssl=true",
    "smtp://h:587?encryption=tls", "redis+tls://h", "oracle+oracledb://h:2484/?protocol=tcps",
    "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCPS)(HOST=h)(PORT=2484)))", "jdbc:oracle:thin:@alias",
    "jdbc:oracle:thin:a/b@//localhost:1521/s", "postgres://h/d?sslmode=verify-full&sslrootcert=/ca",
    "postgres://h/d?sslrootcert=system", "host=h user=a sslmode=require", "https://h/page?verify=false",
    "postgres:///d?host=/var/run/postgresql", "postgresql://u@%2Frun%2Fpg/d", "postgres:///d",
    "mysql://u@/d?unix_socket=/run/mysqld.sock", "SASL_SSL://h:9093",
    "clickhouse+https://h:8443/d", "git+https://h/r", "socket+wss://h", "jdbc:elasticsearch://https://h:9200",
    "postgres://h/d?gssencmode=require", "jdbc:yugabytedb://h/d?ssl=true", "jdbc:impala://h:21050;SSL=1",
    "jdbc:sap://h:30015/?encrypt=true", "hana://u@h:443?encrypt=true", "jdbc:ignite:thin://h:10800?sslMode=require",
    "hdb://u@h:443?TLSServerName=h",
    "http://localhost.localdomain:80",
    "postgresql://h/d;version=1?sslmode=require", "http://+:8080", "http://*:80;https://*:443", "http://[::]:80",
)  # fmt: skip
WEAK = (
    "http://api.example.com/?host=/x", "amqp://rabbit/?socket=/x",
    "jdbc:mysql://h/d", "jdbc:mysql://h/d?sslMode=PREFERRED", "jdbc:mariadb://h/d?sslMode=trust",
    "jdbc:sqlserver://h;encrypt=true;trustServerCertificate=true", "jdbc:sqlserver://h;encrypt=false",
    "jdbc:oracle:thin:@tcp://h:1522/s", "postgres://h/d?sslmode=prefer", "postgresql+asyncpg://h/d",
    "mysql://h/d?sslaccept=accept_invalid_certs", 'mysql://h/d?ssl={"rejectUnauthorized":false}',
    "r2dbc:postgresql://h/d", "kafka://h?security.protocol=SASL_PLAINTEXT", "rediss://h?ssl_cert_reqs=none",
    "amqps://h?verify=verify_none", "neo4j://h", "neo4j+ssc://h", "bolt://h", "clickhouse://h", "couchbase://h",
    "mssql+pyodbc://h/d?Encrypt=no", "telnet://h", "mongodb+srv://h/d?tls=false",
    "postgres://h/d?sslmode=require&sslmode=disable", "postgres:///d?host=db.example", "PLAINTEXT://h:9092",
    "u:p@tcp(h:3306)/d", "u:p@tcp($(DB_HOST):3306)/d?tls=skip-verify", "mysql://h/d?tls=skip-verify",
    "u:p@tcp(h:3306)/d?tls=preferred", "u:p@tcp(h:3306)/d?tls=false", "mysql://h/d?ssl_verify_cert=false",
    "postgres://h/d?sslcert=/c&sslkey=/k", "host=h user=a sslmode=disable", "rediss://h?ssl_cert_reqs=CERT_NONE",
    "jdbc:oracle:thin:a/b@//h:1521/s", "jdbc:oracle:thin:@h:1521:s", "oracle://h:1521/s",
    "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1521)))",
    "jdbc:db2://h:50000/D:user=a;sslConnection=false;", "jdbc:trino://h?SSL=true&SSLVerification=NONE",
    "clickhouse://h?secure=true&skip_verify=true", "etcd://h:2379", "zookeeper://h:2181", "cassandra://h:9042",
    "elasticsearch://h:9200", "https://h:9200?verify_certs=false", "kafka://h?ssl=true&verify=no",
    "SASL_PLAINTEXT://h:9092", "pulsar://h:6650", "git://h/r", "consul+http://h", "jdbc:es://http://h:9200",
    "jdbc:pgsql://h/d", "jdbc:edb://h/d", "jdbc:yugabytedb://h/d", "jdbc:impala://h:21050", "tftp://h/x",
    "jdbc:sap://h:30015/", "hana://u@h:30015", "jdbc:ignite:thin://h:10800", "hdb://u@h:30015",
    "jdbc:ignite:thin://h:10800?sslMode=require&sslTrustAll=true", "hdb://u@h?TLSServerName=h&TLSInsecureSkipVerify=1",
    "jdbc:postgresql://h/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory",
    "postgresql://h/d;sslmode=require?version=1", "mysql://h/d?ssl=unknown", 'mysql://h/d?options={"a":1}',
)  # fmt: skip


@pytest.mark.parametrize("text", PROTECTED)
def test_protected_connections_are_accepted(text: str) -> None:
    assert [weakness(url) for url in urls_in(text)] in ([None], [])


@pytest.mark.parametrize("text", WEAK)
def test_weak_connections_have_a_reason(text: str) -> None:
    [url] = urls_in(text)
    assert weakness(url)


def test_comments_and_namespaces_are_left_out() -> None:
    text = "# http://a\n // http://b\n<x xmlns:y=\"http://c\"\n xsi:schemaLocation='http://d http://e'/>\nhttp://f\n"
    assert list(urls_in(text)) == ["http://f"]


def test_comments_of_several_lines_are_left_out() -> None:
    text = (
        "<!--\n License\n http://a\n-->\n<url>http://b</url>\n/* x\n http://c */\nglob: /d/*\nhttp://e/*/\n"
    )
    assert list(urls_in(text)) == ["http://b", "http://e/*/"]
    assert lines_of(["http://a", "http://b"], text) == [5]


@pytest.mark.parametrize("start", ["<!-- ", "/* x\n"])
def test_starts_of_comments_without_an_end_are_searched_in_linear_time(start: str) -> None:
    began = time.process_time()
    assert list(urls_in(start * 50_000 + "\nhttp://a\n")) == ["http://a"]
    assert time.process_time() - began < 2


def test_comment_without_an_end_does_not_affect_comments_of_the_other_form() -> None:
    assert list(urls_in("/* x\nhttp://a\n<!--\nhttp://b\n-->\nhttp://c")) == ["http://a", "http://c"]
    assert list(urls_in("<!-- x\nhttp://a\n/*\nhttp://b\n*/\nhttp://c")) == ["http://a", "http://c"]


def test_an_address_within_a_url_is_evaluated_once() -> None:
    assert weakness("es://" + "http://" * 5_000) == "http:// is not encrypted"


def test_connections_of_every_form_are_found_in_one_text() -> None:
    text = "u:p@tcp(a:3306)/d host=b sslmode=disable jdbc:oracle:thin:@(HOST=c) http://d"
    assert {url.partition("://")[0] for url in urls_in(text)} >= {"mysql", "postgres", "http"}


def test_urls_of_a_document_type_are_left_out() -> None:
    assert list(urls_in('<!DOCTYPE x SYSTEM "http://a/x.dtd"> <y url="http://b"/>')) == ["http://b"]


def test_options_of_a_shell_line_are_not_comments() -> None:
    assert list(urls_in("app\n  --url=http://f\n")) == ["http://f"]


def test_lines_of_urls_are_those_outside_of_comments() -> None:
    text = "a: http://a\n# http://a\nb: 1\nc: http://b and http://a\n"
    assert lines_of(["http://a", "http://b"], text) == [1, 4]
    assert lines_of(["http://a"], "http://a\n" * 9) == [1, 2, 3, 4, 5]
    assert lines_of(["http://c"], text) == []
