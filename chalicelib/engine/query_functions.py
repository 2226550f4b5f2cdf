"""Looking at functions: how each is configured, and when its schedules are due."""

from __future__ import annotations

from itertools import islice
from typing import Any

from chalicelib.core import limits
from chalicelib.core.clock import to_iso
from chalicelib.core.crons import CronSchedule
from chalicelib.core.errors import NotFound
from chalicelib.core.functions import CronTrigger, EventTrigger, FunctionConfig
from chalicelib.engine.services import Services

_NEXT_TIMES = 3
# Five years, for the 29th of February.
_HORIZON_MS = 5 * 366 * limits.DAY_MS


def functions(s: Services) -> list[dict[str, Any]]:
    """All that start something, by their ids."""
    now = s.clock.now_ms()
    s.catalog.catch_up(now)
    return [_wire(s, config, now) for config in sorted(s.catalog.configs(), key=lambda config: config.id)]


def function(s: Services, fn_id: str) -> dict[str, Any]:
    """Also a retired one. Raises NotFound."""
    return _wire(s, known(s, fn_id), s.clock.now_ms())


def known(s: Services, fn_id: str) -> FunctionConfig:
    """Also a retired one. Raises NotFound."""
    s.catalog.catch_up(s.clock.now_ms())
    config = s.catalog.get(fn_id)
    if config is None:
        raise NotFound(f"there is no function {fn_id!r}, neither in this deployment nor in a synced app")
    return config


def _wire(s: Services, config: FunctionConfig, now_ms: int) -> dict[str, Any]:
    body = config.wire()
    pause = s.catalog.pause_of(config.id)
    if pause is not None:
        body["paused"] = pause.wire()
    body["triggers"] = [_trigger(trigger, now_ms) for trigger in config.triggers]
    if config.warnings:
        body["warnings"] = list(config.warnings)
    return body


def _trigger(trigger: EventTrigger | CronTrigger, now_ms: int) -> dict[str, Any]:
    if isinstance(trigger, EventTrigger):
        return trigger.model_dump(exclude_none=True)
    schedule = CronSchedule.parse(trigger.cron)
    due = islice(schedule.due_between(now_ms, now_ms + _HORIZON_MS), _NEXT_TIMES)
    jitter = {} if trigger.jitter is None else {"jitter": trigger.jitter}
    return {"cron": trigger.cron, **jitter, "time_zone": schedule.zone, "next": [to_iso(ms) for ms in due]}
