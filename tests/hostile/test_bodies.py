"""Each field of each body takes what nobody should send: it is refused in words, or taken and carried out. Never a
fault of ours, nothing that AWS refuses, and no message that comes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis import Response

from chalicelib.core import ids
from chalicelib.core.ids import hashed_step_id
from chalicelib.testing import Stepwell
from tests.hostile.over_http import Client
from tests.hostile.strict_aws import strict_aws
from tests.web.api import serve

HOLE = "\x01hole"
BEGUN = ids.ulid(1_767_603_600_000, bytes(range(10)))
REQUEST = {"domain": "https://shop.example", "method": "POST", "path": "/a"}
RUNTIME = {"type": "http", "url": "http://127.0.0.1:3000/x"}
FUNCTION = {"id": "f", "name": "n", "triggers": [{"event": "e"}], "steps": {"step": {"id": "step", "runtime": RUNTIME}}}
APP = {"appName": "a", "url": RUNTIME["url"], "functions": [FUNCTION]}


def levels(count: int) -> str:
    return '{"a":' * count + "1" + "}" * count


LEAVES = {
    "null": "null",
    "a number": "1.5",
    "an integer of 4,000 digits": "9" * 4_000,
    "an integer of 10,000 digits": "9" * 10_000,
    "infinity": "1e400",
    "not a number": "NaN",
    "half a surrogate pair": '"\\ud800"',
    "no characters": '"\\ufffe\\uffff\\u0000"',
    "line breaks": '"a\\r\\nx-injected: 1"',
    "a long text": json.dumps("x" * 3_000),
    "a path": '"../../%2f%00"',
    "a name twice": '{"a": 1, "a": {"a": 2}}',
    "99 levels": levels(99),
    "300 levels": levels(300),
    "900 levels": levels(900),
    "100,000 levels": levels(100_000),
}


def holes(value: Any) -> Iterator[Any]:
    """The value with a hole at each of its fields in turn."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {**value, name: HOLE}
            yield from ({**value, name: made} for made in holes(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield [*value[:index], HOLE, *value[index + 1 :]]
            yield from ([*value[:index], made, *value[index + 1 :]] for made in holes(inner))


STEPS: list[dict[str, Any]] = [
    {"op": "StepRun", "id": "x", "displayName": "d", "data": 1, "timing": {"a": 1, "b": 2}, "userland": {"id": "d"}},
    {"op": "StepError", "id": "x", "error": {"name": "n", "message": "m", "stack": "s"}},
    {"op": "StepFailed", "id": hashed_step_id("complete", 0), "error": "e"},
    {"op": "Sleep", "id": "x", "name": "1h", "opts": {"duration": "1h"}},
    {"op": "WaitForEvent", "id": "x", "name": "w", "opts": {"event": "w", "if": "true", "timeout": "1h"}},
    {"op": "WaitForSignal", "id": "x", "name": "s", "opts": {"signal": "s", "timeout": "1h", "conflict": "replace"}},
    {"op": "InvokeFunction", "id": "x", "opts": {"function_id": "greet", "payload": {"data": {"a": 1}, "v": "1"}}},
    {
        "op": "Gateway",
        "id": "x",
        "opts": {"url": "http://127.0.0.1:9/", "method": "GET", "headers": {"h": "v"}, "body": "b"},
    },
    {"op": "RunComplete", "id": hashed_step_id("complete", 0), "data": 1},
]
BODIES: list[tuple[str, Any]] = [
    ("/e/dev", {"name": "demo/greet", "data": {"name": 1}, "user": {"a": 1}, "id": "i", "ts": 1, "v": "1"}),
    ("/v1/signals", {"signal": "waited-for", "data": {"a": 1}}),
    ("/fn/register", APP),
    ("/fn/register", APP | {"functions": [FUNCTION | {"triggers": [{"event": "e", "expression": "true"}]}]}),
    ("/fn/register", APP | {"functions": [FUNCTION | {"triggers": [{"cron": "* * * * *", "jitter": "1s"}]}]}),
    ("/fn/register", APP | {"functions": [FUNCTION | {"cancel": [{"event": "e", "if": "true", "timeout": "1h"}]}]}),
    (
        "/fn/register",
        APP | {"functions": [FUNCTION | {"concurrency": [{"limit": 1, "key": "event.data.a", "scope": "fn"}]}]},
    ),
    (
        "/fn/register",
        APP | {"functions": [FUNCTION | {"debounce": {"period": "1s", "key": "event.data.a", "timeout": "1h"}}]},
    ),
    (
        "/fn/register",
        APP | {"functions": [FUNCTION | {"batchEvents": {"maxSize": 2, "timeout": "1s", "key": "event.data.a"}}]},
    ),
    (
        "/fn/register",
        APP | {"functions": [FUNCTION | {"rateLimit": {"limit": 1, "period": "1h", "key": "event.data.a"}}]},
    ),
    ("/v1/apps/sync", {"url": "http://127.0.0.1:9/x"}),
    (
        "/v1/cancellations",
        {"app_id": "a", "function_id": "greet", "started_before": "2026-01-05T09:00:00Z", "if": "true"},
    ),
    ("/v1/functions/greet/pause", {"mode": "hold"}),
    ("/v1/functions/greet/replay", {"status": "Failed", "after": "2026-01-05T09:00:00Z"}),
    ("/v1/runs/RUN/replay", {"from_step": "greet"}),
    ("/v1/checkpoint/RUN/async", {"run_id": "RUN", "qi_id": "m.n", "steps": [{"op": "StepRun", "id": "x"}]}),
    (
        "/v1/checkpoint",
        {"run_id": "NEW", "event": {"name": "inngest/http.request", "data": REQUEST}, "steps": [], "retries": 3},
    ),
    (
        "/v1/checkpoint",
        {
            "run_id": "NEW",
            "event": {"name": "inngest/http.request", "data": REQUEST | {"body": "b", "x": {}}},
            "steps": [],
        },
    ),
]
BEGIN = {"event": {"name": "inngest/http.request", "data": REQUEST}, "retries": 0}


def requests_with_holes() -> Iterator[tuple[str, str]]:
    for path, good in BODIES:
        yield path, json.dumps(HOLE)
        for one in holes(good):
            yield path, json.dumps(one)
    for step in STEPS:
        for one in holes(step):
            yield "/v1/checkpoint", json.dumps({**BEGIN, "run_id": "NEW", "steps": [one]})


@pytest.mark.parametrize("turn", [0, *(pytest.param(n, marks=pytest.mark.whole) for n in range(1, len(LEAVES)))])
def test_every_field_takes_everything(turn: int) -> None:
    """In each turn every field gets one leaf, in all turns together every leaf."""
    leaves = list(LEAVES.values())
    with serve() as api, strict_aws(api.kit) as refused_by_aws:
        api.send([{"name": "demo/greet", "data": {"name": "a", "wait": True}}])
        run_id = api.kit.only_run("greet").run_id
        client = Client()
        for number, (path, template) in enumerate(requests_with_holes()):
            new = ids.ulid(1_767_603_600_000, number.to_bytes(10, "big"))
            leaf = leaves[(number + turn) % len(leaves)]
            body = template.replace(json.dumps(HOLE), leaf).replace("NEW", new).replace("RUN", run_id)
            answer = client.post(path.replace("RUN", run_id), body.encode())
            assert answer.status_code < 500, (path, template, leaf[:100], answer.content)
            assert not refused_by_aws, (path, template, leaf[:100], refused_by_aws)
        _all_is_handled(api.kit)
        assert not refused_by_aws


def _all_is_handled(kit: Stepwell) -> None:
    """No message that came of it comes back."""
    kit.drain()
    assert kit.counts.get("DeliveriesFailed", 0) == 0
    assert kit.pump.dead_letters() == 0


NO_TEXT = '"\\ud800"'
WAITING = {"op": "WaitForEvent", "id": "x", "displayName": "paid", "opts": {"event": HOLE, "timeout": "1h"}}


def begin(client: Client, event_data: dict[str, Any], steps: list[Any], leaf: str) -> Response:
    event = {"name": "inngest/http.request", "data": REQUEST | event_data}
    body = json.dumps({"run_id": BEGUN, "event": event, "steps": steps, "retries": 0})
    return client.post("/v1/checkpoint", body.replace(json.dumps(HOLE), leaf).encode())


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (NO_TEXT, "not valid Unicode"),
        ("1e400", "not a JSON value"),
        (levels(300), "nested more than 100 levels deep"),
        (levels(900), "nested"),
        (json.dumps("x" * (3 * 1024 * 1024)), "at most 3,145,728 are allowed"),
    ],
)
def test_a_run_is_not_begun_with_what_cannot_be_kept(leaf: str, says: str) -> None:
    with serve() as api:
        answer = begin(Client(), {"x": HOLE}, [], leaf)

        assert answer.status_code == 400
        assert says in answer.json()["error"]
        assert api.get(f"/v1/runs/{BEGUN}").status == 404


