"""Tables, queues and bucket in moto, made from the template that production uses."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"
STAGE = "test"
REGION = "eu-central-1"


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
    parameters |= {"Stage": STAGE, "AWS::AccountId": "123456789012", "AWS::Region": REGION}
    found: dict[str, dict[str, Any]] = _resolve(template["Resources"], parameters)
    return found


def create(session: Any) -> dict[str, str]:
    """Make everything; the environment that points Stepwell at it."""
    made = resources()
    _create_tables(session, made)
    sqs = session.create_client("sqs")
    urls = {
        name: _create_queue(sqs, resource["Properties"])
        for name, resource in made.items()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    for name, resource in made.items():
        policy = resource["Properties"].get("RedrivePolicy") if name in urls else None
        if policy is not None:
            _set_dead_letters(sqs, urls[name], urls[policy["deadLetterTargetArn"][1].split(".")[0]], policy)
    bucket = f"stepwell-{STAGE}-payloads"
    session.create_client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return {
        "STEPWELL_STAGE": STAGE,
        "STEPWELL_TABLE_EVENTS": f"stepwell-{STAGE}-events",
        "STEPWELL_TABLE_RUNS": f"stepwell-{STAGE}-runs",
        "STEPWELL_TABLE_PAUSES": f"stepwell-{STAGE}-pauses",
        "STEPWELL_TABLE_TIMERS": f"stepwell-{STAGE}-timers",
        "STEPWELL_TABLE_FUNCTIONS": f"stepwell-{STAGE}-functions",
        "STEPWELL_TABLE_LIMITS": f"stepwell-{STAGE}-limits",
        "STEPWELL_QUEUE_EVENTS_URL": urls["EventsQueue"],
        "STEPWELL_QUEUE_WORK_URL": urls["WorkQueue"],
        "STEPWELL_DEAD_EVENTS_URL": urls["EventsDeadQueue"],
        "STEPWELL_DEAD_WORK_URL": urls["WorkDeadQueue"],
        "STEPWELL_BUCKET": bucket,
        "STEPWELL_KEYS_PATH": f"/stepwell/{STAGE}",
        "STEPWELL_DEV": "1",
        # moto loses writes of threads, and a test is to be the same each time.
        "STEPWELL_MATCH_THREADS": "1",
    }


def _create_tables(session: Any, made: dict[str, dict[str, Any]]) -> None:
    dynamodb = session.create_client("dynamodb")
    wanted = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    for resource in made.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = resource["Properties"]
            dynamodb.create_table(**{key: properties[key] for key in wanted if key in properties})


def _create_queue(sqs: Any, properties: dict[str, Any]) -> str:
    attributes = {
        "VisibilityTimeout": str(properties.get("VisibilityTimeout", 30)),
        "MessageRetentionPeriod": str(properties["MessageRetentionPeriod"]),
    }
    url: str = sqs.create_queue(QueueName=properties["QueueName"], Attributes=attributes)["QueueUrl"]
    return url


def _set_dead_letters(sqs: Any, url: str, dead_url: str, policy: dict[str, Any]) -> None:
    attributes = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]
    count = policy["maxReceiveCount"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={"RedrivePolicy": f'{{"deadLetterTargetArn":"{attributes["QueueArn"]}","maxReceiveCount":{count}}}'},
    )


def due_generations(dynamodb: Any, *, limits_table: str, timers_table: str) -> list[int]:
    """When the debounces and batches that are open are due, and when their timers come, in milliseconds."""
    cells = [item["cell"]["S"] for item in dynamodb.scan(TableName=limits_table)["Items"] if "cell" in item]
    due = [due_ms for cell in cells if cell and (due_ms := json.loads(cell).get("due_ms")) is not None]
    rows = dynamodb.scan(TableName=timers_table)["Items"] if due else []
    return due + [int(item["sk"]["S"].split("#")[0]) for item in rows if "message" in item]
