"""What AWS has of a stage, as plain values: collected here, judged in findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy import keys, root
from infra.deploy.account import Account, absent
from infra.deploy.drift import TABLES
from infra.deploy.inventory import Inventory
from infra.deploy.key_store import KeyStore
from infra.deploy.policies import lambda_name

QUEUES = ("Events", "Work")


@dataclass(frozen=True)
class FunctionFacts:
    """A Lambda function. Times in seconds, memory in MB; `recursion` is Allow or Terminate."""

    arn: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]
    recursion: str
    log_retention_days: int | None


@dataclass(frozen=True)
class MappingFacts:
    """An event source mapping."""

    uuid: str
    queue: str
    state: str
    response_types: tuple[str, ...]
    batch_size: int
    max_concurrency: int | None


@dataclass(frozen=True)
class QueueFacts:
    """A queue. Times in seconds."""

    name: str
    visibility_s: int
    kept_s: int
    dead_letters: str
    """Name of the queue that failed messages go to; empty without one."""
    receive_count: int | None


@dataclass(frozen=True)
class TableFacts:
    """A table; `ttl_attribute` is empty where items do not expire."""

    name: str
    status: str
    ttl_attribute: str
    recovery: bool
    protected: bool


@dataclass(frozen=True)
class RuleFacts:
    """A schedule."""

    expression: str
    state: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Keys are names of functions, tables (Events, …) and queues (Events, Work); None is what is not there."""

    stage: str
    functions: Mapping[str, FunctionFacts] = field(default_factory=dict)
    mappings: Mapping[str, tuple[MappingFacts, ...]] = field(default_factory=dict)
    queues: Mapping[str, QueueFacts | None] = field(default_factory=dict)
    tables: Mapping[str, TableFacts | None] = field(default_factory=dict)
    rules: Mapping[str, RuleFacts] = field(default_factory=dict)
    rest_apis: tuple[str, ...] = ()
    function_url: str | None = None
    """How callers of the API function's URL prove who they are; None where it has no URL."""
    domain_apis: tuple[str, ...] = ()
    """The REST APIs that the root of the settings' domain leads to."""
    bucket: str = ""
    bucket_private: bool | None = None
    bucket_encrypted: bool | None = None
    keys: Mapping[keys.Kind, tuple[str, ...]] = field(default_factory=dict)


def collect(account: Account, stage: str, outputs: Mapping[str, str], found: Inventory, *, domain: str = "") -> Facts:
    """Look at everything that `findings.judge` has an opinion on. `domain` is the settings' own."""
    store = KeyStore(account, stage)
    return Facts(
        stage=stage,
        functions={name: _function(account, stage, name, arn) for name, arn in found.functions.items()},
        mappings={name: tuple(_mapping(account, one.uuid) for one in many) for name, many in found.mappings.items()},
        queues={name: _there(_queue, account, outputs[f"{name}QueueUrl"]) for name in QUEUES},
        tables={name: _there(_table, account, outputs[f"{name}TableName"]) for name in TABLES},
        rules={name: _rule(account, rule) for name, rule in found.rules.items()},
        rest_apis=found.rest_apis,
        function_url=root.function_url(account, stage),
        domain_apis=root.mapped_apis(account, domain) if domain else (),
        bucket=outputs["PayloadBucketName"],
        bucket_private=_there(_private, account, outputs["PayloadBucketName"]),
        bucket_encrypted=_there(_encrypted, account, outputs["PayloadBucketName"]),
        keys={kind: store.read(kind) or () for kind in keys.Kind},
    )


def _there(look: Callable[[Account, str], Any], account: Account, name: str) -> Any:
    """What `look` sees; None where AWS says that it is not there."""
    try:
        return look(account, name)
    except ClientError as error:
        if absent(error):
            return None
        raise


def _function(account: Account, stage: str, name: str, arn: str) -> FunctionFacts:
    client = account.client("lambda")
    one = client.get_function_configuration(FunctionName=arn)
    group = f"/aws/lambda/{lambda_name(stage, name)}"
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return FunctionFacts(
        arn=arn,
        timeout_s=one["Timeout"],
        memory_mb=one["MemorySize"],
        environment=one.get("Environment", {}).get("Variables", {}),
        recursion=client.get_function_recursion_config(FunctionName=arn).get("RecursiveLoop", "Terminate"),
        log_retention_days=next(
            (each.get("retentionInDays") for each in groups if each["logGroupName"] == group), None
        ),
    )


def _mapping(account: Account, uuid: str) -> MappingFacts:
    one = account.client("lambda").get_event_source_mapping(UUID=uuid)
    return MappingFacts(
        uuid=uuid,
        queue=one["EventSourceArn"].rsplit(":", 1)[-1],
        state=one.get("State", ""),
        response_types=tuple(one.get("FunctionResponseTypes") or ()),
        batch_size=one["BatchSize"],
        max_concurrency=(one.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )


def _queue(account: Account, url: str) -> QueueFacts:
    found = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(found.get("RedrivePolicy", "{}"))
    return QueueFacts(
        name=found["QueueArn"].rsplit(":", 1)[-1],
        visibility_s=int(found["VisibilityTimeout"]),
        kept_s=int(found["MessageRetentionPeriod"]),
        dead_letters=str(redrive.get("deadLetterTargetArn", "")).rsplit(":", 1)[-1],
        receive_count=int(redrive["maxReceiveCount"]) if "maxReceiveCount" in redrive else None,
    )


def _table(account: Account, name: str) -> TableFacts:
    client = account.client("dynamodb")
    table = client.describe_table(TableName=name)["Table"]
    ttl = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return TableFacts(
        name=name,
        status=table["TableStatus"],
        ttl_attribute=ttl.get("AttributeName", "") if ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else "",
        recovery=recovery == "ENABLED",
        protected=bool(table.get("DeletionProtectionEnabled")),
    )


def _rule(account: Account, name: str) -> RuleFacts:
    client = account.client("events")
    rule = client.describe_rule(Name=name)
    targets = client.list_targets_by_rule(Rule=name)["Targets"]
    return RuleFacts(rule.get("ScheduleExpression", ""), rule["State"], tuple(one["Arn"] for one in targets))


def _private(account: Account, bucket: str) -> bool:
    try:
        block = account.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if "NoSuchPublicAccessBlockConfiguration" in str(error):
            return False
        raise
    return bool(block) and all(block.values())


def _encrypted(account: Account, bucket: str) -> bool:
    try:
        rules = account.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as error:
        if "ServerSideEncryptionConfigurationNotFound" in str(error):
            return False
        raise
    return bool(rules)
