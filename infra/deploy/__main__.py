"""``python -m infra.deploy <command> --stage <stage>``; the Makefile's targets call it.

Exit codes: 0 done, 1 something is told that must be put right, 2 a wrong call, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap

from infra.deploy import commands, keys_command
from infra.deploy.account import PROJECT, connect
from infra.deploy.commands import Stage
from infra.deploy.problems import explain
from infra.deploy.settings import SettingsError, load
from infra.deploy.terminal import Terminal, interactive
from infra.deploy.user_policy import PolicyError

_KNOWN = (SettingsError, PolicyError)


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    found = argparse.ArgumentParser(prog="python -m infra.deploy", description="Deploys Stepwell into an AWS account.")
    commands = found.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, summary: str, more: str = "") -> argparse.ArgumentParser:
        one = commands.add_parser(
            name,
            help=summary,
            description=f"{summary}\n\n{textwrap.dedent(more)}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--stage", default="dev", help="name of the stage (dev)")
        one.add_argument("--region", help="AWS region, such as eu-central-1; else AWS_REGION or the profile's")
        one.add_argument("--profile", help="profile of ~/.aws/config; else AWS_PROFILE")
        return one

    command("infra", "Creates or updates tables, queues, bus, bucket, alarms, and keys where there are none.")
    deploy = command("deploy", "infra, then the functions, then a check of what AWS has, then a smoke event.")
    deploy.add_argument("--no-smoke", action="store_true", help="send no smoke event")
    command("address", "Makes, changes or removes the address at the root, which deploy does, too, and tells it.")
    command("check", "Looks at what AWS really has and tells what is not as it must be, and what mends it.")
    keys_command.arguments(command("keys", "Lists, shows, adds and removes keys.", keys_command.ROTATION))
    destroy = command("destroy", "Takes the stage down. Data is kept unless --data delete is said.")
    destroy.add_argument("--data", choices=("keep", "delete"), default="keep", help="tables, payloads and keys")
    destroy.add_argument("--yes", action="store_true", help="do not ask")
    return found


def run(arguments: argparse.Namespace, terminal: Terminal) -> bool:
    """Run one command; whether all is well. Raises what `problems.explain` knows."""
    name = arguments.stage
    settings = load(name)
    again = f"make {arguments.command} STAGE={name}"
    account = connect(arguments.region, arguments.profile)
    stage = Stage(account, settings, PROJECT, terminal)
    if arguments.command == "keys":
        return keys_command.run(account, name, arguments, terminal)
    if arguments.command == "destroy":
        return commands.destroy(stage, delete_data=arguments.data == "delete", yes=arguments.yes, again=again)
    terminal.say(f"Stepwell, stage {name}: {account}")
    if arguments.command == "check":
        return commands.check(stage)
    if arguments.command == "address":
        return commands.address(stage, again)
    if arguments.command == "deploy":
        return commands.deploy(stage, with_smoke=not arguments.no_smoke, again=again)
    commands.infra(stage, again)
    terminal.say(f"\nReady for the functions: make deploy STAGE={name}")
    return True


def main(words: list[str] | None = None) -> int:
    """What the user can put right is told in words, without a traceback."""
    arguments = parser().parse_args(words)
    os.environ.setdefault("AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    try:
        return 0 if run(arguments, interactive()) else 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from where things stand.", file=sys.stderr)  # noqa: T201
        return 130
    except Exception as error:
        told = str(error) if isinstance(error, _KNOWN) else explain(error)
        if told is None:
            raise
        print(f"\n{told}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
