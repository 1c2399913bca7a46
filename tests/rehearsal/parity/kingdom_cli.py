"""Run `kingdom` in a copy of the project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.state.secrets import Crypter
from rehearsal.pulumi.properties import SECRET_SIGNATURE, SIGNATURE
from tests.rehearsal.parity.pulumi_cli import PASSPHRASE, Finding, Ran, search_path, surroundings


@dataclass(frozen=True)
class Kingdom:
    """The `kingdom` command in the folder `project`."""

    project: Path

    def run(self, *arguments: str, timeout: float = 600) -> Ran:
        ended = subprocess.run(
            [str(Path(sys.executable).with_name("kingdom")), *arguments, "--json"],
            cwd=self.project,
            env=surroundings()
            | {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "PYTHONPATH": search_path(self.project)},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Ran(ended.returncode, ended.stdout + ended.stderr, _findings(json.loads(ended.stdout)))

    def export(self, stack: str) -> list[dict[str, Any]]:
        """Return the resource records of `stack` with secrets in plaintext; none after `kingdom down`."""
        path = self.project / ".rehearsal" / stack / "state.json"
        if not path.exists():
            return []
        deployment = json.loads(path.read_text())["deployment"]
        salt = deployment["secrets_providers"]["state"]["salt"]
        return _opened(deployment["resources"], Crypter.open(PASSPHRASE, salt, str(path)))


def _findings(result: dict[str, Any]) -> frozenset[Finding]:
    """Return the pack's findings; unevaluated policies are advisory findings in the CLI."""
    return frozenset(
        (
            item["policy"],
            "advisory" if item["level"] == "unevaluated" else item["level"],
            item["urn"],
            item["message"].strip(),
        )
        for item in result.get("violations", ())
    )


def _opened(value: Any, crypter: Crypter) -> Any:
    match value:
        case dict() if value.get(SIGNATURE) == SECRET_SIGNATURE:
            element = _opened(json.loads(crypter.decrypt(value["ciphertext"])), crypter)
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(element)}
        case dict():
            return {key: _opened(item, crypter) for key, item in value.items()}
        case list():
            return [_opened(item, crypter) for item in value]
        case _:
            return value
