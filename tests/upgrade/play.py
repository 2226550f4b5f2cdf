"""`python -m tests.upgrade.play begin FOLDER`, `… go-on FOLDER`: one half of all stories, by the release whose code is
here. What came of them is printed as JSON; see `against`."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from pathlib import Path

from tests.upgrade import sets, stories
from tests.upgrade.snapshot import begun, continued


def main(arguments: list[str]) -> int:
    # What the platform logs of dead processes and dead letters is part of the stories.
    logging.disable(logging.CRITICAL)
    half, folder = arguments[0], Path(arguments[1])
    told: dict[str, object] = {}
    for name, story in stories.known().items():
        path = folder / f"{name}.json"
        try:
            if half == "begin":
                sets.save(path, begun(story()))
            elif path.exists():
                told[name] = {"came": continued(story(), sets.load(path))}
        except Exception as error:
            told[name] = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc(limit=-3)}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
