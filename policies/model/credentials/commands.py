"""Credentials in command lines: options and subcommands of clients, assignments, and statements of SQL."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from policies.model.credentials.names import is_code, is_reference, sets_secret
from policies.model.credentials.setting_lines import MAX_FILE

MAX_COMMAND: Final = 20_000  # characters
_MYSQL: Final = ("", "admin", "dump", "check", "import", "show", "slap", "pump", "sh", "binlog")
_REDIS: Final = ("redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark", "valkey-benchmark")
_MONGO: Final = ("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport")
_LDAP: Final = ("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami")
# Command-line clients to their options for a password, and whether its value may be joined to the option, be
# the next word, or both.
_JOINED, _NEXT, _BOTH = "joined", "next", "both"
# Options for ``user:password``.
_PAIRS: Final = ("curl -u", "curl --user")
# Clients of registries and clusters that take a password after the word "login".
_LOGIN_CLIENTS: Final = ("docker", "podman", "nerdctl", "buildah", "skopeo", "oras", "helm", "az", "oc")
_CLIENTS: Final[dict[str, dict[str, str]]] = {
    **{f"mysql{name}": {"-p": _JOINED} for name in _MYSQL},
    **{f"mariadb{f'-{name}' if name else ''}": {"-p": _JOINED} for name in _MYSQL},
    **{name: {"-p": _NEXT} for name in _MONGO},
    **{name: {"-w": _BOTH} for name in _LDAP},
    **{f"{name} login": {"-p": _BOTH} for name in _LOGIN_CLIENTS},
    "curl": {"-u": _BOTH, "--user": _NEXT},
    **{name: {"-a": _NEXT} for name in _REDIS},
    **{name: {"-p": _JOINED} for name in ("mysql_upgrade", "mariabackup", "xtrabackup")},
    "sqlcmd": {"-P": _BOTH},
    "sshpass": {"-p": _BOTH},
}
_CLIENT_NAME: Final = re.compile(
    "mysql|maria|xtrabackup|mongo|ldap|redis|valkey|keydb|sqlcmd|sshpass|curl|login"
)
_WORD: Final = re.compile(r"[;&|\n]|[^\s;&|]+")
# Prefixes of a command's name in a shell: a substitution, a subshell, a quote, a path.
_BEFORE_NAME: Final = re.compile(r"^(?:[A-Za-z_]\w{0,100}=)?[\"'`$(!{]*(?:\S*/)?")


def client_passwords(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the positions of arguments that pass a password by a short option, with client and option.

    An argument may be a whole script.
    """
    client = pending = ""
    if not any(_CLIENT_NAME.search(text) for text in arguments):
        return
    for at, argument in enumerate(arguments):
        text = argument[:MAX_COMMAND].replace("\\\n", " ")
        # A word without a space is a single argument, not a shell line.
        for word in _WORD.findall(text) if re.search(r"\s", text) else [text]:
            name = _BEFORE_NAME.sub("", word).strip("\"'`)")
            if pending and not word.startswith("-") and _is_password(word, pending):
                yield at, pending
            pending = ""
            if word in (";", "&", "|", "\n"):
                client = ""
            elif name in _CLIENTS or name in _LOGIN_CLIENTS:
                client = name
            elif name == "login" and client in _LOGIN_CLIENTS:
                client = f"{client} login"
            for option, form in _CLIENTS.get(client, {}).items():
                if word == option and form != _JOINED:
                    pending = f"{client} {option}"
                elif (
                    form != _NEXT and word.startswith(option) and _is_password(word[2:], f"{client} {option}")
                ):
                    yield at, f"{client} {option}"


