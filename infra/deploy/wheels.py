"""Packaging by chalice: refused where it would go on without a wheel, and on a Python that Lambda cannot run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

from chalice.config import Config
from chalice.utils import UI, OSUtils

from infra.deploy.problems import DeployError
from infra.deploy.terminal import Terminal

OLDEST: Final = (3, 12)
"""On 3.11 no wheel of google-re2 fits what chalice takes for Lambda: conditions could not be evaluated there."""
_MISSING: Final = "Could not install dependencies"


def python_problem(version: tuple[int, int], runtimes: list[str], named: str) -> str | None:
    """Why this Python cannot package for Lambda; None for one that can.

    `runtimes` are those that Lambda has, `named` the one that chalice would ask for.
    """
    here = f"python{version[0]}.{version[1]}"
    newest = max((int(one.split(".")[1]) for one in runtimes if one.startswith("python3.")), default=OLDEST[1])
    want = f"packaging for Lambda needs Python 3.{OLDEST[1]} to 3.{newest}"
    if version < OLDEST:
        return f"This is {here}, but {want}. `make deploy` looks for one and found none: install python3.13, say."
    if named != here or here not in runtimes:
        return f"This is {here}, which Lambda does not run: {want}. Install python3.13, say."
    return None


def refuse_unfit_python(lambda_client: Any) -> None:
    """Raises DeployError on a Python whose packages Lambda could not run."""
    runtimes = list(lambda_client.meta.service_model.shape_for("Runtime").enum)
    problem = python_problem(sys.version_info[:2], runtimes, Config().lambda_python_version)
    if problem:
        raise DeployError(problem)


class Voice(UI):  # type: ignore[misc]
    """Chalice's messages as lines of ours; the one that should end a deployment, as an error that does."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def write(self, msg: str) -> None:
        if _MISSING in msg:
            raise DeployError(missing_wheels(msg))
        if msg.strip():
            self._terminal.detail(msg.strip())


def missing_wheels(message: str) -> str:
    """Chalice's message, as an error that names the packages."""
    names = []
    for line in message.split(_MISSING, 1)[1].lstrip(":\n").splitlines():
        if not line.strip() or line.startswith("You will"):
            break
        names.append(line.strip())
    return (
        f"These packages could not be built for Lambda: {', '.join(names)}.\n"
        "None of the functions was touched. There is no wheel of them for Lambda's Linux and this Python "
        f"({sys.version_info[0]}.{sys.version_info[1]}):\n"
        "choose versions in requirements.txt that have one, or unpack a wheel into vendor/.\n"
        f"(Stepwell's own need Python 3.{OLDEST[1]} or newer.)"
    )


class Files(OSUtils):  # type: ignore[misc]
    """Leaves out compiled files: with them every run would make another package."""

    def walk(self, path: str, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
        for root, folders, files in os.walk(path, followlinks=followlinks):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            yield root, folders, sorted(files)
