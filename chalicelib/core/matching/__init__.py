"""Matching: from conditions to index rows and back, so that an event finds what waits for it (laws 3 and
5)."""

from __future__ import annotations

from .alternatives import MAX_ROWS
from .conditions import MAX_PARAMS_BYTES, Condition, condition_cache_info, condition_holds
from .misses import explain_miss
from .planning import WaitPlan, plan_wait
from .shapes import IndexRow, Shape, lookup_key
from .triggers import event_name_matches, trigger_matches, validate_event_pattern

__all__ = [
    "MAX_PARAMS_BYTES",
    "MAX_ROWS",
    "Condition",
    "IndexRow",
    "Shape",
    "WaitPlan",
    "condition_cache_info",
    "condition_holds",
    "event_name_matches",
    "explain_miss",
    "lookup_key",
    "plan_wait",
    "trigger_matches",
    "validate_event_pattern",
]
