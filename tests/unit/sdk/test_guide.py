"""The examples of docs/FUNCTIONS.md are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.sdk import Function, Registry
from tests.unit.drivers.harness import Harness

GUIDE = (Path(__file__).parents[3] / "docs" / "FUNCTIONS.md").read_text()


def functions() -> dict[str, Function[Any]]:
    found = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        names: dict[str, Any] = {"__name__": "guide"}
        exec(compile(block, "FUNCTIONS.md", "exec", dont_inherit=True), names)
        found.update({item.fn_id: item for item in names.values() if isinstance(item, Function)})
    return found


FUNCTIONS = functions()
PAID = {"name": "billing/invoice.paid", "data": {"method": "card"}}


@pytest.mark.parametrize(
    ("fn_id", "data", "outside", "output"),
    [
        ("checkout", {"order_id": "o1"}, {}, "sent r-1"),
        ("report", {}, {}, "test/event"),
        ("crawl", {"url": "x"}, {}, 9),
        ("invoice", {}, {}, "overdue"),
        ("invoice", {}, {"payment": PAID}, "paid by card"),
        ("delivery", {"order_id": "o1"}, {}, "late"),
        ("delivery", {"order_id": "o1"}, {"picked": {"name": "shop/order.picked", "data": {}}}, "picked"),
        ("approval", {"doc_id": "d"}, {}, "no answer"),
        ("approval", {"doc_id": "d"}, {"answer": {"index": 1, "event": {"name": "docs/rejected"}}}, "rejected"),
        ("refund", {"refund_id": 17}, {}, "no answer"),
        ("refund", {"refund_id": 17}, {"answer": {"signal": "refund/17", "data": {"by": "Ada"}}}, "answered by Ada"),
        ("answers", {"refund_id": 17, "by": "Ada"}, {}, False),
        ("reminder", {}, {}, "reminded"),
        ("order", {"item": "book"}, {}, "reserved book"),
        ("order", {"item": "sold-out"}, {}, "something else, as nothing left"),
        ("thumbnails", {}, {}, [f"image of {size}, stored" for size in (64, 256, 1024)]),
        ("price", {"count": 3}, {}, 300),
        ("quote", {}, {"price": 300}, 300),
    ],
)
def test_an_example_of_the_guide(fn_id: str, data: dict[str, Any], outside: dict[str, Any], output: Any) -> None:
    assert Harness(FUNCTIONS[fn_id].handler, data=data, outside=outside).drive() == output


def test_the_guides_functions_can_be_registered_together() -> None:
    assert len(Registry(FUNCTIONS.values()).configs()) == len(FUNCTIONS) + 1  # One has a failure handler.


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ("steps in a run", f"{limits.MAX_STEPS:,}"),
        (
            "output of a step or a function",
            f"{limits.MAX_STEP_OUTPUT_BYTES >> 20} MiB of JSON, {limits.MAX_EVENT_DEPTH}",
        ),
        ("outputs of a run together", f"{limits.MAX_RUN_STATE_BYTES >> 20} MiB"),
        ("a step's id", f"{limits.MAX_STEP_NAME_CHARS} characters"),
        ("an event, or the data of an invocation", f"{limits.MAX_EVENT_BYTES >> 20} MiB"),
        ("events in one `send_event`", f"{limits.MAX_EVENTS_PER_REQUEST:,}"),
        ("sleep, wait, timeout of an invocation", f"{limits.MAX_WAIT_MS // limits.DAY_MS} days"),
        ("a signal's name", f"{limits.MAX_SIGNAL_CHARS} characters"),
        ("a signal's data", f"{limits.MAX_STEP_OUTPUT_BYTES >> 20} MiB"),
        ("triggers of a function", str(limits.MAX_TRIGGERS)),
        ("cancellations of a function", str(limits.MAX_CANCELS)),
        ("retries", str(limits.MAX_RETRIES)),
        ("starts of a step that kills its process", str(limits.MAX_STARTS_WITHOUT_PROGRESS)),
    ],
)
def test_the_guides_limits_are_those_of_the_code(row: str, number: str) -> None:
    assert f"| {row} | {number}" in GUIDE
