"""The deployment package: what is left out of it, what is added, and what is refused."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from infra.deploy.package import finish
from infra.deploy.problems import DeployError
from infra.local.settings import PROJECT

# Each distribution with its requirements.
DISTRIBUTIONS = {
    "cel_python": ["lark", "google-re2", "pendulum>=3", "PyYAML", "tomli; python_version < '3.11'"],
    "lark": ["regex; extra == 'regex'"],
    "google_re2": [],
    "pendulum": ["python-dateutil"],
    "python_dateutil": [],
    "PyYAML": [],
    "pydantic": ["colorama; sys_platform == 'win32'"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This project, with requirements of its own."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("app.py", "chalicelib"):
        (root / name).symlink_to(PROJECT / name)
    (root / "requirements.txt").write_text("# What the functions need.\ncel-python==0.5.0\n\npydantic>=2  # models\n")
    return root


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as chalice makes it."""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, requires in DISTRIBUTIONS.items():
            module, info = f"{name.lower()}/__init__.py", f"{name}-1.0.dist-info"
            metadata = "".join(f"Requires-Dist: {one}\n" for one in requires)
            archive.writestr(module, "ANSWER = 42\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
            archive.writestr(f"{info}/RECORD", f"{module},,\n{info}/METADATA,,\n{info}/RECORD,,\n")
        archive.write(PROJECT / "app.py", "app.py")
        archive.writestr("chalicelib/core/limits.py", "ANSWER = 42\n")
        archive.writestr("chalicelib/core/__pycache__/limits.cpython-27.pyc", b"of another Python")
        archive.writestr("chalicelib/testing/kit.py", "ANSWER = 42\n")
    return path


def names(package: Path) -> set[str]:
    with zipfile.ZipFile(package) as archive:
        return {name for name in archive.namelist() if not name.endswith(".pyc")}


def test_what_only_cel_python_wants_is_left_out(package: Path, project: Path) -> None:
    report = finish(package, project)

    assert report.left_out == ("pendulum", "python-dateutil", "pyyaml")
    assert report.size == package.stat().st_size
    assert {name.split("/")[0] for name in names(package)} == {
        *("app.py", "chalicelib", "cel_python", "cel_python-1.0.dist-info", "lark", "lark-1.0.dist-info"),
        *("google_re2", "google_re2-1.0.dist-info", "pydantic", "pydantic-1.0.dist-info"),
    }


def test_what_the_functions_ask_for_themselves_stays(package: Path, project: Path) -> None:
    with (project / "requirements.txt").open("a") as file:
        file.write("pyyaml\n")

    assert finish(package, project).left_out == ("pendulum", "python-dateutil")
    assert "pyyaml/__init__.py" in names(package)


def test_the_test_kit_does_not_travel(package: Path, project: Path) -> None:
    finish(package, project)

    assert "chalicelib/core/limits.py" in names(package)
    assert not [name for name in names(package) if name.startswith("chalicelib/testing")]


def test_what_a_cold_start_imports_has_bytecode_that_needs_no_source(package: Path, project: Path) -> None:
    report = finish(package, project)

    tag = sys.implementation.cache_tag
    with zipfile.ZipFile(package) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
        flags = {archive.read(name)[4:8] for name in compiled}
    assert {f"__pycache__/app.{tag}.pyc", f"chalicelib/core/__pycache__/limits.{tag}.pyc"} <= set(compiled)
    assert not [name for name in compiled if name.startswith("google_re2")], "nobody imports it at a cold start"
    assert len(compiled) == report.compiled
    assert flags == {b"\x01\x00\x00\x00"}, "hash-based, never checked (PEP 552)"


def test_finishing_again_changes_nothing(package: Path, project: Path) -> None:
    finish(package, project)
    once = package.read_bytes()

    finish(package, project)

    assert package.read_bytes() == once


def test_a_package_that_lacks_a_requirement_is_refused_and_deleted(package: Path, project: Path) -> None:
    with (project / "requirements.txt").open("a") as file:
        file.write("numpy>=2\n")

    with pytest.raises(DeployError, match=r"numpy, which requirements.txt asks for, is not in the deployment package"):
        finish(package, project)
    assert not package.exists(), "chalice would take it again without a word"


def test_a_package_that_lacks_what_a_requirement_needs_is_refused(package: Path, project: Path, tmp_path: Path) -> None:
    smaller = tmp_path / "smaller.zip"
    with zipfile.ZipFile(package) as archive, zipfile.ZipFile(smaller, "w") as kept:
        for name in archive.namelist():
            if not name.startswith("google_re2"):
                kept.writestr(name, archive.read(name))

    with pytest.raises(DeployError, match="google-re2, which cel-python asks for"):
        finish(smaller, project)


def test_an_app_that_cannot_be_imported_is_refused(package: Path, project: Path) -> None:
    (project / "app.py").unlink()
    (project / "app.py").write_text("import a_module_that_is_not_there\n")

    with pytest.raises(DeployError, match="would not start in Lambda"):
        finish(package, project)
