"""What AWS answers when it is unwell becomes a domain error: asked to slow down, broken, in conflict, half done. The
answers are put in below botocore's own retries."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import botocore.awsrequest
import botocore.endpoint
import botocore.session
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib.aws import dynamo
from chalicelib.aws.room import Room
from chalicelib.core.errors import InfrastructureError, StepwellError, Throttled, TransactionConflict
from chalicelib.core.messages import EventMessage, TurnMessage
from chalicelib.core.records import Resumed
from chalicelib.core.steps import StepStatus
from tests.contract import build
from tests.contract.build import LATER_MS, STEP
from tests.contract.conftest import NOW_MS, World

Answer = Callable[[str], "botocore.awsrequest.AWSResponse | Exception | None"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries go on at once: botocore's and ours."""
    monkeypatch.setattr(botocore.endpoint, "time", types.SimpleNamespace(sleep=lambda _: None))
    # The default of a parameter, bound when the class was made.
    monkeypatch.setattr(dynamo.Dynamo.__init__, "__defaults__", (lambda _: None,))


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def refused(status: int, code: str, **more: Any) -> botocore.awsrequest.AWSResponse:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb#{code}", "message": "unwell", **more}).encode()
    return botocore.awsrequest.AWSResponse("", status, {}, _Raw(body))  # type: ignore[arg-type]


def answered(body: dict[str, Any]) -> botocore.awsrequest.AWSResponse:
    return botocore.awsrequest.AWSResponse("", 200, {}, _Raw(json.dumps(body).encode()))  # type: ignore[arg-type]


@contextmanager
def unwell(world: World, answer: Answer) -> Iterator[tuple[Room, list[str]]]:
    """Adapters whose requests are answered by `answer(operation)`, unless it gives None; and the log of requests."""
    log: list[str] = []

    def before_send(**call: Any) -> botocore.awsrequest.AWSResponse | None:
        operation = str(call["event_name"]).rsplit(".", 1)[-1]
        log.append(operation)
        found = answer(operation)
        if found is not None:
            # botocore asks all of its listeners and takes the first answer: moto must not carry it out all the same.
            call["request"].url = "http://nowhere.invalid/"
        if isinstance(found, Exception):
            raise found
        return found

    emitter = world.session.get_component("event_emitter")
    emitter.register_first("before-send", before_send)
    try:
        yield world.again(), log
    finally:
        emitter.unregister("before-send", before_send)


CALLS: dict[str, Callable[[World, Room, str], object]] = {
    "get": lambda _, room, run_id: room.runs.head(run_id),
    "query": lambda _, room, run_id: room.runs.load(run_id),
    "batch get": lambda _, room, run_id: room.runs.heads([run_id]),
    "put": lambda _, room, run_id: room.runs.put_step(run_id, build.completed()),
    "update": lambda _, room, run_id: room.runs.poke(run_id, NOW_MS),
    "transaction": lambda world, room, run_id: room.runs.cancel_by(
        build.cancelled(build.event(world), run_id), build.ending()
    ),
    "batch write": lambda world, room, run_id: room.pauses.remove([build.pause(world, run_id).key]),
    "scan": lambda _, room, __: room.pauses.scan(None, 5),
    "send": lambda _, room, run_id: room.queues.send_work(TurnMessage(run_id=run_id)),
    "send many": lambda world, room, _: room.queues.send_events([EventMessage(event=build.event(world))] * 2),
    "visibility": lambda world, room, _: room.queues.come_back(world.config.queue_work_url, "none", 1),
    "delete": lambda world, room, _: room.queues.delete(world.config.queue_work_url, "none"),
    "s3 put": lambda _, room, __: room.payloads.put("text"),
    "s3 get": lambda _, room, __: room.payloads.get("payloads/none"),
}
THROTTLES = ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestThrottled"]


