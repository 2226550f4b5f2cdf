"""Tables and queues in memory and the bucket in moto, made from the template that production uses."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from chalicelib.testing.memory import Account
from chalicelib.testing.memory.tables import Table

TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"
STAGE = "test"
REGION = "eu-central-1"
ACCOUNT_ID = "123456789012"
BUCKET = f"stepwell-{STAGE}-payloads"


def _short_form(loader: Any, suffix: str, node: Any) -> tuple[str, Any]:
    """CloudFormation's short forms as (function, argument)."""
    if isinstance(node, yaml.ScalarNode):
        return suffix, loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return suffix, loader.construct_sequence(node)
    raise yaml.YAMLError(f"unexpected !{suffix}")


# A class of its own, so that PyYAML's stays as it is; made so because PyYAML carries no types.
_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})
_Loader.add_multi_constructor("!", _short_form)


def _resolve(value: Any, parameters: dict[str, Any]) -> Any:
    match value:
        case ("Sub", str(text)):
            for name, default in parameters.items():
                text = text.replace("${" + name + "}", str(default))
            return text
        case ("Ref", str(name)):
            return parameters.get(name, name)
        case dict():
            return {key: _resolve(item, parameters) for key, item in value.items()}
        case list():
            return [_resolve(item, parameters) for item in value]
    return value


@functools.cache
def resources() -> dict[str, dict[str, Any]]:
    """The template's resources with its parameters' defaults filled in."""
    template = yaml.load(TEMPLATE.read_text(), Loader=_Loader)
    parameters = {name: spec.get("Default", "") for name, spec in template["Parameters"].items()}
    parameters |= {"Stage": STAGE, "AWS::AccountId": ACCOUNT_ID, "AWS::Region": REGION}
    found: dict[str, dict[str, Any]] = _resolve(template["Resources"], parameters)
    return found


def open_account() -> Account:
    """The template's tables and queues, with nothing in them."""
    made, account = resources(), Account(REGION, ACCOUNT_ID)
    for resource in made.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            account.dynamodb.create_table(resource["Properties"])
    queues = {
        name: account.sqs.create_queue(resource["Properties"])
        for name, resource in made.items()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    for name, queue in queues.items():
        policy = made[name]["Properties"].get("RedrivePolicy")
        if policy is not None:
            queue.dead = queues[policy["deadLetterTargetArn"][1].split(".")[0]]
            queue.max_receives = int(policy["maxReceiveCount"])
    return account


def create_bucket(session: Any) -> None:
    """Make the bucket of payloads."""
    session.create_client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


def variables() -> dict[str, str]:
    """The environment that points Stepwell at all this."""
    queues = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/stepwell-{STAGE}"
    tables = ("events", "runs", "pauses", "timers", "functions", "limits")
    return {
        **{f"STEPWELL_TABLE_{table.upper()}": f"stepwell-{STAGE}-{table}" for table in tables},
        "STEPWELL_STAGE": STAGE,
        "STEPWELL_QUEUE_EVENTS_URL": f"{queues}-events",
        "STEPWELL_QUEUE_WORK_URL": f"{queues}-work",
        "STEPWELL_DEAD_EVENTS_URL": f"{queues}-events-dead",
        "STEPWELL_DEAD_WORK_URL": f"{queues}-work-dead",
        "STEPWELL_BUCKET": BUCKET,
        "STEPWELL_KEYS_PATH": f"/stepwell/{STAGE}",
        "STEPWELL_DEV": "1",
        # Several threads would make other calls in each run of a test.
        "STEPWELL_MATCH_THREADS": "1",
    }


def due_generations(tables: Mapping[str, Table]) -> list[int]:
    """When the debounces and batches that are open are due, and when their timers come, in milliseconds."""
    cells = [row.item["cell"]["S"] for row in tables[f"stepwell-{STAGE}-limits"].rows.values() if "cell" in row.item]
    due = [due_ms for cell in cells if cell and (due_ms := json.loads(cell).get("due_ms")) is not None]
    timers = tables[f"stepwell-{STAGE}-timers"].rows if due else {}
    return due + [int(sk.split("#")[0]) for (_, sk), row in timers.items() if "message" in row.item]
