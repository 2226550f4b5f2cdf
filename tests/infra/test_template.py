"""infra/template.yaml: what every table and queue must have, and numbers that must fit each other."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from chalicelib.core import limits
from infra.deploy import settings
from infra.local import pumps
from infra.local.settings import TEMPLATE

FOURTEEN_DAYS_S = 14 * 24 * 3600
LARGEST_SLEEP_DAYS = 366
TEMPLATE_BODY: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
RESOURCES: dict[str, Any] = TEMPLATE_BODY["Resources"]


def of_type(kind: str) -> dict[str, Any]:
    return {name: one["Properties"] for name, one in RESOURCES.items() if one["Type"] == kind}


TABLES = of_type("AWS::DynamoDB::Table")
QUEUES = of_type("AWS::SQS::Queue")


def default(parameter: str) -> int:
    return int(TEMPLATE_BODY["Parameters"][parameter]["Default"])


def test_the_tables_and_queues_are_the_ones_the_platform_reads() -> None:
    names = {one["TableName"]["Fn::Sub"] for one in TABLES.values()}
    assert names == {
        f"stepwell-${{Stage}}-{name}" for name in ("events", "runs", "pauses", "timers", "functions", "limits")
    }
    queues = {one["QueueName"]["Fn::Sub"] for one in QUEUES.values()}
    assert queues == {f"stepwell-${{Stage}}-{n}" for n in ("events", "events-dead", "work", "work-dead")}


@pytest.mark.parametrize("name", TABLES)
def test_each_table_survives_and_expires(name: str) -> None:
    table = TABLES[name]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    recovery = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert recovery == {"Fn::If": ["IsRecoverable", True, False]}
    assert table["DeletionProtectionEnabled"] == {"Fn::If": ["IsProtected", True, False]}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_what_is_switched_on_is_what_the_parameters_say() -> None:
    for condition, parameter in (("IsProtected", "DeletionProtection"), ("IsRecoverable", "PointInTimeRecovery")):
        assert TEMPLATE_BODY["Conditions"][condition] == {"Fn::Equals": [{"Ref": parameter}, "true"]}


@pytest.mark.parametrize("name", [*TABLES, "PayloadBucket"])
def test_data_outlives_the_stack_but_a_failed_creation_leaves_nothing(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_keyed_by_two_strings(name: str) -> None:
    table = TABLES[name]
    assert [(k["AttributeName"], k["KeyType"]) for k in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]
    assert {a["AttributeType"] for a in table["AttributeDefinitions"]} == {"S"}


def test_only_runs_has_indexes_and_they_hold_keys_alone() -> None:
    assert [name for name, table in TABLES.items() if "GlobalSecondaryIndexes" in table] == ["RunsTable"]
    found = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in TABLES["RunsTable"]["GlobalSecondaryIndexes"]
        if index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    }
    assert found == {"by_function": ["list_pk", "list_sk"], "open": ["open_pk", "open_sk"]}


@pytest.mark.parametrize("name", QUEUES)
def test_each_queue_keeps_messages_fourteen_days_and_encrypted(name: str) -> None:
    assert QUEUES[name]["MessageRetentionPeriod"] == FOURTEEN_DAYS_S
    assert QUEUES[name]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("name", ["EventsQueue", "WorkQueue"])
def test_a_message_that_fails_too_often_goes_to_the_queue_s_own_dead_letters(name: str) -> None:
    redrive = QUEUES[name]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == {"Ref": "ReceiveCount"}
    dead = name.replace("Queue", "DeadQueue")
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}
    allowed = QUEUES[dead]["RedriveAllowPolicy"]
    assert allowed["redrivePermission"] == "byQueue"
    # The source by its name: the two queues would wait for each other's ARN.
    (source,) = allowed["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":" + QUEUES[name]["QueueName"]["Fn::Sub"])


def test_the_receive_count_is_what_the_platform_takes_for_granted() -> None:
    assert default("ReceiveCount") == limits.MAX_RECEIVES


def test_the_defaults_are_those_of_the_settings_and_every_parameter_is_set_by_them() -> None:
    parameters = settings.load("any").parameters()
    defaults = {name: str(one["Default"]) for name, one in TEMPLATE_BODY["Parameters"].items()}
    assert defaults == parameters | {"Stage": "dev"}


def test_a_stage_s_name_is_held_to_the_same_in_settings_and_template() -> None:
    assert TEMPLATE_BODY["Parameters"]["Stage"]["AllowedPattern"] == settings.STAGE
    longest = f"stepwell-{'s' * 17}-payloads-{'1' * 12}-ap-southeast-1"
    assert len(longest) == 63, "a bucket's name has at most 63 characters"


@pytest.mark.parametrize("queue", ["EventsQueue", "EventsDeadQueue"])
def test_our_rule_alone_may_send_to_the_events_queue_and_to_its_dead_letters(queue: str) -> None:
    policies = [one for one in of_type("AWS::SQS::QueuePolicy").values() if one["Queues"] == [{"Ref": queue}]]
    ((statement,),) = [one["PolicyDocument"]["Statement"] for one in policies]
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["EventsRule", "Arn"]}}}


def test_the_bus_leads_to_the_events_queue_except_for_what_we_sent_ourselves() -> None:
    (rule,) = of_type("AWS::Events::Rule").values()
    assert rule["EventPattern"] == {"source": [{"anything-but": ["stepwell"]}]}
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["EventsQueue", "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["EventsDeadQueue", "Arn"]}}


def test_cloudformation_takes_the_template_inline() -> None:
    assert len(TEMPLATE.read_bytes()) < 51_200


@pytest.mark.parametrize("name", ["Events", "Work"])
def test_visibility_is_the_function_s_timeout_and_thirty_seconds(name: str) -> None:
    assert default(f"{name}VisibilitySeconds") == default(f"{name}TimeoutSeconds") + 30
    assert QUEUES[f"{name}Queue"]["VisibilityTimeout"] == {"Ref": f"{name}VisibilitySeconds"}


def test_the_local_cloud_gives_handlers_the_same_time() -> None:
    assert default("EventsTimeoutSeconds") == pumps.EVENTS_TIMEOUT_S
    assert default("WorkTimeoutSeconds") == pumps.WORK_TIMEOUT_S


def test_the_backstop_is_longer_than_the_longest_sleep_with_retention_after_it() -> None:
    assert TEMPLATE_BODY["Parameters"]["PayloadBackstopDays"]["MinValue"] > LARGEST_SLEEP_DAYS + 60
    assert default("PayloadBackstopDays") > 2 * LARGEST_SLEEP_DAYS


def test_the_bucket_is_private_encrypted_and_cleans_up() -> None:
    (bucket,) = of_type("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert any("ExpirationInDays" in rule for rule in rules)


@pytest.mark.parametrize("name", [*TABLES, *QUEUES, "EventBus", "PayloadBucket"])
def test_everything_is_named_in_the_outputs(name: str) -> None:
    assert {f"{name}Name", f"{name}Arn"} <= TEMPLATE_BODY["Outputs"].keys()
    assert name not in QUEUES or f"{name}Url" in TEMPLATE_BODY["Outputs"]
