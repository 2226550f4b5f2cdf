"""Everything that calls the app's handlers besides HTTP: two queues and two schedules."""

from __future__ import annotations

import os
import time

from infra.local.gate import Gate
from infra.local.loading import Loaded
from infra.local.nudge import Nudges
from infra.local.pump import Pump, Source
from infra.local.schedule import Schedule
from infra.local.settings import ACCOUNT, REGION

EVENTS_TIMEOUT_S, WORK_TIMEOUT_S, TICK_TIMEOUT_S = 60.0, 120.0, 60.0
"""As the defaults of infra/template.yaml; a test compares them."""
EVENTS_BATCH, WORK_BATCH = 10, 1
"""User code runs under the work queue, and a process that it kills must not take another message along."""
EVENTS_WORKERS = 2
SWEEP_DRAIN_S = 0.5
"""A sweep may take its whole minute; stopping must not wait for it."""
TICK_EVERY_S, COLLECT_EVERY_S = 60.0, 300.0
FIRST_TICK_S, FIRST_COLLECT_S = 0.5, 20.0
"""Soon after a start: what fell due while nothing ran should not wait for a full period."""


class Feeders:
    """Pumps and schedules of one app. ``start`` once, ``stop`` once. Messages are handled within ``gate``."""

    def __init__(self, app: Loaded, nudges: Nudges, gate: Gate, *, workers: int) -> None:
        endpoint = os.environ["AWS_ENDPOINT_URL"]
        events_url, work_url = os.environ["STEPWELL_QUEUE_EVENTS_URL"], os.environ["STEPWELL_QUEUE_WORK_URL"]
        events = Source(
            events_url, _arn(events_url), "stepwell-on-event", EVENTS_BATCH, EVENTS_WORKERS, EVENTS_TIMEOUT_S
        )
        work = Source(work_url, _arn(work_url), "stepwell-on-work", WORK_BATCH, workers, WORK_TIMEOUT_S)
        self._pumps = [
            Pump(endpoint, events, app.handler("on_event"), gate),
            Pump(endpoint, work, app.handler("on_work"), gate),
        ]
        nudges.register(events_url, self._pumps[0].nudge)
        nudges.register(work_url, self._pumps[1].nudge)
        now_ms = app.platform.clock.now_ms
        self._tick = Schedule(
            "stepwell-on-tick",
            app.handler("on_tick"),
            now_ms,
            first_s=FIRST_TICK_S,
            every_s=TICK_EVERY_S,
            timeout_s=TICK_TIMEOUT_S,
        )
        self._collect = Schedule(
            "stepwell-on-collect",
            app.handler("on_collect"),
            now_ms,
            first_s=FIRST_COLLECT_S,
            every_s=COLLECT_EVERY_S,
            timeout_s=TICK_TIMEOUT_S,
        )

    def start(self) -> None:
        """Begin to take messages and to tick."""
        for pump in self._pumps:
            pump.start()
        self._tick.start()
        self._collect.start()

    def tick_soon(self) -> None:
        """Call on_tick now, besides its schedule; does not wait for it."""
        self._tick.soon()

    def stop(self, within_s: float) -> int:
        """Stop all, waiting at most ``within_s`` seconds together; how many workers were still busy."""
        deadline = time.monotonic() + within_s
        sweeps = (self._tick, self._collect)
        for sweep in sweeps:
            sweep.stop(0)
        for pump in self._pumps:
            pump.stop(0)
        busy = sum(pump.stop(max(0.0, deadline - time.monotonic())) for pump in self._pumps)
        for sweep in sweeps:
            sweep.stop(min(within_s, SWEEP_DRAIN_S))  # Cut off, a sweep goes on at its next call.
        return busy


def _arn(queue_url: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_url.rsplit('/', 1)[1]}"
