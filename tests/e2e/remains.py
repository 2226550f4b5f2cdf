"""Everything that there is in the account: what a deployment makes, and what a destroyed one may not leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.ground import Ground


def _names(client: Any, operation: str, key: str, name: str | None = None, **arguments: Any) -> list[str]:
    """The names in all pages of a list."""
    if client.can_paginate(operation):
        pages = list(client.get_paginator(operation).paginate(**arguments))
    else:
        pages = [getattr(client, operation)(**arguments)]
    return [one if name is None else str(one[name]) for page in pages for one in page.get(key) or []]


def found(ground: Ground) -> dict[str, list[str]]:
    """By kind, the names of everything that exists; kinds of which nothing exists are left out."""
    client = ground.client
    events = client("events")
    kinds: dict[str, Callable[[], list[str]]] = {
        "tables": lambda: _names(client("dynamodb"), "list_tables", "TableNames"),
        "queues": lambda: _names(client("sqs"), "list_queues", "QueueUrls"),
        "buckets": lambda: _names(client("s3"), "list_buckets", "Buckets", "Name"),
        "functions": lambda: _names(client("lambda"), "list_functions", "Functions", "FunctionName"),
        "mappings": lambda: _names(client("lambda"), "list_event_source_mappings", "EventSourceMappings", "UUID"),
        "layers": lambda: _names(client("lambda"), "list_layers", "Layers", "LayerName"),
        "function URLs": lambda: [
            one["FunctionUrl"]
            for function in _names(client("lambda"), "list_functions", "Functions", "FunctionName")
            for one in client("lambda").list_function_url_configs(FunctionName=function)["FunctionUrlConfigs"]
        ],
        "apis": lambda: _names(client("apigateway"), "get_rest_apis", "items", "id"),
        "rules": lambda: _names(events, "list_rules", "Rules", "Name"),
        "buses": lambda: [n for n in _names(events, "list_event_buses", "EventBuses", "Name") if n != "default"],
        "parameters": lambda: _names(client("ssm"), "describe_parameters", "Parameters", "Name"),
        "log groups": lambda: _names(client("logs"), "describe_log_groups", "logGroups", "logGroupName"),
        "roles": lambda: _names(client("iam"), "list_roles", "Roles", "RoleName"),
        "topics": lambda: _names(client("sns"), "list_topics", "Topics", "TopicArn"),
        "alarms": lambda: _names(client("cloudwatch"), "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": lambda: _names(client("cloudwatch"), "list_dashboards", "DashboardEntries", "DashboardName"),
        "stacks": lambda: [
            one["StackName"]
            for one in client("cloudformation").list_stacks()["StackSummaries"]
            if one["StackStatus"] != "DELETE_COMPLETE"
        ],
    }
    listed = {kind: look() for kind, look in kinds.items()}
    return {kind: names for kind, names in listed.items() if names}
