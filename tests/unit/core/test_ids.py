"""Identifiers."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import ids

times = st.integers(min_value=0, max_value=2**48 - 1)
entropies = st.binary(min_size=10, max_size=10)
names = st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable())


@given(times, entropies)
def test_a_ulid_keeps_its_time(time_ms: int, entropy: bytes) -> None:
    value = ids.ulid(time_ms, entropy)
    assert ids.is_ulid(value)
    assert ids.ulid_time_ms(value) == time_ms


@given(times, times, entropies, entropies)
def test_they_sort_by_time(first: int, second: int, one: bytes, other: bytes) -> None:
    a, b = ids.ulid(first, one), ids.ulid(second, other)
    assert (a < b) if first < second else (a > b) if first > second else a[:10] == b[:10]


@given(times, names, entropies)
def test_an_events_id_tells_the_partition_of_its_name(time_ms: int, name: str, entropy: bytes) -> None:
    value = ids.event_id(time_ms, name, entropy)
    assert ids.is_ulid(value)
    assert ids.ulid_time_ms(value) == time_ms
    assert ids.event_bucket(value) == ids.name_bucket(name)
    assert ids.position(time_ms) <= value < ids.position(time_ms + 1)


@given(st.text(max_size=40))
def test_other_texts_are_no_ids(text: str) -> None:
    if not ids.is_ulid(text):
        with pytest.raises(ValueError, match="not an id of ours"):
            ids.ulid_time_ms(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 26, "01ke6p4ym1nbw735scxhph8h4v", "01KE6P4YM1NBW735SCXHPH8H4", "8" + "0" * 25, "0" * 25 + "I"]
)
def test_near_misses(text: str) -> None:
    assert not ids.is_ulid(text)


def test_derived_ids_repeat_and_differ_by_each_part() -> None:
    trigger = ids.event_id(1_000, "a", b"0123456789")
    other = ids.event_id(1_000, "a", b"9876543210")
    run = ids.run_id(trigger, "fn")
    assert run == ids.run_id(trigger, "fn")
    assert len({run, ids.run_id(trigger, "fn2"), ids.run_id(other, "fn")}) == 3
    sent = [
        ids.step_event_id(run, "step", 0, "a", 1_000),
        ids.step_event_id(run, "step", 1, "a", 1_000),
        ids.step_event_id(run, "step2", 0, "a", 1_000),
        ids.step_event_id(run, "step", 0, "b", 1_000),
        ids.lifecycle_event_id(run, "a", 1_000),
        ids.scheduled_event_id("fn", "* * * * *", 1_000, "a"),
    ]
    assert len(set(sent)) == len(sent)
    assert all(ids.ulid_time_ms(value) == 1_000 for value in [run, *sent])


def test_a_step_is_known_by_the_sha1_of_its_id_and_its_repeat() -> None:
    assert ids.hashed_step_id("step", 0) == hashlib.sha1(b"step").hexdigest()
    assert ids.hashed_step_id("step", 2) == hashlib.sha1(b"step:2").hexdigest()


@given(st.text(max_size=30), st.integers(min_value=1, max_value=16))
def test_shards_are_in_range(value: str, shards: int) -> None:
    assert 0 <= ids.shard_of(value, shards) < shards
