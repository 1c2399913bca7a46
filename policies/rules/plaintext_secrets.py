"""Plaintext secrets: credentials must not be written in inputs, manifests and configuration files.

(Not named `secrets.py`: the pack's folder is first on the path of its process, and the standard library has a
module of that name.)
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pulumi_policy import Severity

from policies.model.credentials.chart_values import chart_credentials
from policies.model.credentials.commands import (
    MAX_COMMAND,
    assigned,
    client_passwords,
    sets_password,
    subcommand_passwords,
)
from policies.model.credentials.names import (
    describes_secret,
    is_code,
    is_reference,
    may_set_secret,
    sets_secret,
)
from policies.model.credentials.setting_lines import MAX_FILE, secret_literals, secret_settings
from policies.model.paths import Path
from policies.model.pods import DOCUMENTATION, POD_TYPES, pod_templates, title
from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource, objects_of
from policies.pack.rule import Settings, rule

CONCERN: Final = "plaintext-secrets"
_TAGS: Final = ("SOC2:CC6.1", "CIS-GKE:5.4.1", "SEC1")
# A value that is neither looked up elsewhere nor a placeholder.
_WRITTEN: Final = r"(?![$*<{\[]|%[sv(]|x{4,}|\.{3}|(?:your|insert|replace)[_-])[^\s&;,\"'@/<>{}$]{3,200}"
# Patterns of secret values, with the name that a finding uses. Findings never repeat the value.
_SHAPES: Final = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    # The three positions that "PRIVATE KEY" can have within groups of three bytes, as in a kubeconfig.
    "a private key in base64": re.compile(
        r"\bLS0tLS1CRUdJTi[0-9A-Za-z+/]{0,20}(?:QUklWQVRFIEtFW|UFJJVkFURSBLRV|BSSVZBVEUgS0VZ)"
    ),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a Google service account key": re.compile(r'"type"\s*:\s*"service_account"'),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{60,})\b"),
    "a Slack token": re.compile(r"\bxox[abpors]-[0-9A-Za-z-]{10,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[0-9A-Za-z]{16,}\b"),
    "a JSON web token": re.compile(r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}"),
    "a password in a URL": re.compile(
        # A user may be an email address.
        r"\b[a-z][a-z0-9+.-]*://[^\s/:@$]*(?:@[^\s/:@$]+)?:(?!\$|\*|%[sv(]|x{4,}@)[^\s/:@${}<>]+@",
        re.IGNORECASE,
    ),
    "a password in the options of a URL": re.compile(
        rf"://[^\s\"'<>]{{0,300}}?[?&;](?:[\w.]{{0,40}}(?:password|passwd|pwd)|pass|secret|token|access_token"
        rf"|api_?key|client_secret|sig)={_WRITTEN}",
        re.IGNORECASE,
    ),
    # Oracle's ``user/password@//host:port/service``, alone and behind the prefix of its drivers.
    "a password of Oracle": re.compile(
        rf"(?:\bjdbc:oracle:\w{{1,10}}:|\b(?:sqlplus|sqlldr|expdp|impdp|rman)\s(?:[^\n;|&]{{0,200}}\s)?"
        rf"(?:userid=|target\s)?)[\w$#.-]{{1,128}}/{_WRITTEN}@"
        rf"|(?:^|[\s\"'=])[a-z][\w$#]{{0,127}}/{_WRITTEN}@//[\w.-]",
        re.IGNORECASE,
    ),
    "a token in a URL": re.compile(r"\bnats://(?![$*<%{])[^\s/:@$<{,]{8,}@", re.IGNORECASE),
    "a password in a data source name": re.compile(
        r"[^\s:/@\"']:(?![$*<%{])[^\s@${}<>\"']+@(?:tcp|udp|unix)\("
    ),
    "a GitLab token": re.compile(r"\bglpat-[0-9A-Za-z_-]{20,}"),
    "an OpenAI or Anthropic key": re.compile(r"\bsk-[0-9A-Za-z_-]{40,}"),
    "an npm token": re.compile(r"\bnpm_[0-9A-Za-z]{36}\b"),
    "a Vault token": re.compile(r"\bhv[sb]\.[0-9A-Za-z_-]{24,}"),
    "a SendGrid key": re.compile(r"\bSG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}"),
    "a DigitalOcean token": re.compile(r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    "a Slack webhook": re.compile(r"\bhooks\.slack\.com/services/T[0-9A-Z]+/B[0-9A-Z]+/[0-9A-Za-z]{16,}"),
    "an Azure access key": re.compile(r"\b(?:AccountKey|SharedAccessKey)\s*=\s*[0-9A-Za-z+/]{20,}"),
    "an authorization header": re.compile(
        r"\b(?:proxy-)?authorization[\"']?(?:\s*[:=]\s*[\"']?|[ \t]+[\"'])"
        r"(?:(?:api-?key|bearer|token)(?:\s+|%20)[0-9A-Za-z+/_.=~:-]{16,}|basic(?:\s+|%20)"
        # Base64 and not a word: a digit, or an upper-case letter behind a lower-case one.
        r"(?-i:(?=[0-9A-Za-z+/]{0,200}(?:[0-9+/=]|[a-z][A-Z])))[0-9A-Za-z+/]{8,}={0,2}(?![0-9A-Za-z+/_{(-]))",
        re.IGNORECASE,
    ),
    "an API key in a header": re.compile(
        r"\bx-(?:api-key|(?:access|api|auth|vault)-token)[\"']?\s*[:=]\s*[\"']?(?=[a-z_./+=-]{0,200}[0-9])[0-9a-z_./+=-]{16,}",
        re.IGNORECASE,
    ),
    "a registry password": re.compile(r'"auths"\s*:[^\0]{0,200}?"(?:auth|password)"\s*:\s*"[^"$<{]{4,}"'),
}
# ``--password=…``; a value that is looked up elsewhere (``$(NAME)``) is not a secret.
_ARGUMENT: Final = re.compile(r"-{1,2}(?P<name>[\w.-]+)[= ](?P<value>\S.*)")
_FLAG: Final = re.compile(r"-{1,2}(?P<name>[\w.-]+)")
_CONNECTION: Final = re.compile(
    r"(?:^|;)\s*(?:password|pwd)\s*=\s*(?![$<{*;\s])[^;\s][^;]*(?:;|$)", re.IGNORECASE
)
_SERVER: Final = re.compile(
    r"(?:^|;)\s*(?:server|data source|host|user id|uid|accountname|endpoint)\s*=", re.IGNORECASE
)
# The keyword/value form of libpq: ``host=db user=a password=b``.
_LIBPQ: Final = re.compile(r"(?:^|\s)password\s*=\s*(?![$<{*%\s])\S")
_LIBPQ_SERVER: Final = re.compile(r"(?:^|\s)(?:host|hostaddr|dbname)\s*=\s*\S")
# Types whose purpose is to store secrets; their providers mark these inputs as secret.
_CARRIERS: Final = re.compile(
    r"gcp:secretmanager/secretVersion:SecretVersion|kubernetes:core/v1:Secret|pulumi:.*|random:.*|tls:.*"
)


def recognized(text: str) -> str | None:
    """Return the kind of secret that `text` contains, for a message; None if it contains none."""
    # Most texts have no marker, and one expression over all markers is much cheaper than each pattern.
    if _ANY_MARK.search(text):
        for name, shape in _SHAPES.items():
            if any(mark in text for mark in _MARKS[name]) and shape.search(text):
                return name
    if ";" in text and "=" in text and _SERVER.search(text) and _CONNECTION.search(text):
        return "a password in a connection string"
    if "password" in text and "\n" not in text and _LIBPQ_SERVER.search(text) and _LIBPQ.search(text):
        return "a password in a connection string"
    return None


def _may_be_recognized(text: str) -> bool:
    """Whether any part of `text` may be :func:`recognized`."""
    # URLs are frequent; only those with a user name can contain a password.
    if any(mark in text for mark in _RARE_MARKS) or _LINK_WITH_USER.search(text):
        return True
    lowered = text.lower()
    return ("password" in lowered or "pwd" in lowered) and _PASSWORD_SET.search(lowered) is not None


# For each pattern, a substring of all its matches.
_MARKS: Final = {
    "a private key": ("PRIVATE KEY-----",),
    "a private key in base64": ("LS0tLS1CRUdJTi",),
    "an AWS access key": ("AKIA", "ASIA"),
    "a Google API key": ("AIza",),
    "a Google service account key": ("service_account",),
    "a GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    "a Slack token": ("xox",),
    "a Stripe key": ("_live_",),
    "a JSON web token": ("eyJ",),
    "a password in a URL": ("://",),
    "a password in the options of a URL": ("://",),
    "a password of Oracle": ("oracle:", "@//", "sqlplus", "sqlldr", "expdp", "impdp", "rman "),
    "a token in a URL": ("nats://",),
    "a password in a data source name": ("@tcp(", "@udp(", "@unix("),
    "a GitLab token": ("glpat-",),
    "an OpenAI or Anthropic key": ("sk-",),
    "an npm token": ("npm_",),
    "a Vault token": ("hvs.", "hvb."),
    "a SendGrid key": ("SG.",),
    "a DigitalOcean token": ("_v1_",),
    "a Slack webhook": ("hooks.slack.com",),
    "an Azure access key": ("AccountKey", "SharedAccessKey"),
    "an authorization header": ("uthorization", "UTHORIZATION"),
    "an API key in a header": tuple(
        spelling
        for name in ("x-api-key", "x-access-token", "x-api-token", "x-auth-token", "x-vault-token")
        for spelling in (name, name.title(), name.upper(), name.title().replace("Api", "API"))
    ),
    "a registry password": ('"auths"',),
}
_ANY_MARK: Final = re.compile("|".join(re.escape(mark) for marks in _MARKS.values() for mark in marks))
_RARE_MARKS: Final = tuple(mark for marks in _MARKS.values() for mark in marks if mark != "://")
_LINK_WITH_USER: Final = re.compile(r"://[^\s/]*@|://\S{0,300}?[?&;][\w.]{2,60}=")
_PASSWORD_SET: Final = re.compile(r"(?:password|pwd)\s*=")


@rule(
    "no-secret-values",
    "Credentials must not be plaintext inputs. Previews, states and manifests show them otherwise.",
    concern=CONCERN,
    types=r"(?!pulumi:).*",
    remediation="Put the value into Secret Manager and mount it; reference it by name.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_secret_values(resource: Resource, _: Settings) -> Iterator[Finding]:
    if _CARRIERS.fullmatch(resource.type):
        return
    # Most resources have no such text, and one search over all texts is much cheaper than one in each.
    texts = list(_texts(resource.node.raw))
    if not _may_be_recognized("\0".join(texts)) or not any(map(recognized, texts)):
        return
    # Unknown values are left out: only literal ones can be plain text.
    for text, path in _written(resource.node):
        kind = recognized(text)
        if kind is not None:
            yield Finding(f"looks like {kind}", path, resource.urn)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts below a value that are long enough to be a secret, in any order."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if len(value) >= _MIN_SECRET:
                yield value
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _written(node: Node) -> Iterator[tuple[str, Path]]:
    """Yield the texts below a value that are long enough to be a secret, each with its path."""
    waiting: list[tuple[Any, Path]] = [(node.raw, node.path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, str):
            if len(value) >= _MIN_SECRET:
                yield value, path
        elif isinstance(value, dict):
            waiting.extend((item, (*path, str(key))) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend((value[at], (*path, at)) for at in reversed(range(len(value))))


_MIN_SECRET: Final = 12


@rule(
    "no-secret-variables",
    "Credentials must not be set in environment variables, arguments, ConfigMaps or values of charts. "
    "Everyone who can read the manifest can read them otherwise.",
    concern=CONCERN,
    types=POD_TYPES + r"|kubernetes:core/v1:ConfigMap(List)?",
    remediation="Mount the secret with the Secret Manager driver and point the service at its file.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_secret_variables(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            yield from _secret_variables(container)
            yield from _secret_arguments(container)
    for item in objects_of(resource):
        if item.group == "kustomize.config.k8s.io":
            yield from _generated(item.node)
        for value, name in chart_credentials(item):
            yield value.finding(f"the {item.kind} has {name} in plain text")
        if item.kind == "ConfigMap":
            for key, value in item.node["binaryData"].entries():
                if (text := _decoded(value.text())) and (sets_secret(key, text) or recognized(text)):
                    yield value.finding("the ConfigMap contains a credential")
            for key, value in item.node["data"].entries():
                if key != DOCUMENTATION:
                    yield from _entry_secrets(key, value)


def _secret_variables(container: Node) -> Iterator[Finding]:
    """Yield the environment variables of a container that hold a credential."""
    for variable in container["env"].items():
        name = variable["name"].text()
        value = variable["value"]
        if _sets(name, value):
            yield value.finding(f"{title(container)} has {name} in plain text")
        elif value.present:
            yield from _secret_options(container, name, value)


def _entry_secrets(key: str, value: Node) -> Iterator[Finding]:
    """Yield the credentials in one entry of a ConfigMap: a value, a file or a script."""
    text = value.text()
    if sets_password(text):
        yield value.finding("the ConfigMap sets a password of a database in plain text")
    if _is_script(key, text):
        yield from _script_secrets(value)
    if found := credential_file(key, text):
        yield value.finding(f"the ConfigMap contains {found} in plain text")
    elif "\n" in text.strip() or key.lower().endswith(".json"):
        yield from secret_lines(key, value)
    elif is_structured(text):
        for name in settings_in(text):
            yield value.finding(f"the ConfigMap contains a credential: {name}")
    elif _sets(key, value):
        yield value.finding("the ConfigMap contains a credential")
    elif not recognized(text):
        names = sorted(assigned(text))
        for name in names:
            yield value.finding(f"the ConfigMap contains a credential: {name}")
        if not names:
            yield from secret_lines(key, value)


def _generated(kustomization: Node) -> Iterator[Finding]:
    """Yield the literals of generators that set a credential; of a Secret, any value may be one."""
    for key in ("secretGenerator", "configMapGenerator"):
        for generator in kustomization[key].items():
            for literal in generator["literals"].items():
                name, equals, text = literal.text().partition("=")
                text = text.strip("\"'")
                secret = sets_secret(name, text) or (
                    key == "secretGenerator" and not (is_reference(text) or describes_secret(name))
                )
                if equals and secret:
                    yield literal.finding(f"the {key} has {name} in plain text")


def _secret_options(container: Node, name: str, value: Node) -> Iterator[Finding]:
    """Yield the credentials in the text of a variable, such as ``-Dtoken=x`` in JAVA_OPTS."""
    text = value.text()
    if sets_password(text):
        yield value.finding(f"{title(container)} sets a password of a database in {name} in plain text")
    elif not recognized(text):  # those are reported by no-secret-values
        options = [*(settings_in(text) if is_structured(text) else ()), *sorted(assigned(text))]
        for option in dict.fromkeys(options):
            yield value.finding(f"{title(container)} has {option} in {name} in plain text")


_CONFIG_FILE: Final = re.compile(
    r"(?:^|\.)(?:env|properties|ini|cnf|conf|cfg|toml|ya?ml|json|xml)$"
    r"|(?:config|configuration|credentials|properties|settings)$",
    re.IGNORECASE,
)
_SOURCE_FILE: Final = re.compile(
    r"\.(?:cjs|exs|groovy|hcl|js|lua|mjs|php|py|rb|tf|tfvars|ts)$", re.IGNORECASE
)
# Directives of Redis, its Sentinel and Mosquitto, which have no equals sign.
_DIRECTIVE: Final = re.compile(
    r"^[ \t]*(?:sentinel[ \t]+)?(?P<name>requirepass|masterauth|remote_password|auth-pass(?= \S{1,300}[ \t]))"
    r"[ \t]+(?:(?<=auth-pass )\S{1,300}[ \t]+)?(?P<value>\S[^\n]{0,1000})$",
    re.MULTILINE,
)
# The users of PgBouncer: ``"user" "password"``.
_USER_LIST_KEY: Final = re.compile(r"(?:^|[._-])userlist(?:\.txt)?$", re.IGNORECASE)
_USER_LIST: Final = re.compile(
    r"^[ \t]*\"[^\"\n]{1,200}\"[ \t]+\"(?!md5[0-9a-f]{32}\"|SCRAM-SHA-256\$)(?P<value>[^\"\n]{1,200})\"",
    re.MULTILINE,
)
# ``host:port:database:user:password`` of libpq, in ``.pgpass`` and in a command that writes the file.
_PGPASS_KEY: Final = re.compile(r"(?:^|[._-])pgpass(?:\.conf)?$", re.IGNORECASE)
_PGPASS: Final = re.compile(r"^[ \t]*(?!#)(?:[^:\n]{1,300}:){4}(?P<value>[^\n]{1,300})$", re.MULTILINE)
_PGPASS_WRITTEN: Final = re.compile(
    r"(?<![^\s\"'])(?:[^\s:\"']{1,300}:){4}(?P<value>[^\s:\"']{1,300})[\"']?\s*>{1,2}\s*\S{0,300}pgpass"
)
_NETRC_KEY: Final = re.compile(r"(?:^|[._-])netrc$", re.IGNORECASE)
_NETRC: Final = re.compile(r"\b(?:machine\s+\S+|default)\s[^#]{0,300}?\bpassword\s+(?P<value>\S{1,300})")
# A rule of Redis' access control list: ``user app on >password ~* +@all``.
_ACL: Final = re.compile(
    r"^[ \t]{0,100}user[ \t]{1,100}\S{1,300}(?!\S)"
    r"(?=[^\n]{0,1000}[ \t](?:on|off|allkeys|allcommands|[~+]\S{1,300})(?!\S))"
    r"[^\n]{0,1000}?[ \t]>(?P<value>\S{1,300})",
    re.MULTILINE,
)
_ACL_COMMAND: Final = re.compile(
    r"\bSETUSER\s[^\n;|&]{0,300}?[\"']>(?P<value>[^\s\"']{1,300})[\"']", re.IGNORECASE
)


def credential_file(key: str, text: str) -> str:
    """Return the credential in a file without named settings, for a message; "" if there is none."""
    text = text[:MAX_FILE]
    if _PGPASS_KEY.search(key) and _has_secret(_PGPASS, text):
        return "a password of libpq"
    if _USER_LIST_KEY.search(key) and _has_secret(_USER_LIST, text):
        return "a password of PgBouncer"
    if _NETRC_KEY.search(key) and _has_secret(_NETRC, text):
        return "a password of netrc"
    if " >" in text and "user" in text and _has_secret(_ACL, text):
        return "a password of a Redis user"
    return ""


def _has_secret(pattern: re.Pattern[str], text: str) -> bool:
    """Whether one of the matches has a literal secret as its value."""
    return any(not is_reference(found["value"].strip("\"'")) for found in pattern.finditer(text))


def secret_lines(key: str, value: Node) -> Iterator[Finding]:
    """Yield the settings with a secret in a configuration file, or source code, of a ConfigMap."""
    if _SOURCE_FILE.search(key):
        text = value.text()[:MAX_FILE]
        for found, name, _ in secret_literals(text):
            line = text.count("\n", 0, found.start("name")) + 1
            yield value.finding(f"the ConfigMap contains a credential: {name} in line {line}")
        return
    if not _CONFIG_FILE.search(key) or key == "nsswitch.conf":  # its passwd names a database of users
        return
    whole = value.text()
    if key.lower().endswith(".json"):
        yield from _json_settings(whole, value)
        return
    if key.lower().endswith(".xml"):
        yield from _xml_settings(whole, value)
        return
    text = whole[:MAX_FILE]
    for found, name, _ in (*secret_settings(text), *secret_settings(text, _DIRECTIVE)):
        line = text.count("\n", 0, found.start("name")) + 1
        yield value.finding(f"the ConfigMap contains a credential: {name} in line {line}")


# ``<password>x</password>``, and the pairs of Hadoop's configuration.
_XML_ELEMENT: Final = re.compile(r"<(?P<name>[A-Za-z][\w.:-]{0,100})>(?P<value>[^<>\n]{1,300})</(?P=name)>")
_XML_PAIR: Final = re.compile(
    r"<name>\s{0,40}(?P<name>[\w.-]{1,200})\s{0,40}</name>\s{0,200}<value>(?P<value>[^<>\n]{1,300})</value>"
)
_XML_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)


def _xml_settings(text: str, value: Node) -> Iterator[Finding]:
    text = _XML_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text[:MAX_FILE])
    for pattern in (_XML_ELEMENT, _XML_PAIR):
        for found in pattern.finditer(text):
            name, content = found["name"], found["value"].strip()
            if sets_secret(name, content) and not is_code(name, content):
                line = text.count("\n", 0, found.start("value")) + 1
                yield value.finding(f"the ConfigMap contains a credential: {name} in line {line}")


def is_structured(text: str) -> bool:
    """Whether a text may be a JSON object or list, or a file of settings."""
    stripped = text.strip()
    return stripped[:1] in ("{", "[") or "\n" in stripped


def settings_in(text: str) -> Iterator[str]:
    """Yield the settings of a text that hold a secret, each once: members in JSON, else lines of settings."""
    text = text.strip()
    if text[:1] in ("{", "["):
        yield from dict.fromkeys(_json_secrets(text))
        return
    yield from dict.fromkeys(name for _, name, _ in secret_settings(text))


def _decoded(text: str) -> str:
    """Return the text that `text` encodes in base64; "" for other data."""
    try:
        return base64.b64decode(text[:MAX_FILE], validate=True).decode()
    except ValueError:
        return ""


# The name of a setting; other members are display texts, such as "wrong password".
_MEMBER: Final = re.compile(r"[A-Za-z_][\w.-]{0,100}")


def _json_settings(text: str, value: Node) -> Iterator[Finding]:
    for name in _json_secrets(text):
        yield value.finding(f"the ConfigMap contains a credential: {name}")


def _json_secrets(text: str) -> Iterator[str]:
    """Yield the members of objects that contain a secret; nothing for text that is not JSON."""
    try:
        waiting: list[Any] = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            for name, inner in item.items():
                if isinstance(inner, (dict, list)):
                    waiting.append(inner)
                texts = inner if isinstance(inner, list) else [inner]
                if _MEMBER.fullmatch(name) and any(
                    isinstance(text, str) and sets_secret(name, text) and not is_code(name, text)
                    for text in texts
                ):
                    yield name


_SCRIPT_KEY: Final = re.compile(r"\.(?:sh|bash|ash|zsh)$", re.IGNORECASE)
_SCRIPT: Final = re.compile(r"\s*#![^\n]{0,100}\b(?:ba|da|a|z)?sh\b")
_SHELL_COMMENT: Final = re.compile(r"^[ \t]*#[^\n]*$", re.MULTILINE)


def _is_script(key: str, text: str) -> bool:
    """Whether an entry of a ConfigMap is a script of a shell, by its name or its first line."""
    return bool(_SCRIPT_KEY.search(key) or _SCRIPT.match(text))


def _script_secrets(value: Node) -> Iterator[Finding]:
    """Commands of a script that carry a secret, as in the command lines of containers."""
    text = _SHELL_COMMENT.sub("", value.text()[:MAX_COMMAND])
    passwords = (*client_passwords([text]), *subcommand_passwords([text]))
    for what in dict.fromkeys(
        (*sorted(assigned(text)), *(f"the password of {name}" for _, name in passwords))
    ):
        yield value.finding(f"the ConfigMap has a script with {what} in plain text")


def _secret_arguments(container: Node) -> Iterator[Finding]:
    """Yield arguments with a secret: ``--password=x``, or ``--password`` followed by ``x``."""
    commands = [container["command"], container["args"]]
    handlers = [container[probe] for probe in _PROBES]
    handlers += [container.at("lifecycle", hook) for hook in ("postStart", "preStop")]
    commands += [handler.at("exec", "command") for handler in handlers if handler.present]
    for command in commands:
        flag = ""
        words = list(command.items())
        for argument in words:
            text = argument.text()
            if flag and text and not text.startswith("-") and _sets(flag, argument):
                yield argument.finding(f"{title(container)} has {flag} in plain text")
            flag = ""
            alone, given = _FLAG.fullmatch(text), _ARGUMENT.fullmatch(text)
            if alone is not None and may_set_secret(alone["name"]):
                flag = alone["name"]
            elif given is not None and sets_secret(given["name"], given["value"].strip("\"'")):
                yield argument.finding(f"{title(container)} has {given['name']} in plain text")
            else:
                for name in sorted(assigned(text)):
                    yield argument.finding(f"{title(container)} has {name} in plain text")
            if sets_password(text):
                yield argument.finding(f"{title(container)} sets a password of a database in plain text")
            if "pgpass" in text and _has_secret(_PGPASS_WRITTEN, text[:MAX_COMMAND]):
                yield argument.finding(f"{title(container)} writes a password of libpq in plain text")
        yield from _acl_arguments(container, words)
    # The client is often the command, and its options are the arguments.
    for line in (
        [*commands[0].items(), *commands[1].items()],
        *(list(command.items()) for command in commands[2:]),
    ):
        texts = [node.text() for node in line]
        for at, what in (*client_passwords(texts), *subcommand_passwords(texts)):
            yield line[at].finding(f"{title(container)} has the password of {what} in plain text")


def _acl_arguments(container: Node, words: Iterable[Node]) -> Iterator[Finding]:
    """Yield passwords of ``ACL SETUSER``, as a separate word or quoted within a shell line."""
    setting = False
    for argument in words:
        text = argument.text()[:MAX_COMMAND]
        if (setting and text.startswith(">") and not is_reference(text[1:])) or (
            ">" in text and _has_secret(_ACL_COMMAND, text)
        ):
            yield argument.finding(f"{title(container)} has a password of a Redis user in plain text")
        setting = setting or text.upper() == "SETUSER"


_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def _sets(name: str, value: Node) -> bool:
    """Whether a variable or option of this name has a literal credential as its value."""
    if not value.present or not value.known() or isinstance(value.raw, bool):
        return False
    return sets_secret(name, str(value.raw))


@rule(
    "no-kubernetes-secrets",
    "Kubernetes Secrets must not be declared; mount them from Secret Manager. "
    "The cluster's store keeps a copy otherwise.",
    concern=CONCERN,
    types=r"kubernetes:core/v1:Secret(List)?",
    remediation="Use a SecretProviderClass of the Secret Manager driver instead of a Secret.",
    severity=Severity.HIGH,
    tags=_TAGS,
    platform_specific=True,
)
def no_kubernetes_secrets(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        if item.kind == "Secret" and (item.node["data"].present or item.node["stringData"].present):
            yield Finding(f"{item.label} carries its content in the manifest")


@rule(
    "no-secret-environment",
    "Secrets must be mounted as files, not set as environment variables. "
    "Variables appear in crash dumps and child processes.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Replace secretKeyRef and secretRef by a mounted volume.",
    severity=Severity.MEDIUM,
    tags=_TAGS,
    platform_specific=True,
)
def no_secret_environment(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            for variable in container["env"].items():
                if variable.at("valueFrom", "secretKeyRef").present and variable.known():
                    yield variable.finding(f"{title(container)} takes a secret as a variable")
            for source in container["envFrom"].items():
                if source["secretRef"].present and source.known():
                    yield source.finding(f"{title(container)} takes a whole Secret as variables")
