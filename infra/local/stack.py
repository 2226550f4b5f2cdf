"""Makes the stack of infra/template.yaml in the emulator, and tells the platform where everything is."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.settings import REGION, TEMPLATE, DevError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

CREATE_WITHIN_S = 30.0
TABLES = ("Events", "Runs", "Pauses", "Timers", "Functions", "Limits")


def client(service: Any, endpoint: str) -> Any:
    """A boto3 client for the emulator that no profile or proxy of the user's can turn elsewhere."""
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 3}, proxies={}),
    )


def _describe(cloudformation: CloudFormationClient, name: str) -> StackTypeDef | None:
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def deploy(endpoint: str, stage: str) -> dict[str, str]:
    """Create, update or reuse the stack, as the template's hash in its tag tells; returns its outputs."""
    cloudformation: CloudFormationClient = client("cloudformation", endpoint)
    name = f"stepwell-{stage}"
    body = TEMPLATE.read_text(encoding="utf-8")
    digest = hashlib.sha256(body.encode()).hexdigest()
    found = _describe(cloudformation, name)
    if found is None or not _is(found, digest):
        change = cloudformation.create_stack if found is None else cloudformation.update_stack
        change(
            StackName=name,
            TemplateBody=body,
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": stage}],
            Tags=[{"Key": "template", "Value": digest}],
        )
        found = _settled(cloudformation, name)
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    _expire_items(endpoint, outputs)
    return outputs


def _is(stack: StackTypeDef, digest: str) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    return tags.get("template") == digest and stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def _settled(cloudformation: CloudFormationClient, name: str) -> StackTypeDef:
    """The stack once it is complete; anything else than success is told with the way out."""
    deadline = time.monotonic() + CREATE_WITHIN_S
    while time.monotonic() < deadline:
        stack = _describe(cloudformation, name)
        status = stack["StackStatus"] if stack else "missing"
        if stack and status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return stack
        if "IN_PROGRESS" not in status:
            reason = stack.get("StackStatusReason", "") if stack else ""
            raise DevError(
                f"The stack {name} is {status}. {reason}\nIf infra/template.yaml changed in a way that the "
                "local cloud cannot follow, `make dev-reset` makes it anew (and forgets its state)."
            )
        time.sleep(0.02)
    raise DevError(f"The stack {name} was not complete after {CREATE_WITHIN_S:.0f} s.")


def _expire_items(endpoint: str, outputs: dict[str, str]) -> None:
    """Turn TTL on through the API: the emulator's CloudFormation leaves it off."""
    dynamodb = client("dynamodb", endpoint)
    for table in TABLES:
        name = outputs[f"{table}TableName"]
        status = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        if status not in ("ENABLED", "ENABLING"):
            dynamodb.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
            )


def environment(endpoint: str, outputs: dict[str, str]) -> dict[str, str]:
    """What chalicelib/config.py reads, and what keeps boto3 with the emulator whatever the user's setup."""
    return {
        "STEPWELL_STAGE": outputs["Stage"],
        "STEPWELL_TABLE_EVENTS": outputs["EventsTableName"],
        "STEPWELL_TABLE_RUNS": outputs["RunsTableName"],
        "STEPWELL_TABLE_PAUSES": outputs["PausesTableName"],
        "STEPWELL_TABLE_TIMERS": outputs["TimersTableName"],
        "STEPWELL_TABLE_FUNCTIONS": outputs["FunctionsTableName"],
        "STEPWELL_TABLE_LIMITS": outputs["LimitsTableName"],
        "STEPWELL_QUEUE_EVENTS_URL": outputs["EventsQueueUrl"],
        "STEPWELL_QUEUE_WORK_URL": outputs["WorkQueueUrl"],
        "STEPWELL_DEAD_EVENTS_URL": outputs["EventsDeadQueueUrl"],
        "STEPWELL_DEAD_WORK_URL": outputs["WorkDeadQueueUrl"],
        "STEPWELL_BUCKET": outputs["PayloadBucketName"],
        "STEPWELL_BUS": outputs["EventBusName"],
        "STEPWELL_DEV": "1",
        "STEPWELL_PARTIAL_BATCHES": "1",  # The pump honours them, as the deployed mappings do.
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
