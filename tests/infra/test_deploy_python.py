"""A Python that can package for Lambda: looked for among commands that lie, and asked for when there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.deploy import wheels
from infra.deploy.problems import DeployError
from infra.deploy.terminal import Terminal

PROJECT = Path(__file__).resolve().parents[2]
FIND = PROJECT / "infra" / "python" / "find.sh"
RUNTIMES = ["nodejs24.x", "python3.9", "python3.11", "python3.12", "python3.13", "python3.14"]


def command(folder: Path, name: str, script: str) -> None:
    """A command on the path, as a version manager or a distribution would put it there."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def pretend(version: tuple[int, int], at: str) -> str:
    """A command that behaves as a Python of that version: it runs the question, and fails it when it is too old."""
    shown = f"import sys; sys.version_info = {(*version, 0, 'final', 0)!r}; sys.executable = {at!r}; "
    return f'exec {sys.executable} -c "{shown}$2"'


def find(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{path}:/usr/bin:/bin"}
    for name in ("python3", "python", "python3.11", "python3.12", "python3.13", "python3.14", "pyenv"):
        if not (path / name).exists():  # Whatever this machine has is no part of the test.
            command(path, name, "echo not here >&2; exit 127")
    return subprocess.run(
        ["sh", str(FIND), *arguments], env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_command_that_exists_and_fails_is_passed_over(tmp_path: Path) -> None:
    command(tmp_path, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    command(tmp_path, "python3.12", pretend((3, 12), "/found/python3.12"))
    assert find(tmp_path).stdout == "/found/python3.12\n"


def test_what_is_named_first_is_tried_first(tmp_path: Path) -> None:
    command(tmp_path, "python3.13", pretend((3, 13), "/found/python3.13"))
    command(tmp_path, "mine", pretend((3, 12), "/mine"))
    assert find(tmp_path, str(tmp_path / "mine")).stdout == "/mine\n"


@pytest.mark.parametrize("version", [(3, 11), (3, 15)])
def test_a_python_that_lambda_cannot_take_is_passed_over(tmp_path: Path, version: tuple[int, int]) -> None:
    command(tmp_path, "mine", pretend(version, "/mine"))
    command(tmp_path, "python3", pretend((3, 13), "/usr/bin/python3"))
    assert find(tmp_path, str(tmp_path / "mine")).stdout == "/usr/bin/python3\n"


def test_pyenv_is_asked_for_each_version_that_it_has(tmp_path: Path) -> None:
    command(tmp_path, "pyenv", "printf '%s\\n' 3.9.18 3.11.7 3.13.0")
    shim = f'[ "$PYENV_VERSION" = 3.13.0 ] || exit 127\n{pretend((3, 13), "/pyenv/3.13.0/bin/python3.13")}'
    command(tmp_path, "python3.13", shim)
    assert find(tmp_path).stdout == "/pyenv/3.13.0/bin/python3.13\n"


def test_when_there_is_none_it_says_what_to_install(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    found = find(tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert "Deploying needs Python 3.12, 3.13 or 3.14" in found.stderr


def test_what_deploys_into_the_emulator_is_skipped_with_words_where_there_is_none(tmp_path: Path) -> None:
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    find(tmp_path)  # Puts commands there that fail.
    ran = subprocess.run(
        ["sh", "tests/e2e/run.sh", "missing", str(tmp_path / "environment"), "tests.bench.cold"],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0
    assert "tests.bench.cold skipped: without such a Python nothing can be deployed" in ran.stdout
    assert "Deploying needs Python 3.12, 3.13 or 3.14" in ran.stderr
    assert not (tmp_path / "environment").exists()


def test_nothing_of_the_tests_is_run_in_the_environment_of_a_deployment() -> None:
    """There is no emulator in it, and no boto3."""
    lines = (PROJECT / "Makefile").read_text(encoding="utf-8").splitlines()
    assert any("DEPLOY_READY" in line and "-m infra.deploy" in line for line in lines)
    assert not [line for line in lines if "DEPLOY_READY" in line and "-m tests." in line]


def test_a_python_of_this_machine_is_found_for_real() -> None:
    found = subprocess.run(
        ["sh", str(FIND), sys.executable], env=os.environ, capture_output=True, text=True, check=False
    )
    if found.returncode == 0:
        asked = [found.stdout.strip(), "-c", "import sys; print(sys.version_info[:2] >= (3, 12))"]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "True\n"
    else:
        assert "Deploying needs" in found.stderr


@pytest.mark.parametrize(
    ("version", "named", "says"),
    [
        ((3, 11), "python3.11", "This is python3.11, but packaging for Lambda needs Python 3.12 to 3.14"),
        ((3, 12), "python3.12", None),
        ((3, 14), "python3.14", None),
        ((3, 15), "python3.15", "This is python3.15, which Lambda does not run"),
        ((3, 16), "python3.14", "This is python3.16, which Lambda does not run"),
    ],
)
def test_only_a_python_that_lambda_runs_may_package(version: tuple[int, int], named: str, says: str | None) -> None:
    problem = wheels.python_problem(version, RUNTIMES, named)
    assert problem is None if says is None else says in str(problem)


def test_a_wheel_that_could_not_be_built_ends_the_deployment_with_its_name() -> None:
    from chalice.constants import MISSING_DEPENDENCIES_TEMPLATE

    voice = wheels.Voice(Terminal())
    with pytest.raises(DeployError) as refused:
        voice.write(MISSING_DEPENDENCIES_TEMPLATE % "google-re2==1.1\nnumpy==2.0")
    assert "google-re2==1.1, numpy==2.0." in str(refused.value)
    assert "Python 3.12 or newer" in str(refused.value)


def test_compiled_files_do_not_make_another_package(tmp_path: Path) -> None:
    (tmp_path / "chalicelib" / "__pycache__").mkdir(parents=True)
    (tmp_path / "chalicelib" / "b.py").touch()
    (tmp_path / "chalicelib" / "a.py").touch()
    (tmp_path / "chalicelib" / "__pycache__" / "a.pyc").touch()
    assert [names for _, _, names in wheels.Files().walk(str(tmp_path / "chalicelib"))] == [["a.py", "b.py"]]
