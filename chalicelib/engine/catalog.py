"""The functions there are: those of this deployment, and those of synced apps, kept in memory; and which are paused.

An event that was accepted after a sync was answered must start what was synced. Whether what is kept is new enough for
it is decided without trusting a clock where that is possible: an invocation begins after its messages were accepted, so
whatever was read since it began is. Only what was read long after the event was accepted, whatever the clocks, is taken
without a look.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from chalicelib.core import limits
from chalicelib.core.clock import Clock
from chalicelib.core.function_pauses import FunctionPause, Registered
from chalicelib.core.functions import FunctionConfig
from chalicelib.engine.app_ports import Apps
from chalicelib.engine.logs import logger

# Numbers invocations and reads in the order in which they begin.
_order = itertools.count(1)
_invocation: ContextVar[int | None] = ContextVar("invocation", default=None)


@contextmanager
def invocation() -> Iterator[None]:
    """What is read inside is as new as whatever was accepted before."""
    token = _invocation.set(next(_order))
    try:
        yield
    finally:
        _invocation.reset(token)


_NOTHING = Registered(version=-1)


@dataclass(frozen=True)
class _Known:
    """What was read, when that began, and by which number."""

    registered: Registered = _NOTHING
    number: int = 0
    began_ms: int = 0
    active: dict[str, FunctionConfig] = field(default_factory=dict)
    retired: dict[str, FunctionConfig] = field(default_factory=dict)


class SyncedCatalog:
    """Implements engine.app_ports.Catalog. May be used from any thread."""

    def __init__(self, own: Sequence[FunctionConfig], apps: Apps, clock: Clock) -> None:
        self._own = {config.id: config for config in own}
        self._apps = apps
        self._clock = clock
        self._known = _Known()
        self._lock = threading.Lock()

    @property
    def deployed(self) -> frozenset[str]:
        return frozenset(self._own)

    def catch_up(self, accepted_at_ms: int) -> None:
        self._look(lambda known: self._is_new_enough(known, accepted_at_ms))

    def _is_new_enough(self, known: _Known, accepted_at_ms: int) -> bool:
        began = _invocation.get()
        if began is not None and known.number > began:
            return True
        return known.began_ms > accepted_at_ms + limits.CLOCK_SKEW_MS

    def get(self, fn_id: str) -> FunctionConfig | None:
        own = self._own.get(fn_id)
        if own is not None:
            return own
        known = self._look(self._is_recent)
        found = known.active.get(fn_id) or known.retired.get(fn_id)
        if found is None:
            number = next(_order)
            known = self._look(lambda known: known.number > number)
            found = known.active.get(fn_id) or known.retired.get(fn_id)
        return found

    def configs(self) -> Sequence[FunctionConfig]:
        active = self._look(self._is_recent).active
        return (*self._own.values(), *(config for fn_id, config in active.items() if fn_id not in self._own))

    def pause_of(self, fn_id: str, *, anew: bool = False) -> FunctionPause | None:
        number = next(_order)
        known = self._look((lambda known: known.number > number) if anew else self._is_recent)
        return known.registered.paused.get(fn_id)

    def _is_recent(self, known: _Known) -> bool:
        # One that was read in the future was read before the clock was set back.
        return 0 <= self._clock.now_ms() - known.began_ms <= limits.REGISTRY_MAX_AGE_MS

    def _look(self, suffices: Callable[[_Known], bool]) -> _Known:
        """What is known, read anew unless it suffices."""
        known = self._known
        if suffices(known):
            return known
        with self._lock:
            if not suffices(self._known):
                self._known = self._read(self._known)
            return self._known

    def _read(self, known: _Known) -> _Known:
        number, began_ms = next(_order), self._clock.now_ms()
        # The version first: what is read afterwards is at least as new.
        registered = self._apps.registered()
        if registered.version == known.registered.version:
            return replace(known, registered=registered, number=number, began_ms=began_ms)
        apps = self._apps.all() if registered.version else []
        active = {config.id: config for app in apps for config in app.functions}
        retired = {one.config.id: one.config for app in apps for one in app.retired}
        for fn_id in active.keys() & self._own.keys():
            logger.warning("a function of this deployment hides one of an app", extra={"function_id": fn_id})
        return _Known(registered, number, began_ms, active, retired)
