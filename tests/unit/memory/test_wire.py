"""Who answers whom: the kit's tables and queues lie in memory, the user's own and all else in moto."""

from __future__ import annotations

import contextlib
from typing import Any

import botocore.session
import pytest

from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import start_stepwell


@function(fn_id="greet", trigger=TriggerEvent(event="greet"))
def greet(ctx: Context) -> str:
    return ctx.step.run("say", lambda: "hello")


def client(service: str) -> Any:
    return botocore.session.get_session().create_client(service)


def test_a_client_of_the_tests_own_sees_what_the_kit_has_written() -> None:
    with start_stepwell([greet]) as kit:
        kit.send("greet")
        key = {"pk": {"S": kit.only_run().run_id}, "sk": {"S": "0"}}
        found = client("dynamodb").get_item(TableName=kit.platform.config.table_runs, Key=key)
        assert found["Item"]["st"] == {"S": "Completed"}


def test_a_table_and_a_queue_of_the_users_own_are_as_they_were() -> None:
    with start_stepwell([greet]):
        dynamodb, sqs = client("dynamodb"), client("sqs")
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName="orders", Item={"id": {"N": "1"}, "tags": {"SS": ["a"]}})
        assert dynamodb.scan(TableName="orders")["Count"] == 1
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="a")
        assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_each_kit_begins_with_nothing() -> None:
    for _ in range(2):
        with start_stepwell([greet]) as kit:
            assert kit.runs() == []
            kit.send("greet")


def asks_for_what_is_not_known() -> None:
    with start_stepwell([greet]) as kit, contextlib.suppress(NotImplementedError):
        client("dynamodb").update_table(TableName=kit.platform.config.table_runs)


def test_what_is_not_known_fails_the_test_whatever_caught_it() -> None:
    with pytest.raises(NotImplementedError, match="UpdateTable"):
        asks_for_what_is_not_known()
