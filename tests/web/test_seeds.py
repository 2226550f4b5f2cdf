"""`x-inngest-event-id-seed`: a request that is sent again happens once."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chalicelib.core import ids
from tests.web.api import Answer, Api

SEED = "1767603600123," + base64.b64encode(bytes(range(10))).decode()


def send(api: Api, payload: Any, seed: str) -> Answer:
    api.kit.advance_only(1)
    body = json.dumps(payload).encode()
    answer = api.call("POST", "/e/dev", body, "application/json", headers={"X-Inngest-Event-Id-Seed": seed})
    api.kit.advance_only(1)
    return answer


def test_a_request_that_is_sent_again_yields_the_same_ids_and_happens_once(api: Api) -> None:
    events = [{"name": "demo/greet", "data": {"name": name}} for name in ("Ada", "Bob")]

    first, second = send(api, events, SEED), send(api, events, SEED)
    api.kit.drain()
    api.kit.advance("10m")
    third = send(api, events, SEED)
    api.kit.drain()

    assert first.body == second.body == third.body
    assert len(set(first.body["ids"])) == 2
    assert [run.output for run in api.kit.runs("greet")] == ["Hello, Ada!", "Hello, Bob!"]
    assert [event["internal_id"] for event in api.kit.events("demo/greet")] == first.body["ids"]
    assert api.kit.counts["DuplicatesIgnored"] == 4
    # The time of acceptance stays ours, and with it the place among the others.
    assert {event["received_at"] for event in api.kit.events("demo/greet")} == {"2026-01-05T09:00:00.001Z"}


def test_the_id_has_the_seeds_time_and_finds_its_record(api: Api) -> None:
    [event_id] = send(api, {"name": "demo/x", "data": {"n": 1}}, SEED).body["ids"]
    api.kit.drain()

    assert ids.ulid_time_ms(event_id) == 1_767_603_600_123
    assert api.data(f"/v1/events/{event_id}")["data"] == {"n": 1}
    assert [row["internal_id"] for row in api.data("/v1/events?received_before=2026-01-05T09:00:01Z")] == [event_id]


def test_the_place_in_the_request_counts_with_what_is_refused(api: Api) -> None:
    whole = send(api, [{"name": "demo/x"}, {"name": "demo/x"}], SEED).body["ids"]
    holed = send(api, [{"name": ""}, {"name": "demo/x"}], SEED).body["ids"]

    assert holed == whole[1:]


def test_other_seeds_yield_other_ids(api: Api) -> None:
    other = "1767603600123," + base64.b64encode(bytes(range(1, 11))).decode()
    later = SEED.replace("123,", "124,")
    found = [send(api, {"name": "demo/x"}, seed).body["ids"][0] for seed in (SEED, other, later)]

    assert len(set(found)) == 3


@pytest.mark.parametrize(
    "seed",
    [
        "",
        "17",
        "nonsense",
        ",",
        "0," + SEED.split(",")[1],
        "-5," + SEED.split(",")[1],
        "999999999999999," + SEED.split(",")[1],
        "1767603600123,AAAA",
        "1767603600123,====",
        "1767603600123," + "A" * 64,
        SEED + ",1",
        "١٢٣," + SEED.split(",")[1],
    ],
)
def test_what_is_no_seed_is_ignored(api: Api, seed: str) -> None:
    first, second = (send(api, {"name": "demo/x"}, seed) for _ in range(2))

    assert first.status == second.status == 200
    assert first.body["ids"] != second.body["ids"]


def test_a_wait_that_looks_back_finds_it_by_the_time_of_acceptance(api: Api) -> None:
    """Its id was made long before the run began; it was accepted after."""
    old = "1700000000000," + SEED.split(",")[1]
    api.send({"name": "demo/greet", "data": {"wait": True, "name": "Ada"}})

    send(api, {"name": "demo/go", "data": {"who": "Ada"}}, old)
    api.kit.drain()

    assert api.kit.only_run("greet").output == "Hello, Ada!"
