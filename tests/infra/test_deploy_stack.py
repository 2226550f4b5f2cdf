"""The stage's stack: what to do in which state, and how it goes in an emulator."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest

from infra.deploy import stack_rules
from infra.deploy.account import Account
from infra.deploy.problems import DeployError
from infra.deploy.stack import Stack
from infra.deploy.stack_rules import Move
from infra.deploy.terminal import Terminal


@pytest.mark.parametrize(
    ("status", "move"),
    [
        (None, Move.CREATE),
        ("DELETE_COMPLETE", Move.CREATE),
        ("REVIEW_IN_PROGRESS", Move.CREATE),
        ("CREATE_COMPLETE", Move.UPDATE),
        ("UPDATE_COMPLETE", Move.UPDATE),
        ("UPDATE_ROLLBACK_COMPLETE", Move.UPDATE),
        ("IMPORT_COMPLETE", Move.UPDATE),
        ("ROLLBACK_COMPLETE", Move.DELETE_FIRST),
        ("ROLLBACK_FAILED", Move.DELETE_FIRST),
        ("CREATE_FAILED", Move.DELETE_FIRST),
        ("DELETE_FAILED", Move.DELETE_FIRST),
        ("CREATE_IN_PROGRESS", Move.WAIT),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Move.WAIT),
        ("DELETE_IN_PROGRESS", Move.WAIT),
        ("UPDATE_ROLLBACK_FAILED", Move.REFUSE),
    ],
)
def test_each_state_has_its_next_move(status: str | None, move: Move) -> None:
    assert stack_rules.next_move(status) is move


@pytest.mark.parametrize(
    ("status", "reason", "nothing"),
    [
        ("FAILED", "The submitted information didn't contain changes. Submit different information", True),
        ("FAILED", "No updates are to be performed.", True),
        ("FAILED", "Template error: unresolved resource", False),
        ("CREATE_COMPLETE", "", False),
    ],
)
def test_nothing_to_change_is_no_failure(status: str, reason: str, nothing: bool) -> None:
    assert stack_rules.is_no_change(status, reason) is nothing


def test_the_names_of_what_outlives_a_stack_are_written_out() -> None:
    template = (
        '      TableName: !Sub "stepwell-${Stage}-runs"\n'
        "      BucketName: !Sub stepwell-${Stage}-${AWS::AccountId}\n"
        '      QueueName: !Sub "stepwell-${Stage}-work"\n'
        '      LogGroupName: !Sub "/aws/${Strange}"\n'
    )
    assert stack_rules.with_static_names(template, {"Stage": "prod", "AWS::AccountId": "123"}) == (
        '      TableName: "stepwell-prod-runs"\n'
        '      BucketName: "stepwell-prod-123"\n'
        '      QueueName: !Sub "stepwell-${Stage}-work"\n'
        '      LogGroupName: !Sub "/aws/${Strange}"\n'
    )


def test_all_tables_and_the_bucket_of_our_template_get_such_names() -> None:
    from infra.local.settings import TEMPLATE

    values = {"Stage": "prod", "AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1"}
    rendered = stack_rules.with_static_names(TEMPLATE.read_text(encoding="utf-8"), values)
    for name in ("events", "runs", "pauses", "timers", "functions", "limits"):
        assert f'TableName: "stepwell-prod-{name}"' in rendered
    assert 'BucketName: "stepwell-prod-payloads-123456789012-eu-west-1"' in rendered
    assert len(rendered.encode()) <= stack_rules.MAX_TEMPLATE_BYTES


def change(action: str, name: str, **more: str) -> dict[str, Any]:
    kind = "AWS::DynamoDB::Table"
    return {"ResourceChange": {"Action": action, "LogicalResourceId": name, "ResourceType": kind, **more}}


def test_a_change_set_is_told_in_words() -> None:
    changes = [change("Import", "Runs"), change("Modify", "Events", Replacement="True"), {"Type": "Other"}]
    assert stack_rules.described(changes) == [
        "change         Events (DynamoDB Table), by replacing it",
        "take back      Runs (DynamoDB Table)",
    ]


def test_what_failed_is_told_without_what_was_only_cancelled() -> None:
    def event(name: str, status: str, reason: str = "") -> dict[str, str]:
        return {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason}

    events = [
        event("A", "CREATE_COMPLETE"),
        event("B", "CREATE_FAILED", "Limit exceeded"),
        event("C", "CREATE_FAILED", "Resource creation cancelled"),
        event("B", "CREATE_FAILED", "Limit exceeded"),
    ]
    assert stack_rules.failures(events) == ["B (CREATE_FAILED): Limit exceeded"]


def template(stage: str, **queue: Any) -> str:
    """A table that outlives its stack, and a queue."""
    table = {
        "TableName": f"stepwell-{stage}-things",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    resources = {
        "Things": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": table},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"stepwell-{stage}-q", **queue}},
    }
    outputs = {"QueueUrl": {"Value": {"Ref": "Queue"}}, "Table": {"Value": {"Ref": "Things"}}}
    return json.dumps({"Resources": resources, "Outputs": outputs})


@pytest.fixture
def stage() -> str:
    return f"s{uuid.uuid4().hex[:8]}"


@pytest.fixture
def stack(account: Account, stage: str) -> Stack:
    return Stack(account, f"stepwell-{stage}", Terminal(out=io.StringIO()))


def said(stack: Stack) -> str:
    out = stack.terminal.out
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def up(stack: Stack, body: str) -> dict[str, str]:
    return stack.bring_up(body, {}, {"stepwell-stage": "x"}, again="make infra STAGE=x")


@pytest.mark.ministack
def test_a_stack_is_created_left_alone_and_changed(stack: Stack, stage: str) -> None:
    assert stack.outputs() is None
    assert up(stack, template(stage))["Table"] == f"stepwell-{stage}-things"
    assert up(stack, template(stage)) == stack.outputs()
    assert said(stack).endswith("nothing to change\n")
    url = up(stack, template(stage, VisibilityTimeout=77))["QueueUrl"]
    found = stack.account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"]["VisibilityTimeout"] == "77"


@pytest.mark.ministack
def test_a_table_that_outlived_its_stack_comes_back_with_what_is_in_it(stack: Stack, stage: str) -> None:
    table = up(stack, template(stage))["Table"]
    dynamodb = stack.account.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "kept"}})
    stack.delete()
    stack.delete()
    assert stack.outputs() is None
    assert up(stack, template(stage))["Table"] == table
    assert "take back      Things (DynamoDB Table)" in said(stack)
    assert "Item" in dynamodb.get_item(TableName=table, Key={"pk": {"S": "kept"}})


@pytest.mark.ministack
def test_a_first_creation_that_failed_is_told_and_can_be_repeated(stack: Stack, stage: str) -> None:
    with pytest.raises(DeployError) as failed:
        up(stack, template(stage, VisibilityTimeout=99_999))
    assert "is ROLLBACK_COMPLETE. What failed:" in str(failed.value)
    assert "Queue" in str(failed.value)
    assert "run `make infra STAGE=x` again" in str(failed.value)
    assert up(stack, template(stage))["QueueUrl"]
    assert "the stack is ROLLBACK_COMPLETE: it is removed and made anew" in said(stack)


@pytest.mark.ministack
def test_a_template_that_cannot_be_is_told_and_leaves_the_stack_as_it_was(stack: Stack, stage: str) -> None:
    outputs = up(stack, template(stage))
    with pytest.raises(DeployError, match="run `make infra STAGE=x` again"):
        up(stack, template(stage, VisibilityTimeout=99_999))
    assert stack.outputs() == outputs
    assert up(stack, template(stage)) == outputs


@pytest.mark.ministack
def test_a_protected_stack_is_deleted_all_the_same_when_it_must_be(stack: Stack, stage: str) -> None:
    up(stack, template(stage))
    stack.protect(True)
    stack.delete()
    assert stack.describe() is None


@pytest.mark.ministack
def test_a_template_that_cloudformation_would_not_take_is_refused_before(stack: Stack) -> None:
    with pytest.raises(DeployError, match="more than 51200 bytes"):
        up(stack, " " * 51_201)
