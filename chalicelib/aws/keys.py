"""Every key of every table, and nothing else (tables: infra/template.yaml)."""

from __future__ import annotations

import hashlib
from typing import Final

from chalicelib.core import ids, timers
from chalicelib.core.concurrency import LimitKey
from chalicelib.core.steps import TimerKey
from chalicelib.engine.collect import OPEN_SHARDS
from chalicelib.engine.flow_ports import CellKey
from chalicelib.engine.index import Place
from chalicelib.engine.line_ports import LINE_SHARDS

EVENT_SHARDS: Final = 4
LIST_SHARDS: Final = 2

HEAD: Final = "0"
EVENT: Final = "1"
_STEP: Final = "s#"


# runs
def step(step_id: str) -> str:
    return _STEP + step_id


def is_step(sk: str) -> bool:
    """Whether a row of a run is a step: a newer release may have added others."""
    return sk.startswith(_STEP)


def step_id(sk: str) -> str:
    return sk.removeprefix(_STEP)


def run_list(fn_id: str, shard: int) -> str:
    return f"{fn_id}#{shard}"


def run_list_shard(run_id: str) -> int:
    return ids.shard_of(run_id, LIST_SHARDS)


def run_position(created_at_ms: int, run_id: str) -> str:
    return f"{created_at_ms:015d}#{run_id}"


def open_runs(shard: int) -> str:
    return f"open#{shard}"


def open_shard(run_id: str) -> int:
    return ids.shard_of(run_id, OPEN_SHARDS)


def replays_of(run_id: str) -> str:
    return f"replays#{run_id}"


CANCELLATIONS: Final = "cancellations"
REPLAYS: Final = "replays"


# events
def event_partition(internal_id: str) -> str:
    return f"{ids.event_bucket(internal_id)}#{ids.shard_of(internal_id, EVENT_SHARDS)}"


def event_partitions(name: str) -> list[str]:
    return [f"{ids.name_bucket(name)}#{shard}" for shard in range(EVENT_SHARDS)]


def effect(internal_id: str, kind: str, run_id: str, step_id: str | None) -> str:
    return f"{internal_id}#{kind}#{run_id}" + ("" if step_id is None else f"#{step_id}")


def effects(internal_id: str, kind: str) -> tuple[str, str]:
    """Between what the event's effects of a kind lie."""
    return f"{internal_id}#{kind}#", f"{internal_id}#{kind}#~"


def all_effects(effect_row: str) -> tuple[str, str]:
    """Between what all effects of that event lie."""
    internal_id = effect_row.split("#", 1)[0]
    return f"{internal_id}#", f"{internal_id}#~"


# Right behind a row: below whatever characters the rows have.
BEHIND: Final = "!"


def match_page(internal_id: str, start: Place) -> tuple[str, str]:
    # Apart from the event, in whose partition every run that it touches gets a row.
    return f"pages#{internal_id}#{start.key}", start.after or _FIRST_PAGE


_FIRST_PAGE: Final = "0"


def event_times(internal_id: str) -> str:
    # Behind all ids, so that a page of events does not read it.
    return f"times#{internal_id}"


def joined(internal_id: str, fn_id: str) -> tuple[str, str]:
    # An id may be longer than a range key.
    of = hashlib.sha256(fn_id.encode()).hexdigest()[:32]
    return event_partition(internal_id), f"{internal_id}#joined#{of}"


def claim(fn_id: str, user_id: str) -> str:
    return "id#" + hashlib.sha256(f"{fn_id}\x00{user_id}".encode()).hexdigest()


CLAIM_ROW: Final = "claim"
NAMES: Final = "names"


# pauses
def shapes(event_name: str) -> str:
    return f"shapes#{event_name}"


def signal(name: str) -> str:
    return "signal#" + hashlib.sha256(name.encode()).hexdigest()


def sent_signal(sender: str) -> str:
    return f"sent#{sender}"


SIGNAL_ROW: Final = "signal"


# timers
def timer_partition(key: TimerKey) -> str:
    return timer_bucket(timers.bucket_of(key.due_ms), ids.shard_of(key.name, timers.SHARDS))


def timer_bucket(bucket: int, shard: int) -> str:
    return f"{bucket}#{shard}"


def timer_row(key: TimerKey) -> str:
    return f"{key.due_ms:015d}#{key.name}"


def timers_before(due_before_ms: int) -> str:
    return f"{due_before_ms:015d}"


MARKS: Final = "marks"


# limits
def cell(key: CellKey) -> tuple[str, str]:
    of = hashlib.sha256(f"{key.fn_id}\x00{key.digest}".encode()).hexdigest()
    return f"{key.mechanism.value}#{of}", CELL_ROW


CELL_ROW: Final = "cell"


def closed(run_id: str) -> tuple[str, str]:
    return f"closed#{run_id}", CLOSED_ROW


CLOSED_ROW: Final = "closed"


# functions
APPS: Final = "apps"
REGISTRY: Final = ("registry", "version")


# limits: places, and the lines before them
def places(key: LimitKey) -> str:
    return f"place#{key.digest}#{key.fn_id}"


def slot(index: int) -> str:
    return f"slot#{index:07d}"


def slot_index(sk: str) -> int:
    return int(sk.removeprefix("slot#"))


def waiter(place_in_line: tuple[int, str]) -> str:
    order_us, holder = place_in_line
    return f"wait#{order_us:018d}#{holder}"


def place_in_line(sk: str) -> tuple[int, str, str | None]:
    """Order, run and step of a waiter."""
    _, order_us, run_id, *step_id = sk.split("#", 3)
    return int(order_us), run_id, step_id[0] if step_id else None


SLOTS: Final = ("slot#", "slot#~")
WAITERS: Final = ("wait#", "wait#~")


def line(key: LimitKey) -> str:
    return f"{lines_of(key.fn_id)}{key.digest}"


def lines_of(fn_id: str) -> str:
    """How the lines of one function begin."""
    # An id may be longer than a range key.
    return hashlib.sha256(fn_id.encode()).hexdigest()[:16] + "#"


def lines(shard: int) -> str:
    return f"lines#{shard}"


def line_shard(key: LimitKey) -> int:
    return ids.shard_of(key.digest, LINE_SHARDS)
