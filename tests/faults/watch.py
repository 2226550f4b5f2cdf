"""Looks at the tables after every call: what was recorded once must stay as it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chalicelib.core.ids import hashed_step_id
from tests.faults.emulator import Emulator
from tests.faults.injector import READS, Call

_FINAL = ("completed", "failed")


class Watch:
    """First write wins: results of steps and ends of runs never change."""

    def __init__(self, emulator: Emulator) -> None:
        self.violations: list[str] = []
        self.extra_allowed: Counter[tuple[str, str]] = Counter()
        self._emulator = emulator
        self._recorded: dict[tuple[str, str], tuple[Any, ...]] = {}

    def look(self, call: Call) -> None:
        """After the effect of a call."""
        if call.service != "dynamodb" or call.operation in READS:
            return
        for row in self._emulator.rows("runs"):
            self.see(row)
            key = (row["pk"], row["sk"])
            before, now = self._recorded.get(key), _once(row)
            if before is not None and before != now:
                self.violations.append(f"call {call.number} ({call.name}) changed {key} from {before} to {now}")
            if now is not None:
                self._recorded[key] = now

    def see(self, row: dict[str, Any]) -> None:
        """Each item of a run, after each write."""

    def crashed(self, last_step: tuple[str, str] | None, executions: Counter[tuple[str, str]]) -> None:
        """The process died: the step that ran last may run again only if its end was not recorded yet."""
        if last_step is None:
            return
        run_id, name = last_step
        recorded = 0
        for row in self._emulator.rows("runs"):
            if row["pk"] == run_id and row["sk"] == f"s#{hashed_step_id(name, 0)}":
                recorded = row.get("n", 0) + (row["st"] == "completed")
        if executions[last_step] > recorded:
            self.extra_allowed[last_step] += 1


def _once(row: dict[str, Any]) -> tuple[Any, ...] | None:
    """What is written once in this item, if it has been written."""
    if row["sk"] == "0" and "st" in row:
        return row["st"], row.get("ending", row.get("ending_at"))
    if row["sk"].startswith("s#") and row.get("st") in _FINAL:
        return row["st"], row.get("res", row.get("res_at"))
    return None
