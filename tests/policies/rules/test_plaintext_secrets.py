"""Credentials in variables, arguments and ConfigMaps, and values that only resemble them."""

from __future__ import annotations

import base64
import json

import pytest

from policies.rules.plaintext_secrets import recognized
from tests.support.manifests import manifest, outcome, workload

SECRET_NAMES = (
    "PGPASSWORD", "MYSQL_PWD", "DBPASS", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GITLAB_PAT",
    "SECRET_KEY_BASE",
    "AIRFLOW__CORE__FERNET_KEY", "ENCRYPT_KEY", "CONSUMER_KEY", "SEGMENT_WRITE_KEY", "HONEYCOMB_WRITEKEY",
    "RABBITMQ_ERLANG_COOKIE", "NEO4J_AUTH", "spring.datasource.password", "clientSecret",
    "DOCKER_AUTH_CONFIG", "DB_PW", "SMTP_CREDS",
)  # fmt: skip
# Names and values that hold no secret.
NO_SECRETS = (
    ("TLS_KEY", "tls.key"), ("GOOGLE_APPLICATION_CREDENTIALS", "key.json"), ("SECRET_MANAGER_PROJECT", "p"),
    ("PASSWORD", "prefix-$(OTHER)"), ("PASSWORD", "a${OTHER}"), ("ACCESS_TOKEN_EXPIRES_IN", "15m"),
    ("REFRESH_TOKEN_MAX_AGE", "30d"), ("PASSWORD_HASHER", "argon2"), ("SSH_KEY", "ssh-ed25519 AAAAC3Nz"),
    ("JWT_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----"), ("SIGNING_KEY", "-----BEGIN CERTIFICATE-----"),
    ("CSRF_TOKEN_COOKIE", "csrf"), ("API_TOKEN_USER", "bob"), ("VAULT_SECRET_ENGINE", "kv"),
    ("TOKEN_LIFESPAN", "1h30m"), ("COOKIE_SECRET_SOURCE", "file"), ("DB_PASSWORD", "C:\\secrets\\pw.txt"),
    ("MQTT_PASS_THROUGH", "all"), ("TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_post"),
    ("DB_PASSWORD", "***"), ("HF_TOKEN", "HF_TOKEN"),
    ("SECRET_ROTATION_SCHEDULE", "0 0 * * *"), ("NEO4J_AUTH", "none"), ("PASSWORD", '""'), ("KEY_FILE", "a"),
    ("OAUTH_SECRET", "proxy-credentials"), ("IMAGE_PULL_SECRET", "registry"),
    ("PARTITION_KEY", "tenant"), ("STRIPE_PUBLISHABLE_KEY", "pk_live_a"), ("USE_PASSWORD", "sometimes"),
)  # fmt: skip
SHAPES = (
    "root:secret@tcp(db:3306)/x", "host=h user=u password=s3cret dbname=d", "glpat-" + "a1B2" * 5,
    "AccountName=x;AccountKey=" + "abcd" * 10 + "==", "SharedAccessKeyName=R;SharedAccessKey=" + "abcd" * 8,
    "sk-proj-" + "a1B2" * 12, "npm_" + "a" * 36, "hvs." + "A" * 30, f"SG.{'a' * 22}.{'b' * 43}",
    "dop_v1_" + "a" * 64, "https://hooks.slack.com/services/T0/B0/" + "X" * 24,
    "Authorization: Bearer abcdef0123456789abcdef", '{"auths": {"r.example": {"auth": "dTpwYXNz"}}}',
    "redis://:s3cret@h:6379", "postgres://u:p4ss@h/d", "smtp://me@a.example:s3cret@h:587", "sftp://u:p4ss@h/d",
    "zookeeper://u:p4ss@h:2181", "nats://a1B2c3D4@h:4222", "jdbc:oracle:thin:scott/tiger@//h:1521/s",
    "jdbc:oracle:thin:scott/tiger@h:1521:s", "sqlplus -s scott/tiger@//h:1521/s", "scott/tiger@//h:1521/s",
    "jdbc:postgresql://h/d?user=u&password=p4ss", "jdbc:sqlserver://h;user=sa;password=p4ss",
    "clickhouse://h:9000?username=u&password=p4ss", "https://h/hook?token=a1B2c3", "https://h/b?sv=1&sig=a1B2%3D",
    "jdbc:mysql://h/d?trustCertificateKeyStorePassword=changeit", "Authorization: Basic dXNlcjpwYXNz",
    'proxy_set_header Authorization "Basic dXNlcjpwYXNzd29yZA==";',
    '{"Authorization": "Bearer abcdef0123456789"}', "Authorization=Bearer%20abcdef0123456789",
    *(
        base64.b64encode(f"-----BEGIN {kind}PRIVATE KEY-----\nMII".encode()).decode()
        for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")
    ),
    "x-api-key=abcdef0123456789abcdef", "X-Vault-Token: abcdef0123456789",
)  # fmt: skip
NO_SHAPES = (
    "postgres://u:<password>@h/d", "postgres://u:%s@h/d", "postgres://u:****@h/d", "postgres://u:$(P)@h/d",
    "host=h user=u dbname=d", "u:$(P)@tcp(db:3306)/x", "Authorization: Bearer $TOKEN", "AccountKey=$(KEY)",
    "jdbc:oracle:thin:@//h:1521/s", "jdbc:oracle:thin:scott/$(PW)@//h:1521/s", "sqlplus / as sysdba",
    "jdbc:postgresql://h/d?user=u&password=$(PW)", "https://h/hook?token=<token>", "https://h/?pageToken=a1B2c3",
    base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMII").decode(),
    base64.b64encode(b"-----BEGIN PUBLIC KEY-----\nMII").decode(),
    "registry/image@sha256:0123", "nats://$(TOKEN)@h:4222", "Authorization: Basic $(BASIC)",
    "authorization: basic authentication", "proxy_set_header Authorization $http_authorization;",
    "X-Api-Key: $(KEY)", "Access-Control-Allow-Headers: x-api-key",
    "host=h password=$(P)", "https://host:8080/path@v2", "basic authentication is required here",
)  # fmt: skip
SECRET_LINES = (
    ["sh", "-c", "export PASSWORD=s3cretX; app"], ["sh", "-c", "PGPASSWORD=s3cretX psql -h db"],
    ["sh", "-c", "mysql -u root --password=s3cretX"], ["sh", "-c", "app --db-password s3cretX --v"],
    ["redis-server", "--requirepass", "s3cretX"], ["--set", "auth.password=s3cretX"], ["PASSWORD=s3cretX"],
    ["--from-literal=password=s3cretX"], ["sh", "-c", "app --password='s3 cret'"],
    ["mysqladmin", "ping", "-uroot", "-ps3cretX"], ["sh", "-c", "sleep 1; /bin/mysql -u root -ps3cretX db"],
    ["sh", "-c", "mariadb-dump -p's3cretX' db > f"], ["redis-cli", "-a", "s3cretX", "ping"],
    ["mongosh", "-u", "root", "-p", "s3cretX"], ["sshpass", "-p", "s3cretX", "ssh", "h"],
    ["sh", "-c", "ldapsearch -D cn=a -w s3cretX"], ["sh", "-c", "curl -u admin:s3cretX https://h"],
    ["curl", "--user", "$USER:s3cretX", "https://h"], ["sh", "-c", "docker login -u a -p s3cretX r.example"],
    ["psql", "-c", "ALTER USER app WITH PASSWORD 's3cretX'"],
    ["sh", "-c", "mysql -e \"CREATE USER 'a'@'%' IDENTIFIED BY 's3cretX'\""],
    ["mysql", "-e", "SET PASSWORD FOR 'a'@'%' = 's3cretX';"],
    ["sh", "-c", "echo 'db:5432:*:app:s3cretX' > ~/.pgpass"], ["a", "-q", "IDENTIFIED BY 's3cretX'"],
    ["redis-cli", "ACL", "SETUSER", "app", "on", ">s3cretX", "~*"],
    ["sh", "-c", "redis-cli ACL SETUSER app on '>s3cretX' '~*'"],
    ["sh", "-c", "n=$(mysql -uroot -ps3cretX -e 'SELECT 1')"], ["sh", "-c", "mysql -h db \\\n -ps3cretX"],
    ["mysql_upgrade", "-ps3cretX"], ["redis-cli", "AUTH", "s3cretX"], ["valkey-cli", "-a", "s3cretX"],
    ["sh", "-c", "redis-cli -h db auth app s3cretX"], ["redis-cli", "HELLO", "3", "AUTH", "app", "s3cretX"],
    ["sh", "-c", "printf 'AUTH s3cretX\\r\\nPING\\r\\n' | nc db 6379"],
    ["sh", "-c", "(echo AUTH s3cretX; echo PING) | redis-cli"],
    ["redis-cli", "CONFIG", "SET", "requirepass", "s3cretX"],
    ["sqlplus", "-s", "CREATE USER app IDENTIFIED BY s3cretX DEFAULT TABLESPACE users"],
    ["sh", "-c", "echo 'ALTER USER app IDENTIFIED BY s3cretX;' | sqlplus / as sysdba"],
    ["sh", "-c", 'mysql -e "CREATE USER app IDENTIFIED BY \\"s3cretX\\""'],
    ["sh", "-c", "mysql -e 'CREATE USER app IDENTIFIED BY '\\''s3cretX'\\'''"],
    ["mongosh", "--eval", "db.createUser({user: 'a', pwd: 's3cretX', roles: []})"],
    ["sh", "-c", "rabbitmqctl add_user app s3cretX"], ["sh", "-c", "keytool -list -storepass s3cretX"],
    ["aws", "configure", "set", "aws_secret_access_key", "s3cretX"], ["--basic-auth=admin:s3cretX"],
    ["sh", "-c", "mc alias set m http://minio minio s3cretX && mc mb m/b"], ["az", "login", "-p", "s3cretX"],
    ["mc", "config", "host", "add", "m", "$URL", "$USER", "s3cretX", "--api", "S3v4"],
    ["mc", "admin", "user", "add", "m", "app", "s3cretX"], ["sh", "-c", "helm registry login r -p s3cretX"],
    ["app", "--basic-auth", "admin:s3cretX"], ["--auth-header=Bearer a1b2c3"],
)  # fmt: skip
PLAIN_LINES = (
    ["sh", "-c", "mysql --password=$MYSQL_PASSWORD"], ["sh", "-c", 'mysql --password="${MYSQL_PASSWORD}"'],
    ["sh", "-c", "export PASSWORD=$(cat /run/pw); app"], ["sh", "-c", "export TOKEN=`cat /run/t`; app"],
    ["sh", "-c", 'if [ -z "$PASSWORD" ]; then exit 1; fi'], ["--password=''"], ["--password="],
    ["python3", "-c", "connect(password=os.environ['P'])"], ["python3", "-c", "connect(password=password)"],
    ["--token-auth-file=/x"], ["--secret-name=foo"], ["--auth-token-webhook-cache-ttl=10s"],
    ["redis-server", "--requirepass", "$(REDIS_PASSWORD)"], ["sh", "-c", "app --token-file /run/t"],
    ["mysqladmin", "ping", "-p$(MYSQL_PASSWORD)"], ["sh", "-c", "mysql -p$$PASSWORD -e 'SELECT 1'"],
    ["sh", "-c", 'mysql -uroot -p"$MYSQL_ROOT_PASSWORD" db'],
    ["mysql", "-u", "root", "-p", "db"], ["mkdir", "-pv", "/data/x"], ["sh", "-c", "mysql -uroot; mkdir -pv"],
    ["redis-cli", "-a", "$REDIS_PASSWORD"], ["mongosh", "-p", "$(MONGO_PASSWORD)"], ["server", "-psecret"],
    ["sh", "-c", 'curl -u "$USER:$PASS" https://h'], ["curl", "-u", "admin:", "https://h"],
    ["sh", "-c", "docker run -p 8080:8080 image"], ["sh", "-c", "docker login -u a --password-stdin"],
    ["sh", "-c", "curl -o file https://h/login -p 1"],
    ["--webhook-ca-secret=cert-manager-webhook-ca"], ["--image-pull-secret=registry"], ["--tls-secret=w"],
    ["sh", "-c", 'echo "db:5432:*:app:$PW" > ~/.pgpass'], ["a", "-q", "IDENTIFIED BY '$(PW)'"],
    ["sh", "-c", "redis-cli ACL SETUSER app on '~*' > /dev/null"], ["cat", "~/.pgpass"],
    ["redis-cli", "ACL", "SETUSER", "app", "on", ">$(PW)", "~*"],
    ["psql", "-c", "ALTER USER app PASSWORD :'pw'"], ["psql", "-c", "ALTER USER a PASSWORD '${PW}'"],
    ["psql", "-c", "ALTER USER a PASSWORD 'SCRAM-SHA-256$4096:abc'"], ["psql", "-c", "SELECT password = 'x'"],
    ["redis-cli", "AUTH", "$(PW)"], ["sh", "-c", 'redis-cli auth default "$PW" > /dev/null'],
    ["sh", "-c", "redis-cli ping || echo redis-cli auth failed, AUTH FAILED"], ["echo", "AUTH token"],
    ["sh", "-c", 'redis-cli CONFIG SET requirepass "$PW"'], ["sh", "-c", "rabbitmqctl add_user a $PW"],
    ["sqlplus", "ALTER USER a IDENTIFIED BY &pw"], ["a", "users are identified by name"],
    ["sqlplus", "ALTER USER a IDENTIFIED BY VALUES 'S:1F2A'"],
    ["mysql", "-e", "CREATE USER a IDENTIFIED BY RANDOM PASSWORD"],
    ["clickhouse-client", "CREATE USER a IDENTIFIED WITH sha256_hash BY '0f1e2d'"],
    ["sh", "-c", "mysql -e \"CREATE USER a IDENTIFIED BY '$PW'\""],
    ["psql", "-c", "ALTER USER a PASSWORD ''"],
    ["sh", "-c", "mysql -e 'CREATE USER a IDENTIFIED BY '\\''${PW}'\\'''"],
    ["mongosh", "--eval", "db.createUser({user: 'a', pwd: process.env.PW})"],
    ["--basic-auth=admin:$(PASSWORD)"], ["--basic-auth", "/run/users"], ["--auth", "none"],
    ["--max-tokens=131072"], ["sh", "-c", 'mc alias set m http://minio:9000 "$USER" "$PASS"; mc ls m'],
    ["mc", "alias", "set", "m", "$(URL)", "$(USER)", "$(PASS)"], ["mc", "admin", "user", "add", "m", "app"],
    ["sh", "-c", "helm install -p 1"],
)  # fmt: skip


