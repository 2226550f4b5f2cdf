"""The functions that the development server is measured with; copied into its functions package by tests.bench.dev."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from chalicelib.sdk import Context, TriggerEvent, function


@function(fn_id="ten", trigger=TriggerEvent(event="bench/ten"))
def ten(ctx: Context) -> list[int]:
    """Ten steps; the times at which each began, in nanoseconds."""
    return [ctx.step.run(f"step-{number}", time.time_ns) for number in range(10)]


def raw_pairs(count: int) -> list[int]:
    """What a step costs at least: one put and one consistent get through botocore; nanoseconds of each pair."""
    import botocore.session

    client: Any = botocore.session.get_session().create_client("dynamodb")
    table, run = os.environ["STEPWELL_TABLE_RUNS"], f"baseline-{uuid.uuid4().hex}"
    took = []
    for number in range(count):
        began = time.perf_counter_ns()
        key = {"pk": {"S": run}, "sk": {"S": f"s#{number}"}}
        client.put_item(
            TableName=table, Item=key | {"res": {"S": "x" * 100}}, ConditionExpression="attribute_not_exists(pk)"
        )
        client.get_item(TableName=table, Key=key, ConsistentRead=True)
        took.append(time.perf_counter_ns() - began)
    return took[5:]


@function(fn_id="baseline", trigger=TriggerEvent(event="bench/baseline"))
def baseline(ctx: Context) -> list[int]:
    """The baseline, measured in the same process against the same emulator."""
    return ctx.step.run("raw", raw_pairs, 105)
