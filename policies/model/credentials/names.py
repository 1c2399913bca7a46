"""Names of variables and options that hold a credential, and values that only refer to one."""

from __future__ import annotations

import functools
import re
from typing import Final

# Words in the name of a variable that holds a secret.
_NAME: Final = re.compile(
    r"(?:^|_)(?:PASS|PW|PWD|SECRET|TOKEN|CREDS|CREDENTIALS?|AUTH_STRING|SECRET_KEY_BASE|REDISCLI_AUTH|REDIS_AUTH"
    r"|NEO4_?J_AUTH|ERLANG_COOKIE|DOCKER_AUTH_CONFIG)(?:$|_)|_PAT$|REQUIREPASS|MASTERAUTH"
    # Also without a separator: PGPASSWORD, DBPASSWORD, ROOTPASSWD.
    r"|PASSWORD|(?<!HT)PASSWD|PASSPHRASE"
    r"|(?:AUTH|ACCESS|BEARER|API|BOT|REFRESH|SESSION|WEBHOOK)TOKEN(?:$|_)|(?:CLIENT|APP|API|SHARED)SECRET(?:$|_)"
    r"|(?:DB|SQL|PG|ROOT|USER|ADMIN|SMTP|MAIL|FTP|LDAP|REDIS|RABBITMQ|STORE)PASS(?:$|_)"
    # Kinds of keys that encrypt, sign or give access; two underscores separate sections in .NET.
    r"|(?:^|_)(?:API|APP|APPLICATION|ACCESS|ACCOUNT|ADMIN|AES|AUTH|CIPHER|CLIENT|COOKIE|CRYPT|CRYPTO|DATA|DEPLOY"
    r"|CONSUMER|COSMOS(?:DB)?|DECRYPT|DECRYPTION|ENCRYPT|ENCRYPTION|FERNET|HASH|HMAC|INGEST|INTEGRATION|JWT|LICENSE|LOGGED_IN|MASTER|NONCE|OPENAI|OPENROUTER|PRIVATE|PRE_?SHARED|RAILS_MASTER|ROOT|RSA|SECRET|SERVER"
    r"|SERVICE_ACCOUNT|SERVICE_ROLE|SESSION|SHARED|SIGNATURE|SIGNING|SSH|SSL|STORAGE|STRIPE|SUBSCRIPTION|TLS|UNSEAL|VAULT"
    r"|WEBHOOK|WIREGUARD|WRITE)_{0,2}KEY(?:$|_)|(?:^|_)(?:AUTH|LOGGED_IN|NONCE)_SALT$"
    # Lists of credentials.
    r"|(?:^|_)(?:TOKENS|CREDENTIALS|(?:API|APP|CLIENT|COOKIE|HMAC|JWT|OAUTH|SESSION|SHARED|SIGNING|WEBHOOK)_?SECRETS"
    r"|(?:API|APP|ACCESS|ACCOUNT|ADMIN|AES|AUTH|CIPHER|CLIENT|COOKIE|CRYPTO|DECRYPTION|DEPLOY|ENCRYPTION|FERNET"
    r"|HMAC|JWT|LICENSE|MASTER|PRIVATE|PRE_?SHARED|RSA|SECRET|SESSION|SHARED|SIGNATURE|SIGNING|STORAGE|STRIPE"
    r"|UNSEAL|VAULT|WEBHOOK|WIREGUARD)_?KEYS)$",
    re.IGNORECASE,
)
# Numbers and units of text, which are also called tokens, and the directive server_tokens of nginx.
_COUNTED: Final = re.compile(
    r"(?:^|_)(?:SERVER|MAX|MIN|NUM|NUMBER_OF|TOTAL|NEW|INPUT|OUTPUT|PROMPT|COMPLETION|CONTEXT|STOP|SPECIAL|USED|CACHED"
    r"|REASONING|BUDGET|CHUNK|BATCHED|PER_\w+)_TOKENS$",
    re.IGNORECASE,
)
# Namespace and name of an object that contains the secret.
_OBJECT: Final = re.compile(r"[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}")
# The key of a Secret with the password: ``passwordKey: admin-password``.
_KEY_OF_SECRET: Final = re.compile(r"(?:pass(?:word|wd|phrase)|token)[_.-]?key$", re.IGNORECASE)
_WORDS: Final = re.compile(r"[a-z]+(?:[._-][a-z]+)*")
_NUMBER: Final = re.compile(r"\s*[0-9][0-9_.,kKmM]*\s*")
# Names whose values hold a credential only in one of the forms below.
_AUTHORIZATION: Final = re.compile(
    r"(?:^|_)(?:(?:BASIC|HTTP)?_?AUTH(?:ORIZATION)?|USER_?PASS|HTPASSWD)"
    r"(?:_?(?:HEADERS?|VALUE|STRING|CREDENTIALS?|USERS?))?$",
    re.IGNORECASE,
)
# The value of an Authorization header (RFC 9110, section 11.6.2), with or without the name of the header.
_HEADER_VALUE: Final = re.compile(
    r"\s*(?:authorization\s*[:=]\s*)?(?:api-?key|basic|bearer|bot|digest|splunk|token)(?:\s+|%20)"
    r"(?!(?:auth|authentication|authorization|credentials?|token)\s*$)(?P<value>\S{4,})\s*",
    re.IGNORECASE,
)
# ``user:password``; not ``host:port``, an image or a URL.
_PAIR: Final = re.compile(r"\s*(?P<user>[^\s:/,=]{1,100}):(?!//)(?P<value>[^\s:/@]{3,200})\s*")
_USER: Final = re.compile(r"[\w-]+")
_ONLY_PAIRS: Final = re.compile(r"BASIC|HTTP[_.-]|USER|HTPASSWD", re.IGNORECASE)
# Suffixes of variables that contain only the location, kind or use of a secret.
_POINTER: Final = re.compile(
    r"_(?:FILE|FILES|FILENAME|DIR|DIRECTORY|PATH|NAME|NAMES|ID|IDS|URL|URI|HOST|PORT|TTL|SECONDS|MINUTES|DAYS"
    r"|EXPIRY|EXPIRATION|HEADER|ISSUER|AUDIENCE|SCOPES?|ROUNDS|LENGTH|SIZE|COUNT|LIMIT|MIN|MAX|ENABLED|DISABLED"
    r"|REQUIRED|ALGORITHM|TYPE|VERSION|MODE|POLICY|BACKEND|PROVIDER|STORE|REF|ARN|NAMESPACE|KEYS?_PREFIX|PREFIX"
    r"|INTERVAL|TIMEOUT|DURATION|ROTATION|REFRESH|LOCATION|FORMAT|ENCODING|ENDPOINT|VALIDITY|LIFETIME|FIELD"
    r"|ATTRIBUTE|COLUMN|CLASS|DRIVER|PROJECT|REGION|ZONE|ADDR|ADDRESS|SERVER|SERVICE|USER|USERNAME|SOURCE|ENGINE"
    r"|MOUNT|LABELS?|ANNOTATIONS?|SCHEDULE|CRON|EXPIRES|EXPIRE|EXPIRES_(?:IN|AT|AFTER)|AGE|LIFESPAN|HOURS|WEEKS|MS"
    r"|MILLIS|PERIOD|WINDOW|HASHER|ENCODER|ALG|ALGO|(?<!ERLANG_)COOKIE|THROUGH|METHOD|POST|API|DOMAIN|GROUP|ROLE"
    r"|TABLE|BUCKET|TOPIC|QUEUE|STRATEGY|STRENGTH|REGEX|PATTERN|TEMPLATE|PLACEHOLDER|HINT|PROMPT|MESSAGE|STATUS"
    r"|KIND|CHARS|CHARSET|CHARACTERS|PARAM|PARAMETER|QUERY|RATE|RATIO|THRESHOLD|PERCENT|PERCENTAGE|WEIGHT"
    # Text that a dialog shows, and hashes of a password.
    r"|REALM|(?:HASH|HEX|DIGEST|BCRYPT|SHA1|SHA256)|ENV|ENV_VAR|VARIABLE|REVIEWER|REQUEST|RESPONSE|COMMAND|SCRIPT)$"
    r"|^(?:ALLOW|DISABLE|ENABLE|HAS|IS|NO|REQUIRE|SKIP|USE|SHOW|HIDE|CHECK|VALIDATE|RESET)_"
    # Options that take the name of a Secret, as those of cert-manager.
    r"|(?:^|_)(?:CA|CERT|CERTIFICATE|SERVING|TLS|SSL|PULL)_SECRETS?$"
    r"|_(?:ALLOW|ENABLE|DISABLE|SKIP|REQUIRE)_|(?:^|_)PUBLIC_?KEY|^ALLOW|INITIAL_CLUSTER_TOKEN$",
    re.IGNORECASE,
)
# Boundary between the words of camelCase, and behind an abbreviation, as in ``keyIDName``.
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])")
# A variable that the kubelet or a shell replaces, anywhere in a value.
_EXPANSION: Final = re.compile(r"\$\([A-Za-z_][\w.-]*\)|\$\{[A-Za-z_]")
# Values that refer to a secret, or that are not usable as one.
_REFERENCE: Final = re.compile(
    r"\s*(?:\${1,2}[({\w].*|`.*|\{\{.*|%\{?\w.*|<[^>]*>"
    r"|(?:true|false|yes|no|on|off|null|none|nil|enabled|disabled|optional|required|[0-9]{1,4}(?:\.[0-9]{1,4})?)"
    r"|/[\w./@-]+|\.{1,2}/[\w./@-]+|file:.*|[\w.+-]+://(?![^/@]*:[^/@]*@).*|(?:op|ref\+|vault:|arn:|sm:|secretref:).*"
    r"|(?:[0-9]{1,9}(?:ns|us|ms|s|m|h|d|w|y)){1,6}|\*{3,}|x{4,}|redacted|[A-Za-z]:\\.*"
    r"|[\w.-]{1,100}\.(?:json|pem|key|crt|cer|p12|pfx|jks|txt|ya?ml|env|pub|conf|ini|toml|xml|properties)"
    r"|(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+)\s.*|-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE).*"
    # Encrypted by SOPS, hiera-eyaml, Jasypt or Spring Cloud Config.
    r"|enc[\[(].*|\{cipher\}.*"
    # The name of an object that contains the secret.
    r"|(?:[a-z0-9]{1,63}-){1,20}(?:tls|ca|certs?|certificates?|credentials?|creds)"
    r"|projects/[^/]+/secrets/.*|(?:insert|your|replace)[_ -].*|.*_here)\s*",
    re.IGNORECASE | re.DOTALL,
)


