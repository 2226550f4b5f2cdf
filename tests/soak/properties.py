"""Properties: what must hold for every input. The suite tries each with hundreds of random ones, `make soak` with more.

The suite draws the same inputs every time, so that it is red only when something changed; the soak draws new ones, and
prints how to replay a failure.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

Check = Callable[..., None]

TRIED: Counter[tuple[str, str]] = Counter()
"""How often a property was tried, and what else it counted: (property, what) since the soak last took the counts."""


def holds(examples: int, *inputs: SearchStrategy[Any]) -> Callable[[Check], Check]:
    """Make a check of drawn inputs a test that tries so many of them."""

    def decorate(check: Check) -> Check:
        @functools.wraps(check)
        def counted(**drawn: Any) -> None:
            TRIED[check.__name__, "tried"] += 1
            check(**drawn)

        # Large inputs are meant: a deep expression, an event with every kind of value.
        slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
        limits = settings(max_examples=examples, deadline=None, print_blob=True, suppress_health_check=slow)
        test: Check = pytest.mark.soak(limits(given(*inputs)(counted)))
        return test

    return decorate
