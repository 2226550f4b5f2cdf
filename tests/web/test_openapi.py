"""The OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import app
from chalicelib.web.openapi import document
from chalicelib.web.table import ROUTES
from tests.web.api import Api


def test_it_is_a_valid_document() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_it_has_every_route_and_no_other() -> None:
    documented = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    there = {(method, path) for path, methods in app.routes.items() for method in methods}
    assert documented == there == {(route.method, route.path) for route in ROUTES}


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize(("name", "operation"), operations())
def test_each_operation_says_what_a_caller_needs(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    for parameter in operation["parameters"]:
        assert parameter["description"].endswith("."), (name, parameter)
        assert "type" in parameter["schema"], (name, parameter)
    statuses = set(operation["responses"])
    assert {"500", "503"} <= statuses
    assert ("200" in statuses) is ("501" not in statuses)
    is_open = name in ("GET /health", "GET /dev", "POST /e/{key}") or name.endswith("/output")
    assert operation["security"] == ([] if is_open else [{"signingKey": []}])
    assert ("401" in statuses) is (name not in ("GET /health", "GET /dev"))
    assert ("400" in statuses) >= any(parameter["in"] == "query" for parameter in operation["parameters"])


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)


def test_parameters_are_told_as_they_are_sent() -> None:
    found = {one["name"]: one for one in document()["paths"]["/v1/runs"]["get"]["parameters"]}
    assert found["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert found["started_after"]["schema"] == {"type": "string", "format": "date-time"}
    assert found["status"]["schema"]["enum"] == ["Queued", "Running", "Completed", "Failed", "Cancelled"]
    assert not any(one["required"] for one in found.values())


def test_every_content_type_that_events_may_have_is_told() -> None:
    (entry,) = app.routes["/e/{key}"].values()
    assert set(document()["paths"]["/e/{key}"]["post"]["requestBody"]["content"]) == set(entry.content_types)


def test_clients_may_expect_fields_that_are_added_later() -> None:
    assert "additionalProperties': False" not in str(document())


def test_it_is_served(api: Api) -> None:
    assert api.get("/openapi.json").body == document()