def test_a_wait_for_what_is_no_text_fails_its_step() -> None:
    with serve() as api:
        assert begin(Client(), {}, [WAITING], NO_TEXT).status_code == 200

        failed = next(entry for entry in api.data(f"/v1/runs/{BEGUN}/timeline") if entry["type"] == "step.failed")
        assert "not valid Unicode" in failed["error"]["message"]


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (NO_TEXT, "half of a surrogate pair"),
        ("1e400", "a number that JSON has not"),
        (levels(300), "nested more than 100 levels deep"),
    ],
)
def test_a_signal_with_what_cannot_be_kept_is_refused(leaf: str, says: str) -> None:
    with serve():
        answer = Client().post("/v1/signals", b'{"signal": "s", "data": %s}' % leaf.encode())

        assert answer.status_code == 400
        assert says in answer.json()["error"]


def test_a_checkpoint_of_what_is_no_run_is_not_looked_for() -> None:
    """A key of DynamoDB has 2 KB at most: asked for a longer one, it does not answer but refuse."""
    with serve() as api, strict_aws(api.kit):
        body = b'{"qi_id": "a.b", "steps": [{"op": "StepRun", "id": "x"}]}'
        assert Client().post(f"/v1/checkpoint/{'x' * 3000}/async", body).status_code == 404
