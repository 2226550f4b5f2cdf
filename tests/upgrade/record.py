"""`make record-fixtures`: keep what this release leaves in the middle of each story, where that has another shape than
what is kept already. It becomes a set of its own: `r2` after `r1`. A set whose release was deployed is never changed;
`python -m tests.upgrade.record r2` records that one anew as long as it was not. `--from COMMIT` has it recorded by the
code of a commit."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.upgrade import sets
from tests.upgrade.against import HERE, as_promised, play, release


def record(code: Path, target: Path) -> int:
    """Into a set, what the code leaves; how many stories had another shape."""
    shutil.rmtree(target, ignore_errors=True)
    written = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, failed in play(code, "begin", Path(folder)).items():
            sys.stdout.write(f"{name}: {failed}\n")
        came = play(HERE, "go-on", Path(folder))
        for path in sorted(Path(folder).glob("*.json")):
            if not as_promised(path.stem, came[path.stem]):
                # As that of a release which lacks what the story is about.
                sys.stdout.write(f"{path.stem} is left out, since it does not go on: {came[path.stem]}\n")
                continue
            found, before = sets.load(path), sets.newest(path.stem, before=target)
            if before is None or sets.shape(before) != sets.shape(found):
                sets.save(target / path.name, found)
                written += 1
    return written


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.record", description=__doc__)
    parser.add_argument("name", nargs="?", help="of the set; by default the next one")
    parser.add_argument("--from", dest="commit", metavar="COMMIT")
    arguments = parser.parse_args()
    numbers = [int(folder.name[1:]) for folder in sets.folders()]
    target = sets.FOLDER / (arguments.name or f"r{max(numbers, default=0) + 1}")
    if arguments.commit is None:
        written = record(HERE, target)
    else:
        with release(arguments.commit) as code:
            written = record(code, target)
    sys.stdout.write(f"{written} stories written to {target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
