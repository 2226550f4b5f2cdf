"""Which permissions the handlers use, and whether a policy gives them."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.testing.memory import wire

ACCOUNT, REGION = "123456789012", "eu-central-1"
Use = tuple[str, str]
"""An action and the ARN it is done to."""
_function: ContextVar[str | None] = ContextVar("function", default=None)
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}


@contextlib.contextmanager
def acting(function: str) -> Iterator[None]:
    """What is asked of AWS inside is this function's."""
    token = _function.set(function)
    try:
        yield
    finally:
        _function.reset(token)


def record(patch: pytest.MonkeyPatch) -> dict[str, set[Use]]:
    """From now on, what each function uses, as IAM sees it."""
    used: dict[str, set[Use]] = {}
    ask, ask_memory = BaseClient._make_api_call, wire.ask  # type: ignore[attr-defined]

    def note(service: str, operation: str, params: Mapping[str, Any]) -> None:
        function = _function.get()
        if function is not None:
            used.setdefault(function, set()).update(uses(service, operation, dict(params)))

    def asked(client: Any, operation: str, params: dict[str, Any]) -> Any:
        note(client.meta.service_model.service_name, operation, params)
        return ask(client, operation, params)

    def asked_memory(service: str, operation: str, params: Mapping[str, Any]) -> Any:
        note(service, operation, params)
        return ask_memory(service, operation, params)

    patch.setattr(BaseClient, "_make_api_call", asked)
    # The kit's clients of DynamoDB and SQS go that way.
    patch.setattr(wire, "ask", asked_memory)
    return used


def uses(service: str, operation: str, params: dict[str, Any]) -> set[Use]:
    """The permissions that a call needs. Raises KeyError for a service that nobody thought of."""
    readers: dict[str, Callable[[str, dict[str, Any]], set[Use]]] = {
        "dynamodb": _dynamodb,
        "sqs": _sqs,
        "s3": _s3,
        "ssm": _ssm,
        "events": _events,
        "cloudwatch": lambda operation, _params: {(f"cloudwatch:{operation}", "*")},
    }
    return readers[service](operation, params)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _dynamodb(operation: str, params: dict[str, Any]) -> set[Use]:
    if operation == "TransactWriteItems":
        parts = [next(iter(part.items())) for part in params["TransactItems"]]
        return {(f"dynamodb:{_TRANSACTED[kind]}", _table(one["TableName"])) for kind, one in parts}
    tables = [*params.get("RequestItems", {})] or [params["TableName"]]
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return {(f"dynamodb:{operation}", _table(table) + index) for table in tables}


def _table(name: str) -> str:
    return _arn("dynamodb", f"table/{name}")


def _sqs(operation: str, params: dict[str, Any]) -> set[Use]:
    return {(f"sqs:{operation.removesuffix('Batch')}", _arn("sqs", params["QueueUrl"].rsplit("/", 1)[1]))}


def _s3(operation: str, params: dict[str, Any]) -> set[Use]:
    return {(f"s3:{operation}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}")}


def _ssm(operation: str, params: dict[str, Any]) -> set[Use]:
    return {(f"ssm:{operation}", _arn("ssm", f"parameter{name}")) for name in params["Names"]}


def _events(operation: str, params: dict[str, Any]) -> set[Use]:
    return {(f"events:{operation}", _arn("events", f"event-bus/{e['EventBusName']}")) for e in params["Entries"]}


def grants(policy: dict[str, Any]) -> set[Use]:
    """What a policy without denials allows: actions, and patterns of ARNs."""
    assert all(one["Effect"] == "Allow" for one in policy["Statement"])
    return {
        (action, resource) for one in policy["Statement"] for action in one["Action"] for resource in one["Resource"]
    }


def covers(grant: Use, use: Use) -> bool:
    """Whether a grant allows a use."""
    return grant[0] == use[0] and fnmatch.fnmatchcase(use[1], grant[1])