@pytest.mark.parametrize("call", CALLS)
def test_a_server_error_is_tried_again_and_then_told_as_a_fault(world: World, call: str) -> None:
    run_id = build.run(world)
    with unwell(world, lambda _: refused(500, "InternalServerError")) as (room, log):
        with pytest.raises(InfrastructureError):
            CALLS[call](world, room, run_id)
        assert len(log) == 4
        assert len(set(log)) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="x"),
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_is_a_fault(world: World, call: str, error: Exception) -> None:
    run_id = build.run(world)
    with unwell(world, lambda _: error) as (room, _), pytest.raises(InfrastructureError):
        CALLS[call](world, room, run_id)


@pytest.mark.parametrize("code", THROTTLES)
@pytest.mark.parametrize("call", [call for call in CALLS if not call.startswith("s3")])
def test_being_asked_to_slow_down_is_told_as_such(world: World, call: str, code: str) -> None:
    run_id = build.run(world)
    with unwell(world, lambda _: refused(400, code)) as (room, _), pytest.raises(Throttled):
        CALLS[call](world, room, run_id)


@pytest.mark.parametrize("call", CALLS)
def test_a_fault_that_passes_is_not_noticed(world: World, call: str) -> None:
    run_id = build.run(world)
    answers = iter([refused(500, "InternalServerError"), refused(503, "ServiceUnavailable")])
    with unwell(world, lambda _: next(answers, None)) as (room, log):
        try:
            CALLS[call](world, room, run_id)
        except StepwellError:
            # These ask for what is not there; they are answered all the same.
            assert call in ("visibility", "delete", "s3 get")
        assert len(log) >= 3


def test_what_our_permissions_forbid_is_a_fault(world: World) -> None:
    with unwell(world, lambda _: refused(400, "AccessDeniedException")) as (room, log):
        with pytest.raises(InfrastructureError, match="AccessDenied"):
            room.runs.head(world.new())
        assert len(log) == 1


# conflicts


