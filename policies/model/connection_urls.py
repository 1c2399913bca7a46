"""Connection URLs: find them in texts, and check that their scheme or options require TLS.

Drivers differ in the spelling of their options: libpq, asyncpg, the MySQL and MariaDB connectors for Java,
Go, Python and Node, Prisma, R2DBC, the SQL Server driver, MongoDB and Kafka clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

_URL: Final = re.compile(
    r"(?P<tls>\br2dbcs:(?:pool:)?)?\b[a-z][a-z0-9+._-]*://(?:[^\s\"'<>{]|\{[^\s'<>{}]{0,200}\}|\{)+",
    re.IGNORECASE,
)
# ``user:password@tcp(host:3306)/database?tls=true`` (github.com/go-sql-driver/mysql, "DSN").
_DATA_SOURCE: Final = re.compile(
    r"@tcp6?\((?P<host>(?:\$\([^()]{0,200}\)|[^()\s]){0,300})\)/(?P<rest>[^\s\"'<>]{0,4000})"
)
# ``host=db user=app sslmode=disable``.
_KEYWORDS: Final = re.compile(
    r"(?<![\w.-])host=(?P<host>[^\s/'\"]{1,300})[ \t][^\n\"']{0,1000}?"
    r"\bsslmode=(?P<mode>disable|allow|prefer)\b"
)
# ``jdbc:oracle:thin:@host:1521:sid``, ``@//host:1521/service`` or ``@(DESCRIPTION=...)``; another name is an
# alias, whose protocol is configured elsewhere.
_ORACLE: Final = re.compile(
    r"\bjdbc:oracle:(?:thin|oci8?):[^\s\"'@]{0,300}@(?!\w+://)(?P<address>[^\s\"']{1,4000})", re.IGNORECASE
)
_ORACLE_HOST: Final = re.compile(
    r"\(\s*host\s*=\s*(?P<name>[^()\s]{1,300})|^(?://)?(?P<host>[^:/?()\s]{1,300})(?=[:/])", re.IGNORECASE
)
_TCPS: Final = re.compile(r"protocol\s*=\s*tcps", re.IGNORECASE)
# Parts of a file in which a URL is only a name or a comment: comments, XML namespaces, document types.
_COMMENT: Final = re.compile(r"^[ \t]*(?:#|//|;|\*|<!--|/\*).*$", re.MULTILINE)
# Starts of comments of several lines, such as the license of a file.
_BLOCK_START: Final = re.compile(r"(<!--)|^[ \t]*/\*", re.MULTILINE)
_NAMESPACE: Final = re.compile(
    r"\b(?:xmlns(?::[\w.-]{1,80})?|[\w.-]{1,80}:schemaLocation|namespace|\$schema)\"?\s*[=:]\s*(?:\"[^\"]{0,4000}\"|'[^']{0,4000}')"
    r"|<!DOCTYPE[^>]{0,1000}>"
)
_PLAIN: Final = frozenset(
    {
        "http", "ws", "redis", "amqp", "mqtt", "ldap", "ftp", "smtp", "imap", "pop3", "nats", "stomp",
        "tcp", "plaintext", "sasl_plaintext", "grpc", "telnet", "git", "bolt", "pulsar", "rtmp", "neo4j",
        "couchbase", "clickhouse", "syslog", "zookeeper", "zk", "etcd", "valkey", "keydb", "redis-sentinel",
        "redis-cluster", "activemq", "tftp",
    }
)  # fmt: skip
_NEEDS_OPTION: Final = frozenset(
    {
        "mongodb", "postgres", "postgresql", "mysql", "mariadb", "sqlserver", "mssql", "kafka", "memcached",
        "cockroach", "cockroachdb", "cassandra", "scylla", "elasticsearch", "opensearch", "db2", "vertica",
        "hive2", "trino", "presto", "tds", "influxdb", "oracle", "pgsql", "edb", "yugabytedb", "impala",
        "hana", "hdb", "sap", "thin",  # SAP HANA, and Apache Ignite (``jdbc:ignite:thin://host?sslMode=require``)
    }
)  # fmt: skip
# Drivers after a plus sign that use TLS, those without it, and those that do not verify the certificate.
_TLS_DRIVERS: Final = frozenset({"https", "s", "sasl_ssl", "ssh", "ssl", "starttls", "tls", "wss"})
_PLAIN_DRIVERS: Final = frozenset({"http", "ws"})
_UNCHECKED_DRIVERS: Final = frozenset({"ssc"})
_YES: Final = frozenset({"true", "1", "yes", "on", "enable", "enabled", "always", "mandatory", "strict"})
_NO: Final = frozenset({"false", "0", "no", "off", "none", "disable", "disabled", "never", "optional"})
_REQUIRED: Final = frozenset(
    {"require", "required", "verify-ca", "verify-full", "verify-identity", "ssl", "tls", "starttls"}
)
# With these values, the client accepts any certificate, or plain text.
_OPPORTUNISTIC: Final = frozenset({"allow", "prefer", "preferred", "no-verify", "skip-verify", "trust"})
# Options that make a client use TLS, in lower case, without separators.
_TLS_OPTIONS: Final = frozenset(
    {
        "tls", "ssl", "usetls", "usessl", "tlsenabled", "sslenabled", "enabletls", "enablessl",
        "requiretls", "requiressl", "withtls", "secure", "secureconnection", "encrypt", "encryption",
        "encrypted", "starttls", "sslmode", "tlsmode", "sslconnection", "sslaccept", "security",
        "sslverifycert", "sslverifyidentity", "sslverifyservercert",
    }
)  # fmt: skip
_PROTOCOL: Final = "securityprotocol"  # of Kafka clients
# Options that make a client use TLS, because they set its trust store, key or server's name.
_NAMED_OPTIONS: Final = frozenset(
    {
        "sslca", "sslcert", "sslcertificate", "sslkey", "serversslcert", "tlscafile",
        "tlscertificatekeyfile", "tlscertificatefile", "sslcapath", "cafile", "tlsca", "tlsservername",
        "tlsrootcafile",
    }
)  # fmt: skip
# Options that accept any certificate or host name if they are true, and those that do if they are false.
_UNCHECKED_IF_TRUE: Final = frozenset(
    {
        "tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames",
        "sslinvalidhostnameallowed", "insecure", "insecureskipverify", "tlsinsecureskipverify",
        "tlsskipverify", "skipverify", "skiptlsverify", "sslnoverify", "trustservercertificate",
        "acceptinvalidcerts", "allowinvalidcertificates", "trustall", "allowselfsignedcerts", "ssltrustall",
    }
)  # fmt: skip
_UNCHECKED_IF_FALSE: Final = frozenset(
    {
        "verify", "verifyca", "verifyssl", "verifytls", "sslverify", "tlsverify", "sslverifycert",
        "verifycert", "verifycerts", "verifycertificate", "verifyservercertificate", "verifypeer",
        "validatecertificate", "sslvalidatecertificate", "rejectunauthorized", "sslcheckhostname",
        "checkhostname", "sslverification", "validateservercertificate",
    }
)  # fmt: skip
_UNCHECKED: Final = frozenset(
    {
        ("sslcertreqs", "none"), ("sslcertreqs", "cert-none"), ("sslcertreqs", "optional"),
        ("sslcertreqs", "cert-optional"), ("verify", "verify-none"), ("sslaccept", "accept-invalid-certs"),
        (_PROTOCOL, "plaintext"), (_PROTOCOL, "sasl-plaintext"),
        ("sslfactory", "org.postgresql.ssl.nonvalidatingfactory"),
        ("sslendpointidentificationalgorithm", "none"),
    }
)  # fmt: skip
# Options that a web page may also use as query parameters, so they count in no web address.
_OF_PAGES: Final = frozenset(
    {"verify", "secure", "security", "encrypt", "encryption", "encrypted", "insecure"}
)
_PAGES: Final = frozenset({"http", "https", "ws", "wss"})
# Clients of MySQL for which ``tls`` may be the name of a registered configuration
# (github.com/go-sql-driver/mysql), and the only profile that mysql2 of Node.js has for ``ssl``.
_MYSQL: Final = frozenset({"mysql", "mariadb"})
_PROFILE: Final = ("ssl", "amazon rds")
# Clients that fall back to plain text although a certificate is named.
_LIBPQ: Final = frozenset({"postgres", "postgresql", "cockroach", "cockroachdb"})
# Options of clients that verify the certificate with the system's roots, or encrypt with Kerberos instead
# (https://www.postgresql.org/docs/current/libpq-connect.html).
_LIBPQ_PROTECTED: Final = frozenset({("sslrootcert", "system"), ("gssencmode", "require")})


def _disables(scheme: str, key: str, value: str) -> bool:
    """Whether an option switches TLS or its verification off, or makes TLS optional."""
    if scheme in _PAGES and key in _OF_PAGES:
        return False
    return (
        (key, value) in _UNCHECKED
        or (key in _UNCHECKED_IF_TRUE and value in _YES)
        or (key in _UNCHECKED_IF_FALSE and value in _NO)
        or (key in _TLS_OPTIONS and value in (_NO | _OPPORTUNISTIC))
    )


def _enables(scheme: str, key: str, value: str) -> bool:
    """Whether an option makes the client of a scheme use TLS."""
    if key in _TLS_OPTIONS:
        named = scheme in _MYSQL and (key == "tls" or (key, value) == _PROFILE)
        return named or value in _YES or value in _REQUIRED
    if key in _NAMED_OPTIONS:
        return scheme not in _LIBPQ
    return (
        (key, value) in ((_PROTOCOL, "ssl"), (_PROTOCOL, "sasl-ssl"))
        or (key, value) in _LIBPQ_PROTECTED
        or (scheme == "oracle" and (key, value) == ("protocol", "tcps"))
    )


# Local hosts, those of addresses to listen on, and hosts of URLs that only name a vocabulary.
_LOCAL: Final = (
    *("localhost", "localhost.localdomain", "127.0.0.1", "::1", "0.0.0.0"),  # noqa: S104 (compared with, not bound to)
    *("::", "+", "*"),  # every address, the last two in Kestrel and HTTP.sys
    *("metadata.google.internal", "169.254.169.254"),
)
_NAMES: Final = ("www.w3.org", "json-schema.org", "schemas.xmlsoap.org")
_LOOPBACK: Final = re.compile(r"127(?:\.[0-9]{1,3}){3}")
# The ``ssl`` object of drivers for Node.js.
_REJECTS_NOTHING: Final = re.compile(r'"rejectunauthorized"\s*:\s*(?:false|0)')


def _query_of(scheme: str, rest: str) -> dict[tuple[str, str], str]:
    """Return the options of a URL, as written by key and value in lower case and without separators.

    They follow ``?`` or ``;`` (``sqlserver://h;encrypt=true``), of DB2 a colon after the database.
    """
    rest = rest.partition("#")[0].replace("&amp;", "&")
    path, _, query = rest.partition("?")
    if not query and scheme == "db2":
        query = path.partition("/")[2].partition(":")[2]
    elif not query and ";" in path:
        query = path.partition(";")[2]
    found = {}
    for part in re.split(r"[&;]", query[:_MAX_QUERY]):
        key, equals, value = part.partition("=")
        if equals:
            key, value = unquote(key).lower(), unquote(value).lower()
            name = key.removeprefix("?").replace("_", "").replace("-", "").replace(".", "")
            found[name, value.replace("_", "-")] = f"{key}={value}"
    return found


_MAX_QUERY: Final = 4_096


def urls_in(text: str) -> Iterator[str]:
    """Yield the connection URLs in a text or file, without those in comments and XML namespaces.

    Connections in another form are returned as URLs too: the data source names of Go's MySQL driver, the
    keywords of libpq that switch TLS off, and the addresses of Oracle's drivers.
    """
    if not any(mark in text for mark in ("://", "@tcp", "oracle:", "sslmode")):
        return
    text = _without_comments(text)
    for found in _DATA_SOURCE.finditer(text):
        yield f"mysql://{found['host']}/{found['rest']}"
    for found in _KEYWORDS.finditer(text):
        yield f"postgres://{found['host']}/?sslmode={found['mode']}"
    for found in _ORACLE.finditer(text):
        host = _ORACLE_HOST.search(found["address"])
        if host is not None and not _TCPS.search(found["address"]):
            yield f"oracle://{host['name'] or host['host']}"
    if "xmlns" in text or "schema" in text or "<!DOCTYPE" in text:
        text = _NAMESPACE.sub("", text)
    for found in _URL.finditer(text):
        if not found["tls"]:
            yield found.group(0)


def _without_comments(text: str) -> str:
    """Return a text of several lines with empty lines in place of its comments."""
    if "\n" not in text:
        return text
    return _COMMENT.sub("", _without_comment_blocks(text))


def _without_comment_blocks(text: str) -> str:
    """Return `text` without its comments of several lines, in time linear in its length."""
    pieces: list[str] = []
    unclosed: set[str] = set()
    at = 0
    for found in _BLOCK_START.finditer(text):
        mark = "-->" if found[1] else "*/"
        if found.start() < at or mark in unclosed:
            continue
        end = text.find(mark, found.end())
        if end < 0:
            unclosed.add(mark)  # nor are later comments of this kind closed
            continue
        end += len(mark)
        pieces += (text[at : found.start()], "\n" * text.count("\n", found.start(), end))
        at = end
    return "".join((*pieces, text[at:]))


def lines_of(urls: Iterable[str], text: str) -> list[int]:
    """Return the first lines of `text`, from 1, that contain one of `urls` outside of a comment."""
    wanted = list(dict.fromkeys(urls))[:_MAX_LOCATED]
    found: list[int] = []
    for number, line in enumerate(_without_comments(text).split("\n"), start=1):
        if any(url in line for url in wanted):
            found.append(number)
            if len(found) == _MAX_LOCATED:
                break
    return found


_MAX_LOCATED: Final = 5


def weakness(url: str, allowed: tuple[str, ...] = ()) -> str | None:
    """Return why a connection is not protected by TLS; None if it is, or if its host is allowed."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _PAGES and _WITHIN.match(rest):
        return weakness(rest, allowed)
    query = _query_of(scheme.lower(), rest)
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""  # a placeholder, such as [host]
    if (
        host in (*_LOCAL, *_NAMES, *allowed)
        or _LOOPBACK.fullmatch(host)
        or _is_socket(scheme, host, rest, query)
    ):
        return None
    scheme = scheme.lower()
    if scheme not in ("mongodb+srv", "http+unix"):
        scheme, plus, driver = scheme.partition("+")  # the driver after it does not affect the connection
        if plus and driver in _TLS_DRIVERS:
            return None
        if plus and driver in _PLAIN_DRIVERS:
            return f"{scheme}+{driver}:// is not encrypted"
        if plus and driver in _UNCHECKED_DRIVERS:
            return f"{scheme}+{driver}:// accepts any certificate"
    off = [written for (key, value), written in query.items() if _disables(scheme, key, value)]
    if off:
        return f"{min(off)} disables the protection of TLS"
    objects = [value for key, value in query if key in ("ssl", "tls") and value.startswith("{")]
    if any(_REJECTS_NOTHING.search(value) for value in objects):
        return "rejectUnauthorized=false disables the protection of TLS"
    protected = bool(objects) or any(_enables(scheme, key, value) for key, value in query)
    if scheme in _PLAIN and not (protected and scheme not in _WEB):
        return f"{scheme}:// is not encrypted"
    if scheme in _NEEDS_OPTION and not protected:
        return f"{scheme}:// without a TLS option is not encrypted"
    return None


# The address of a server behind the name of a driver: ``jdbc:es://https://host:9200``.
_WITHIN: Final = re.compile(r"https?://", re.IGNORECASE)


def _is_socket(scheme: str, host: str, rest: str, query: Iterable[tuple[str, str]]) -> bool:
    """Whether a connection uses a Unix socket: ``postgres:///d?host=/run``, ``postgres://%2Frun/d``.

    The drivers of PostgreSQL and MySQL read options that name one.

    A URL without a host and without the option means the default socket, or the machine itself.
    """
    hosts = [value for key, value in query if key in ("host", "hostaddr", "unixsocket", "socket")]
    if _HAS_SOCKET_OPTION.search(scheme) and any(value.startswith("/") for value in hosts):
        return True
    return host.lower().startswith("%2f") or (rest.startswith("/") and not hosts)


_HAS_SOCKET_OPTION: Final = re.compile(r"postgres|pgx|mysql|mariadb", re.IGNORECASE)
# Schemes whose transport no option can change.
_WEB: Final = frozenset({"http", "ws", "ftp"})
