"""Events, checked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import events, limits
from chalicelib.core.errors import InvalidEvent
from chalicelib.core.events import Event, validate

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40).filter(
    lambda name: not name.startswith("inngest/")
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(name=names, data=st.dictionaries(st.text(max_size=5), json_values, max_size=4), ts=st.integers(1, 2**53 - 1))
def test_what_is_valid_is_kept_as_it_is(name: str, data: dict[str, Any], ts: int) -> None:
    incoming = validate({"name": name, "data": data, "ts": ts}, 0)
    event = Event.accept(incoming, internal_id="i", received_at_us=5_000_000)
    assert event.payload() == {"name": name, "data": data, "id": "i", "ts": ts}
    again = Event.model_validate_json(event.model_dump_json())
    assert json.dumps(again.data) == json.dumps(data)


@given(json_values)
def test_any_json_is_accepted_or_refused(raw: Any) -> None:
    try:
        validate(raw, 0)
    except InvalidEvent:
        pass  # Any other exception fails this test.


def test_defaults() -> None:
    event = Event.accept(validate({"name": "a"}, 0), internal_id="i", received_at_us=5_000_999)
    assert (event.id, event.ts, event.data, event.user, event.v, event.user_id) == ("i", 5_000, {}, {}, None, None)
    assert Event.accept(validate({"name": "a", "id": "x"}, 0), internal_id="i", received_at_us=1).user_id == "x"


@pytest.mark.parametrize(("levels", "fine"), [(limits.MAX_EVENT_DEPTH - 1, True), (limits.MAX_EVENT_DEPTH, False)])
def test_depth(levels: int, fine: bool) -> None:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    raw = {"name": "a", "data": {"x": value}}
    if fine:
        validate(raw, 0)
    else:
        with pytest.raises(InvalidEvent, match="levels deep"):
            validate(raw, 0)


def test_problems_are_told_together() -> None:
    with pytest.raises(InvalidEvent, match=r"name: .*; data: .*; ts: "):
        validate({"name": "", "data": 1, "ts": "x"}, 0)


def test_the_names_of_our_own_events_are_reserved() -> None:
    for name in (*events.LIFECYCLE, events.INVOKED, events.SCHEDULED):
        with pytest.raises(InvalidEvent, match="reserved"):
            validate({"name": name}, 0)
