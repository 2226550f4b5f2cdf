"""The deployment package, finished: chalice's zip with bytecode for what a cold start imports, and without what nobody
imports.

Wheels carry no bytecode, and Lambda cannot keep what it compiles: each cold start would compile some 250 modules.
`make bench-cold` prints what that costs.
"""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.deploy.problems import DeployError

# Of cel-python only the grammar is used (core/expressions), with lark to read it and re2 for `matches`: what else it
# asks for is left out, unless requirements.txt or another package wants it.
USED_OF: Final = {"cel-python": frozenset({"lark", "google-re2"})}
# Part of the project, and of no use in Lambda.
_LEFT_BEHIND: Final = ("chalicelib/testing/",)
_LINUX: Final = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
_MODULES_OF_A_COLD_START: Final = """
import sys
sys.path.insert(0, sys.argv[1])
import app
import aws_lambda_powertools.logging, aws_lambda_powertools.metrics
from chalicelib import deliveries, wiring
from chalicelib.core.expressions import compile_expression
from chalicelib.engine import collect, tick
from chalicelib.sdk.registry import discover
discover()
compile_expression("event.data.id == async.data.id")
print(*sys.modules)
"""


@dataclass(frozen=True)
class PackageReport:
    """What became of a package: its size in bytes, modules with bytecode, distributions left out."""

    size: int
    compiled: int
    left_out: tuple[str, ...]


def finish(package: Path, project: Path) -> PackageReport:
    """Finish chalice's deployment package in place; repeatable.

    Raises DeployError when a requirement is missing from it: such a package is deleted, since chalice would take it
    again the next time without a word.
    """
    with tempfile.TemporaryDirectory(prefix="stepwell-package-") as folder:
        root = Path(folder)
        with zipfile.ZipFile(package) as archive:
            archive.extractall(root)
        try:
            left_out = _leave_out(root, project)
        except DeployError:
            package.unlink()
            raise
        compiled = _compile(root, project)
        _pack(root, package)
    return PackageReport(package.stat().st_size, compiled, left_out)


def _leave_out(root: Path, project: Path) -> tuple[str, ...]:
    found = {_canonical(one.metadata["Name"]): one for one in distributions(path=[str(root)])}
    wanted = {_canonical(one.name): one for one in _requirements(project)}
    needed = _closure(wanted, found)
    unneeded = sorted(set(found) - needed)
    for name in unneeded:
        _remove(root, found[name])
    for path in _LEFT_BEHIND:
        shutil.rmtree(root / path, ignore_errors=True)
    for old in root.rglob("*.pyc"):  # Of whichever Python the developer uses.
        old.unlink()
    return tuple(unneeded)


def _canonical(name: str) -> str:
    return canonicalize_name(name)


def _requirements(project: Path) -> Iterator[Requirement]:
    for line in (project / "requirements.txt").read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].strip()
        if text and not text.startswith(("#", "-")):
            yield Requirement(text)


def _closure(wanted: dict[str, Requirement], found: dict[str, Distribution]) -> set[str]:
    """Everything that the requirements need, by canonical names."""
    needed: set[str] = set()
    open_ones = [(name, "requirements.txt", frozenset(one.extras)) for name, one in wanted.items()]
    while open_ones:
        name, by, extras = open_ones.pop()
        if name in needed:
            continue
        if name not in found:
            raise DeployError(
                f"{name}, which {by} asks for, is not in the deployment package: no wheel of it fits Lambda's "
                "Linux and this Python. Package with Python 3.12 or 3.13, or choose a version that has such a wheel."
            )
        needed.add(name)
        for text in found[name].requires or ():
            one = Requirement(text)
            below = _canonical(one.name)
            if _applies(one, extras) and below in USED_OF.get(name, {below}):
                open_ones.append((below, name, frozenset(one.extras)))
    return needed


def _applies(one: Requirement, extras: frozenset[str]) -> bool:
    if one.marker is None:
        return True
    return any(one.marker.evaluate({**_LINUX, "extra": extra}) for extra in ("", *extras))


def _remove(root: Path, distribution: Distribution) -> None:
    for file in distribution.files or ():
        path = root / str(file)
        if path.is_file() and root in path.resolve().parents:
            path.unlink()
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _compile(root: Path, project: Path) -> int:
    """Bytecode that is never compared with its source: unpacking gives every file another date."""
    compiled = 0
    for name in _modules(project):
        base = root.joinpath(*name.split("."))
        for source in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if source.is_file():
                py_compile.compile(
                    str(source),
                    dfile=str(source.relative_to(root)),
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
                compiled += 1
    return compiled


def _modules(project: Path) -> list[str]:
    """What a cold start imports, found by importing it here: the package may be for another processor."""
    command = [sys.executable, "-B", "-c", _MODULES_OF_A_COLD_START, str(project)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=project, timeout=120, check=False)
    if ran.returncode != 0:
        raise DeployError(f"The app cannot be imported, so it would not start in Lambda either:\n{ran.stderr.strip()}")
    return sorted(ran.stdout.split())


def _pack(root: Path, package: Path) -> None:
    """The same files make the same bytes, and no half of a package is ever seen."""
    made = package.with_suffix(".finished")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    made.replace(package)
