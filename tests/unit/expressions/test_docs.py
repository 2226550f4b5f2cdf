"""docs/EXPRESSIONS.md shows what works, and names all there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib.core.expressions import compile_expression
from chalicelib.core.expressions.names import FUNCTIONS, MACROS

DOCS = (Path(__file__).parents[3] / "docs" / "EXPRESSIONS.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCS.split(f"## {title}\n")[1].split("\n## ")[0]


EXAMPLES = [
    code for row in section("Examples").splitlines()[4:] for code in re.findall(r"`([^`]+)`", row.split("|")[2])
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_compile(text: str) -> None:
    compile_expression(text)


CLAIMS = re.findall(r"`([^`]+)` is (true|false)", section("What it means").replace("\\|", "|"))


@pytest.mark.parametrize(("text", "value"), CLAIMS)
def test_claims_hold(text: str, value: str) -> None:
    assert compile_expression(text).evaluate({"event": {"data": {}}}).value is (value == "true")


def test_examples_and_claims_are_found() -> None:
    assert len(EXAMPLES) > 10
    assert len(CLAIMS) >= 5


@pytest.mark.parametrize("name", [*FUNCTIONS, *MACROS, "has"])
def test_every_function_is_named(name: str) -> None:
    assert re.search(rf"\b{name}\(", DOCS)
