"""What every use case is handed: the ports, the clock, chance, and the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chalicelib.core import limits, retries
from chalicelib.core.clock import Clock
from chalicelib.engine.app_ports import Catalog
from chalicelib.engine.flow_ports import Cells
from chalicelib.engine.index import Pauses
from chalicelib.engine.join_ports import Joins
from chalicelib.engine.line_ports import Lines
from chalicelib.engine.logs import logger
from chalicelib.engine.operator_ports import Cancellations, Replays
from chalicelib.engine.ports import Driver, Events, Exit, Gateway, Metrics, Queues, Signals, Timers
from chalicelib.engine.run_ports import Runs

__all__ = ["Chance", "Delivery", "EngineSettings", "Services", "logger"]


@dataclass(frozen=True)
class EngineSettings:
    """What an operator may set. Times in milliseconds."""

    # A turn hands over to the queue when less than this is left of its invocation.
    hand_over_below_ms: int = 15_000
    retention_days: int = limits.DEFAULT_RETENTION_DAYS
    max_receives: int = limits.MAX_RECEIVES
    # How many events are looked at, looking back: by a turn before it keeps how far it has come; by a message that
    # starts a run before it leaves the rest to another one.
    look_back_per_turn: int = 2_000
    look_back_per_start: int = 500
    retry_table_ms: Sequence[int] = retries.BACKOFF_MS
    # How many rows of the pause index one message works on, and in how many threads.
    match_page: int = 50
    match_threads: int = 1

    @property
    def retention_ms(self) -> int:
        return self.retention_days * limits.DAY_MS


@dataclass(frozen=True)
class Chance:
    """Randomness, handed in."""

    entropy: Callable[[], bytes]
    jitter: Callable[[], float]


@dataclass(frozen=True)
class Services:
    """The engine's surroundings. `clock` tells milliseconds since the epoch."""

    events: Events
    runs: Runs
    pauses: Pauses
    signals: Signals
    lines: Lines
    timers: Timers
    cancellations: Cancellations
    replays: Replays
    cells: Cells
    joins: Joins
    queues: Queues
    catalog: Catalog
    driver: Driver
    gateway: Gateway
    clock: Clock
    chance: Chance
    metrics: Metrics
    exit: Exit
    settings: EngineSettings = field(default_factory=EngineSettings)


@dataclass(frozen=True)
class Delivery:
    """One delivery of a queue message: `deadline_ms` is when its invocation ends."""

    message_id: str
    nonce: str
    receives: int
    deadline_ms: int
    sent_at_ms: int = 0

    def is_last(self, settings: EngineSettings) -> bool:
        return self.receives >= settings.max_receives
