"""The emulated cloud: the stack is in it, it is ours alone, and it remembers or forgets as asked."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud, stack
from infra.local.settings import TEMPLATE

pytestmark = pytest.mark.ministack


def test_every_table_is_there_and_expires_items(aws: cloud.Cloud) -> None:
    dynamodb = stack.client("dynamodb", aws.endpoint)
    for name in ("EVENTS", "RUNS", "PAUSES", "TIMERS"):
        table = aws.env[f"STEPWELL_TABLE_{name}"]
        expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    assert len(dynamodb.list_tables()["TableNames"]) == 6


def test_queues_have_their_dead_letters_and_visibility(aws: cloud.Cloud, sqs: Any) -> None:
    for name, visibility in (("EVENTS", "90"), ("WORK", "150")):
        url = aws.env[f"STEPWELL_QUEUE_{name}_URL"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["VisibilityTimeout"] == visibility
        redrive = json.loads(attributes["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"].endswith(f"stepwell-dev-{name.lower()}-dead")


def test_the_bus_leads_to_the_events_queue_except_for_what_we_sent(aws: cloud.Cloud, sqs: Any) -> None:
    entries = [
        {"Source": source, "DetailType": "test", "Detail": "{}", "EventBusName": aws.env["STEPWELL_BUS"]}
        for source in ("stepwell", "shop")
    ]
    assert stack.client("events", aws.endpoint).put_events(Entries=entries)["FailedEntryCount"] == 0
    url = aws.env["STEPWELL_QUEUE_EVENTS_URL"]
    bodies = []
    for _ in range(2):
        for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            bodies.append(json.loads(one["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    assert [body["source"] for body in bodies] == ["shop"]


def test_the_bucket_takes_objects(aws: cloud.Cloud) -> None:
    s3 = stack.client("s3", aws.endpoint)
    s3.put_object(Bucket=aws.env["STEPWELL_BUCKET"], Key="a", Body=b"payload")
    assert s3.get_object(Bucket=aws.env["STEPWELL_BUCKET"], Key="a")["Body"].read() == b"payload"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_it_listens_on_the_loopback_interface_alone(aws: cloud.Cloud) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.2", aws.port))  # Taken too, if it listened everywhere.


def test_state_outlives_a_clean_stop_and_a_change_of_port(tmp_path: Path) -> None:
    with cloud.start(tmp_path) as first:
        url = first.env["STEPWELL_QUEUE_WORK_URL"]
        stack.client("sqs", first.endpoint).send_message(QueueUrl=url, MessageBody="kept")
        dynamodb = stack.client("dynamodb", first.endpoint)
        table = first.env["STEPWELL_TABLE_RUNS"]
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "run"}, "sk": {"S": "head"}})
        s3 = stack.client("s3", first.endpoint)
        s3.put_object(Bucket=first.env["STEPWELL_BUCKET"], Key="k", Body=b"kept")
    assert first.process.returncode == 0
    with cloud.start(tmp_path) as second:
        assert second.port != first.port
        queue = stack.client("sqs", second.endpoint)
        received = queue.receive_message(QueueUrl=second.env["STEPWELL_QUEUE_WORK_URL"])
        assert [one["Body"] for one in received["Messages"]] == ["kept"]
        assert stack.client("dynamodb", second.endpoint).scan(TableName=table)["Count"] == 1
        s3 = stack.client("s3", second.endpoint)
        assert s3.get_object(Bucket=second.env["STEPWELL_BUCKET"], Key="k")["Body"].read() == b"kept"


def test_a_changed_template_updates_the_stack_and_keeps_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cloud.start(tmp_path / "state") as aws:
        dynamodb = stack.client("dynamodb", aws.endpoint)
        dynamodb.put_item(TableName=aws.env["STEPWELL_TABLE_RUNS"], Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
        changed = tmp_path / "template.yaml"
        receives = "  ReceiveCount:\n    Type: Number\n    Default: "
        changed.write_text(TEMPLATE.read_text().replace(f"{receives}10", f"{receives}9"))
        monkeypatch.setattr(stack, "TEMPLATE", changed)
        outputs = stack.deploy(aws.endpoint, "dev")
        attributes = stack.client("sqs", aws.endpoint).get_queue_attributes(
            QueueUrl=outputs["WorkQueueUrl"], AttributeNames=["RedrivePolicy"]
        )["Attributes"]
        assert int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"]) == 9
        assert dynamodb.scan(TableName=outputs["RunsTableName"])["Count"] == 1


def test_it_ends_when_its_owner_goes() -> None:
    aws = cloud.start()
    try:
        assert aws.process.stdin is not None
        aws.process.stdin.close()
        assert aws.process.wait(10) == 0
    finally:
        aws.stop()


def test_nothing_of_the_user_s_own_aws_reaches_the_processes() -> None:
    mine = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "HTTPS_PROXY": "http://p", "HOME": "/h"}
    assert cloud.clean_environment(mine) == {"HOME": "/h"}
