"""What a call sends: each SDK reads what it reads."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from inngest._internal.server_lib import ServerRequest
from inngest._internal.step_lib import StepMemos

from chalicelib.core import limits
from chalicelib.core.calls import ErrorInfo, Memo
from chalicelib.core.canonical import NoCanonicalForm
from chalicelib.core.sdk_protocol import Prepared, Sender, memo_wire, prepare
from chalicelib.core.sdk_protocol.request import call_url
from chalicelib.core.steps import Cause, CauseKind, StepKind, StepOutcome, StepPlan, StepRecord, StepStatus, ended
from tests.unit.drivers.peers import KEY, event, request

URL = "https://shop.example/api/inngest"
NOW = 1_700_000_000_000


def prepared(*, key: str | None = KEY, url: str = URL, **changes: Any) -> Prepared:
    use_api = changes.pop("use_api", False)
    sender = Sender("cloud" if key else "dev", "prod", key)
    return prepare(request(**changes), url, sender, now_ms=NOW, request_id="request-1", use_api=use_api)


def body_of(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(prepared(**changes).body)
    return found


def test_the_body_holds_what_sdks_read() -> None:
    body = body_of(
        attempt=2,
        stack=("a" * 40,),
        steps={"a" * 40: Memo(output=[1])},
        has_planned=True,
        event=event(total=12),
    )
    wanted = {"name": "shop/order", "data": {"total": 12}, "id": "e-1", "ts": 1_700_000_000_000}
    fn_id = body["ctx"].pop("fn_id")
    assert body == {
        "version": -1,
        "use_api": False,
        "event": wanted,
        "events": [wanted],
        "steps": {"a" * 40: {"data": [1]}},
        "ctx": {
            "run_id": "01JRUN",
            "env": "prod",
            "attempt": 2,
            "max_attempts": 4,
            "disable_immediate_execution": True,
            "use_api": False,
            "qi_id": "m.n",
            "stack": {"stack": ["a" * 40], "current": 1},
        },
    }
    assert uuid.UUID(fn_id), "the Go SDK reads nothing else"


def test_the_python_sdk_reads_it() -> None:
    read = ServerRequest.from_raw(prepared(steps={"s": Memo(output=1)}, stack=("s",)).body)
    assert isinstance(read, ServerRequest), read
    assert (read.ctx.run_id, read.ctx.max_attempts, read.ctx.stack.stack) == ("01JRUN", 4, ["s"])


@pytest.mark.parametrize(
    ("changes", "plans"), [({}, False), ({"plan_only": True}, True), ({"has_planned": True}, True)]
)
def test_a_step_that_is_only_to_be_planned_is_not_run(changes: dict[str, Any], plans: bool) -> None:
    assert body_of(**changes)["ctx"]["disable_immediate_execution"] is plans
    assert prepared(**changes).headers["x-inngest-force-step-plan"] == str(plans).lower()


def record(kind: StepKind, **outcome: Any) -> StepRecord:
    plan = StepPlan(name="s", kind=kind, started_at_ms=0)
    found = StepOutcome(ended_at_ms=1, **outcome)
    return StepRecord(id="s", status=StepStatus.COMPLETED, plan=plan, outcome=found)


EVENT = {"name": "a/b", "data": {"x": 1}, "id": "e", "ts": 1}
ERROR = ErrorInfo(name="ValueError", message="no", stack=None)


@pytest.mark.parametrize(
    ("step", "wire"),
    [
        (record(StepKind.RUN, output={"data": 1}), {"data": {"data": 1}}),
        (record(StepKind.RUN), {"data": None}),
        (record(StepKind.INVOKE, output="x"), {"data": "x"}),
        (record(StepKind.SLEEP), None),
        (record(StepKind.WAIT), None),
        (record(StepKind.WAIT, output=EVENT, cause=Cause(kind=CauseKind.EVENT, id="i")), EVENT),
        (record(StepKind.RUN, error=ERROR), {"error": {"name": "ValueError", "message": "no"}}),
        (record(StepKind.WAIT, error=ERROR), {"error": {"name": "ValueError", "message": "no"}}),
    ],
)
def test_finished_steps_are_sent_as_sdks_read_them(step: StepRecord, wire: Any) -> None:
    memo = ended({"s": step})["s"]
    assert memo_wire(memo) == wire
    read = StepMemos.from_raw({"s": wire}).pop("s")
    assert (read.data, read.error and read.error.message) == (  # type: ignore[union-attr]
        memo.output,
        memo.error and memo.error.message,
    )


def test_headers_say_who_calls_and_for_what() -> None:
    headers = prepared().headers
    assert headers["content-type"] == "application/json"
    assert (headers["x-inngest-server-kind"], headers["x-inngest-req-version"]) == ("cloud", "-1")
    assert (headers["x-run-id"], headers["x-inngest-job-id"], headers["x-request-id"]) == ("01JRUN", "m.n", "request-1")
    assert headers["x-inngest-signature"].startswith(f"t={NOW // 1000}&s=")
    unsigned = prepared(key=None).headers
    assert (unsigned["x-inngest-server-kind"], unsigned["x-inngest-signature"]) == ("dev", "")


@pytest.mark.parametrize(
    ("url", "target", "called"),
    [
        (URL, None, f"{URL}?fnId=shop-order&stepId=step"),
        ("https://shop.example", "ab", "https://shop.example/?fnId=shop-order&stepId=ab"),
        (f"{URL}?fnId=old&stepId=step&token=a%2Fb", "ab", f"{URL}?token=a%2Fb&fnId=shop-order&stepId=ab"),
        (f"{URL}#part", None, f"{URL}?fnId=shop-order&stepId=step"),
    ],
)
def test_the_url_names_function_and_step(url: str, target: str | None, called: str) -> None:
    assert call_url(url, "shop-order", target) == called


def test_ids_are_quoted_in_the_url() -> None:
    assert call_url(URL, "a b&c", "x/y").endswith("?fnId=a%20b%26c&stepId=x%2Fy")


def test_a_call_that_would_be_too_large_lets_the_app_fetch_steps_and_events() -> None:
    large = {f"{n:040d}": Memo(output="x" * 1_000_000) for n in range(5)}
    sent = prepared(steps=large, stack=tuple(large))
    body = json.loads(sent.body)
    assert sent.uses_api
    assert len(sent.body) < limits.MAX_CALL_BYTES
    assert (body["use_api"], body["ctx"]["use_api"], body["steps"], body["events"]) == (True, True, {}, [])
    assert body["event"]["name"] == "shop/order", "SDKs take the event from here all the same"
    assert body["ctx"]["stack"]["stack"] == list(large)


def test_numbers_that_no_double_holds_are_sent_as_they_are_unless_the_form_lacks_them() -> None:
    assert body_of(event=event(n=12345678901234567890))["event"]["data"] == {"n": 12345678901234567890}
    with pytest.raises(NoCanonicalForm):
        prepared(event=event(n=10**400))
    assert json.loads(prepared(event=event(n=10**400), key=None).body)["event"]["data"] == {"n": 10**400}


def test_all_events_of_a_batch_are_sent_unless_they_are_too_large() -> None:
    rest = tuple(event(n=n) for n in (2, 3))
    body = json.loads(prepared(event=event(n=1), rest=rest).body)
    assert body["event"]["data"] == {"n": 1}
    assert [one["data"] for one in body["events"]] == [{"n": n} for n in (1, 2, 3)]

    large = prepared(event=event(n=1), rest=(*rest, event(text="x" * limits.MAX_CALL_BYTES)))
    body = json.loads(large.body)
    assert large.uses_api
    assert (body["event"]["data"], body["events"]) == ({"n": 1}, [])
