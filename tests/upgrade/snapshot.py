"""Everything that a kit's platform has stored: taken, and put into another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from chalicelib.testing import Stepwell, cloud, start_stepwell
from tests.upgrade.kits import client, messages
from tests.upgrade.story import DID, Story

TABLES = ("events", "runs", "pauses", "timers", "functions", "limits")
QUEUES = ("events", "work", "events-dead", "work-dead")

Snapshot = dict[str, Any]
"""`at_ms`; `items` by table, as DynamoDB writes them; `objects` of S3 by key; `messages` by queue: the body, and in
how many seconds it is delivered."""


def begun(story: Story) -> Snapshot:
    """The story's first half, by this release, and what it left."""
    DID.clear()
    with start_stepwell([], **story.settings) as kit:
        story.deploy(kit)
        story.begin(kit)
        return take(kit)


def continued(story: Story, found: Snapshot) -> Any:
    """The story's second half, by this release, from what another one left."""
    DID.clear()
    with resumed(story, found) as kit:
        told = story.go_on(kit)
        before = sum(len(found["messages"][queue]) for queue in QUEUES if queue.endswith("-dead"))
        assert kit.pump.dead_letters() <= before, "messages went to the dead letters"
        return json.loads(json.dumps(told))


@contextmanager
def resumed(story: Story, found: Snapshot) -> Iterator[Stepwell]:
    """A platform that holds this, a second later."""
    at = datetime.fromtimestamp(found["at_ms"] / 1000, tz=UTC)
    with start_stepwell([], at=at, **story.settings) as kit:
        put(kit, found)
        kit.advance_only("1s")
        story.deploy(kit)
        yield kit


def take(kit: Stepwell) -> Snapshot:
    """What is stored now."""
    s3, bucket = client("s3"), kit.platform.config.bucket
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    items = {name: _items(kit, name) for name in TABLES if _table(kit, name) is not None}
    return {
        "at_ms": kit.platform.clock.now_ms(),
        "items": {name: rows for name, rows in items.items() if rows},
        "objects": {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in sorted(keys)},
        "messages": {name: _messages(kit, name) for name in QUEUES},
    }


def put(kit: Stepwell, found: Snapshot) -> None:
    """Store it. What an older release has no table for stays out of its sight, as it would in AWS."""
    dynamodb, s3, sqs = client("dynamodb"), client("s3"), client("sqs")
    for name, rows in found["items"].items():
        table = _table(kit, name)
        for row in rows if table is not None else ():
            dynamodb.put_item(TableName=table, Item=row)
    for key, text in found["objects"].items():
        s3.put_object(Bucket=kit.platform.config.bucket, Key=key, Body=text.encode())
    for name, held in found["messages"].items():
        for message in held:
            sqs.send_message(QueueUrl=_url(kit, name), MessageBody=message["body"], DelaySeconds=message["in_s"])


def _table(kit: Stepwell, name: str) -> str | None:
    found: str | None = getattr(kit.platform.config, f"table_{name}", None)
    return found


def _items(kit: Stepwell, name: str) -> list[dict[str, Any]]:
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=_table(kit, name))
    return sorted(
        (item for page in pages for item in page["Items"]), key=lambda item: (item["pk"]["S"], item["sk"]["S"])
    )


def _url(kit: Stepwell, queue: str) -> str:
    of, _, dead = queue.partition("-")
    url: str = getattr(kit.platform.config, f"queue_{of}_url")
    return f"{url}-{dead}" if dead else url


def _messages(kit: Stepwell, queue: str) -> list[dict[str, Any]]:
    now_ms = kit.platform.clock.now_ms()
    held = [(max(at_ms, now_ms), body) for at_ms, body in messages(kit, f"stepwell-{cloud.STAGE}-{queue}")]
    return [{"body": body, "in_s": min(-(-int(at_ms - now_ms) // 1000), 900)} for at_ms, body in sorted(held)]