def _variable(name: str, value: str) -> str:
    return workload(container=f"env: [{{name: {name}, value: {json.dumps(value)}}}]")


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_variables_that_hold_a_secret_are_found(name: str) -> None:
    assert outcome(_variable(name, "hunter2Xy9AbCd"), "no-secret-variables").result == "found"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JAVA_OPTS", "-Xmx1g -Djavax.net.ssl.keyStorePassword=changeit"),
        ("REDIS_ARGS", "--requirepass s3cretX"),
        ("APP_ARGS", "--token=s3cretX"),
        ("AUTH_HEADER", "Bearer a1b2c3"),
        ("BASIC_AUTH", "admin:s3cretX"),
        ("CONFIG", '{"db": {"password": "s3cretX"}}'),
        ("USERS", '[{"name": "app", "token": "s3cretX"}]'),
        ("APP_CONFIG", "db:\n  password: s3cretX\n"),
    ],
)
def test_credentials_in_the_text_of_a_variable_are_found(name: str, value: str) -> None:
    assert outcome(_variable(name, value), "no-secret-variables").result == "found"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JAVA_OPTS", "-Djavax.net.ssl.keyStorePassword=$(PASSWORD)"),
        ("APP_ARGS", "--token-file=/run/token --max-tokens=131072"),
        ("LOG_FORMAT", "user=%u token=%s"),
        ("CONFIG", '{"passwordFile": "/x", "password": "$(PASSWORD)", "tokens": 131072}'),
        ("APP_CONFIG", "db:\n  password: ${DB_PASSWORD}\n  passwordFile: /run/pw\n"),
    ],
)
def test_references_in_the_text_of_a_variable_pass(name: str, value: str) -> None:
    assert outcome(_variable(name, value), "no-secret-variables").result == "clean"