# Subcommands and statements that take a password, each by a part of its text that is cheap to find: AUTH and
# CONFIG SET of Redis, the users of MongoDB and RabbitMQ, and the settings of the AWS command line.
_SHELL_WORD: Final = r"(?:\"[^\"\n]{1,300}\"|'[^'\n]{1,300}'|\$\([^)\n]{1,300}\)|[^\s;&|\"'<>\\()]{1,300})"
_END_OF_LINE: Final = r"(?![0-9]?[<>&|])"
_SUBCOMMANDS: Final = {
    "AUTH": (
        "auth",
        re.compile(
            # Lower case counts only as an argument of the client, since messages contain the word too.
            r"(?:\bAUTH|(?:redis|valkey|keydb)-cli\b[^;&|\n\"']{0,200}?[ \t](?i:auth))[ \t]+"
            r"(?!(?i:failed|failure|error|required|ok|plain|login)\b)"
            rf"(?P<value>{_SHELL_WORD})(?:[ \t]+{_END_OF_LINE}(?P<second>{_SHELL_WORD}))?"
        ),
    ),
    "CONFIG SET": (
        "config",
        re.compile(
            rf"\bCONFIG[ \t]+SET[ \t]+(?:requirepass|masterauth)[ \t]+(?P<value>{_SHELL_WORD})", re.IGNORECASE
        ),
    ),
    "createUser": (
        "user",
        re.compile(
            r"\b(?:create|update)User\b[^;]{0,400}?\bpwd[\"']?\s*:\s*(?P<value>\"[^\"\n]{1,300}\"|'[^'\n]{1,300}')"
        ),
    ),
    "rabbitmqctl": (
        "rabbitmqctl",
        re.compile(
            r"\brabbitmqctl\b[^;&|\n]{0,200}?[ \t](?:add_user|change_password)[ \t]+"
            rf"{_SHELL_WORD}[ \t]+{_END_OF_LINE}(?P<value>{_SHELL_WORD})"
        ),
    ),
    # The client of MinIO: alias, URL, access key and secret key; alias, user and password.
    "mc alias": (
        "mc ",
        re.compile(
            r"\bmc\b[^;&|\n]{0,200}?[ \t](?:alias[ \t]+set|config[ \t]+host[ \t]+add)"
            rf"(?:[ \t]+{_SHELL_WORD}){{3}}[ \t]+{_END_OF_LINE}(?P<value>{_SHELL_WORD})"
        ),
    ),
    "mc admin user": (
        "mc ",
        re.compile(
            r"\bmc\b[^;&|\n]{0,200}?[ \t]admin[ \t]+user[ \t]+add"
            rf"(?:[ \t]+{_SHELL_WORD}){{2}}[ \t]+{_END_OF_LINE}(?P<value>{_SHELL_WORD})"
        ),
    ),
    "configure set": (
        "configure",
        re.compile(
            r"\bconfigure[ \t]+set[ \t]+(?:\S{1,100}\.)?(?:aws_secret_access_key|aws_session_token)[ \t]+"
            rf"(?P<value>{_SHELL_WORD})"
        ),
    ),
}
# AUTH is a word of prose too: a client of Redis, its port or a protocol frame has to be near it.
_REDIS_NEAR: Final = re.compile(r"(?:redis|valkey|keydb)-cli|\b6379\b|\b(?:nc|ncat|telnet|openssl)\b")


