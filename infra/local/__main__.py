"""``python -m infra.local dev`` and ``reset``; the Makefile's targets call these."""

from __future__ import annotations

import argparse
import sys

from infra.local import session, settings
from infra.local.supervisor import Supervisor


def main() -> int:
    """Run one command; what the user can put right is told in words."""
    parser = argparse.ArgumentParser(prog="python -m infra.local")
    parser.add_argument("command", choices=("dev", "reset"))
    command = parser.parse_args().command
    try:
        config = settings.read()
        if command == "dev":
            return Supervisor(config).run()
        session.forget(config)
    except settings.DevError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(f"Forgot everything in {config.home}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
