"""The pump against a real queue of the emulator: what is deleted, what comes back, what stops when."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from infra.local import cloud, settings
from infra.local.gate import Gate
from infra.local.nudge import Nudges
from infra.local.pump import Handler, Pump, Source

pytestmark = pytest.mark.ministack
MakeQueue = Callable[..., str]


@contextmanager
def running(
    aws: cloud.Cloud, url: str, handler: Handler, *, batch: int = 10, workers: int = 2, gate: Gate | None = None
) -> Iterator[Pump]:
    arn = f"arn:aws:sqs:{settings.REGION}:{settings.ACCOUNT}:{url.rsplit('/', 1)[1]}"
    pump = Pump(aws.endpoint, Source(url, arn, "on-test", batch, workers, 5.0), handler, gate)
    pump.start()
    try:
        yield pump
    finally:
        assert pump.stop(5.0) == 0


def eventually(holds: Callable[[], bool], within_s: float = 8.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def left(sqs: Any, url: str) -> int:
    """Messages on the queue, visible or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))


def in_work(sqs: Any, url: str) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_handler_gets_records_as_lambda_shapes_them(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    url = make_queue()
    seen: list[tuple[dict[str, Any], Any]] = []
    sqs.send_message(
        QueueUrl=url,
        MessageBody="hello",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "turn"}},
    )
    with running(aws, url, lambda event, context: seen.append((event, context))):
        eventually(lambda: left(sqs, url) == 0 and len(seen) == 1)
    (record,) = seen[0][0]["Records"]
    assert record["body"] == "hello"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "turn"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(url.rsplit("/", 1)[1])
    assert record["messageId"]
    assert record["receiptHandle"]
    context = seen[0][1]
    assert 0 < context.get_remaining_time_in_millis() <= 5000
    assert context.function_name in context.invoked_function_arn


def test_of_a_batch_only_the_named_failures_come_back(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    url = make_queue(VisibilityTimeout="1")
    seen: list[str] = []

    def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        failures = []
        for record in event["Records"]:
            seen.append(record["body"])
            if record["body"] == "bad" and seen.count("bad") < 2:
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(["good", "bad", "fine"])]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    with running(aws, url, handler, workers=1):
        eventually(lambda: left(sqs, url) == 0)
    assert sorted(seen) == ["bad", "bad", "fine", "good"]


def test_a_handler_that_raises_deletes_nothing_and_the_queue_redrives(
    aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue
) -> None:
    dead = make_queue()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = make_queue(VisibilityTimeout="1", RedrivePolicy=policy)
    calls: list[str] = []

    def handler(event: dict[str, Any], _: Any) -> None:
        calls.extend(record["attributes"]["ApproximateReceiveCount"] for record in event["Records"])
        raise RuntimeError("no")

    sqs.send_message(QueueUrl=url, MessageBody="x")
    with running(aws, url, handler):
        eventually(lambda: left(sqs, dead) == 1)
    assert calls == ["1", "2"]
    assert left(sqs, url) == 0


def test_a_step_that_exits_or_a_failing_base_exception_leaves_the_pump_alive(
    aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue
) -> None:
    url = make_queue(VisibilityTimeout="60")
    done: list[str] = []

    def handler(event: dict[str, Any], _: Any) -> None:
        (record,) = event["Records"]
        if record["body"] == "exit":
            raise SystemExit(1)
        done.append(record["body"])

    for body in ("exit", "next"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    with running(aws, url, handler, batch=1, workers=1):
        eventually(lambda: done == ["next"])
        eventually(lambda: left(sqs, url) == 1)


def test_workers_run_side_by_side_and_a_stop_waits_for_them(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    url = make_queue()
    together = threading.Barrier(3, timeout=5)
    finished: list[str] = []

    def handler(event: dict[str, Any], _: Any) -> None:
        together.wait()
        time.sleep(0.3)
        finished.append(event["Records"][0]["body"])

    for n in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(n))
    with running(aws, url, handler, batch=1, workers=3):
        eventually(lambda: together.n_waiting > 0 or bool(finished))
        time.sleep(0.2)
    assert sorted(finished) == ["0", "1", "2"]
    assert left(sqs, url) == 0


def test_a_stopped_pump_swallows_no_later_message(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    url = make_queue(VisibilityTimeout="60")
    with running(aws, url, lambda *_: None):
        time.sleep(0.2)
    sqs.send_message(QueueUrl=url, MessageBody="for the next process")
    time.sleep(0.3)
    assert len(sqs.receive_message(QueueUrl=url).get("Messages", [])) == 1


def test_what_this_process_sends_is_handled_at_once(aws: cloud.Cloud, make_queue: MakeQueue) -> None:
    url = make_queue()
    nudges = Nudges()
    nudges.install()
    try:
        sender = boto3.session.Session().client(
            "sqs",
            endpoint_url=aws.endpoint,
            region_name=settings.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
    finally:
        nudges.uninstall()
    arrived: list[float] = []
    took: list[float] = []
    with running(aws, url, lambda *_: arrived.append(time.perf_counter())) as pump:
        nudges.register(url, pump.nudge)
        for n in range(15):
            time.sleep(0.03)
            sender.send_message(QueueUrl=url, MessageBody=str(n))
            sent = time.perf_counter()
            eventually(lambda n=n: len(arrived) > n)  # type: ignore[misc]
            took.append((arrived[n] - sent) * 1000)
    assert statistics.median(took) < 25, took  # Measured 2 to 4 ms; without the nudge 50.


def test_a_queue_that_is_gone_does_not_end_the_pump(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    url = make_queue()
    seen: list[str] = []
    with running(aws, url, lambda event, _: seen.append(event["Records"][0]["body"])):
        sqs.delete_queue(QueueUrl=url)
        time.sleep(0.7)
        sqs.create_queue(QueueName=url.rsplit("/", 1)[1])
        sqs.send_message(QueueUrl=url, MessageBody="back")
        eventually(lambda: seen == ["back"])


def test_while_its_gate_is_closed_nothing_is_handled(aws: cloud.Cloud, sqs: Any, make_queue: MakeQueue) -> None:
    """As when the clock is moved: under a handler an hour would pass that it does not have."""
    url, gate = make_queue(), Gate()
    began, goes_on, seen = threading.Event(), threading.Event(), list[str]()

    def handler(event: dict[str, Any], _: Any) -> None:
        began.set()
        assert goes_on.wait(5)
        seen.append(event["Records"][0]["body"])

    def close() -> None:
        with gate.closed(within_s=5) as quiet:
            sqs.send_message(QueueUrl=url, MessageBody="second")
            seen.append(f"closed, quiet: {quiet}")
            eventually(lambda: in_work(sqs, url) == 1)

    with running(aws, url, handler, batch=1, gate=gate) as pump:
        sqs.send_message(QueueUrl=url, MessageBody="first")
        assert began.wait(5)
        closing = threading.Thread(target=close)
        closing.start()
        goes_on.set()
        closing.join()
        pump.nudge()
        eventually(lambda: left(sqs, url) == 0)
    assert seen == ["first", "closed, quiet: True", "second"]


def test_a_gate_does_not_wait_for_ever_for_those_who_are_in() -> None:
    gate = Gate()
    with gate.entered(), gate.closed(within_s=0.01) as quiet:
        assert not quiet
    with gate.closed(within_s=0) as quiet:
        assert quiet
