"""What AWS refuses and its imitations take: keys that are too long or empty, numbers beyond 38 digits, items and
messages that are too large, characters that a message cannot hold."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.testing import Stepwell

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html, and SendMessage of SQS.
_PK_BYTES, _SK_BYTES = 2048, 1024
_ITEM_BYTES = 400 * 1024
_DIGITS, _EXPONENTS = 38, range(-130, 126)
_MESSAGE_BYTES = 1024 * 1024
_NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KEYS = {"pk": _PK_BYTES, "sk": _SK_BYTES}


@contextlib.contextmanager
def strict_aws(kit: Stepwell) -> Iterator[list[str]]:
    """While inside, requests that AWS would refuse are refused; the list says which, and why."""
    refused: list[str] = []

    def refuse(operation: str, problem: str) -> None:
        refused.append(f"{operation}: {problem}")
        error = {"Error": {"Code": "ValidationException", "Message": problem}}
        raise ClientError(error, operation)  # type: ignore[arg-type]

    def dynamodb(model: Any, params: Any, **_: Any) -> None:
        for problem in _problems(json.loads(params["body"])):
            refuse(model.name, problem)

    def sqs(model: Any, params: Any, **_: Any) -> None:
        body = json.loads(params["body"])
        entries = body.get("Entries", [body])
        texts = [entry["MessageBody"] for entry in entries if "MessageBody" in entry]
        for entry in entries:
            texts += [one["StringValue"] for one in entry.get("MessageAttributes", {}).values()]
        if any(not text or _NO_TEXT.search(text) for text in texts):
            refuse(model.name, "a text is empty or holds characters that are not allowed")
        if sum(len(text.encode()) for text in texts) > _MESSAGE_BYTES:
            refuse(model.name, "the messages are too large")

    watched = [
        (kit.platform.room.runs._dynamo._client, "before-call.dynamodb", dynamodb),
        (kit.platform.room.queues._client, "before-call.sqs", sqs),
    ]
    for client, event, handler in watched:
        client.meta.events.register(event, handler)
    try:
        yield refused
    finally:
        for client, event, handler in watched:
            client.meta.events.unregister(event, handler)


def _problems(body: dict[str, Any]) -> Iterator[str]:
    for item in _items(body):
        for name, limit in _KEYS.items():
            text = item.get(name, {}).get("S")
            if text is not None and not 0 < len(text.encode("utf-8", "surrogatepass")) <= limit:
                yield f"the key {name} has {len(text)} characters: {text[:60]!r}"
        if len(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")) > _ITEM_BYTES * 1.1:
            yield "the item is too large"
    yield from _in_values(body)


def _items(body: Any) -> Iterator[dict[str, Any]]:
    """Items and keys, wherever in a request they stand."""
    if isinstance(body, dict):
        if any(isinstance(body.get(name), dict) and "S" in body[name] for name in _KEYS):
            yield body
        for value in body.values():
            yield from _items(value)
    elif isinstance(body, list):
        for value in body:
            yield from _items(value)


def _in_values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.keys() == {"N"} and isinstance(value["N"], str):
            number = Decimal(value["N"])
            digits, exponent = len(number.as_tuple().digits), number.adjusted()
            if digits > _DIGITS or (number and exponent not in _EXPONENTS):
                yield f"a number has {digits} digits"
            return
        # What a query compares keys with is held to the same limits.
        for name, inner in value.items():
            if name in (":pk", ":sk", ":before", ":after", ":low", ":high") and isinstance(inner, dict):
                text = inner.get("S", "x")
                if not 0 < len(text.encode("utf-8", "surrogatepass")) <= _PK_BYTES:
                    yield f"the value {name} has {len(text)} characters"
            yield from _in_values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_values(inner)