@pytest.mark.parametrize(("name", "value"), NO_SECRETS)
def test_variables_that_only_refer_to_a_secret_pass(name: str, value: str) -> None:
    assert outcome(_variable(name, value), "no-secret-variables").result == "clean"


@pytest.mark.parametrize("text", SHAPES)
def test_secrets_are_recognized_by_their_format(text: str) -> None:
    assert recognized(text)


@pytest.mark.parametrize("text", NO_SHAPES)
def test_placeholders_are_not_recognized_as_secrets(text: str) -> None:
    assert recognized(text) is None


@pytest.mark.parametrize("line", SECRET_LINES, ids=" ".join)
def test_secrets_within_command_lines_are_found(line: list[str]) -> None:
    text = workload(container=f"args: {json.dumps(line)}")
    assert outcome(text, "no-secret-variables").result == "found"


@pytest.mark.parametrize("line", PLAIN_LINES, ids=" ".join)
def test_command_lines_without_a_secret_pass(line: list[str]) -> None:
    text = workload(container=f"args: {json.dumps(line)}")
    assert outcome(text, "no-secret-variables").result == "clean"


@pytest.mark.parametrize(
    ("key", "content", "expected"),
    [
        ("application.properties", "port=80\nspring.datasource.password=s3cretX\n", "found"),
        ("application.properties", "port=80\nspring.datasource.password=${DB_PASSWORD}\n", "clean"),
        (".env", "A=b\nDB_PASSWORD=s3cretX\n", "found"),
        ("app.yaml", "db:\n  password: s3cretX\n", "found"),
        ("app.yaml", "db:\n  passwordFile: /run/pw\n  password: ''\n", "clean"),
        ("x.conf", "# password=foo\nport 1\n", "clean"),
        ("run.py", "password = os.environ['P']\nprint()\n", "clean"),
        ("init.sql", "CREATE USER app\n  IDENTIFIED BY 's3cretX';\n", "found"),
        ("init.sql", "CREATE ROLE app LOGIN PASSWORD 's3cretX';", "found"),
        ("init.sql", "CREATE LOGIN app WITH PASSWORD = N's3cretX';", "found"),
        (
            "init.sql",
            "CREATE TABLE users (password text DEFAULT 'x');\nALTER USER a VALID UNTIL '2030';\n",
            "clean",
        ),
        ("redis.conf", "port 1\nrequirepass s3cretX\n", "found"),
        ("redis.conf", "requirepass s3cretX", "found"),
        ("sentinel.conf", "port 1\nsentinel auth-pass mymaster s3cretX\n", "found"),
        ("sentinel.conf", "port 1\nsentinel auth-pass mymaster $PASSWORD\n", "clean"),
        ("mosquitto.conf", "listener 1883\nremote_password s3cretX\n", "found"),
        ("logstash.conf", 'elasticsearch {\n  password => "s3cretX"\n}\n', "found"),
        ("logstash.conf", 'elasticsearch {\n  password => "${PASSWORD}"\n}\n', "clean"),
        ("credentials", "[default]\naws_secret_access_key = a1B2c3\n", "found"),
        ("userlist.txt", '"app" "s3cretX"\n', "found"),
        (
            "userlist.txt",
            '"app" "SCRAM-SHA-256$4096:abc"\n"b" "md50123456789abcdef0123456789abcdef"\n',
            "clean",
        ),
        ("settings.py", "DEBUG = 1\nSECRET_KEY = 's3cretX'  # x\n", "found"),
        ("settings.py", "SECRET_KEY = env('KEY')\nPASSWORD_FIELD = 'x'\nsecret = 'secret'\n", "clean"),
        ("wp-config.php", "<?php\ndefine( 'DB_PASSWORD', 's3cretX' );\n", "found"),
        ("wp-config.php", "<?php\ndefine('DB_PASSWORD', getenv('PW'));\n", "clean"),
        ("config.js", "module.exports = {\n  password: 's3cretX',\n};\n", "found"),
        ("config.js", "module.exports = {\n  password: process.env.PW || '',\n};\n", "clean"),
        ("main.tf", 'provider "x" {\n  password = "s3cretX"\n  token = var.token\n}\n', "found"),
        ("alertmanager.yml", "smtp_auth_password: 's3cretX'", "found"),
        ("alertmanager.yml", "smtp_auth_password_file: /run/pw", "clean"),
        ("settings.xml", "<a>\n <password>s3cretX</password>\n</a>\n", "found"),
        (
            "settings.xml",
            "<a>\n <!-- <password>s3cretX</password> -->\n <password>${env.PW}</password>\n</a>",
            "clean",
        ),
        (
            "users.xml",
            "<a>\n <password></password><password_sha256_hex>0f1e</password_sha256_hex>\n</a>",
            "clean",
        ),
        ("site.xml", "<property>\n<name>db.password</name>\n<value>s3cretX</value>\n</property>", "found"),
        ("htpasswd", "admin:$2y$05$NLYuo.x7JAL4EL7OOEHG", "clean"),
        ("redis.conf", "port 1\n# requirepass foobared\n", "clean"),
        (".pgpass", "# host:port:db:user:password\ndb:5432:*:app:s3cretX\n", "found"),
        (".pgpass", "# host:port:db:user:password\ndb:5432:*:app:$PASSWORD\n", "clean"),
        (".netrc", "machine h login u\npassword s3cretX\n", "found"),
        ("notes.txt", "machine h login u\npassword s3cretX\n", "clean"),
        ("users.acl", "user default off\nuser app on >s3cretX ~* +@all\n", "found"),
        ("users.acl", "user default off\nuser app on #9f86d081884c7d65 ~* +@all\n", "clean"),
        ("users.acl", "user app on >${PASSWORD} ~* +@all\n", "clean"),
        ("guide.txt", "a user > b\nuser names go here > there\n", "clean"),
        ("config.json", '{"db": [{"password": "s3cretX"}]}', "found"),
        ("config.json", '{"passwordFile": "/x",\n "password": "${PASSWORD}", "token": ""}', "clean"),
        ("config.json", '{"tokens": ["s3cretX"], "max_tokens": 131072}', "found"),
        ("config.json", '{"tokens": ["$TOKEN"], "maxTokens": "131072"}', "clean"),
        ("JAVA_OPTS", "-Ddb.password=s3cretX", "found"),
        ("APP", '{"db": {"password": "s3cretX"}}', "found"),
        ("APP", '{"db": {"password": "${PASSWORD}"}}', "clean"),
        ("config", "db:\n  password: s3cretX\n", "found"),
        ("config", "db:\n  password: ${PASSWORD}\n", "clean"),
        ("BASIC_AUTH", "admin:s3cretX", "found"),
        ("_example", "# Not used.\nAPI_KEY: s3cretX\n", "clean"),
        ("nsswitch.conf", "passwd: files\ngroup: files\n", "clean"),
        ("dex.yaml", "clients:\n- id: a\n  secretEnv: CLIENT_SECRET\n", "clean"),
        ("titles.json", '{"lines": {"wrong password": "sign-ins-refused"}}', "clean"),
        ("init.sh", "psql <<E\nCREATE USER a PASSWORD '$PASSWORD';\nE\n", "clean"),
        ("init.sh", "set -e\nmysql -uroot \\\n  -ps3cretX < a.sql\n", "found"),
        ("init.sh", "export PGPASSWORD=s3cretX\npsql -h db\n", "found"),
        ("entrypoint", "#!/bin/sh\nredis-cli AUTH s3cretX\n", "found"),
        ("init.sh", '# mysql -ps3cretX\nmysql -p"$MYSQL_PASSWORD"\nPGPASSWORD=$1 psql\n', "clean"),
        ("notes.txt", "mysql -ps3cretX\n", "clean"),
    ],
)
def test_settings_in_files_of_config_maps(key: str, content: str, expected: str) -> None:
    data = f"{{{key}: {json.dumps(content)}}}"
    text = f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {data}\n"
    assert outcome(text, "no-secret-variables").result == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("db-password: czNjcmV0WA==", "found"),
        ("db-password: JHtQQVNTV09SRH0=", "clean"),
        ("logo.png: iVBORw0KGgo=", "clean"),
    ],
)
def test_binary_data_of_config_maps(entry: str, expected: str) -> None:
    text = f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\nbinaryData: {{{entry}}}\n"
    assert outcome(text, "no-secret-variables").result == expected