def is_reference(value: str) -> bool:
    """Whether the value of a variable is only a reference to a secret, a switch, or empty."""
    return not value.strip(" \t\r\n\"'") or bool(_REFERENCE.fullmatch(value) or _EXPANSION.search(value))


# Manifests repeat few names.
@functools.lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether a variable, option or setting of this name holds a credential."""
    spelt = _spelt(name)
    return (
        _NAME.search(spelt) is not None and _POINTER.search(spelt) is None and _COUNTED.search(spelt) is None
    )


def sets_secret(name: str, value: str) -> bool:
    """Whether a variable, option or setting of this name and value holds a literal credential."""
    if names_secret(name):
        counted = name.upper().endswith("TOKENS") and _NUMBER.fullmatch(value)
        placeholder = value == name and value.isupper()
        named = (name.upper().endswith("SECRET") and _OBJECT.fullmatch(value)) or (
            _KEY_OF_SECRET.search(name) and _WORDS.fullmatch(value)
        )
        return not (counted or placeholder or named or is_reference(value))
    return sets_authorization(name, value)


def describes_secret(name: str) -> bool:
    """Whether a key of a Secret holds a user, an identifier or another value that is not a credential."""
    return _PUBLIC.fullmatch(name) is not None or _POINTER.search(_spelt(name)) is not None


_PUBLIC: Final = re.compile(
    r"(?:.*[_.-])?(?:user|username|login|name|email|host|hostname|port|url|uri|endpoint|database|region|namespace"
    r"|ca\.crt|tls\.crt)",
    re.IGNORECASE,
)


def may_set_secret(name: str) -> bool:
    """Whether a variable or option of this name holds a credential, depending on its value."""
    return names_secret(name) or _names_authorization(name)


@functools.lru_cache(maxsize=8192)
def _names_authorization(name: str) -> bool:
    return _AUTHORIZATION.search(_spelt(name)) is not None


def sets_authorization(name: str, value: str) -> bool:
    """Whether a name such as AUTHORIZATION or BASIC_AUTH has the value of a header, or ``user:password``."""
    if not _names_authorization(name):
        return False
    found = _HEADER_VALUE.fullmatch(value)
    if found is None:
        found = _PAIR.fullmatch(value)
        # Elsewhere it may be a port, or the name of a class.
        if found is None or not (
            _ONLY_PAIRS.search(name) or (_USER.fullmatch(found["user"]) and not found["value"].isdecimal())
        ):
            return False
    return not is_reference(found["value"]) and not found["value"].startswith(("{", "<", "["))


def _spelt(name: str) -> str:
    """Convert a name to the form of variables: ``clientSecret`` to ``client_Secret``."""
    return _HUMP.sub("_", name).replace("-", "_").replace(".", "_")


def is_code(name: str, value: str) -> bool:
    """Whether a value only refers to a secret, as a variable, a call or a list in source code does."""
    return (
        is_reference(value)
        or value.startswith(("#", "!", "&", "*", "|", ">", "[", "{", "("))
        or _CALL.match(value) is not None
        or _spelt(value.rstrip("),;")) == _spelt(name)
    )


_CALL: Final = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*[\[(]|(?:[A-Za-z_]\w*\.)+(?:env|environ|config|settings)\b"
)
