"""Who asks an account in memory: requests of botocore on their way to moto, and the kit's own clients.

Requests about the account's tables and queues are answered by it, all others (S3, EventBridge, tables of the user's
own) by moto.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from moto import mock_aws
from moto.core.models import botocore_stubber

from chalicelib.testing.memory.account import Account
from chalicelib.testing.memory.refusals import Refused

_PROTOCOLS = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs"}

# moto changes what it holds without a lock of its own, and each call here is to be one whole.
_ONE_AT_A_TIME = threading.RLock()
_served: list[Account] = []


@contextlib.contextmanager
def serving(account: Account) -> Iterator[None]:
    """AWS in this process, for every client that it makes: this account, and moto for all else.

    Raises NotImplementedError at the end, too, when something was asked for that the account does not know: whoever
    asked may have taken it for a fault that passes.
    """
    with mock_aws():
        before = botocore_stubber.process_request

        def process_request(request: AWSPreparedRequest) -> Any:
            with _ONE_AT_A_TIME:
                response = _answer(request)
                return before(request) if response is None else response

        botocore_stubber.process_request = process_request
        _served.append(account)
        try:
            yield
        finally:
            _served.pop()
            botocore_stubber.process_request = before
        if account.missing:
            raise account.missing[0]


def ask(service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer of the account that is served; None when the request is not about anything in it. Raises Refused, or
    NotImplementedError."""
    if not _served:
        return None
    account = _served[-1]
    asked = account.dynamodb if service == "dynamodb" else account.sqs
    with _ONE_AT_A_TIME:
        try:
            return asked.answer(operation, request) if asked.owns(request) else None
        except NotImplementedError as error:
            account.missing.append(error)
            raise


def _answer(request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes] | None:
    """Status, headers and body; None when moto is to answer."""
    target = request.headers.get("X-Amz-Target")
    if target is None or ".amazonaws.com" not in request.url:
        return None
    protocol, _, operation = (target.decode() if isinstance(target, bytes) else target).partition(".")
    if protocol not in _PROTOCOLS:
        return None
    body: Any = request.body
    try:
        found = ask(_PROTOCOLS[protocol], operation, json.loads(body or b"{}"))
    except Refused as refused:
        told = {"__type": f"com.amazonaws#{refused.code}", "message": refused.message, **refused.more}
        return 400, {"x-amzn-query-error": f"{refused.code};Sender"}, json.dumps(told).encode()
    return None if found is None else (200, {}, json.dumps(found).encode())
