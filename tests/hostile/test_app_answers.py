"""Answers of apps, as bytes, through the whole platform: a run ends or waits, its timeline tells why, and no message
comes again because of what an app said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.calls import CallRequest, Reply
from chalicelib.core.functions import FunctionConfig
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.sdk_protocol import Answer, reply_of
from chalicelib.core.timeline import timeline
from chalicelib.testing import Stepwell, start_stepwell
from tests import apps
from tests.apps import App, AppFunction
from tests.hostile.strict_aws import strict_aws
from tests.scenarios.insides import replace_services

END = Answer(200, {"x-inngest-sdk": "js:v4"}, b'"end"')
COMPLETE = hashed_step_id("complete", 0)
OPERATIONS: dict[str, dict[str, Any]] = {
    "ran": {"op": "StepRun", "data": {"a": 1}},
    "failing": {"op": "StepError", "error": {"name": "E", "message": "m"}},
    "failed": {"op": "StepFailed", "error": {"name": "E", "message": "m"}},
    "planned": {"op": "StepPlanned"},
    "missing": {"op": "StepNotFound"},
    "sleep": {"op": "Sleep", "opts": {"duration": "1h"}},
    "sleep over": {"op": "Sleep", "opts": {"duration": "2001-01-01T00:00:00Z"}},
    "wait": {"op": "WaitForEvent", "opts": {"event": "never", "if": "async.data.a == 1", "timeout": "1h"}},
    "broken wait": {"op": "WaitForEvent", "opts": {"event": "never", "if": "async.data.a = 1", "timeout": "1h"}},
    "signal": {"op": "WaitForSignal", "opts": {"signal": "s", "timeout": "1h"}},
    "invoke nobody": {"op": "InvokeFunction", "opts": {"function_id": "nobody"}},
    "invoke itself": {"op": "InvokeFunction", "opts": {"function_id": "0-3", "timeout": "1s"}},
    "request": {"op": "Gateway", "opts": {"url": "http://127.0.0.1:9/"}},
    "complete": {"op": "RunComplete", "id": COMPLETE, "data": 1},
    "fails as a whole": {"op": "StepFailed", "id": COMPLETE, "error": "no"},
    "tries again": {"op": "StepError", "id": COMPLETE, "error": "no"},
    "again": {"op": "DiscoveryRequest"},
}


def operation(kind: str, number: int) -> dict[str, Any]:
    return {"id": hashed_step_id(f"{kind}{number}", 0), "displayName": f"{kind} {number}", **OPERATIONS[kind]}


class Hostile(App):
    """An app whose functions answer the first calls of each run with these bytes, whatever they are asked."""

    def __init__(self, answers: Mapping[str, Sequence[Answer]]) -> None:
        super().__init__([AppFunction(name, "go", lambda _: iter(()), retries=1) for name in answers])  # type: ignore[arg-type,return-value]
        self._answers = answers
        self._asked: Counter[str] = Counter()

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        told, nth = self._answers[config.id], self._asked[request.run_id]
        self._asked[request.run_id] += 1
        found = told[nth] if nth < len(told) else END
        return reply_of(found, now_ms=1_767_603_600_000, signing_key=None)


Timeline = list[dict[str, Any]]


def play(answers: Mapping[str, Sequence[Answer]]) -> dict[str, Timeline]:
    """The timelines of the runs that were answered so, by their functions, once all have ended."""
    with start_stepwell([], RETRY_TABLE="1s") as kit, strict_aws(kit) as refused_by_aws:
        replace_services(kit, **apps.serve(kit.platform.services, Hostile(answers)))
        kit.send("go")
        # In a few leaps: what is due on the way comes late.
        for by in ("5s", "2h", "25h", "1h"):
            kit.advance_only(by)
            kit.platform.wake_due()
            kit.drain()
        _is_at_rest(kit)
        assert not refused_by_aws
        told = {name: _timeline(kit, kit.runs(name)[0].run_id) for name in answers}
    for name, entries in told.items():
        assert {entry["type"] for entry in entries} & {"run.completed", "run.failed"}, (name, entries[-1])
    return told


def _timeline(kit: Stepwell, run_id: str) -> Timeline:
    run = kit.platform.services.runs.load(run_id)
    assert run is not None
    told = timeline(run)
    json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    return told


def _is_at_rest(kit: Stepwell) -> None:
    assert kit.counts.get("DeliveriesFailed", 0) == 0
    assert kit.pump.dead_letters() == 0


def answer(body: bytes, status: int = 206, **headers: str) -> Answer:
    return Answer(status, {"x-inngest-sdk": "js:v4", **headers}, body)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("apart", [3, *(pytest.param(n, marks=pytest.mark.whole) for n in range(17) if n != 3)])
def test_any_two_operations_in_one_answer_and_once_more(apart: int) -> None:
    """Each operation before the one that stands so far behind it; in `make hostile` before every one."""
    kinds = list(OPERATIONS)
    answers = {}
    for number, first in enumerate(kinds):
        second = kinds[(number + apart) % len(kinds)]
        both = answer(dumped([operation(first, 0), operation(second, 1)]))
        answers[f"{number}-{apart}"] = [both, both]
    play(answers)


UNREADABLE = {
    "no text": b"[\xff\xfe]",
    "depth": b"[" * 200_000,
    "depth of operations": b'{"op":' * 5_000,
    "not a number": b'[{"op": "StepRun", "id": "x", "data": NaN}]',
    "10,000 digits": b'[{"op": "StepRun", "id": "x", "data": %s}]' % (b"9" * 10_000),
    "nothing": b"",
    "null": b"null",
    "a list of lists": b"[[[]]]",
    "too many": dumped([operation("ran", n) for n in range(limits.MAX_STEPS + 1)]),
    "the same twice": dumped([operation("ran", 1), operation("ran", 1)]),
    "unknown": dumped([{"op": "FormatDisk", "id": "x"}]),
    "an id of ours": dumped([{"op": "StepRun", "id": "function", "data": 1}]),
    "a path for an id": dumped([{"op": "StepRun", "id": "../../x", "data": 1}]),
    "a key for an id": dumped([{"op": "StepRun", "id": "s#x", "data": 1}]),
    "no id": dumped([{"op": "StepRun"}]),
}


def test_an_answer_that_cannot_be_carried_out_fails_the_run_with_the_reason() -> None:
    told = play({f"f{number}": [answer(body)] * 2 for number, body in enumerate(UNREADABLE.values())})

    for what, entries in zip(UNREADABLE, told.values(), strict=True):
        assert entries[-1]["type"] == "run.failed", what
        assert len(entries[-1]["error"]["message"]) > 20, what


OUTPUTS = {
    "surrogate": b'"\\ud800"',
    "infinity": b"1e999",
    "deep": b'{"a":' * 300 + b"1" + b"}" * 300,
    "large": b'"' + b"x" * (limits.MAX_STEP_OUTPUT_BYTES + 1) + b'"',
}


def test_an_output_that_cannot_be_kept() -> None:
    """Of a step: the function may catch it. Of the function: it ends the run."""
    of_steps = {
        f"step-{name}": [answer(b'[{"op": "StepRun", "id": "x", "displayName": "x", "data": ' + output + b"}]")]
        for name, output in OUTPUTS.items()
    }
    told = play(of_steps | {f"run-{name}": [answer(output, 200)] for name, output in OUTPUTS.items()})

    for name in OUTPUTS:
        assert [entry["step"] for entry in told[f"step-{name}"] if entry["type"] == "step.failed"] == ["x"]
        assert told[f"step-{name}"][-1]["type"] == "run.completed"
        assert told[f"run-{name}"][-1]["type"] == "run.failed"


def test_any_status() -> None:
    statuses = [0, 204, 308, 401, 413, 999]
    body = b'{"message": {"a": 1}, "name": 7, "stack": []}'
    play({f"s{status}": [answer(body, status, **{"retry-after": "9" * 15})] * 2 for status in statuses})
