"""Matching: from conditions to index rows and back, so that an event finds what waits for it (laws 3 and
5)."""

from __future__ import annotations

from .alternatives import MAX_ROWS
from .caps import MAX_SHAPES
from .conditions import MAX_PARAMS_BYTES, Condition, condition_cache_info, condition_holds
from .misses import Misses, explain_miss
from .places import SCAN_SHARDS, behind, group_in, group_of, lookup_keys
from .planning import WaitPlan, plan_wait
from .shapes import IndexRow, Shape, lookup_key
from .triggers import event_name_matches, trigger_matches, validate_event_pattern
from .variants import variant_keys

__all__ = [
    "MAX_PARAMS_BYTES",
    "MAX_ROWS",
    "MAX_SHAPES",
    "SCAN_SHARDS",
    "Condition",
    "IndexRow",
    "Misses",
    "Shape",
    "WaitPlan",
    "behind",
    "condition_cache_info",
    "condition_holds",
    "event_name_matches",
    "explain_miss",
    "group_in",
    "group_of",
    "lookup_key",
    "lookup_keys",
    "plan_wait",
    "trigger_matches",
    "validate_event_pattern",
    "variant_keys",
]
