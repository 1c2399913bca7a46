"""Connection URLs: find them in texts, and check that their scheme or options require TLS.

Drivers differ in the spelling of their options: libpq, asyncpg, the MySQL and MariaDB connectors for Java,
Go, Python and Node, Prisma, R2DBC, the SQL Server driver, MongoDB and Kafka clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

_URL: Final = re.compile(
    r"(?P<tls>\br2dbcs:(?:pool:)?)?\b[a-z][a-z0-9+._-]*://(?:[^\s\"'<>{]|\{[^\s'<>{}]{0,200}\}|\{)+",
    re.IGNORECASE,
)
# Parts of a file in which a URL is only a name or a comment: comments, XML namespaces, document types.
_COMMENT: Final = re.compile(r"^[ \t]*(?:#|//|;|\*|<!--|/\*).*$", re.MULTILINE)
_NAMESPACE: Final = re.compile(
    r"\b(?:xmlns(?::[\w.-]{1,80})?|[\w.-]{1,80}:schemaLocation|namespace|\$schema)\"?\s*[=:]\s*(?:\"[^\"]{0,4000}\"|'[^']{0,4000}')"
    r"|<!DOCTYPE[^>]{0,1000}>"
)
_PLAIN: Final = frozenset(
    {
        "http", "ws", "redis", "amqp", "mqtt", "ldap", "ftp", "smtp", "imap", "pop3", "nats", "stomp", "tcp",
        "plaintext", "sasl_plaintext", "grpc", "telnet", "git", "bolt", "pulsar", "rtmp",
        "neo4j", "couchbase", "clickhouse",
    }
)  # fmt: skip
_NEEDS_OPTION: Final = frozenset(
    {
        "mongodb", "postgres", "postgresql", "mysql", "mariadb", "sqlserver", "mssql", "kafka", "memcached",
        "cockroach", "cockroachdb",
    }
)  # fmt: skip
# Drivers after a plus sign that use TLS, and those that use it without verifying the certificate.
_TLS_DRIVERS: Final = frozenset({"ssl", "tls", "sasl_ssl", "ssh", "starttls", "s"})
_UNCHECKED_DRIVERS: Final = frozenset({"ssc"})
_REQUIRED: Final = (
    "require", "required", "verify-ca", "verify-full", "verify_ca", "verify_identity", "verify-identity",
)  # fmt: skip
_OPTIONS: Final = frozenset(
    {
        *((name, "true") for name in ("tls", "ssl", "usessl", "requiressl", "secure")),
        *((name, "1") for name in ("tls", "ssl", "usessl", "requiressl", "secure")),
        *((name, value) for name in ("sslmode", "ssl_mode", "ssl-mode", "ssl", "tls") for value in _REQUIRED),
        ("sslaccept", "strict"), ("encrypt", "yes"), ("encrypt", "mandatory"),
        *(("security.protocol", value) for value in ("ssl", "sasl_ssl")),
        *(("security_protocol", value) for value in ("ssl", "sasl_ssl")),
        *(("starttls", value) for value in ("true", "1", "always", "required")),
        ("encrypt", "true"), ("encrypt", "strict"), ("encryption", "true"), ("enabletls", "true"),
    }
)  # fmt: skip
# Options that make a client use TLS, because they set its trust store or key.
_NAMED_OPTIONS: Final = frozenset({"ssl_ca", "ssl-ca", "sslca", "ssl_cert", "ssl-cert", "serversslcert"})
# Options that disable verification, or make TLS optional.
_UNCHECKED: Final = frozenset(
    {
        ("tlsinsecure", "true"), ("tlsallowinvalidcertificates", "true"),
        ("tlsallowinvalidhostnames", "true"), ("ssl_cert_reqs", "none"), ("verify", "false"),
        ("insecure", "true"), ("verify", "verify_none"), ("sslaccept", "accept_invalid_certs"),
        ("encrypt", "no"), ("encrypt", "disable"), ("encrypt", "optional"), ("trustservercertificate", "yes"),
        ("security.protocol", "plaintext"), ("security.protocol", "sasl_plaintext"),
        ("verifyservercertificate", "false"), ("trustservercertificate", "true"),
        ("sslfactory", "org.postgresql.ssl.nonvalidatingfactory"),
        ("sslmode", "no-verify"), ("sslmode", "trust"), ("tls", "skip-verify"), ("tls", "preferred"),
        ("ssl_verify_cert", "false"), ("sslnoverify", "true"), ("encrypt", "false"),
        *((name, value) for name in ("tls", "ssl", "usessl", "secure") for value in ("false", "0")),
        *(
            (name, value)
            for name in ("sslmode", "ssl_mode", "ssl-mode", "ssl")
            for value in ("disable", "disabled", "allow", "prefer", "preferred")
        ),
    }
)  # fmt: skip


# Local hosts, and hosts of URLs that only name a vocabulary.
_LOCAL: Final = (
    *("localhost", "127.0.0.1", "::1", "0.0.0.0"),  # noqa: S104 (compared with, not bound to)
    *("metadata.google.internal", "169.254.169.254"),
)
_NAMES: Final = ("www.w3.org", "json-schema.org", "schemas.xmlsoap.org")
_LOOPBACK: Final = re.compile(r"127(?:\.[0-9]{1,3}){3}")
# The ``ssl`` object of drivers for Node.js.
_REJECTS_NOTHING: Final = re.compile(r'"rejectunauthorized"\s*:\s*(?:false|0)')


def _query_of(rest: str) -> set[tuple[str, str]]:
    """Return the options of a URL in lower case, after ``?`` or ``;`` (``sqlserver://h;encrypt=true``)."""
    rest = rest.partition("#")[0].replace("&amp;", "&")
    path, _, query = rest.partition("?")
    if not query and ";" in path:
        query = path.partition(";")[2]
    pairs = (part.partition("=") for part in re.split(r"[&;]", query[:_MAX_QUERY]))
    return {(unquote(key).lower(), unquote(value).lower()) for key, equals, value in pairs if equals}


_MAX_QUERY: Final = 4_096


def urls_in(text: str) -> Iterator[str]:
    """Yield the connection URLs in a text or file, without those in comments and XML namespaces."""
    if "://" not in text:
        return
    if "\n" in text:
        text = _COMMENT.sub("", text)
    if "xmlns" in text or "schema" in text or "<!DOCTYPE" in text:
        text = _NAMESPACE.sub("", text)
    for found in _URL.finditer(text):
        if not found["tls"]:
            yield found.group(0)


def weakness(url: str, allowed: tuple[str, ...] = ()) -> str | None:
    """Return why a connection is not protected by TLS; None if it is, or if its host is allowed."""
    scheme, _, rest = url.partition("://")
    query = _query_of(rest)
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
        if plus and driver in _UNCHECKED_DRIVERS:
            return f"{scheme}+{driver}:// accepts any certificate"
    off = query & _UNCHECKED
    if off:
        key, value = min(off)
        return f"{key}={value} disables the protection of TLS"
    objects = [value for key, value in query if key in ("ssl", "tls") and value.startswith("{")]
    if any(_REJECTS_NOTHING.search(value) for value in objects):
        return "rejectUnauthorized=false disables the protection of TLS"
    protected = bool(objects or query & _OPTIONS) or any(key in _NAMED_OPTIONS for key, _ in query)
    if scheme in _PLAIN and not (protected and scheme not in _WEB):
        return f"{scheme}:// is not encrypted"
    if scheme in _NEEDS_OPTION and not protected:
        return f"{scheme}:// without a TLS option is not encrypted"
    return None


def _is_socket(scheme: str, host: str, rest: str, query: set[tuple[str, str]]) -> bool:
    """Whether a connection uses a Unix socket: ``postgres:///d?host=/run``, ``postgres://%2Frun/d``.

    The drivers of PostgreSQL and MySQL read options that name one.

    A URL without a host and without the option means the default socket, or the machine itself.
    """
    hosts = [value for key, value in query if key in ("host", "hostaddr", "unix_socket", "socket")]
    if _HAS_SOCKET_OPTION.search(scheme) and any(value.startswith("/") for value in hosts):
        return True
    return host.lower().startswith("%2f") or (rest.startswith("/") and not hosts)


_HAS_SOCKET_OPTION: Final = re.compile(r"postgres|pgx|mysql|mariadb", re.IGNORECASE)
# Schemes whose transport no option can change.
_WEB: Final = frozenset({"http", "ws", "ftp"})
