"""What AWS has of a stage's Lambda side, found by name and tag: whether or not a record of it was kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import APP, Account, absent
from infra.deploy.policies import API, FUNCTIONS, lambda_name


@dataclass(frozen=True)
class Mapping:
    """An event source mapping between one of our queues and one of our functions."""

    uuid: str
    queue_arn: str
    function_arn: str

    @property
    def queue(self) -> str:
        return self.queue_arn.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Inventory:
    """Keys are chalice's names of functions: `api_handler`, `on_event`, …"""

    functions: dict[str, str] = field(default_factory=dict)
    """The function's ARN."""
    roles: dict[str, str] = field(default_factory=dict)
    """The role's ARN."""
    mappings: dict[str, tuple[Mapping, ...]] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    """The schedule's rule name."""
    rest_apis: tuple[str, ...] = ()
    """Ids of the REST APIs that call the stage's handler, the oldest first."""

    def is_empty(self) -> bool:
        return not (self.functions or self.roles or any(self.mappings.values()) or self.rules or self.rest_apis)


def take(account: Account, stage: str, recorded: Iterable[str] = ()) -> Inventory:
    """Look for everything that belongs to the stage; `recorded` are further function names to look for."""
    functions = _functions(account, stage)
    names = sorted({*functions, *FUNCTIONS, *recorded})
    return Inventory(
        functions=functions,
        roles=_found({name: _role(account, stage, name) for name in names}),
        mappings={name: found for name in names if (found := _mappings(account, stage, name))},
        rules=_found({name: _rule(account, stage, name) for name in names}),
        rest_apis=_rest_apis(account, stage),
    )


def _found(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _functions(account: Account, stage: str) -> dict[str, str]:
    """By prefix and by chalice's tag, since stage `dev` and stage `dev-2` share a prefix."""
    prefix = lambda_name(stage, API)
    found = {}
    for one in account.pages("lambda", "list_functions", "Functions"):
        name, arn = one["FunctionName"], one["FunctionArn"]
        if name != prefix and not name.startswith(prefix + "-"):
            continue
        tag = account.client("lambda").list_tags(Resource=arn)["Tags"].get("aws-chalice", "")
        if re.fullmatch(rf"version=[^:]*:stage={re.escape(stage)}:app={APP}", tag):
            found[API if name == prefix else name.removeprefix(prefix + "-")] = arn
    return found


def _role(account: Account, stage: str, name: str) -> str | None:
    try:
        arn: str = account.client("iam").get_role(RoleName=role_name(stage, name))["Role"]["Arn"]
    except ClientError as error:
        if absent(error):
            return None
        raise
    return arn


def role_name(stage: str, name: str) -> str:
    """Chalice's name of a function's role."""
    return f"{APP}-{stage}-{name}"


def _mappings(account: Account, stage: str, name: str) -> tuple[Mapping, ...]:
    """Those to our queues, the oldest first."""
    try:
        found = list(
            account.pages(
                "lambda",
                "list_event_source_mappings",
                "EventSourceMappings",
                FunctionName=lambda_name(stage, name),
            )
        )
    except ClientError as error:
        if absent(error):
            return ()
        raise
    found.sort(key=lambda one: str(one.get("LastModified", "")))
    ours = f":{APP}-{stage}-"
    return tuple(
        Mapping(one["UUID"], one["EventSourceArn"], one["FunctionArn"])
        for one in found
        if ours in one.get("EventSourceArn", "") and one.get("State") != "Deleting"
    )


def _rule(account: Account, stage: str, name: str) -> str | None:
    rule = f"{APP}-{stage}-{name}-event"
    try:
        account.client("events").describe_rule(Name=rule)
    except ClientError as error:
        if absent(error):
            return None
        raise
    return rule


def _rest_apis(account: Account, stage: str) -> tuple[str, ...]:
    """Chalice gives the REST APIs of all stages one name: whose an API is, the function tells that it calls."""
    handler = f":function:{lambda_name(stage, API)}/invocations"
    apis = [one for one in account.pages("apigateway", "get_rest_apis", "items") if one["name"] == APP]
    apis.sort(key=lambda one: str(one.get("createdDate", "")))
    return tuple(one["id"] for one in apis if _calls(account, one["id"], handler))


def _calls(account: Account, api_id: str, handler: str) -> bool:
    resources: Iterable[dict[str, Any]] = account.pages(
        "apigateway", "get_resources", "items", restApiId=api_id, embed=["methods"]
    )
    return any(
        handler in method.get("methodIntegration", {}).get("uri", "")
        for resource in resources
        for method in resource.get("resourceMethods", {}).values()
    )
