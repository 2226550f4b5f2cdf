"""Chalice's record of what it deployed, `.chalice/deployed/<stage>.json`: kept true to what AWS has.

Chalice writes it at the end of a deployment alone, and knows an API or a mapping only from it: without it, a second
API and a second mapping follow. So it is rebuilt from AWS before each deployment and written as things come to be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.deploy.inventory import Inventory, role_name
from infra.deploy.problems import DeployError

Resource = dict[str, Any]
_LOOKED_FOR = frozenset({"lambda_function", "iam_role", "sqs_event", "cloudwatch_event", "rest_api"})


def path(project: Path, stage: str) -> Path:
    """Where chalice keeps it."""
    return project / ".chalice" / "deployed" / f"{stage}.json"


def read(project: Path, stage: str) -> list[Resource]:
    """The resources recorded; none where there is no record. Raises DeployError for one that is no record."""
    file = path(project, stage)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        resources = document["resources"]
        assert isinstance(resources, list)
        assert all(isinstance(one["name"], str) and isinstance(one["resource_type"], str) for one in resources)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise DeployError(
            f"{file} cannot be read. Delete it and run the command again: the record is rebuilt from what AWS has."
        ) from None
    return resources


def write(project: Path, stage: str, resources: Sequence[Resource]) -> None:
    """Whole or not at all."""
    file = path(project, stage)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(file.name + ".new")
    document = {"resources": list(resources), "schema_version": "2.0", "backend": "api"}
    half.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(half, file)


def forget(project: Path, stage: str) -> None:
    """Remove the record."""
    path(project, stage).unlink(missing_ok=True)


def function_names(resources: Sequence[Resource]) -> list[str]:
    """The functions that a record names."""
    return [one["name"] for one in resources if one["resource_type"] == "lambda_function"]


def merged(old: Sequence[Resource], new: Sequence[Resource]) -> list[Resource]:
    """While a deployment is under way: what it has done over what was there before."""
    found = {one["name"]: one for one in old}
    found.update({one["name"]: {**found.get(one["name"], {}), **one} for one in new})
    return list(found.values())


def true_to(recorded: Sequence[Resource], found: Inventory, stage: str) -> list[Resource]:
    """The record as it should be: what AWS has, under chalice's names; of kinds that nobody looked for, what was
    recorded. In the order in which things depend on each other: chalice deletes from the end."""
    before = {one["name"]: one for one in recorded}
    resources: list[Resource] = []

    def add(name: str, kind: str, **values: Any) -> None:
        kept = before.get(name, {})
        resources.append({**kept, "name": name, "resource_type": kind, **values})

    for name, arn in found.roles.items():
        add(f"{name}_role", "iam_role", role_arn=arn, role_name=role_name(stage, name))
    for name, arn in found.functions.items():
        add(name, "lambda_function", lambda_arn=arn)
    for name, mappings in found.mappings.items():
        kept = before.get(f"{name}-sqs-event-source", {}).get("event_uuid")
        one = next((each for each in mappings if each.uuid == kept), mappings[0])
        add(
            f"{name}-sqs-event-source",
            "sqs_event",
            queue_arn=one.queue_arn,
            event_uuid=one.uuid,
            queue=one.queue,
            lambda_arn=one.function_arn,
        )
    for name, rule in found.rules.items():
        add(f"{name}-event", "cloudwatch_event", rule_name=rule)
    if found.rest_apis:
        kept = before.get("rest_api", {}).get("rest_api_id")
        add("rest_api", "rest_api", rest_api_id=kept if kept in found.rest_apis else found.rest_apis[0])
    return resources + [one for one in recorded if one["resource_type"] not in _LOOKED_FOR]


def surplus(resources: Sequence[Resource], found: Inventory) -> tuple[list[str], list[str]]:
    """Mappings (UUIDs) and REST APIs (ids) that AWS has twice: left by a deployment whose record was lost."""
    held = {one.get("event_uuid") for one in resources} | {one.get("rest_api_id") for one in resources}
    mappings = [one.uuid for many in found.mappings.values() for one in many if one.uuid not in held]
    return mappings, [one for one in found.rest_apis if one not in held]


def api_id(resources: Sequence[Resource]) -> str | None:
    """The id of the REST API."""
    return next((one["rest_api_id"] for one in resources if one["resource_type"] == "rest_api"), None)
