"""The examples of docs/TESTING.md are true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.testing import Stepwell
from chalicelib.testing.pump import Pump

GUIDE = (Path(__file__).parents[2] / "docs" / "TESTING.md").read_text()


def examples() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        names: dict[str, Any] = {"__name__": "guide"}
        exec(compile(block, "TESTING.md", "exec", dont_inherit=True), names)
        found.update({name: value for name, value in names.items() if name.startswith("test_")})
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_of_the_guide(name: str, request: pytest.FixtureRequest) -> None:
    example = EXAMPLES[name]
    if "stepwell" in example.__annotations__:
        stepwell: Stepwell = request.getfixturevalue("stepwell")
        example(stepwell)
    else:
        example()


def test_everything_that_the_guide_names_is_there() -> None:
    assert len(EXAMPLES) == 6
    named = set(re.findall(r"`(\w+)\(", GUIDE)) | set(re.findall(r"`pump\.(\w+)", GUIDE))
    for name in named - {"deliveries"}:
        assert hasattr(Stepwell, name) or hasattr(Pump, name), name
