"""A message that fails comes back alone, and at last lies with the dead letters."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from tests.e2e.ground import RECEIVES
from tests.e2e.waiting import until
from tests.e2e.world import World

_GOOD = 5


def a_failing_message_is_redelivered_alone(world: World) -> None:
    """One bad message among good ones, sent as one batch. The journal of deliveries is the evidence."""
    sqs = world.ground.client("sqs")
    url = sqs.get_queue_url(QueueName=f"stepwell-{world.stage}-events")["QueueUrl"]
    marks = [uuid.uuid4().hex for _ in range(_GOOD)]
    bad_name = f"e2e/bad-{uuid.uuid4().hex}"
    bad = json.dumps({"kind": "event", "event": {"name": bad_name}})
    bodies = [*map(_envelope, marks[:2]), bad, *map(_envelope, marks[2:])]
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    sent = {one["Id"]: one["MessageId"] for one in sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]}
    assert len(sent) == len(bodies)
    bad_id = sent.pop("2")

    _each_good_one_completes_once(world, marks)
    first = until("the bad message is delivered", lambda: world.deliveries(bad_id), 60)[0]
    assert set(first.messages) & set(sent.values()), "the bad message had no good one beside it"
    # Redelivered as often as the queue allows, each time without any of the good ones.
    letter = until("it is given up", lambda: _dead(world, bad_name), 180, every_s=1)
    assert letter["receives"] == RECEIVES, letter
    assert "Field required" in letter["reason"], letter
    receives = [delivery.messages[bad_id] for delivery in world.deliveries(bad_id)]
    assert receives == list(range(1, RECEIVES + 1)), receives
    for message_id in sent.values():
        assert [delivery.messages[message_id] for delivery in world.deliveries(message_id)] == [1]
    _each_good_one_completes_once(world, marks)


def _envelope(mark: str) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    more = {"version": "0", "account": "000000000000", "region": "us-east-1", "resources": []}
    return json.dumps(
        {"id": mark, "detail-type": "e2e/echo", "source": "e2e", "time": now, "detail": {"mark": mark}, **more}
    )


def _each_good_one_completes_once(world: World, marks: list[str]) -> None:
    def look() -> bool:
        runs = world.api.get("/v1/runs", function_id="e2e-echo", limit="50")["data"]
        ended = [run["output"]["data"].get("mark") for run in runs if run["status"] == "Completed"]
        for mark in marks:
            assert ended.count(mark) == 1, f"{mark}: {ended.count(mark)} completed runs"
        return True

    until("the good messages of the batch are done", look, 120)


def _dead(world: World, name: str) -> dict[str, Any]:
    """The message among the dead letters, as the API shows it, with why it is there."""
    listed: list[dict[str, Any]] = world.api.get("/v1/dead-letters")["data"]
    found = [letter for letter in listed if name in json.dumps(letter)]
    assert found, f"not among {len(listed)} dead letters"
    return found[0]


def nothing_else_is_dead(world: World) -> None:
    """Whatever else happened in this stage, no message but the bad one was given up."""
    sqs = world.ground.client("sqs")
    for name in ("events", "work"):
        url = sqs.get_queue_url(QueueName=f"stepwell-{world.stage}-{name}-dead")["QueueUrl"]
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageSystemAttributeNames=["All"]
        ).get("Messages", [])
        others = [one for one in found if "e2e/bad-" not in one["Body"]]
        assert not others, f"among the dead letters of {name}: {others}"
