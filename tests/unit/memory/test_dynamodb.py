"""What DynamoDB in memory refuses, as AWS does, and what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.testing import cloud
from chalicelib.testing.memory.dynamodb import DynamoDB
from chalicelib.testing.memory.refusals import Refused

RUNS = "stepwell-test-runs"
LARGE = {"S": "x" * 300_000}


@pytest.fixture
def dynamodb() -> DynamoDB:
    return cloud.open_account().dynamodb


def key(sk: str = "0", pk: str = "r") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def put(item: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "PutItem", {"TableName": RUNS, "Item": item, **more}


def update(expression: str, values: dict[str, Any] | None = None, **more: Any) -> tuple[str, dict[str, Any]]:
    given = {} if values is None else {"ExpressionAttributeValues": values}
    return "UpdateItem", {"TableName": RUNS, "Key": key(), "UpdateExpression": expression, **given, **more}


def query(condition: str, values: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "Query", {
        "TableName": RUNS,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        **more,
    }


def get_many(*keys: Any) -> tuple[str, dict[str, Any]]:
    return "BatchGetItem", {"RequestItems": {RUNS: {"Keys": list(keys)}}}


def write_many(*keys: Any) -> tuple[str, dict[str, Any]]:
    return "BatchWriteItem", {"RequestItems": {RUNS: [{"DeleteRequest": {"Key": one}} for one in keys]}}


def transact(*items: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": RUNS, "Item": item}} for item in items]}


P = {":p": {"S": "r"}}
INVALID = {
    "no range key": put({"pk": {"S": "r"}}),
    "an empty key": put(key("")),
    "a key that is no text": put({"pk": {"S": "r"}, "sk": {"N": "1"}}),
    "a partition key of more than 2 KB": put(key(pk="x" * 2_049)),
    "a range key of more than 1 KB": put(key("ä" * 513)),
    "an empty key of an index": put(key() | {"open_pk": {"S": "o"}, "open_sk": {"S": ""}}),
    "a key of an index that is no text": put(key() | {"open_pk": {"S": "o"}, "open_sk": {"N": "1"}}),
    "an item of more than 400 KB": put(key() | {"a": LARGE, "b": LARGE}),
    "no number": put(key() | {"a": {"N": "one"}}),
    "a number of 39 digits": put(key() | {"a": {"N": "1" * 39}}),
    "a value that is not defined": put(key(), ConditionExpression="a = :a"),
    "a value that is not used": put(key(), ExpressionAttributeValues={":a": {"N": "1"}}),
    "a reserved word": put(key(), ConditionExpression="attribute_exists(name)"),
    "half an expression": put(key(), ConditionExpression="a = "),
    "an expression and more": put(key(), ConditionExpression="attribute_exists(a) b"),
    "an update of a key": update("SET sk = :a", {":a": {"S": "1"}}),
    "an update of a name twice": update("SET a = :a, a = :a", {":a": {"S": "1"}}),
    "a sum with what is missing": update("SET a = b + :a", {":a": {"N": "1"}}),
    "a sum with a text": update("SET a = :a + :a", {":a": {"S": "1"}}),
    "two sections of one kind": update("REMOVE a REMOVE b"),
    "a query of another attribute": query("pk = :p AND a = :p", P),
    "a query without its partition": query("sk = :p", P),
    "a query of a partition that is not one": query("pk > :p", P),
    "a range that is none": query("pk = :p AND sk BETWEEN :z AND :p", P | {":z": {"S": "z"}}),
    "an index that is not there": query("pk = :p", P, IndexName="other"),
    "an index read consistently": query("open_pk = :p", P, IndexName="open", ConsistentRead=True),
    "no rows at all": query("pk = :p", P, Limit=0),
    "a start in another partition": query("pk = :p", P, ExclusiveStartKey=key(pk="q")),
    "a start that is no key": query("pk = :p", P, ExclusiveStartKey={"pk": {"S": "r"}}),
    "a read of an item twice": get_many(key(), key()),
    "a read of 101 items": get_many(*(key(str(number)) for number in range(101))),
    "a write of an item twice": write_many(key(), key()),
    "a write of 26 items": write_many(*(key(str(number)) for number in range(26))),
    "a transaction of nothing": transact(),
    "a transaction on an item twice": transact(key(), key()),
    "a transaction of 101 items": transact(*(key(str(number)) for number in range(101))),
    "a transaction of more than 4 MB": transact(*(key(str(number)) | {"a": LARGE} for number in range(15))),
}


@pytest.mark.parametrize("what", INVALID)
def test_what_aws_refuses_is_refused_and_nothing_is_written(dynamodb: DynamoDB, what: str) -> None:
    with pytest.raises(Refused) as refused:
        dynamodb.answer(*INVALID[what])
    assert refused.value.code == "ValidationException"
    assert dynamodb.tables[RUNS].rows == {}


UNKNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "an operation": ("UpdateTable", {"TableName": RUNS}),
    "a parameter": put(key(), ReturnConsumedCapacity="TOTAL"),
    "a value of a parameter": update("REMOVE a", ReturnValues="UPDATED_OLD"),
    "a type": put(key() | {"a": {"SS": ["x"]}}),
    "a path": update("REMOVE a.b"),
    "a function": put(key(), ConditionExpression="size(a) > :a", ExpressionAttributeValues={":a": {"N": "1"}}),
    "a section": update("ADD a :a", {":a": {"N": "1"}}),
    "an operation in a transaction": ("TransactWriteItems", {"TransactItems": [{"Get": {"TableName": RUNS}}]}),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_not_known_here_is_said(dynamodb: DynamoDB, what: str) -> None:
    with pytest.raises(NotImplementedError):
        dynamodb.answer(*UNKNOWN[what])


def test_a_page_holds_a_megabyte_and_its_successor_goes_on(dynamodb: DynamoDB) -> None:
    for number in range(5):
        dynamodb.answer(*put(key(str(number)) | {"a": LARGE}))

    def pages(ask: Callable[[dict[str, Any]], dict[str, Any]]) -> list[int]:
        sizes, start = [], dict[str, Any]()
        while True:
            answer = ask(start)
            sizes.append(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return sizes
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    assert pages(lambda start: dynamodb.answer(*query("pk = :p", P, **start))) == [3, 2]
    assert pages(lambda start: dynamodb.answer(*query("pk = :p", P, ScanIndexForward=False, **start))) == [3, 2]
    assert pages(lambda start: dynamodb.answer("Scan", {"TableName": RUNS, **start})) == [3, 2]


def test_a_page_that_is_full_does_not_look_whether_it_is_the_last(dynamodb: DynamoDB) -> None:
    dynamodb.answer(*put(key()))
    answer = dynamodb.answer(*query("pk = :p", P, Limit=1))
    assert answer["LastEvaluatedKey"] == key()
    assert dynamodb.answer(*query("pk = :p", P, Limit=1, ExclusiveStartKey=key()))["Count"] == 0


def test_a_batch_of_more_than_16_mb_is_done_in_part(dynamodb: DynamoDB) -> None:
    keys = [key(str(number)) for number in range(60)]
    for one in keys:
        dynamodb.answer(*put(one | {"a": LARGE}))
    answer = dynamodb.answer(*get_many(*keys))
    assert len(answer["Responses"][RUNS]) == 55
    assert answer["UnprocessedKeys"][RUNS]["Keys"] == keys[55:]


def test_a_transaction_that_comes_again_with_its_token_is_not_repeated(dynamodb: DynamoDB) -> None:
    operation, request = transact(key())
    put_once = {"TableName": RUNS, "Item": key(), "ConditionExpression": "attribute_not_exists(pk)"}
    request = {"TransactItems": [{"Put": put_once}], "ClientRequestToken": "t"}
    for _ in range(2):
        assert dynamodb.answer(operation, request) == {}
    with pytest.raises(Refused) as refused:
        dynamodb.answer(operation, request | {"ClientRequestToken": "u"})
    assert refused.value.more["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed"
    with pytest.raises(Refused) as refused:
        dynamodb.answer(operation, transact(key("1"))[1] | {"ClientRequestToken": "t"})
    assert refused.value.code == "IdempotentParameterMismatchException"


@pytest.mark.parametrize(
    ("given", "kept"), [("007", "7"), ("1.50", "1.5"), ("-0", "0"), ("1e3", "1000"), ("1" * 38, "1" * 38)]
)
def test_numbers_have_one_form(dynamodb: DynamoDB, given: str, kept: str) -> None:
    dynamodb.answer(*put(key() | {"a": {"N": given}}))
    assert dynamodb.answer("GetItem", {"TableName": RUNS, "Key": key()})["Item"]["a"] == {"N": kept}