def subcommand_passwords(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the positions of arguments that pass a password to a subcommand, with the subcommand."""
    texts = [text[:MAX_COMMAND] for text in arguments]
    ends = [*itertools.accumulate(len(text) + 1 for text in texts)]
    for start, subcommand in _passwords_in(" ".join(texts).replace("\\\n", "  ")):
        yield bisect.bisect_right(ends, start), subcommand


def _passwords_in(line: str) -> Iterator[tuple[int, str]]:
    """Yield the positions of the passwords of subcommands in a command line, with the subcommand."""
    lowered = line.lower()
    for name, (mark, pattern) in _SUBCOMMANDS.items():
        if mark not in lowered or (name == "AUTH" and not _REDIS_NEAR.search(line)):
            continue
        for found in pattern.finditer(line):
            # Of two words after AUTH, the first is a user.
            group = "second" if "second" in pattern.groupindex and found["second"] else "value"
            if not is_reference(found[group].strip("\"'")):
                yield found.start(group), name


def _is_password(word: str, option: str) -> bool:
    """Whether the value of an option is a literal password; of a pair, the part after the colon."""
    word = word.strip("\"'")
    if option in _PAIRS:
        word = word.partition(":")[2]
    return not is_reference(word)


# Statements that set the password of a database's user: ``CREATE USER u IDENTIFIED BY 'x'`` (MySQL, Oracle),
# ``ALTER ROLE u PASSWORD 'x'`` (PostgreSQL), ``CREATE LOGIN u WITH PASSWORD = 'x'`` (SQL Server).
_SQL: Final = re.compile(
    r"\b(?:(?:CREATE|ALTER)\s+(?:USER|ROLE|LOGIN)|GRANT|SET\s+PASSWORD)\b[^;]{0,400}?"
    r"(?:\bIDENTIFIED(?:\s+WITH\s+(?!\w{0,60}_hash\b)\S{1,60})?\s+(?:BY|AS)|\bPASSWORD(?:\s*[=(])?|=)\s*N?"
    # Quotes that are escaped for a shell or for JSON, or not.
    r"(?:(?P<escape>\\['\"]|'\\''|'\"'\"')(?P<escaped>[^'\"\\\n]{1,200})(?P=escape)"
    r"|(?P<quote>['\"])(?P<value>[^'\"\n]{1,200})(?P=quote))",
    re.IGNORECASE,
)
# Oracle takes a password without quotes. Words that follow BY for another reason are left out.
_UNQUOTED: Final = re.compile(
    r"\b(?:(?:CREATE|ALTER)\s+(?:USER|ROLE)|GRANT)\b[^;]{0,400}?\bIDENTIFIED\s+BY\s+"
    r"(?!(?:VALUES|RANDOM|PASSWORD)\s)(?P<value>[A-Za-z0-9_][^\s;'\"`,()\\]{0,200})",
    re.IGNORECASE,
)
# The clause alone, as in a long statement or in a template.
_IDENTIFIED: Final = re.compile(r"\bIDENTIFIED\s+BY\s+'(?P<value>[^'\"\\\n]{1,200})'", re.IGNORECASE)
# Hashes of MySQL and PostgreSQL.
_HASH: Final = re.compile(r"\*[0-9A-F]{40}|SCRAM-SHA-256\$.*|md5[0-9a-f]{32}|\$A?[0-9]\w*\$.*")


def sets_password(text: str) -> bool:
    """Whether SQL in `text` sets a literal password."""
    lowered = text.lower()
    if "password" not in lowered and "identified" not in lowered:
        return False
    text = text[:MAX_FILE]
    values = [found["escaped"] or found["value"] for found in _SQL.finditer(text)]
    values += [found["value"] for found in (*_UNQUOTED.finditer(text), *_IDENTIFIED.finditer(text))]
    return any(not is_reference(value) and not _HASH.fullmatch(value) for value in values)


# ``NAME=value`` and ``--name value`` within a command line. The value is not consumed: it may be the next
# name.
_QUOTED: Final = r"\"[^\"\n]{0,1000}\"|'[^'\n]{0,1000}'|[^\s;&|\"'<>]{0,1000}"
_ASSIGNMENT: Final = re.compile(
    rf"(?<![\w.$/-])-{{0,2}}(?P<name>[A-Za-z_][\w.-]{{0,100}})=(?=(?P<value>{_QUOTED}))"
)
_OPTION: Final = re.compile(
    rf"(?<!\S)(?:--|-(?=[A-Za-z]{{5}}))(?P<name>[A-Za-z][\w.-]{{0,100}})[ \t]+(?![-])(?=(?P<value>{_QUOTED}))"
)


def assigned(command: str) -> set[str]:
    """Return the names that a command line sets to a secret."""
    if "=" not in command and "-" not in command:
        return set()
    text = command[:MAX_COMMAND]
    return {
        found["name"]
        for pattern in (_ASSIGNMENT, _OPTION)
        for found in pattern.finditer(text)
        if sets_secret(found["name"], value := found["value"].strip("\"'"))
        and not is_code(found["name"], value)
    }
