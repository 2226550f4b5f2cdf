"""The commands that a person would type, run for real."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.api import Api
from tests.e2e.ground import Children, Ground

_KEYS = ("event-keys", "signing-keys")


class CommandFailed(AssertionError):
    """It ended with another code than it should."""


@dataclass
class Hands:
    """Whoever deploys. ``said`` keeps what each command printed, for the report of a failure."""

    ground: Ground
    children: Children = field(default_factory=Children)
    said: list[tuple[str, str]] = field(default_factory=list)

    def infra(self, command: str, stage: str, *more: str, code: int = 0) -> str:
        """`python -m infra.deploy …`, which must end with ``code``; what it printed."""
        return self.run([sys.executable, "-m", "infra.deploy", command, "--stage", stage, *more], code=code)

    def infra_killed(self, command: str, stage: str, *, at: str) -> str:
        """The same, killed as soon as it prints ``at``."""
        return self.run([sys.executable, "-m", "infra.deploy", command, "--stage", stage], kill_at=at)

    def infra_refused(self, command: str, stage: str, access_key: Mapping[str, str]) -> str:
        """The same by somebody else, whom AWS does not let do everything: it must end with 1 and words."""
        theirs = {
            "AWS_ACCESS_KEY_ID": access_key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": access_key["SecretAccessKey"],
        }
        return self.run([sys.executable, "-m", "infra.deploy", command, "--stage", stage], code=1, more=theirs)

    def plain_chalice(self, stage: str) -> str:
        """`chalice deploy`, with nothing of ours around it."""
        return self.run(["chalice", "deploy", "--stage", stage])

    def run(
        self, command: list[str], *, kill_at: str | None = None, code: int = 0, more: Mapping[str, str] | None = None
    ) -> str:
        """Run a command to its end, which must have this code, or until it prints ``kill_at``; it is killed then.
        ``more`` is laid over the environment. Raises CommandFailed."""
        process = self.children.start(command, self.ground.project, {**self.ground.environment, **(more or {})})
        assert process.stdout is not None
        lines = []
        was_killed = False
        for line in process.stdout:
            lines.append(line)
            if kill_at is not None and not was_killed and kill_at in line:
                self.children.kill(process)
                was_killed = True
        ended = process.wait()
        self.children.ended(process)
        text = "".join(lines)
        typed = " ".join(["python" if word == sys.executable else word for word in command])
        self.said.append((typed, text))
        if kill_at is not None and not was_killed:
            raise CommandFailed(f"never said {kill_at!r}, and ended with {ended}:\n{text}")
        if kill_at is None and ended != code:
            raise CommandFailed(f"`{typed}` ended with {ended}:\n{text}")
        return text

    def api(self, stage: str) -> Api:
        """The stage's API as it was deployed, with the newest keys."""
        event_key, signing_key = (self.keys(stage, kind)[0] for kind in _KEYS)
        return Api(address(self.ground, stage), event_key, signing_key)

    def keys(self, stage: str, kind: str) -> list[str]:
        """The keys of a kind (`event-keys`, `signing-keys`), newest first."""
        ssm = self.ground.client("ssm")
        found = ssm.get_parameter(Name=f"/stepwell/{stage}/{kind}", WithDecryption=True)["Parameter"]
        assert found["Type"] == "SecureString", found
        keys: list[str] = found["Value"].split()
        return keys


def root_host(ground: Ground, stage: str) -> str:
    """The name of the stage's address at the root, which nobody but the emulator knows."""
    found = ground.client("lambda").get_function_url_config(FunctionName=f"stepwell-{stage}")
    url: str = found["FunctionUrl"]
    return urlsplit(url).netloc


def address(ground: Ground, stage: str) -> str:
    """Where the emulator serves what chalice's record of the stage names."""
    record = json.loads((Path(ground.project) / ".chalice" / "deployed" / f"{stage}.json").read_text())
    api = next(one for one in record["resources"] if one["resource_type"] == "rest_api")
    return f"{ground.endpoint}/restapis/{api['rest_api_id']}/api/_user_request_"
