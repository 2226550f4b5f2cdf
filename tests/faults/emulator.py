"""AWS in this process: made once from the template and emptied between scenarios; and a look inside it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import time_machine
from moto.s3.models import s3_backends

from chalicelib.testing import cloud, memory
from chalicelib.testing.kit import START
from chalicelib.testing.memory.queues import Message, now_ms
from chalicelib.testing.session import UnsignedSession

DEAD = ("stepwell-test-events-dead", "stepwell-test-work-dead")
LIVE = ("stepwell-test-events", "stepwell-test-work")


class Emulator:
    """Tables, queues and bucket, and a clock that only moves when told."""

    def __init__(self, account: memory.Account, traveller: time_machine.Traveller) -> None:
        self.session = UnsignedSession()
        self.variables = cloud.variables()
        self.sqs = self.session.create_client("sqs")
        self._account = account
        self._traveller = traveller
        self._tables = account.dynamodb.tables
        self._queues = account.sqs.queues
        cloud.create_bucket(self.session)

    def clear(self) -> None:
        """Forget everything, and go back to the beginning of time."""
        self._account.clear()
        for bucket in s3_backends[cloud.ACCOUNT_ID]["aws"].buckets.values():
            bucket.keys.clear()
        self._traveller.move_to(START, tick=False)

    def move_to(self, moment_ms: int) -> None:
        """Move the clock."""
        self._traveller.move_to(datetime.fromtimestamp(moment_ms / 1000, tz=UTC), tick=False)

    def now_ms(self) -> int:
        return round(datetime.now().timestamp() * 1000)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All items of a table (`runs`, …)."""
        return [
            {name: _plain(value) for name, value in row.item.items()}
            for row in self._tables[f"stepwell-test-{table}"].rows.values()
        ]

    def messages(self, *names: str) -> list[Message]:
        """The messages of these queues, or of the two that live: visible, delayed or in flight."""
        return [message for name in names or LIVE for message in self._queues[name].messages()]

    def has_visible(self, name: str) -> bool:
        """Whether a receive would find something: it takes longer itself."""
        return any(message.is_visible(now_ms()) for message in self._queues[name].messages())

    def hold_messages(self) -> None:
        """Let what lies in the queues wait."""
        for message in self.messages():
            message.delayed_until_ms = float("inf")

    def release_messages(self) -> None:
        """Let it come."""
        for message in self.messages():
            message.delayed_until_ms = 0

    def show_all(self) -> None:
        """Let what is in flight come back now."""
        for message in self.messages():
            message.hidden_until_ms = 0

    def reorder(self, name: str, place_of: Callable[[Message], float]) -> None:
        """Let the messages of a queue be received in another order."""
        queue = self._queues[name]
        queue.kept = {message.id: message for message in sorted(queue.kept.values(), key=place_of)}

    def visible(self, *names: str) -> list[Message]:
        """The messages of these queues, or of the two that live, that a receive would find."""
        return [message for message in self.messages(*names) if message.is_visible(now_ms())]

    def hold_back(self, message: Message, until_ms: int) -> None:
        """Let it come no sooner."""
        message.delayed_until_ms = until_ms

    def show(self, message: Message) -> None:
        """Let one that is in flight come back now."""
        message.hidden_until_ms = 0

    def comes_at_ms(self, message: Message) -> int:
        """When a receive finds it."""
        return int(max(message.hidden_until_ms + 1, message.delayed_until_ms))

    def take_event(self) -> str:
        """The newest message of the events queue, received and deleted."""
        _, message = self._queues[LIVE[0]].kept.popitem()
        return message.body

    def lose_timers(self) -> None:
        """Forget all far timers, as no tick may do."""
        table = self._tables["stepwell-test-timers"]
        for key in [key for key, row in table.rows.items() if "message" in row.item]:
            table.write(key, None)

    def in_flight(self) -> list[float]:
        """When messages that were received and not deleted come back (milliseconds)."""
        now = self.now_ms()
        return [m.hidden_until_ms for m in self.messages() if m.is_hidden(now)]


def _plain(typed: dict[str, Any]) -> Any:
    [(kind, value)] = typed.items()
    return int(value) if kind == "N" else value


@contextlib.contextmanager
def open_emulator() -> Iterator[Emulator]:
    """Everything for as long as the context lasts. Botocore's pauses between its retries take no time."""
    # Where proxies are named, macOS is not asked for them, which a process that branched off must not do.
    credentials = {
        "no_proxy": "*",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": cloud.REGION,
    }
    account = cloud.open_account()
    no_sleep = SimpleNamespace(sleep=lambda _: None, time=lambda: 0.0)
    with (
        mock.patch.dict("os.environ", credentials),
        mock.patch("botocore.endpoint.time", no_sleep),
        time_machine.travel(START, tick=False) as traveller,
        memory.serving(account),
        _silenced(),
    ):
        yield Emulator(account, traveller)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Crashes and refusals are the point here; their log lines are not."""
    logger = logging.getLogger("stepwell")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