def conflict(*codes: str) -> botocore.awsrequest.AWSResponse:
    return refused(400, "TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


def waiting_run(world: World) -> str:
    run_id = build.run(world, leased=build.owner())
    world.room.runs.register(run_id, build.owner(), build.waiting(), (), NOW_MS)
    return run_id


@pytest.mark.parametrize(
    "reasons",
    [
        ("TransactionConflict", "None"),
        # Only another try can tell whether the second condition failed because of the write it conflicted with.
        ("TransactionConflict", "ConditionalCheckFailed"),
        ("None", "ThrottlingError"),
    ],
)
def test_a_transaction_in_conflict_is_not_a_lost_race(world: World, reasons: tuple[str, str]) -> None:
    run_id, event = waiting_run(world), build.event(world)
    answers = iter([conflict(*reasons), conflict(*reasons)])
    with unwell(world, lambda _: next(answers, None)) as (room, log):
        assert room.runs.resume(build.resumed(event, run_id), build.outcome()) is Resumed.NOW
        assert log == ["TransactWriteItems"] * 3
    step = world.room.runs.get_step(run_id, STEP)
    assert step is not None
    assert step.status is StepStatus.COMPLETED


def test_a_conflict_that_lasts_goes_back_to_the_queue(world: World) -> None:
    run_id, event = waiting_run(world), build.event(world)
    with (
        unwell(world, lambda _: conflict("None", "TransactionConflict")) as (room, log),
        pytest.raises(TransactionConflict),
    ):
        room.runs.resume(build.resumed(event, run_id), build.outcome())
    assert len(log) == 6
    assert build.effects(world, event.internal_id) == []


def test_a_single_write_in_conflict_with_a_transaction_is_tried_again(world: World) -> None:
    run_id = build.run(world)
    answers = iter([refused(400, "TransactionConflictException")])
    with unwell(world, lambda _: next(answers, None)) as (room, log):
        assert room.runs.put_step(run_id, build.completed()).status is StepStatus.COMPLETED
        assert log == ["PutItem", "PutItem"]


def test_a_transaction_with_conditions_that_failed_alone_is_a_lost_race(world: World) -> None:
    run_id, event = build.run(world), build.event(world)
    with unwell(world, lambda _: None) as (room, log):
        assert room.runs.resume(build.resumed(event, run_id), build.outcome()) is Resumed.NOT
        assert log == ["TransactWriteItems"]


# answers that are lost below botocore's retries


@contextmanager
def losing(world: World, operation: str) -> Iterator[Room]:
    """Adapters whose first answer to this operation is lost after its effect; botocore tries again by itself."""
    lost: list[str] = []

    def after_effect(response: Any, **call: Any) -> None:
        if call["operation"].name == operation and not lost:
            lost.append(operation)
            response[0].status_code = 500
            response[1]["Error"] = {"Code": "InternalServerError", "Message": "lost"}

    emitter = world.session.get_component("event_emitter")
    emitter.register_first("needs-retry.dynamodb", after_effect)
    try:
        yield world.again()
        assert lost
    finally:
        emitter.unregister("needs-retry.dynamodb", after_effect)


def test_a_lost_answer_changes_nothing(world: World) -> None:
    me, run_id, event = build.owner(), build.run(world), build.event(world)
    fn_id = f"fn-{world.new()}"
    with losing(world, "UpdateItem") as room:
        result, _ = room.runs.take_lease(run_id, me, until_ms=LATER_MS, now_ms=NOW_MS)
        assert (result.value, build.head(world, run_id).starts) == ("taken", 1)
    with losing(world, "PutItem") as room:
        assert room.events.put(build.record(event)) == build.record(event)
    with losing(world, "PutItem") as room:
        assert room.events.claim_id(fn_id, "x", run_id, NOW_MS) == run_id
    with losing(world, "PutItem") as room:
        assert room.runs.put_step(run_id, build.completed()).outcome == build.outcome()
    with losing(world, "TransactWriteItems") as room:
        room.runs.register(run_id, me, build.waiting(build.OTHER_STEP), (), NOW_MS)
    with losing(world, "TransactWriteItems") as room:
        assert room.runs.resume(build.resumed(event, run_id, build.OTHER_STEP), build.outcome()) is not Resumed.NOT
    with losing(world, "UpdateItem") as room:
        assert room.runs.release(run_id, me, version=0, wake_at_ms=None) is None
    with losing(world, "UpdateItem") as room:
        ended = room.runs.end(run_id, build.ending(), owner=None)
        assert ended is not None
        assert not ended.settled


# batches that are done in part


def test_what_a_batch_left_undone_is_asked_for_again(world: World) -> None:
    runs = [build.run(world) for _ in range(3)]
    table = world.config.table_runs
    rest = {table: {"Keys": [{"pk": {"S": run_id}, "sk": {"S": "0"}} for run_id in runs], "ConsistentRead": True}}
    answers = iter([answered({"Responses": {}, "UnprocessedKeys": rest}), answered({"UnprocessedKeys": rest})])
    with unwell(world, lambda _: next(answers, None)) as (room, log):
        assert [head.run_id for head in room.runs.heads(runs)] == runs
        assert log == ["BatchGetItem"] * 3


def test_deletions_that_were_left_undone_are_asked_for_again(world: World) -> None:
    pause = build.pause(world, world.new())
    world.room.runs.create(build.seed(world), build.event(world), [pause])
    key = {"pk": {"S": pause.key.key}, "sk": {"S": pause.key.row}}
    answers = iter([answered({"UnprocessedItems": {world.config.table_pauses: [{"DeleteRequest": {"Key": key}}]}})])
    with unwell(world, lambda _: next(answers, None)) as (room, log):
        room.pauses.remove([pause.key])
        assert log == ["BatchWriteItem"] * 2
    assert build.rows(world, pause.key.key) == []


def test_a_batch_that_stays_undone_is_a_request_to_slow_down(world: World) -> None:
    rest = {world.config.table_runs: {"Keys": [{"pk": {"S": "x"}, "sk": {"S": "0"}}], "ConsistentRead": True}}
    with unwell(world, lambda _: answered({"UnprocessedKeys": rest})) as (room, _), pytest.raises(Throttled):
        room.runs.heads(["x"])


def test_messages_that_sqs_refused_in_part_are_a_fault(world: World) -> None:
    failed = {"Successful": [], "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}
    with unwell(world, lambda _: answered(failed)) as (room, _), pytest.raises(InfrastructureError):
        room.queues.send_events([EventMessage(event=build.event(world))] * 2)
