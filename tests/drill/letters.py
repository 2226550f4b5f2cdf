"""The way to the dead letters and back: poison arrives there, is told of, and what can be mended is redriven."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aws import keys
from chalicelib.core import ids
from chalicelib.engine.ports import QueueName
from tests.drill import orders
from tests.drill.scene import DrillFailed, Scene
from tests.drill.story import DEAD, POISON, Say
from tests.drill.transport import Gauge

ORDER = "damaged order"
_RECEIVES = 3
_WITHIN_S = 60.0
_POISON = (f"this is not JSON: {POISON}", json.dumps({"kind": "unheard of", "run_id": POISON}))


@dataclass
class Letters:
    """What was seen. `alarm`: what each dead-letter queue's alarm watches, before and after."""

    stalled: str | None = None
    alarm: dict[str, int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""
    twice: int = 0
    left: int = 0


def follow(scene: Scene, say: Say) -> Letters:
    """All of it, with three deliveries instead of ten, so that it takes seconds and not minutes."""
    found = Letters()
    say("poison: two messages into each queue, and a run whose stored step is damaged")
    with Gauge(scene.platform, 1.0) as gauge, scene.transport(MAX_RECEIVES=str(_RECEIVES)):
        before = scene.ledger.executed_twice()
        scene.send([orders.placed(ORDER)])
        _until(lambda: scene.ledger.wait_for(ORDER, "charge", 1.0) is not None and gauge.rest(5.0), "the order waits")
        run_id = next(run for run, order in scene.ledger.order_of.items() if order == ORDER)
        mend = _damage(scene, run_id)
        _send_poison(scene)
        scene.send([orders.what_follows(ORDER)])
        _until(lambda: sum(_visible(scene).values()) >= 2 * len(_POISON) + 1, "all letters are there")
        found.alarm = _visible(scene)
        found.rows = _letters(scene)
        found.stalled = next((run.get("stalled") for run in scene.runs() if run["run_id"] == run_id), None)
        say(f"  {len(found.rows)} dead letters; the damage is mended, the run's letter redriven, the others deleted")
        mend()
        for row in found.rows:
            if row["run_id"] == run_id:
                scene.api("POST", f"/v1/dead-letters/{row['id']}/redrive")
            else:
                scene.api("DELETE", f"/v1/dead-letters/{row['id']}")
        _until(lambda: gauge.rest(5.0), "the redriven letter is handled")
        found.status = scene.api("GET", f"/v1/runs/{run_id}")["data"]["status"]
        found.twice = scene.ledger.executed_twice() - before
        found.left = sum(_visible(scene).values())
    return found


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not is_so():
        if time.monotonic() > deadline:
            raise DrillFailed(f"not within {_WITHIN_S:.0f} s: {what}")
        time.sleep(0.1)


def _damage(scene: Scene, run_id: str) -> Callable[[], None]:
    """Cut the JSON texts of the run's first step short; what puts it right."""
    dynamodb, table = scene.client("dynamodb"), scene.platform.config.table_runs
    key = {"pk": {"S": run_id}, "sk": {"S": keys.step(ids.hashed_step_id("charge", 0))}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    cut = {
        name: {"S": value["S"][:-1]} if value.get("S", "").startswith("{") else value for name, value in item.items()
    }
    if cut == item:
        raise DrillFailed("there is no JSON in the stored step to damage")
    dynamodb.put_item(TableName=table, Item=cut)
    return lambda: dynamodb.put_item(TableName=table, Item=item)


def _send_poison(scene: Scene) -> None:
    sqs = scene.client("sqs")
    for url in scene.urls().values():
        for body in _POISON:
            sqs.send_message(QueueUrl=url, MessageBody=body)


def _visible(scene: Scene) -> dict[str, int]:
    """ApproximateNumberOfMessagesVisible of the dead-letter queues: the metric of their alarms."""
    queues = scene.platform.services.queues
    return {queue.value: queues.depth(QueueName(queue)).visible for queue in DEAD}


def _letters(scene: Scene) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = scene.api("GET", "/v1/dead-letters?limit=100")["data"]
    return rows
