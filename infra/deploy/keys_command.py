"""``keys``: how a person looks at keys and rotates them."""

from __future__ import annotations

import argparse

from infra.deploy import keys
from infra.deploy.account import Account
from infra.deploy.key_store import KeyStore
from infra.deploy.keys import Kind
from infra.deploy.problems import DeployError
from infra.deploy.terminal import Terminal

LEARNED_WITHIN_S = 60
"""How long a running function goes on with the keys it read."""
ROTATION = f"""
    keys                     list both kinds, masked
    keys show event          print the event keys themselves
    keys add event           add a new key; the old ones stay good
    keys remove event 3xYz9Q remove the one that begins or ends so

    To rotate a key without downtime:
      1. keys add event          every function accepts old and new within {LEARNED_WITHIN_S} seconds;
      2. give the new key to whoever sends (for signing keys: to whoever reads), and wait until all use it;
      3. keys remove event OLD   the old one is refused within {LEARNED_WITHIN_S} seconds.
    """


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "show", "add", "remove"), default="list")
    parser.add_argument("kind", nargs="?", choices=[kind.value for kind in Kind], help="which keys")
    parser.add_argument("part", nargs="?", help="for remove: first or last characters of the key")
    parser.add_argument("--force", action="store_true", help="for remove: also the last key")


def run(account: Account, stage: str, asked: argparse.Namespace, terminal: Terminal) -> bool:
    """Do what was asked. Raises DeployError for what cannot be done."""
    store = KeyStore(account, stage)
    if asked.action in ("add", "remove") and asked.kind is None:
        raise DeployError(f"Say which keys: keys {asked.action} event, or keys {asked.action} signing.")
    kinds = [Kind(asked.kind)] if asked.kind else list(Kind)
    if asked.action == "add":
        _add(store, stage, kinds[0], terminal)
    elif asked.action == "remove":
        if not asked.part:
            raise DeployError(f"Say which key: keys remove {asked.kind} and its first or last characters.")
        left, gone = store.remove(kinds[0], asked.part, force=asked.force)
        terminal.say(f"Removed {keys.masked(gone)}: it is refused within {LEARNED_WITHIN_S} seconds. {len(left)} left.")
    elif asked.action == "show":
        for kind in kinds:
            for key in _some(store, stage, kind):
                terminal.say(key if asked.kind else f"{kind.value:8} {key}")
    else:
        _list(store, stage, kinds, terminal)
    return True


def _some(store: KeyStore, stage: str, kind: Kind) -> tuple[str, ...]:
    found = store.read(kind)
    if not found:
        raise DeployError(f"Stage {stage} has no {kind.value} keys. `make infra STAGE={stage}` makes one.")
    return found


def _add(store: KeyStore, stage: str, kind: Kind, terminal: Terminal) -> None:
    found = store.add(kind)
    terminal.say(f"Added {keys.masked(found[0])}: accepted within {LEARNED_WITHIN_S} seconds, beside the old ones.")
    terminal.say(f"To see it:   make keys STAGE={stage} ARGS='show {kind.value}'   (the first line)")
    if len(found) > 1:
        old = found[-1][-6:]
        terminal.say(
            f"When nobody uses the oldest any more:   make keys STAGE={stage} ARGS='remove {kind.value} {old}'"
        )


def _list(store: KeyStore, stage: str, kinds: list[Kind], terminal: Terminal) -> None:
    for kind in kinds:
        name = keys.parameter(stage, kind)
        terminal.say(f"{kind.value} keys, in {name}, newest first:")
        for key in store.read(kind) or ():
            terminal.say(f"  {keys.masked(key)}")
        if not store.read(kind):
            terminal.say(f"  none (`make infra STAGE={stage}` makes one)")
    name = keys.parameter(stage, kinds[0])
    terminal.say(
        f"\nTo see them: make keys STAGE={stage} ARGS='show {kinds[0].value}', or\n"
        f"  aws ssm get-parameter --with-decryption --query Parameter.Value --output text --name {name}\n"
        f"To rotate one without downtime: keys add, give it away, keys remove (docs/OPERATIONS.md)."
    )
