"""Single writes and transactions: first all is decided, then all is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.testing.memory import conditions, updates
from chalicelib.testing.memory.conditions import Condition
from chalicelib.testing.memory.refusals import Refused, invalid, only
from chalicelib.testing.memory.tables import Key, Row, Table, key_of
from chalicelib.testing.memory.tokens import Scope
from chalicelib.testing.memory.updates import Update
from chalicelib.testing.memory.values import ITEM_BYTES, Item, checked

MOST_OPERATIONS = 100
_TRANSACTION_BYTES = 4 * 1024 * 1024
_TOKEN_S = 600
_EXPRESSIONS = (
    "TableName",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
)
_PARAMETERS = {
    "Put": ("Item", *_EXPRESSIONS),
    "Update": ("Key", "UpdateExpression", *_EXPRESSIONS),
    "Delete": ("Key", *_EXPRESSIONS),
    "ConditionCheck": ("Key", *_EXPRESSIONS),
}

Tables = Mapping[str, Table]


@dataclass(frozen=True)
class Write:
    """A write that is well formed: what it becomes depends on what is there."""

    kind: str
    table: Table
    key: Key
    scope: Scope
    item: Item | None
    update: Update | None
    condition: Condition | None
    tells_item: bool

    def decided(self) -> Row | None:
        """What is to be stored, None for nothing. Raises Refused."""
        before = self.table.rows.get(self.key)
        there: Item = {} if before is None else before.item
        if self.condition is not None and not self.condition.holds(there, self.scope):
            more = {"Item": there} if self.tells_item and there else {}
            raise Refused("ConditionalCheckFailedException", "The conditional request failed", **more)
        if self.kind == "ConditionCheck":
            return before
        if self.kind == "Delete":
            return None
        item = there
        if self.item is not None:
            item = self.item
        elif self.update is not None:
            order = self.table.order
            key = {order.hash_name: {"S": self.key[0]}, order.range_name: {"S": self.key[1]}}
            item = self.update.carried_out(there, self.scope) | key
        row = self.table.row(item)
        if row.size > ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        return row


def scope_of(request: Mapping[str, Any], placeholders: frozenset[str]) -> Scope:
    """What the placeholders of a request stand for. Raises Refused when one is missing or not used."""
    names: dict[str, str] = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    given = {*names, *values}
    if placeholders - given:
        raise invalid(f"An expression attribute used in expression is not defined: {sorted(placeholders - given)}")
    if given - placeholders:
        raise invalid(f"Value provided in ExpressionAttributeValues unused in expressions: {sorted(given)}")
    return Scope(names, checked(values))


def read_write(kind: str, request: Mapping[str, Any], tables: Tables) -> Write:
    """A part of a transaction, or a write by itself. Raises Refused."""
    if kind not in _PARAMETERS:
        raise NotImplementedError(f"{kind} among writes")
    only(request, _PARAMETERS[kind], kind)
    table = tables[request["TableName"]]
    condition, update = None, None
    placeholders: frozenset[str] = frozenset()
    if "ConditionExpression" in request:
        parsed = conditions.parse(request["ConditionExpression"])
        condition, placeholders = parsed.condition, parsed.placeholders
    elif kind == "ConditionCheck":
        raise invalid("The request must contain the parameter ConditionExpression")
    if "UpdateExpression" in request:
        update = updates.parse(request["UpdateExpression"])
        placeholders |= update.placeholders
    scope = scope_of(request, placeholders)
    names = () if update is None else update.names(scope)
    if len(set(names)) < len(names):
        raise invalid("Two document paths overlap with each other")
    order = table.order
    if {order.hash_name, order.range_name} & set(names):
        raise invalid("Cannot update attribute. This attribute is part of the key")
    item = checked(request["Item"]) if kind == "Put" else None
    key = key_of(item, order.hash_name, order.range_name) if item is not None else read_key(table, request["Key"])
    return Write(kind, table, key, scope, item, update, condition, _tells_item(request))


def _tells_item(request: Mapping[str, Any]) -> bool:
    return one_of(request, "ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD") == "ALL_OLD"


def one_of(request: Mapping[str, Any], name: str, default: str, *others: str) -> str:
    """A parameter that has one of these values. Raises NotImplementedError."""
    value: str = request.get(name, default)
    if value not in (default, *others):
        raise NotImplementedError(f"{name} {value}")
    return value


def read_key(table: Table, raw: Mapping[str, Any]) -> Key:
    """Raises Refused."""
    if set(raw) != {table.order.hash_name, table.order.range_name}:
        raise invalid("The provided key element does not match the schema")
    return key_of(checked(raw), table.order.hash_name, table.order.range_name)


class Transactions:
    """All or nothing; what comes again with its token has been done already."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._done: dict[str, tuple[float, str]] = {}

    def clear(self) -> None:
        self._done.clear()

    def carry_out(self, request: Mapping[str, Any], tables: Tables) -> None:
        """Raises Refused."""
        only(request, ("TransactItems", "ClientRequestToken"), "TransactWriteItems")
        token = request.get("ClientRequestToken")
        if token is None or not self._is_done(token, request["TransactItems"]):
            _transact(request["TransactItems"], tables)
            if token is not None:
                self._done[token] = self._now_s(), json.dumps(request["TransactItems"])

    def _is_done(self, token: str, operations: Sequence[Any]) -> bool:
        at_s, known = self._done.get(token, (0.0, ""))
        if not known or at_s + _TOKEN_S < self._now_s():
            return False
        if known != json.dumps(operations):
            raise Refused("IdempotentParameterMismatchException", "The token was used with other parameters")
        return True


def _transact(operations: Sequence[Mapping[str, Any]], tables: Tables) -> None:
    if not 1 <= len(operations) <= MOST_OPERATIONS:
        raise invalid(f"Member must have length between 1 and {MOST_OPERATIONS}")
    writes: list[Write] = []
    for operation in operations:
        [(kind, request)] = operation.items()
        writes.append(read_write(kind, request, tables))
    if len({(write.table.name, write.key) for write in writes}) < len(writes):
        raise invalid("Transaction request cannot include multiple operations on one item")
    rows, reasons = [], list[dict[str, Any]]()
    for write in writes:
        try:
            rows.append(write.decided())
            reasons.append({"Code": "None"})
        except Refused as refused:
            code = refused.code.removesuffix("Exception").replace("Validation", "ValidationError")
            reasons.append({"Code": code, "Message": refused.message, **refused.more})
    codes = [reason["Code"] for reason in reasons]
    if len(rows) < len(writes):
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
        raise Refused("TransactionCanceledException", message, CancellationReasons=reasons)
    if sum(row.size for row in rows if row is not None) > _TRANSACTION_BYTES:
        raise invalid("Collection size of transaction items exceeded: the limit is 4 MB")
    for write, row in zip(writes, rows, strict=True):
        write.table.write(write.key, row)
