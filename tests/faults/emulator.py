"""AWS in this process: moto, made once from the template and emptied between scenarios; and a look inside it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.session
import time_machine
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from chalicelib.testing import cloud
from chalicelib.testing.kit import START

_ACCOUNT = "123456789012"
DEAD = ("stepwell-test-events-dead", "stepwell-test-work-dead")
LIVE = ("stepwell-test-events", "stepwell-test-work")


class Emulator:
    """Tables, queues and bucket, and a clock that only moves when told."""

    def __init__(self, session: Any, traveller: time_machine.Traveller) -> None:
        self.session = session
        self.variables = cloud.create(session)
        self.sqs = session.create_client("sqs")
        self._traveller = traveller
        self._tables = dynamodb_backends[_ACCOUNT][cloud.REGION].tables
        self._queues = sqs_backends[_ACCOUNT][cloud.REGION].queues

    def clear(self) -> None:
        """Forget everything, and go back to the beginning of time."""
        for table in self._tables.values():
            table.items.clear()
        for queue in self._queues.values():
            queue._messages = []
            queue._pending_messages = set()
            queue.deleted_messages = set()
        for bucket in s3_backends[_ACCOUNT]["aws"].buckets.values():
            bucket.keys.clear()
        self._traveller.move_to(START, tick=False)

    def move_to(self, moment_ms: int) -> None:
        """Move the clock."""
        self._traveller.move_to(datetime.fromtimestamp(moment_ms / 1000, tz=UTC), tick=False)

    def now_ms(self) -> int:
        return round(datetime.now().timestamp() * 1000)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All items of a table (`runs`, …)."""
        found = []
        for partition in self._tables[f"stepwell-test-{table}"].items.values():
            for item in partition.values():
                found.append({name: _plain(value) for name, value in item.attrs.items()})
        return found

    def messages(self, *names: str) -> list[Any]:
        """The messages of these queues, or of the two that live: visible, delayed or in flight."""
        return [message for name in names or LIVE for message in self._queues[name]._messages]

    def has_visible(self, name: str) -> bool:
        """Whether a receive would find something: asking the emulator itself takes milliseconds."""
        return any(message.visible and not message.delayed for message in self._queues[name]._messages)

    def hold_messages(self) -> None:
        """Let what lies in the queues wait."""
        for message in self.messages():
            message.delayed_until = float("inf")

    def release_messages(self) -> None:
        """Let it come."""
        for message in self.messages():
            message.delayed_until = 0.0

    def show_all(self) -> None:
        """Let what is in flight come back now."""
        for message in self.messages():
            message.visible_at = 0.0

    def reorder(self, name: str, place_of: Callable[[Any], float]) -> None:
        """Let the messages of a queue be received in another order."""
        self._queues[name]._messages.sort(key=place_of)

    def visible(self, *names: str) -> list[Any]:
        """The messages of these queues, or of the two that live, that a receive would find."""
        return [message for message in self.messages(*names) if message.visible and not message.delayed]

    def hold_back(self, message: Any, until_ms: int) -> None:
        """Let it come no sooner."""
        message.delayed_until = float(until_ms)

    def show(self, message: Any) -> None:
        """Let one that is in flight come back now."""
        message.visible_at = 0.0

    def comes_at_ms(self, message: Any) -> int:
        """When a receive finds it."""
        return int(max(message.visible_at + 1, message.delayed_until))

    def take_event(self) -> str:
        """The newest message of the events queue, received and deleted."""
        body: str = self._queues[LIVE[0]]._messages.pop().body
        return body

    def lose_timers(self) -> None:
        """Forget all far timers, as no tick may do."""
        for partition in self._tables["stepwell-test-timers"].items.values():
            for name in [name for name, item in partition.items() if "message" in item.attrs]:
                del partition[name]

    def in_flight(self) -> list[float]:
        """When messages that were received and not deleted come back (milliseconds)."""
        now = self.now_ms()
        return [m.visible_at for m in self.messages() if m.visible_at >= now]


def _plain(value: Any) -> Any:
    return int(value.value) if value.type == "N" else value.value


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
    no_sleep = SimpleNamespace(sleep=lambda _: None, time=lambda: 0.0)
    with (
        mock.patch.dict("os.environ", credentials),
        mock.patch("botocore.endpoint.time", no_sleep),
        time_machine.travel(START, tick=False) as traveller,
        mock_aws(),
        _silenced(),
    ):
        yield Emulator(botocore.session.get_session(), traveller)


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
