"""`make upgrade FROM=COMMIT`: the stories with the code of another release, which is checked out of git. It begins
each, and the code that is here goes on (an update); then the other way round (a rollback)."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.upgrade import stories

HERE = Path(__file__).parents[2]


@contextmanager
def release(commit: str) -> Iterator[Path]:
    """The code of a commit, with the stories as they are here."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder) / "release"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", there, commit], cwd=HERE, check=True)
        try:
            shutil.rmtree(there / "tests/upgrade", ignore_errors=True)
            shutil.copytree(HERE / "tests/upgrade", there / "tests/upgrade")
            yield there
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", there], cwd=HERE, check=True)


def play(code: Path, half: str, folder: Path) -> dict[str, Any]:
    """One half of every story that the code knows."""
    command = [sys.executable, "-m", "tests.upgrade.play", half, str(folder)]
    done = subprocess.run(command, cwd=code, env=_environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def as_promised(name: str, came: dict[str, Any]) -> bool:
    """Whether a story came to the end that it promises."""
    return "came" in came and came["came"] == json.loads(json.dumps(stories.known()[name].promised))


def tell(title: str, begun: dict[str, Any], came: dict[str, Any]) -> int:
    """Print how each story ended; how many did not as promised."""
    sys.stdout.write(f"\n{title}\n")
    wrong = 0
    for name, story in stories.known().items():
        found = came.get(name) or begun.get(name)
        if found is None:
            verdict = "not known to that release"
        elif "error" in found:
            wrong, verdict = wrong + 1, f"FAILED   {found['error']}\n{found['where']}"
        else:
            is_kept = as_promised(name, found)
            wrong += not is_kept
            verdict = "as promised" if is_kept else f"OTHERWISE   {found['came']}, promised: {story.promised}"
        sys.stdout.write(f"  {name:<30}{verdict}\n")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument("commit", help="a commit or tag of the other release")
    commit = parser.parse_args().commit
    with release(commit) as other, tempfile.TemporaryDirectory() as folder:
        older, newer = Path(folder) / "older", Path(folder) / "newer"
        begun = play(other, "begin", older)
        wrong = tell(f"Update: {commit} began, the code here goes on", begun, play(HERE, "go-on", older))
        begun = play(HERE, "begin", newer)
        wrong += tell(f"Rollback: the code here began, {commit} goes on", begun, play(other, "go-on", newer))
    sys.stdout.write("\n" + ("everything went on as promised\n" if not wrong else f"{wrong} did not end as promised\n"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
