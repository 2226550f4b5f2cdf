"""Stories told: a line for each with its seconds, and for one that fails what may explain it."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from tests.e2e.deploying import Hands
from tests.e2e.ground import Ground
from tests.e2e.waiting import Stopped, stopping

_LOG_LINES = 60
_print_lock = threading.Lock()


def say(text: str) -> None:
    """A line at once."""
    with _print_lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Report:
    """What was told so far."""

    def __init__(self) -> None:
        self.told = 0
        self.failed: list[str] = []

    def tell(self, title: str, story: Callable[[], object]) -> bool:
        """Tell one story; whether it came to its end."""
        began = time.monotonic()
        try:
            story()
        except Stopped:
            return False
        except Exception as error:
            if stopping.is_set():
                return False
            say(f"  FAILED  {time.monotonic() - began:6.1f} s  {title}\n{_why(error)}")
            self.failed.append(title)
            return False
        finally:
            self.told += 1
        say(f"  ok      {time.monotonic() - began:6.1f} s  {title}")
        return True

    def tell_all(self, stories: Iterable[tuple[str, Callable[[], object]]]) -> None:
        """Tell them side by side."""
        chosen = list(stories)
        with ThreadPoolExecutor(max(1, len(chosen))) as pool:
            for future in as_completed([pool.submit(self.tell, *one) for one in chosen]):
                future.result()


def _why(error: Exception) -> str:
    """The error; for a failed expectation, which one."""
    lines = traceback.format_exception(error) if not str(error) or not isinstance(error, AssertionError) else []
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = "".join(lines) or f"{error}\n(at {where.filename}:{where.lineno})"
    return "\n".join(f"            {line}" for line in text.splitlines())


def explain(ground: Ground, hands: Hands) -> None:
    """What a failed story leaves the reader to look at."""
    for command, text in hands.said[-2:]:
        _section(f"`{command}` said", text)
    _section("the emulator's log", ground.emulator_log.read_text(errors="replace"))
    with contextlib.suppress(Exception):  # The emulator itself may be what failed.
        _section("deliveries", ground.journal.read_text())
        _section("queues", "\n".join(_depths(ground)))
        logs = ground.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            lines = [event["message"].rstrip() for event in logs.filter_log_events(logGroupName=name)["events"]]
            _section(f"log {name}", "\n".join(lines))


def _depths(ground: Ground) -> Iterable[str]:
    sqs: Any = ground.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        depths = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        numbers = ", ".join(f"{n.removeprefix('ApproximateNumberOf')} {v}" for n, v in depths.items() if "Number" in n)
        yield f"{url.rsplit('/', 1)[-1]}: {numbers}"


def _section(title: str, text: str) -> None:
    lines = text.splitlines()
    more = f" (the last {_LOG_LINES} lines of {len(lines)})" if len(lines) > _LOG_LINES else ""
    say(f"\n--- {title}{more}")
    for line in lines[-_LOG_LINES:]:
        say(f"    {line[:600]}")
