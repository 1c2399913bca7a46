from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import MongoAuth, RedisUse, Settings, load
from app.settings.environment import SettingsError
from tests.support.backends import ROOT, environment


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, redis=1, mongodb=2, storage=3)


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return caught.value.problems


def encrypted(environ: dict[str, str], folder: Path) -> dict[str, str]:
    for name in ("redis-auth", "redis-ca.pem", "mongodb-client.pem"):
        (folder / name).write_text("something")
    return {
        **environ,
        "KINGDOM_REDIS_URL": "rediss://10.0.0.3:6378/0",
        "KINGDOM_MONGODB_URL": "mongodb+srv://cluster.example.mongodb.net",
        "KINGDOM_MONGODB_AUTH": "x509",
        "KINGDOM_STORAGE_ENDPOINT": "https://storage.googleapis.com",
        "KINGDOM_PUBLIC_URL": "https://api.example.com/",
    }


def test_local_environment_is_parsed(environ: dict[str, str]) -> None:
    settings = load(environ)
    assert settings.port == 8080
    assert settings.drain_seconds == 0.2
    assert settings.redis.ca is None
    assert settings.storage.anonymous
    assert len(settings.session_keys[0]) == 32


def test_a_cloud_environment_uses_tls_everywhere(environ: dict[str, str], tmp_path: Path) -> None:
    settings: Settings = load(encrypted(environ, tmp_path))
    assert settings.redis.ca == tmp_path / "redis-ca.pem"
    assert settings.mongodb.certificate == tmp_path / "mongodb-client.pem"
    assert settings.mongodb.auth is MongoAuth.X509
    assert not settings.storage.anonymous
    assert settings.public_url == "https://api.example.com"


def test_uses_without_a_redis_of_their_own_share_one(environ: dict[str, str], tmp_path: Path) -> None:
    shared = load(environ)
    assert {shared.redis_of(use).url for use in RedisUse} == {shared.redis.url}
    for name in ("queue-redis-auth", "queue-redis-ca.pem"):
        (tmp_path / name).write_text(name)
    own = {"KINGDOM_QUEUE_REDIS_URL": "rediss://10.0.0.4:6378/0"}
    settings = load(encrypted(environ, tmp_path) | own)
    queue = settings.redis_of(RedisUse.QUEUE)
    assert (queue.url, queue.password) == ("rediss://10.0.0.4:6378/0", "queue-redis-auth")
    assert queue.ca == tmp_path / "queue-redis-ca.pem"
    assert settings.redis_of(RedisUse.LIMITS) == settings.redis


def test_secrets_of_each_redis_are_required(environ: dict[str, str], tmp_path: Path) -> None:
    own = {"KINGDOM_LIMITS_REDIS_URL": "rediss://10.0.0.4:6378/0", "KINGDOM_REDIS_POOL": "1"}
    lines = problems(encrypted(environ, tmp_path) | own)
    assert len(lines) == 3
    assert [
        name for name in ("limits-redis-auth", "limits-redis-ca.pem") if name not in "\n".join(lines)
    ] == []


def test_every_problem_is_listed_at_once() -> None:
    lines = problems({"PORT": "99999", "KINGDOM_LOG_LEVEL": "loud", "KINGDOM_REDIS_URI": "redis://localhost"})
    text = "\n".join(lines)
    for name in (
        "KINGDOM_ENVIRONMENT",
        "KINGDOM_MONGODB_URL",
        "KINGDOM_STORAGE_BUCKET",
        "KINGDOM_SECRETS_DIR",
    ):
        assert f"{name} is not set" in text
    assert "PORT is '99999'; it must be an integer from 1 to 65535" in lines
    assert "KINGDOM_LOG_LEVEL is 'loud'; it must be one of debug, info, warning, error" in lines
    assert "is KINGDOM_REDIS_URI misspelled?" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KINGDOM_REDIS_URL", "redis://10.0.0.3:6379/0"),
        ("KINGDOM_MONGODB_URL", "mongodb://db.example.com/"),
        ("KINGDOM_MONGODB_URL", "mongodb://localhost,db.example.com/?tls=false"),
        ("KINGDOM_STORAGE_ENDPOINT", "http://storage.googleapis.com"),
        ("KINGDOM_PUBLIC_URL", "http://api.example.com"),
    ],
)
def test_remote_connections_require_tls(environ: dict[str, str], name: str, value: str) -> None:
    (line,) = problems({**environ, name: value})
    assert line.startswith(f"{name} has no TLS")


@pytest.mark.parametrize("name", ["redis-auth", "redis-ca.pem", "mongodb-client.pem", "session-key"])
def test_missing_secret_is_reported(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    secure = encrypted(environ, tmp_path)
    (tmp_path / name).unlink()
    assert problems(secure) == [f"{tmp_path / name} is missing from the mounted secrets"]


def test_short_session_key_is_rejected(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "session-key").write_text(base64.b64encode(b"short").decode() + "\n***\n")
    text = "\n".join(problems(environ))
    assert "line 1: 5 bytes; at least 32" in text
    assert "line 2: not base64" in text


def test_invalid_environment_exits_with_2_and_no_traceback() -> None:
    bare = {"PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [sys.executable, "-m", "app", "api"], env=bare, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "KINGDOM_MONGODB_URL is not set" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_unknown_role_prints_the_usage() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "king"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage: python -m app api|worker|monitor\n")
