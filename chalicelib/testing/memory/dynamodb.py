"""DynamoDB's operations on the tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.testing.memory import conditions
from chalicelib.testing.memory.refusals import invalid, only
from chalicelib.testing.memory.tables import Order, Page, Row, Table
from chalicelib.testing.memory.tokens import Name, Scope
from chalicelib.testing.memory.values import Item
from chalicelib.testing.memory.writes import Transactions, one_of, read_key, read_write, scope_of

Answer = dict[str, Any]

_BATCH_BYTES = 16 * 1024 * 1024
_MOST_READ, _MOST_WRITTEN = 100, 25
_READING = (
    "TableName",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "Limit",
    "ExclusiveStartKey",
    "ConsistentRead",
)


class DynamoDB:
    """The tables of an account."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._transactions = Transactions(time.time)

    def create_table(self, properties: Mapping[str, Any]) -> None:
        """Make a table as CloudFormation's properties (or those of CreateTable) describe it."""
        types = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
        if set(types.values()) != {"S"}:
            raise NotImplementedError("keys other than texts")
        indexes = properties.get("GlobalSecondaryIndexes", [])
        if any(index["Projection"] != {"ProjectionType": "KEYS_ONLY"} for index in indexes):
            raise NotImplementedError("indexes that hold more than keys")
        name = properties["TableName"]
        self.tables[name] = Table(name, _keys(properties), {index["IndexName"]: _keys(index) for index in indexes})

    def clear(self) -> None:
        """Forget all items."""
        self._transactions.clear()
        for table in self.tables.values():
            table.clear()

    def owns(self, request: Mapping[str, Any]) -> bool:
        """Whether it is about tables that are here. Raises NotImplementedError when it is about others, too."""
        parts = [part for operation in request.get("TransactItems", ()) for part in operation.values()]
        named = [part["TableName"] for part in (request, *parts) if "TableName" in part]
        if isinstance(request.get("RequestItems"), dict):
            named += request["RequestItems"]
        ours = [name in self.tables for name in named]
        if any(ours) and not all(ours):
            raise NotImplementedError(f"one request to tables of the kit and others: {named}")
        return any(ours)

    def answer(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """What DynamoDB answers. Raises Refused, or NotImplementedError."""
        match operation:
            case "GetItem":
                return self._get(request)
            case "Query":
                return self._query(request)
            case "BatchGetItem":
                return self._batch_get(request)
            case "PutItem" | "UpdateItem" | "DeleteItem":
                return self._write(operation.removesuffix("Item"), request)
            case "TransactWriteItems":
                self._transactions.carry_out(request, self.tables)
                return {}
            case "BatchWriteItem":
                return self._batch_write(request)
            case "Scan":
                return self._scan(request)
            case "DescribeTable":
                return self._describe(request)
        raise NotImplementedError(f"DynamoDB's {operation}")

    def _get(self, request: Mapping[str, Any]) -> Answer:
        only(request, ("TableName", "Key", "ConsistentRead"), "GetItem")
        table = self.tables[request["TableName"]]
        row = table.rows.get(read_key(table, request["Key"]))
        return {} if row is None else {"Item": row.item}

    def _write(self, kind: str, request: Mapping[str, Any]) -> Answer:
        wanted = one_of(request, "ReturnValues", "NONE", *(("ALL_NEW",) if kind == "Update" else ()))
        write = read_write(
            kind, {name: value for name, value in request.items() if name != "ReturnValues"}, self.tables
        )
        row = write.decided()
        write.table.write(write.key, row)
        return {"Attributes": row.item} if wanted == "ALL_NEW" and row is not None else {}

    def _query(self, request: Mapping[str, Any]) -> Answer:
        only(request, (*_READING, "KeyConditionExpression", "IndexName", "ScanIndexForward"), "Query")
        table = self.tables[request["TableName"]]
        index = None
        if "IndexName" in request:
            index = table.indexes.get(request["IndexName"])
            if index is None:
                raise invalid("The table does not have the specified index")
            if request.get("ConsistentRead"):
                raise invalid("Consistent reads are not supported on global secondary indexes")
        order = index or table.order
        parsed = conditions.parse(request["KeyConditionExpression"])
        scope = scope_of(request, parsed.placeholders)
        wanted = conditions.key_range(parsed.condition, scope, order.hash_name, order.range_name)
        after = None
        if "ExclusiveStartKey" in request:
            partition, after = table.place(request["ExclusiveStartKey"], index)
            if partition != wanted.partition:
                raise invalid("The provided starting key is outside query boundaries based on provided conditions")
        places = order.select(wanted, after, forward=request.get("ScanIndexForward", True))
        page = table.page(places, index, _limit(request))
        return _found(table, index, page, [row.item for row in page.rows])

    def _scan(self, request: Mapping[str, Any]) -> Answer:
        only(request, (*_READING, "FilterExpression"), "Scan")
        table = self.tables[request["TableName"]]
        scope, only_if = _filter(request)
        after = table.place(request["ExclusiveStartKey"], None)[1].row if "ExclusiveStartKey" in request else None
        page = table.page(table.order.all_after(after), None, _limit(request))
        items = [row.item for row in page.rows if only_if is None or only_if.holds(row.item, scope)]
        return _found(table, None, page, items)

    def _batch_get(self, request: Mapping[str, Any]) -> Answer:
        only(request, ("RequestItems",), "BatchGetItem")
        if not 1 <= sum(len(wanted["Keys"]) for wanted in request["RequestItems"].values()) <= _MOST_READ:
            raise invalid("Too many items requested for the BatchGetItem call")
        found: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        size = 0
        for name, wanted in request["RequestItems"].items():
            only(wanted, ("Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"), "BatchGetItem")
            table, names, scope = self.tables[name], *_projection(wanted)
            found[name] = []
            keys = [read_key(table, key) for key in wanted["Keys"]]
            _refuse_duplicates(keys)
            for number, key in enumerate(keys):
                row = table.rows.get(key)
                size += 0 if row is None else row.size
                if size > _BATCH_BYTES:
                    left[name] = {**wanted, "Keys": wanted["Keys"][number:]}
                    break
                if row is not None:
                    found[name].append(_projected(row, names, scope))
        return {"Responses": found, "UnprocessedKeys": left}

    def _batch_write(self, request: Mapping[str, Any]) -> Answer:
        only(request, ("RequestItems",), "BatchWriteItem")
        operations = [(name, one) for name, many in request["RequestItems"].items() for one in many]
        if not 1 <= len(operations) <= _MOST_WRITTEN:
            raise invalid(f"Member must have length between 1 and {_MOST_WRITTEN}")
        writes = []
        for name, operation in operations:
            [(kind, body)] = operation.items()
            writes.append(read_write(kind.removesuffix("Request"), {"TableName": name, **body}, self.tables))
        _refuse_duplicates([(write.table.name, *write.key) for write in writes])
        for write, row in [(write, write.decided()) for write in writes]:
            write.table.write(write.key, row)
        return {"UnprocessedItems": {}}

    def _describe(self, request: Mapping[str, Any]) -> Answer:
        only(request, ("TableName",), "DescribeTable")
        table = self.tables[request["TableName"]]
        size = sum(row.size for row in table.rows.values())
        shown = {"TableName": table.name, "TableStatus": "ACTIVE", "ItemCount": len(table.rows), "TableSizeBytes": size}
        return {"Table": shown}


def _keys(described: Mapping[str, Any]) -> tuple[str, str]:
    by_type = {one["KeyType"]: one["AttributeName"] for one in described["KeySchema"]}
    if set(by_type) != {"HASH", "RANGE"}:
        raise NotImplementedError("tables and indexes without a range key")
    return by_type["HASH"], by_type["RANGE"]


def _limit(request: Mapping[str, Any]) -> int | None:
    limit: int | None = request.get("Limit")
    if limit is not None and limit < 1:
        raise invalid(
            "Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
        )
    return limit


def _filter(request: Mapping[str, Any]) -> tuple[Scope, conditions.Condition | None]:
    if "FilterExpression" not in request:
        return scope_of(request, frozenset()), None
    parsed = conditions.parse(request["FilterExpression"])
    return scope_of(request, parsed.placeholders), parsed.condition


def _found(table: Table, index: Order | None, page: Page, items: list[Item]) -> Answer:
    answer: Answer = {"Items": items, "Count": len(items), "ScannedCount": len(page.rows)}
    return answer if page.last is None else answer | {"LastEvaluatedKey": table.position(page.last, index)}


def _projection(wanted: Mapping[str, Any]) -> tuple[tuple[Name, ...] | None, Scope]:
    names, placeholders = None, frozenset[str]()
    if "ProjectionExpression" in wanted:
        names, placeholders = conditions.projection(wanted["ProjectionExpression"])
    return names, scope_of(wanted, placeholders)


def _projected(row: Row, names: tuple[Name, ...] | None, scope: Scope) -> Item:
    if names is None:
        return row.item
    wanted = {name.of(scope) for name in names}
    return {name: value for name, value in row.item.items() if name in wanted}


def _refuse_duplicates(keys: Sequence[tuple[str, ...]]) -> None:
    if len(set(keys)) < len(keys):
        raise invalid("Provided list of item keys contains duplicates")
