"""DynamoDB as this room uses it: plain items in and out, and its errors as ours."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.marshalling import Item, marshal_item, unmarshal_item
from chalicelib.core.errors import InfrastructureError, Throttled, TransactionConflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "LimitExceededException",
        "SlowDown",
    }
)
_CONFLICTS = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_CONFLICT_TRIES = 6


class ConditionFailed(Exception):
    """A conditional write found the item otherwise; `item` is what is there, or None."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition did not hold")
        self.item = item


class TransactionRefused(Exception):
    """Conditions of a transaction did not hold: `failed` maps an operation's index to the item that is there."""

    def __init__(self, failed: dict[int, Item | None]) -> None:
        super().__init__("conditions of the transaction did not hold")
        self.failed = failed


def translate(error: Exception) -> InfrastructureError:
    """A vendor error as ours."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _THROTTLES:
            return Throttled(str(error))
        if code in _CONFLICTS:
            return TransactionConflict(str(error))
    return InfrastructureError(f"{type(error).__name__}: {error}")


@dataclass(frozen=True)
class Write:
    """One operation of a transaction, or a write by itself: a put (`item`), an update, or a check."""

    table: str
    key: tuple[str, str]
    item: Item | None = None
    update: str | None = None
    condition: str | None = None
    values: Item = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "TableName": self.table,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if self.item is not None:
            body["Item"] = marshal_item({"pk": self.key[0], "sk": self.key[1], **self.item})
        else:
            body["Key"] = marshal_item({"pk": self.key[0], "sk": self.key[1]})
        if self.update is not None:
            body["UpdateExpression"] = self.update
        if self.condition is not None:
            body["ConditionExpression"] = self.condition
        if self.values:
            body["ExpressionAttributeValues"] = marshal_item({f":{k}": v for k, v in self.values.items()})
        if self.names:
            body["ExpressionAttributeNames"] = self.names
        return body


@dataclass(frozen=True)
class Scanned:
    """A part of a table: how many items were looked at, and where to go on, if there are more."""

    items: list[Item]
    looked_at: int
    following: Item | None


class Dynamo:
    """The operations that this room needs."""

    def __init__(self, client: DynamoDBClient, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def _call(self, operation: Callable[..., Any], **request: Any) -> Any:
        for attempt in range(1, _CONFLICT_TRIES + 1):
            try:
                return operation(**request)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code == "ConditionalCheckFailedException":
                    raise ConditionFailed(unmarshal_item(_item_of(error.response))) from None
                if code == "TransactionCanceledException":
                    failed = _failed_conditions(error.response)
                    if failed is not None:
                        raise TransactionRefused(failed) from None
                    problem: InfrastructureError = TransactionConflict(str(error))
                else:
                    problem = translate(error)
                # A conflict says nothing of the conditions: only another try can tell.
                if not isinstance(problem, TransactionConflict) or attempt == _CONFLICT_TRIES:
                    raise problem from error
            except BotoCoreError as error:
                raise translate(error) from error
            self._sleep(0.01 * 2**attempt * random.random())
        raise AssertionError("unreachable")

    def put(self, write: Write) -> None:
        """Raises ConditionFailed."""
        self._call(self._client.put_item, **write.request())

    def update(self, write: Write) -> Item:
        """The item afterwards. Raises ConditionFailed."""
        answer = self._call(self._client.update_item, ReturnValues="ALL_NEW", **write.request())
        return unmarshal_item(answer.get("Attributes")) or {}

    def delete(self, write: Write) -> None:
        """Raises ConditionFailed."""
        self._call(self._client.delete_item, **write.request())

    def transact(self, writes: Sequence[Write]) -> None:
        """All or nothing. Raises TransactionRefused."""
        operations = []
        for write in writes:
            kind = "Put" if write.item is not None else "Update" if write.update is not None else "ConditionCheck"
            operations.append({kind: write.request()})
        self._call(self._client.transact_write_items, TransactItems=operations)

    def get(self, table: str, pk: str, sk: str) -> Item | None:
        """Consistent."""
        answer = self._call(
            self._client.get_item,
            TableName=table,
            Key=marshal_item({"pk": pk, "sk": sk}),
            ConsistentRead=True,
        )
        return unmarshal_item(answer.get("Item"))

    def query(
        self,
        table: str,
        condition: str,
        values: Item,
        *,
        index: str | None = None,
        forward: bool = True,
        page_size: int | None = None,
    ) -> Iterator[Item]:
        """Items in the order of their range keys, page by page as they are asked for; consistent on the table."""
        request: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": marshal_item({f":{k}": v for k, v in values.items()}),
            "ScanIndexForward": forward,
        }
        if index is not None:
            request["IndexName"] = index
        else:
            request["ConsistentRead"] = True
        if page_size is not None:
            request["Limit"] = page_size
        while True:
            answer = self._call(self._client.query, **request)
            for raw in answer["Items"]:
                item = unmarshal_item(raw)
                assert item is not None
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def page(self, table: str, condition: str, values: Item, limit: int) -> tuple[list[Item], str | None]:
        """Up to `limit` items (1 MB at most) in the order of their range keys, and that of the last one if there are
        more. Consistent."""
        answer = self._call(
            self._client.query,
            TableName=table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=marshal_item({f":{k}": v for k, v in values.items()}),
            ConsistentRead=True,
            # One more than is asked for, to know whether there are more.
            Limit=limit + 1,
        )
        found = [item for raw in answer["Items"] if (item := unmarshal_item(raw)) is not None]
        items = found[:limit]
        has_more = len(found) > limit or "LastEvaluatedKey" in answer
        return items, str(items[-1]["sk"]) if items and has_more else None

    def scan_page(self, table: str, after: Item | None, limit: int, only: str = "", **values: str) -> Scanned:
        """Look at up to `limit` items of the table (1 MB at most) from a place on. Those that do not fulfil `only` are
        left out, but paid for."""
        request: dict[str, Any] = {"TableName": table, "Limit": limit}
        if after is not None:
            request["ExclusiveStartKey"] = marshal_item(after)
        if only:
            request["FilterExpression"] = only
            request["ExpressionAttributeValues"] = marshal_item({f":{k}": v for k, v in values.items()})
        answer = self._call(self._client.scan, **request)
        items = [item for raw in answer["Items"] if (item := unmarshal_item(raw)) is not None]
        return Scanned(items, answer["ScannedCount"], unmarshal_item(answer.get("LastEvaluatedKey")))

    def count_items(self, table: str) -> int:
        """As DynamoDB knew it some hours ago at most."""
        return int(self._call(self._client.describe_table, TableName=table)["Table"]["ItemCount"])

    def get_many(self, table: str, keys: Sequence[tuple[str, str]], *, only: str = "") -> list[Item]:
        """Consistent; in no order; what is missing is left out. `only` names the attributes that are wanted."""
        found: list[Item] = []
        unique = list(dict.fromkeys(keys))
        for start in range(0, len(unique), 100):
            wanted: dict[str, Any] = {
                table: {
                    "Keys": [marshal_item({"pk": pk, "sk": sk}) for pk, sk in unique[start : start + 100]],
                    "ConsistentRead": True,
                    **({"ProjectionExpression": only} if only else {}),
                }
            }
            for answer in self._until_processed(self._client.batch_get_item, wanted, "UnprocessedKeys"):
                rows = answer.get("Responses", {}).get(table, [])
                found += [item for raw in rows if (item := unmarshal_item(raw)) is not None]
        return found

    def delete_many(self, table: str, keys: Sequence[tuple[str, str]]) -> None:
        """Delete; what is gone already does not matter."""
        unique = list(dict.fromkeys(keys))
        for start in range(0, len(unique), 25):
            wanted: dict[str, Any] = {
                table: [
                    {"DeleteRequest": {"Key": marshal_item({"pk": pk, "sk": sk})}}
                    for pk, sk in unique[start : start + 25]
                ]
            }
            for _ in self._until_processed(self._client.batch_write_item, wanted, "UnprocessedItems"):
                pass

    def _until_processed(
        self, operation: Callable[..., Any], wanted: dict[str, Any], rest: str
    ) -> Iterator[dict[str, Any]]:
        for attempt in range(1, _CONFLICT_TRIES + 1):
            answer = self._call(operation, RequestItems=wanted)
            yield answer
            wanted = answer.get(rest) or {}
            if not wanted:
                return
            self._sleep(0.05 * 2**attempt * random.random())
        raise Throttled("DynamoDB left a part of a batch unprocessed")


def _item_of(response: Any) -> dict[str, Any] | None:
    item = response.get("Item")
    return item if isinstance(item, dict) else None


def _failed_conditions(response: Any) -> dict[int, Item | None] | None:
    """The operations whose condition failed, or None when there was another reason to cancel the transaction."""
    reasons = response.get("CancellationReasons") or []
    codes = [str(reason.get("Code", "None")) for reason in reasons]
    if any(code not in ("None", "ConditionalCheckFailed") for code in codes):
        return None
    failed = {
        index: unmarshal_item(reason.get("Item"))
        for index, (code, reason) in enumerate(zip(codes, reasons, strict=True))
        if code == "ConditionalCheckFailed"
    }
    return failed or None
