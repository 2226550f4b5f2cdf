"""What is watched while a storm lasts, since it cannot be seen any more when it is over."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core.concurrency import Claim, claims
from chalicelib.core.events import Event
from chalicelib.core.functions import FunctionConfig
from tests.faults.emulator import Emulator
from tests.faults.watch import Watch


@dataclass
class Lived:
    """When a run was seen to be created, to begin and to end: the number of the look, and the world's time."""

    created: tuple[int, int]
    begun: tuple[int, int] | None = None
    ended: tuple[int, int] | None = None


class StormWatch(Watch):
    """Also in which order runs begin and end, whatever their clocks say. `reports_several`: an app holds the results of
    several steps until it reports them."""

    def __init__(self, emulator: Emulator, *, reports_several: bool) -> None:
        super().__init__(emulator)
        self._reports_several = reports_several
        self.lives: dict[str, Lived] = {}
        self._looks = itertools.count()

    def see(self, row: dict[str, Any]) -> None:
        if row["sk"] != "0" or "seed" not in row:
            return
        moment = (next(self._looks), self._emulator.now_ms())
        life = self.lives.setdefault(row["pk"], Lived(moment))
        if life.begun is None and "begun" in row and "gated" not in row:
            life.begun = moment
        if life.ended is None and "st" in row:
            life.ended = moment

    def crashed(self, last_step: tuple[str, str] | None, executions: Counter[tuple[str, str]]) -> None:
        lost = [step for step in executions if last_step is not None and step[0] == last_step[0]]
        for step in lost if self._reports_several else [last_step]:
            super().crashed(step, executions)


@dataclass
class _Running:
    """A step that runs now. `is_stray`: its invocation's time is over, and with it the places that it held."""

    run_id: str
    step: str
    claims: Sequence[Claim]
    is_stray: bool = False


class Monitor:
    """How many steps run side by side, and how often each message was delivered."""

    def __init__(self, emulator: Emulator, configs: Sequence[FunctionConfig]) -> None:
        self.violations: list[str] = []
        self.most: Counter[str] = Counter()
        self.deliveries: Counter[str] = Counter()
        self.disturbed: Counter[str] = Counter()
        self._emulator = emulator
        self._configs = {config.id: config for config in configs if config.flow is not None and config.flow.concurrency}
        self._running: list[_Running] = []

    def delivered(self, records: Sequence[dict[str, Any]]) -> None:
        self.deliveries.update(record["body"] for record in records)

    def failed(self, records: Sequence[dict[str, Any]]) -> None:
        """In an invocation that was disturbed."""
        self.disturbed.update(record["body"] for record in records)

    def expired(self) -> None:
        for running in self._running:
            running.is_stray = True

    @contextlib.contextmanager
    def running(self, run_id: str, step: str) -> Iterator[None]:
        mine = _Running(run_id, step, self._claims(run_id))
        self._running.append(mine)
        self._count(mine)
        try:
            yield
        finally:
            self._running.remove(mine)

    def _claims(self, run_id: str) -> Sequence[Claim]:
        if not self._configs:
            return ()
        rows = {row["sk"]: row for row in self._emulator.rows("runs") if row["pk"] == run_id}
        config = self._configs.get(json.loads(rows["0"]["seed"])["fn_id"])
        if config is None:
            return ()
        (event,) = (row["event"] for row in rows.values() if "event" in row)
        return claims(config.id, config.flow, Event.model_validate_json(event).payload())[0]

    def _count(self, mine: _Running) -> None:
        held: dict[Any, int] = defaultdict(int)
        for other in self._running:
            if not other.is_stray:
                for claim in other.claims:
                    held[claim.key] += 1
        for claim in mine.claims:
            self.most["side by side"] = max(self.most["side by side"], held[claim.key])
            if held[claim.key] > claim.limit:
                found = f"{held[claim.key]} steps run at once under a limit of {claim.limit}"
                self.violations.append(f"{found}: {[(one.run_id[-6:], one.step) for one in self._running]}")


class Errors(logging.Handler):
    """What the platform logs as an error, and whether the invocation in which it did was disturbed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[tuple[logging.LogRecord, bool]] = []
        self.is_disturbed: Callable[[], bool] = lambda: False

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append((record, self.is_disturbed()))
