"""The engine's logger. Every line of a delivery carries the ids that are known by then: event, run, function."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

logger = logging.getLogger("stepwell")

_ids: ContextVar[Mapping[str, str]] = ContextVar("stepwell_log_ids", default=MappingProxyType({}))


@contextlib.contextmanager
def ids_logged(**ids: str) -> Iterator[None]:
    """Lines written inside carry these ids (`run_id`, `function_id`, `event_id`)."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


class _WithIds(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _ids.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


logger.addFilter(_WithIds())
