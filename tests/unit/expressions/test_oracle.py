"""Our evaluation and Google's C++ CEL agree, but for the differences that the documentation names."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import compile_expression
from tests.soak.properties import TRIED, holds

from .differences import DIFFERENCES, excuse, explain
from .generated import events, expressions, spelled
from .oracle import agree, ours, theirs
from .test_semantics import ASYNC, EVENT, FAILS, TRUE

if sys.version_info >= (3, 15):
    pytest.skip("cel-expr-python has no wheel for this Python yet", allow_module_level=True)

DOCS = (Path(__file__).parents[3] / "docs" / "EXPRESSIONS.md").read_text(encoding="utf-8")


SAME, REFUSED = "the same value or both an error", "refused by both"


def verdicts(text: str, variables: dict[str, Any]) -> set[str]:
    """How the two compare: one of the constants above, or the names of the differences that set them apart."""
    other = theirs(text, variables)
    try:
        node = compile_expression(text).node
    except InvalidExpression:
        if other.refused:
            return {REFUSED}
        raise
    mine = ours(node, variables)
    if agree(mine, other):
        return {SAME}
    # Where no part differs, the text itself was read differently.
    return explain(node, variables) or {excuse(node, variables, mine, other)}


@pytest.mark.soak
def test_random_expressions_mean_what_they_mean_in_cel() -> None:
    found: Counter[str] = Counter()

    @holds(1000, expressions, events, events)
    def agreement_with_cel(text: str, event: dict[str, Any], incoming: dict[str, Any]) -> None:
        names = verdicts(text, {"event": event, "async": incoming})
        found.update(["compared", *names])
        TRIED.update(("agreement_with_cel", name) for name in names)

    agreement_with_cel()
    assert found["compared"] >= 1000
    assert found[SAME] > 0.75 * found["compared"], found  # Fully compared, with nothing excused.
    assert len(found.keys() & DIFFERENCES.keys()) > 5, found  # The rest does try the differences.


numbers = (
    st.integers(-9, 9) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]) | st.sampled_from([0.5, -1.5, 2.0, 1e300])
)


@holds(300, numbers, st.sampled_from("+-*/%"), numbers)
def test_numbers_are_computed_as_in_cel(left: float, operator: str, right: float) -> None:
    assert verdicts(f"({left}) {operator} ({right})", {}) <= {
        SAME,
        "mixed arithmetic",
        "finite doubles",
        "least remainder",
    }


@holds(300, st.text(alphabet="aé\U0001f600'\"\\\n\t"), st.integers(0, 5))
def test_literals_are_read_as_in_cel(text: str, style: int) -> None:
    literal = spelled(text, style)
    assert ours(compile_expression(literal).node, {}).value == text
    assert verdicts(literal, {}) == {SAME}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_difference_is_documented(name: str) -> None:
    differing = " ".join(DOCS.split("## Where it differs")[1].split())
    assert DIFFERENCES[name].row in differing


# For each difference, an expression that has it: none is listed in vain, and each excuses what its name says.
APART = {
    "a missing field is null": "event.data.missing == null",
    "no order, no match": "null < 1",
    "mixed arithmetic": "1 + 1.5 == 2.5",
    "finite doubles": "1.0 / 0.0 > 1.0",
    "integers of any size": "9223372036854775808 > 1",
    "exact numbers": "9007199254740993 == 9007199254740992.0",
    "nothing is in null": "'a' in null",
    "no key": "null in event.data.map",
    "has with brackets": "has(event.data['a-b'])",
    "has below a plain value": "has(event.data.n.deeper)",
    "texts of numbers": "string(1e15) == '1000000000000000'",
    "texts of times": "string(duration('1.5s')) == '1.5s'",
    "strict numbers": "int(' 4') == 4",
    "no number is a boolean": "int(true) == 1",
    "fractions of seconds": "timestamp(1.5) > timestamp(1)",
    "days": "duration('1d') == duration('24h')",
    "negated durations": "-duration('1s') < duration('0')",
    "milliseconds": "duration('1.5s').getMilliseconds() == 500",
    "order of keys": "event.data.large.map(k, k)",
    "least remainder": "-9223372036854775808 % -1 == 0",
    "keywords": "event.data.in == 1",
    "raw strings": r"r'a\' == 'a\\'",
}
VARIABLES = {
    "event": {"data": {"n": 1, "in": 1, "map": {"a": 1}, "large": {str(n): n for n in range(40)}}},
    "async": None,
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_difference_is_real(name: str) -> None:
    assert verdicts(APART[name], VARIABLES) == {name}


OWN = [text for text in (*TRUE, *(text for text, _ in FAILS)) if not re.search(r"event\.data\.(big|half)", text)]


@pytest.mark.parametrize("text", OWN)
def test_what_our_own_tests_say_agrees_with_cel(text: str) -> None:
    data = {name: value for name, value in EVENT["data"].items() if name not in ("big", "half")}
    assert verdicts(text, {"event": {**EVENT, "data": data}, "async": ASYNC}) <= {SAME, *DIFFERENCES}
