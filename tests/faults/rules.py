"""Faults that AWS answers with, and answers in small pieces."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from tests.faults.injector import Answer, Call, Refusal, Rule


def refuse(operation: str, refusal: Refusal, *, times: int, skip: int = 0) -> Rule:
    """The first `times` calls of an operation (`dynamodb.PutItem`, or `dynamodb.` for all) after `skip` are refused."""
    seen = Counter[str]()

    def rule(call: Call, _: Answer) -> AWSResponse | None:
        if not call.name.startswith(operation):
            return None
        seen["calls"] += 1
        return refusal.response(call) if skip < seen["calls"] <= skip + times else None

    return rule


def conflicts(call_count: int) -> Refusal:
    """A transaction that met another one."""
    reasons = [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}]
    reasons += [{"Code": "None"}] * (call_count - 1)
    return Refusal(400, "TransactionCanceledException", {"CancellationReasons": reasons})


def refuse_all_transactions(times: int) -> Rule:
    """Each transaction (by the items that it touches) conflicts so often before it is carried out."""
    seen = Counter[str]()

    def rule(call: Call, _: Answer) -> AWSResponse | None:
        if call.operation != "TransactWriteItems":
            return None
        operations = call.body["TransactItems"]
        touched = json.dumps([_touched(request) for operation in operations for request in operation.values()])
        seen[touched] += 1
        return conflicts(len(operations)).response(call) if seen[touched] <= times else None

    return rule


def _touched(request: dict[str, Any]) -> list[Any]:
    """The item that an operation is about: the rest differs from one delivery to the next."""
    key = request.get("Key") or request["Item"]
    return [request["TableName"], key["pk"], key["sk"]]


def small_pages(call: Call, answer: Answer) -> AWSResponse | None:
    """Reads give one item a page, and batches are half done."""
    if call.service != "dynamodb":
        return None
    body = call.body
    match call.operation:
        case "Query" | "Scan":
            call.rewrite({**body, "Limit": 1})
        case "BatchGetItem":
            ((table, wanted),) = body["RequestItems"].items()
            rest = wanted["Keys"][1:]
            call.rewrite({**body, "RequestItems": {table: {**wanted, "Keys": wanted["Keys"][:1]}}})
            return _with(answer(call), "UnprocessedKeys", {table: {**wanted, "Keys": rest}} if rest else {})
        case "BatchWriteItem":
            ((table, requests),) = body["RequestItems"].items()
            call.rewrite({**body, "RequestItems": {table: requests[:1]}})
            return _with(answer(call), "UnprocessedItems", {table: requests[1:]} if requests[1:] else {})
    return None


def _with(response: AWSResponse, field: str, value: Any) -> AWSResponse:
    body = {**json.loads(response.content), field: value}
    raw = MockRawResponse(json.dumps(body))
    # AWSPreparedRequest's checksum of the first answer would not fit this one.
    headers = {name: text for name, text in response.headers.items() if name.lower() != "x-amz-crc32"}
    return AWSResponse(response.url, response.status_code, headers, raw)  # type: ignore[arg-type]