def test_passwords_in_the_commands_of_probes_are_found() -> None:
    probe = "livenessProbe: {exec: {command: [mysqladmin, ping, -ps3cretX]}}"
    assert outcome(workload(container=probe), "no-secret-variables").result == "found"


def test_client_in_the_command_takes_its_password_from_the_arguments() -> None:
    text = workload(container="command: [mysqladmin]\nargs: [ping, -ps3cretX]")
    assert outcome(text, "no-secret-variables").findings == (
        'container "c" has the password of mysqladmin -p in plain text',
    )


def test_generators_of_kustomize_set_credentials() -> None:
    text = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        "secretGenerator: [{name: a, literals: [user=app, client-id=app, other=$(VALUE), seed=s3cretX]}]\n"
        "configMapGenerator: [{name: b, literals: [API_KEY=s3cretX, PORT=80]}]\n"
    )
    assert outcome(text, "no-secret-variables").findings == (
        "the secretGenerator has seed in plain text",
        "the configMapGenerator has API_KEY in plain text",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("auth: {password: s3cretX}", ("the HelmRelease has password in plain text",)),
        ("auth: {existingSecret: db}", ()),
    ],
)
def test_values_of_a_chart(values: str, expected: tuple[str, ...]) -> None:
    text = manifest("helm.toolkit.fluxcd.io/v2", "HelmRelease", f"values: {{{values}}}")
    assert outcome(text, "no-secret-variables").findings == expected
