"""Tables, queues and bucket in moto, made from the template that production uses."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.testing import cloud

_WANTED = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def create(session: Any) -> dict[str, str]:
    """Make everything; the environment that points Stepwell at it."""
    made = cloud.resources()
    dynamodb, sqs = session.create_client("dynamodb"), session.create_client("sqs")
    urls: dict[str, str] = {}
    for name, resource in made.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::DynamoDB::Table":
            dynamodb.create_table(**{key: properties[key] for key in _WANTED if key in properties})
        elif resource["Type"] == "AWS::SQS::Queue":
            urls[name] = _create_queue(sqs, properties)
    for name, url in urls.items():
        policy = made[name]["Properties"].get("RedrivePolicy")
        if policy is not None:
            _set_dead_letters(sqs, url, urls[policy["deadLetterTargetArn"][1].split(".")[0]], policy)
    cloud.create_bucket(session)
    return cloud.variables()


def _create_queue(sqs: Any, properties: dict[str, Any]) -> str:
    attributes = {
        "VisibilityTimeout": str(properties.get("VisibilityTimeout", 30)),
        "MessageRetentionPeriod": str(properties["MessageRetentionPeriod"]),
    }
    url: str = sqs.create_queue(QueueName=properties["QueueName"], Attributes=attributes)["QueueUrl"]
    return url


def _set_dead_letters(sqs: Any, url: str, dead_url: str, policy: dict[str, Any]) -> None:
    attributes = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]
    wanted = {"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": policy["maxReceiveCount"]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(wanted)})
