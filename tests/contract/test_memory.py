"""DynamoDB in memory beside the other emulators: the same random requests, in the same order, get the same answers.

The adapters are tried on it by the other files of this folder; this goes beyond what they say.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.testing import cloud
from chalicelib.testing.memory.refusals import Refused
from tests.contract.conftest import World

_REQUESTS = 120
_NUMBERS = [{"N": text} for text in ("0", "7", "-12", "10")]
_TEXTS = [{"S": text} for text in ("", "a", "ab\uffff", "ab\U0001f642")]
# Neither moto nor ministack can compare values of two types, or says that they cannot be added.
_VALUES: dict[str, list[Any]] = {"a": _NUMBERS, "b": _TEXTS, "c": [*_NUMBERS, *_TEXTS, {"BOOL": True}]}
_ROWS = ("0", "1", "s#", "s#a", "s#b", "s#\uffff", "s#\U0001f642", "~")

Request = dict[str, Any]


class Dice:
    """Random requests about one partition of the table of runs."""

    def __init__(self, seed: str, table: str, partition: str) -> None:
        self._random = random.Random(seed)
        self._table = table
        self._partition = partition
        self._values: Request = {}

    def one(self) -> tuple[str, Request]:
        """An operation and its parameters."""
        make: Callable[[], tuple[str, Request]] = self._random.choice(
            [self._put, self._put, self._update, self._update, self._delete, self._transact, self._get, self._query]
        )
        return make()

    def _get(self) -> tuple[str, Request]:
        return "GetItem", {"TableName": self._table, "Key": self._key(), "ConsistentRead": True}

    def _put(self) -> tuple[str, Request]:
        return "PutItem", self._conditional({"Item": self._key() | self._attributes()})

    def _delete(self) -> tuple[str, Request]:
        return "DeleteItem", self._conditional({"Key": self._key()})

    def _update(self) -> tuple[str, Request]:
        self._values = {}
        return "UpdateItem", self._conditional(
            {"Key": self._key(), "UpdateExpression": self._change()} | {"ReturnValues": "ALL_NEW"}
        )

    def _transact(self) -> tuple[str, Request]:
        operations = []
        for row in self._random.sample(_ROWS, self._random.randint(1, 3)):
            self._values = {}
            key = {"pk": {"S": self._partition}, "sk": {"S": row}}
            kind = self._random.choice(["Put", "Update", "Delete", "ConditionCheck"])
            body: Request = {"Item": key | self._attributes()} if kind == "Put" else {"Key": key}
            if kind == "Update":
                body["UpdateExpression"] = self._change()
            operations.append({kind: self._conditional(body, always=kind == "ConditionCheck")})
        return "TransactWriteItems", {"TransactItems": operations}

    def _query(self) -> tuple[str, Request]:
        hash_name, range_name = self._random.choice([("pk", "sk"), ("open_pk", "open_sk")])
        self._values = {":pk": {"S": self._partition}}
        low, high = sorted(self._random.sample(_ROWS, 2))
        bounds = ("= :l", "< :l", "<= :l", "> :l", ">= :l", "BETWEEN :l AND :h")
        condition = self._random.choice(
            ["", f" AND begins_with({range_name}, :l)", *(f" AND {range_name} {bound}" for bound in bounds)]
        )
        self._values |= {":l": {"S": low}} if ":l" in condition else {}
        self._values |= {":h": {"S": high}} if ":h" in condition else {}
        request = {
            "TableName": self._table,
            "KeyConditionExpression": f"{hash_name} = :pk{condition}",
            "ExpressionAttributeValues": self._values,
            "ScanIndexForward": self._random.random() < 0.5,
            "Limit": self._random.randint(1, 4),
        }
        return "Query", request | ({} if hash_name == "pk" else {"IndexName": "open"})

    def _key(self) -> Request:
        return {"pk": {"S": self._partition}, "sk": {"S": self._random.choice(_ROWS)}}

    def _attributes(self) -> Request:
        found = {name: self._random.choice(values) for name, values in _VALUES.items() if self._random.random() < 0.6}
        if self._random.random() < 0.5:
            found |= {"open_pk": {"S": self._partition}, "open_sk": {"S": self._random.choice(_ROWS)}}
        return found

    def _value(self, of: str = "c") -> str:
        self._values[name := f":v{len(self._values)}"] = self._random.choice(_VALUES[of])
        return name

    def _number(self, least: int = -3, most: int = 30) -> str:
        self._values[name := f":v{len(self._values)}"] = {"N": str(self._random.randint(least, most))}
        return name

    def _change(self) -> str:
        forms: list[Callable[[], str]] = [
            lambda: f"SET c = {self._value()}",
            lambda: f"SET b = {self._value('b')}, c = b REMOVE a",
            lambda: f"SET a = if_not_exists(a, {self._number()}) + {self._number()}",
            lambda: f"SET a = if_not_exists(a, {self._number()}) - {self._number()}, c = {self._value()}",
            lambda: f"REMOVE a, b SET c = if_not_exists(c, {self._value()})",
            lambda: "REMOVE open_pk, open_sk",
        ]
        return self._random.choice(forms)()

    def _conditional(self, body: Request, *, always: bool = False) -> Request:
        if "UpdateExpression" not in body:
            self._values = {}
        if always or self._random.random() < 0.7:
            body["ConditionExpression"] = self._condition(2)
        if self._values:
            body["ExpressionAttributeValues"] = self._values
        return body | {"TableName": self._table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    def _condition(self, depth: int) -> str:
        if depth and self._random.random() < 0.6:
            inner, other = self._condition(depth - 1), self._condition(depth - 1)
            return self._random.choice(
                [f"({inner}) AND {other}", f"{inner} OR ({other})", f"NOT ({inner} AND {other})"]
            )
        name = self._random.choice(("a", "b", "c", "pk", "sk"))
        forms: list[Callable[[], str]] = [
            lambda: f"attribute_exists({name})",
            lambda: f"attribute_not_exists({name})",
            lambda: f"NOT attribute_exists({name})",
            lambda: f"{name} IN ({self._value()}, {self._value()})",
            lambda: f"{name} {self._random.choice(['=', '<>'])} {self._value()}",
            lambda: f"a {self._random.choice(['<', '<=', '>', '>='])} {self._number()}",
            lambda: f"a BETWEEN {self._number()} AND {self._number(30, 90)}",
            lambda: f"b {self._random.choice(['<', '<=', '>', '>='])} {self._value('b')}",
            lambda: f"begins_with(sk, {self._text()})",
        ]
        return self._random.choice(forms)()

    def _text(self) -> str:
        self._values[name := f":v{len(self._values)}"] = {"S": self._random.choice(["s", "s#", "~"])}
        return name


def told(error: Request) -> Any:
    """What of an error matters to its reader."""
    reasons = [(one["Code"], one.get("Item") or None) for one in error.get("CancellationReasons", [])]
    if "ValidationError" in dict(reasons):
        # AWS tells it as a reason, the other emulators as if the request were wrong whatever is there.
        return "ValidationException", None, []
    return error["Error"]["Code"], error.get("Item") or None, reasons


def all_pages(ask: Callable[[Request], Request], request: Request) -> list[Any]:
    found, request = [], dict(request)
    while True:
        answer = ask(request)
        found += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return found
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def outcome(ask: Callable[[str, Request], Request], operation: str, request: Request) -> Any:
    try:
        if operation == "Query":
            return all_pages(lambda page: ask(operation, page), request)
        answer = ask(operation, request)
        return answer.get("Item") or answer.get("Attributes")
    except ClientError as error:
        return told(error.response)  # type: ignore[arg-type]
    except Refused as refused:
        return told({"Error": {"Code": refused.code}, **refused.more})


@pytest.mark.parametrize("world", ["moto", "ministack"], indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_random_requests_get_the_same_answers(world: World, seed: int) -> None:
    account = cloud.open_account()
    account.dynamodb.tables[world.config.table_runs] = account.dynamodb.tables["stepwell-test-runs"]
    dice = Dice(str(seed), world.config.table_runs, world.new())
    client = world.client("dynamodb")
    for _ in range(_REQUESTS):
        operation, request = dice.one()
        theirs = outcome(client._make_api_call, operation, request)
        ours = outcome(account.dynamodb.answer, operation, request)
        assert ours == theirs, f"{operation} {request}\nours {ours}\ntheirs {theirs}"
