"""Items in and out, and DynamoDB's answers as ours, without any emulator."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.dynamo import (
    ConditionFailed,
    Dynamo,
    TransactionRefused,
    Write,
    translate,
)
from chalicelib.aws.marshalling import marshal, marshal_item, unmarshal_item
from chalicelib.core.errors import InfrastructureError, Throttled, TransactionConflict

WRITE = Write("runs", ("r", "0"), item={"a": 1})


class Client:
    """Answers each call with the next of `answers`; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.requests.append(request)
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def dynamo(*answers: Any) -> tuple[Dynamo, Client, list[float]]:
    client, slept = Client(*answers), list[float]()
    return Dynamo(client, slept.append), client, slept  # type: ignore[arg-type]


def error(code: str, **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}, **more}, "PutItem")  # type: ignore[typeddict-item]


def cancelled(*reasons: dict[str, Any]) -> ClientError:
    return error("TransactionCanceledException", CancellationReasons=list(reasons))


@pytest.mark.parametrize("value", [1.5, None, [], {}, b"x", object()])
def test_items_hold_text_whole_numbers_and_flags_alone(value: object) -> None:
    with pytest.raises(TypeError):
        marshal(value)


def test_an_item_comes_back_as_it_was_without_what_is_none() -> None:
    item = {"text": "ä", "empty": "", "number": -(2**60), "yes": True, "no": False}
    raw = marshal_item({**item, "none": None})
    assert raw["yes"] == {"BOOL": True}
    assert unmarshal_item(raw) == item
    assert unmarshal_item(None) is None
    assert unmarshal_item({}) is None


def test_an_error_is_told_by_its_code() -> None:
    assert type(translate(error("ThrottlingException"))) is Throttled
    assert type(translate(error("TransactionInProgressException"))) is TransactionConflict
    assert type(translate(error("AccessDeniedException"))) is InfrastructureError
    assert type(translate(ClientError({}, "PutItem"))) is InfrastructureError


def test_a_failed_condition_tells_what_is_there() -> None:
    for item, expected in (({"pk": {"S": "r"}}, {"pk": "r"}), (None, None)):
        table, _, _ = dynamo(error("ConditionalCheckFailedException", **({} if item is None else {"Item": item})))
        with pytest.raises(ConditionFailed) as failed:
            table.put(WRITE)
        assert failed.value.item == expected


def test_a_refused_transaction_tells_which_conditions_failed() -> None:
    there = {"Code": "ConditionalCheckFailed", "Item": {"pk": {"S": "r"}}}
    table, client, slept = dynamo(cancelled({"Code": "None"}, there, {"Code": "ConditionalCheckFailed"}))
    with pytest.raises(TransactionRefused) as refused:
        table.transact([WRITE, WRITE, WRITE])
    assert refused.value.failed == {1: {"pk": "r"}, 2: None}
    assert (len(client.requests), slept) == (1, [])


@pytest.mark.parametrize(
    "first",
    [
        cancelled({"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}),
        cancelled({"Code": "ProvisionedThroughputExceeded"}, {"Code": "None"}),
        cancelled(),
        error("TransactionConflictException"),
    ],
)
def test_a_conflict_is_waited_for_and_tried_again_with_the_same_request(first: ClientError) -> None:
    table, client, slept = dynamo(first, first, {})
    table.transact([WRITE, WRITE])
    assert len(client.requests) == 3
    assert client.requests[0] == client.requests[1] == client.requests[2]
    assert len(slept) == 2
    assert max(slept) < 0.1


def test_a_request_says_only_what_is_meant() -> None:
    assert Write("t", ("p", "s"), item={"a": 1}).request() == {
        "TableName": "t",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "Item": {"pk": {"S": "p"}, "sk": {"S": "s"}, "a": {"N": "1"}},
    }
    check = Write("t", ("p", "s"), condition="a = :a", values={"a": True}, names={"#a": "a"}).request()
    assert check == {
        "TableName": "t",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "Key": {"pk": {"S": "p"}, "sk": {"S": "s"}},
        "ConditionExpression": "a = :a",
        "ExpressionAttributeValues": {":a": {"BOOL": True}},
        "ExpressionAttributeNames": {"#a": "a"},
    }


def test_every_page_of_a_query_is_asked_for_as_it_is_needed() -> None:
    last = {"pk": {"S": "p"}, "sk": {"S": "1"}}
    pages = [
        {"Items": [{"n": {"N": "1"}}], "LastEvaluatedKey": last},
        {"Items": [], "LastEvaluatedKey": last},
        {"Items": [{"n": {"N": "2"}}]},
    ]
    table, client, _ = dynamo(*pages)
    rows = table.query("t", "pk = :pk", {"pk": "p"})
    assert client.requests == []
    assert next(rows) == {"n": 1}
    assert len(client.requests) == 1
    assert list(rows) == [{"n": 2}]
    assert [request.get("ConsistentRead") for request in client.requests] == [True] * 3


def test_an_index_is_read_as_it_can_be() -> None:
    table, client, _ = dynamo({"Items": []})
    assert list(table.query("t", "pk = :pk", {"pk": "p"}, index="open", page_size=7)) == []
    (request,) = client.requests
    assert (request["IndexName"], request["Limit"], "ConsistentRead" in request) == ("open", 7, False)
