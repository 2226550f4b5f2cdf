"""`make audit`: are there known vulnerabilities in what is installed, and does what is deployed have them?

pip-audit asks the database of OSV (https://osv.dev), and so needs the network. Where that cannot be reached, nothing
was audited: this says so and fails.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from infra.local.settings import PROJECT

FOUND, NOT_AUDITED = 1, 2
COMMAND = (sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--progress-spinner", "off")


def deployed() -> frozenset[str]:
    """The names of what is packaged for Lambda: what requirements.txt asks for, and what that brings along here."""
    lines = (PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found: set[str] = set()
    while wanted:
        one = wanted.pop()
        name = normal(one.name)
        if name in found or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        wanted += [Requirement(text) for text in metadata.requires(one.name) or ()]
    return frozenset(found)


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def audit(command: Sequence[str] = COMMAND) -> int:
    """Audit this environment, and print what was found; the exit code: 0 where there is nothing."""
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["pip-audit gave no answer"])[-1]
        _say(f"NOT AUDITED: the database of vulnerabilities could not be asked, so nothing is known.\n  {reason[:300]}")
        return NOT_AUDITED
    ours, skipped = deployed(), [one for one in packages if "skip_reason" in one]
    for one in skipped:
        _say(f"not audited: {one['name']}: {one['skip_reason']}")
    hit = [one for one in packages if one.get("vulns")]
    for one in hit:
        where = "DEPLOYED" if normal(one["name"]) in ours else "here alone"
        for vulnerability in one["vulns"]:
            fixed = ", ".join(vulnerability.get("fix_versions") or ()) or "none yet"
            _say(f"{where}  {one['name']} {one['version']}  {vulnerability['id']}  fixed in: {fixed}")
    _say(f"{len(packages) - len(skipped)} packages audited ({len(ours)} of them deployed), {len(hit)} vulnerable")
    if any(normal(one["name"]) in ours for one in skipped):
        return NOT_AUDITED
    return FOUND if hit else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(audit())
