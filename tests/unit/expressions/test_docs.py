"""docs/EXPRESSIONS.md, row by row: what a table says has examples, and each example gives what stands beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import MAX_STEPS, USER_LIMITS, compile_expression
from chalicelib.core.expressions.limits import MAX_LIST, MAX_TEXT
from chalicelib.core.expressions.names import FUNCTIONS, MACROS
from chalicelib.core.matching import MAX_PARAMS_BYTES, plan_wait

DOCS = (Path(__file__).parents[3] / "docs" / "EXPRESSIONS.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCS.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of each row of the section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return cells[2:]


class Example(NamedTuple):
    """An expression and what it gives: a JSON value, or the word error or refused."""

    row: str
    text: str
    value: str
    word: str


EXAMPLE = re.compile(r"`([^`]+)` → (?:`([^`]+)`|(error|refused))")
TABLES = {"What it means": 2, "Functions": 2, "Literals": 1}  # In which column the examples stand.
ROWS = [(row[0], row[column]) for title, column in TABLES.items() for row in rows(title)]
EXAMPLES = [Example(row, *found) for row, cell in ROWS for found in EXAMPLE.findall(cell)]
EVENT = json.loads(section("What it means").split("```json\n")[1].split("```")[0])


@pytest.mark.parametrize(("row", "cell"), ROWS)
def test_every_row_has_an_example_with_its_result(row: str, cell: str) -> None:
    assert EXAMPLE.search(cell), row
    # Whatever is written as code is an example or its result: none goes unseen.
    assert len(re.findall(r"`[^`]+`", cell)) == sum(2 if value else 1 for _, value, _ in EXAMPLE.findall(cell)), row


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.text)
def test_every_example_gives_what_stands_beside_it(example: Example) -> None:
    if example.word == "refused":
        with pytest.raises(InvalidExpression):
            compile_expression(example.text)
        return
    evaluation = compile_expression(example.text).evaluate({"event": EVENT, "async": EVENT})
    if example.word == "error":
        assert evaluation.error is not None
        assert evaluation.value is None
    else:
        assert evaluation.error is None
        assert typed(evaluation.value) == typed(json.loads(example.value))


def typed(value: Any) -> str:
    """A text that tells 1 from 1.0 and true."""
    return repr(value)


WISHES = [code for row in rows("Examples") for code in re.findall(r"`([^`]+)`", row[1])]


@pytest.mark.parametrize("text", WISHES)
def test_what_one_wants_can_be_written(text: str) -> None:
    compile_expression(text)


def test_the_tables_are_found() -> None:
    assert len(WISHES) > 10
    assert len(ROWS) > 50
    assert len(EXAMPLES) > 150


@pytest.mark.parametrize("name", [*FUNCTIONS, *MACROS, "has"])
def test_every_function_has_an_example(name: str) -> None:
    assert any(re.search(rf"\b{name}\(", example.text) for example in EXAMPLES)


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "!", "?", *"+-*/%", "["])
def test_every_operator_has_an_example(operator: str) -> None:
    assert any(operator in re.sub(r"\"[^\"]*\"|'[^']*'", "''", example.text) for example in EXAMPLES)


# For each row of the limits: what it says, and an expression within it and one beyond.
LIMITS: dict[str, tuple[list[str | int], str, str]] = {
    "text": ([USER_LIMITS.text_bytes // 1024], "'" + "x" * 4094 + "'", "'" + "x" * 4095 + "'"),
    "brackets": ([USER_LIMITS.nesting], "(" * 32 + "1" + ")" * 32, "(" * 33 + "1" + ")" * 33),
    "operators": ([USER_LIMITS.depth], "event" + "[0][0 + 0]" * 31, "event" + "[0 + 0]" * 64),
    "terms": ([USER_LIMITS.terms], "event" + ".a" * 499, "event" + ".a" * 500),
    "elements": ([USER_LIMITS.list_items], "[" + "1," * 99 + "1]", "[" + "1," * 100 + "1]"),
    "a pattern": ([USER_LIMITS.pattern_bytes, 1], f"''.matches('{'x' * 256}')", f"''.matches('{'x' * 257}')"),
    "macros": (
        [USER_LIMITS.macros],
        "[1].all(a, [1].all(b, [1].all(c, true)))",
        "[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))",
    ),
    "values": ([MAX_PARAMS_BYTES // 1024], "async.data.a == event.data.fits", "async.data.a == event.data.large"),
    "work": ([f"{MAX_STEPS:,}"], "event.data.some.all(x, x == x)", "event.data.many.all(x, x == x)"),
    "strings": ([f"{MAX_TEXT:,}", f"{MAX_LIST:,}"], "event.data.text + 'x'", "event.data.text + 'xy'"),
}
SIZES = {
    "fits": "x" * (MAX_PARAMS_BYTES - 4),
    "large": "x" * (MAX_PARAMS_BYTES - 3),
    "some": [1] * (MAX_STEPS // 3),
    "many": [1] * (MAX_STEPS // 3 + 1),
    "text": "x" * (MAX_TEXT - 1),
}


@pytest.mark.parametrize(("row", "said"), [(row[0], row[1]) for row in rows("Limits")])
def test_limits_are_those_of_the_code_and_are_kept(row: str, said: str) -> None:
    numbers, within, beyond = next(limit for begin, limit in LIMITS.items() if row.startswith(begin))
    assert all(re.search(rf"(?<![\d,]){number}(?![\d,])", said) for number in numbers)
    assert outcome(within) is None
    assert "limit" in (failure := outcome(beyond) or "") or "steps" in failure


def outcome(text: str) -> str | None:
    """What is wrong with the condition: as it is registered, or as it is evaluated; None if nothing."""
    try:
        plan_wait("x", text, {"data": {"fits": SIZES["fits"], "large": SIZES["large"]}})
        return compile_expression(text).evaluate({"event": {"data": SIZES}}).error
    except InvalidExpression as error:
        return str(error)


BLOCKS = [block.strip().splitlines() for block in section("What goes wrong, and what it says").split("```")[1::2]]
BROKEN = ["event.data.plan == pro", "asyn.data.x == 1", "event.data.order-id == 1", "event.name = 'a'"]


def test_what_is_refused_is_told_in_these_words() -> None:
    messages = []
    for text in BROKEN:
        with pytest.raises(InvalidExpression) as caught:
            compile_expression(text)
        messages.append(str(caught.value))
    assert messages == BLOCKS[0]


def test_what_is_doubtful_is_told_in_these_words() -> None:
    event = {"data": {"account_id": 1, "n": 2}}
    doubtful = ["event.data.acocunt_id == 1", "event.data.n == 2", "async.ts == 1 && async.ts == 2"]
    told = [warning for text in doubtful for warning in plan_wait("x", text, event).warnings]
    assert set(BLOCKS[1]) <= set(told)
