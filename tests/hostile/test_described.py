"""The OpenAPI document against the routes: requests that it allows, and ones that it does not, are answered as it says
and never by a fault of ours (schemathesis draws them)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from chalicelib.web.openapi import document
from tests.hostile.over_http import answered
from tests.hostile.strict_aws import strict_aws
from tests.web import described
from tests.web.api import Api, serve

load_all_checks()
SCHEMA = openapi.from_dict(copy.deepcopy(document()))
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok()  # type: ignore[union-attr]
    for found in SCHEMA.get_all_operations()
}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# What Stepwell does not offer, it says with 501.
NOT_OFFERED = [label for label in OPERATIONS if "/v1/realtime/" in label]
# Of each kind, for each operation. They are the same in every run of the suite.
EXAMPLES = 4
EXAMPLES_OF_ALL = 60
_SENT = ("method", "url", "headers", "params", "data", "json", "cookies")


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[Api, dict[str, str]]]:
    """With something to find behind each id."""
    with serve() as started, strict_aws(started.kit) as refused_by_aws:
        [waiting] = started.send({"name": "demo/greet", "data": {"name": "a", "wait": True}}).body["ids"]
        started.send({"name": "demo/greet", "data": {"fail": True}})
        run_id = started.kit.runs("greet")[0].run_id
        yield started, {"run_id": run_id, "event_id": waiting, "function_id": "greet"}
        assert not refused_by_aws


def _try(api: tuple[Api, dict[str, str]], label: str, mode: GenerationMode, examples: int) -> None:
    there = api[1]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode), finds=st.booleans())
    def holds(case: Any, finds: bool) -> None:
        if finds and mode is GenerationMode.POSITIVE:
            case.path_parameters = {
                name: there.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        sent = {
            name: value
            for name, value in case.as_transport_kwargs(base_url="http://localhost").items()
            if name in _SENT
        }
        answer = answered(requests.Request(**sent).prepare())
        used = CHECKS[1:] if label in NOT_OFFERED else CHECKS
        case.validate_response(answer, checks=used)
        if answer.headers.get("content-type", [""])[0].startswith("application/json"):
            method, _, path = label.partition(" ")
            described.check(method, path, answer.status_code, json.loads(answer.content))

    holds()


def _modes(label: str) -> list[GenerationMode]:
    takes_nothing = not OPERATIONS[label].query and not OPERATIONS[label].body and not OPERATIONS[label].path_parameters
    return [GenerationMode.POSITIVE] if takes_nothing else list(GenerationMode)


@pytest.mark.parametrize("label", OPERATIONS)
def test_it_is_answered_as_it_is_described(api: tuple[Api, dict[str, str]], label: str) -> None:
    for mode in _modes(label):
        _try(api, label, mode, EXAMPLES)


@pytest.mark.whole
@pytest.mark.parametrize("label", OPERATIONS)
def test_it_is_answered_as_it_is_described_whatever_is_sent(api: tuple[Api, dict[str, str]], label: str) -> None:
    for mode in _modes(label):
        _try(api, label, mode, EXAMPLES_OF_ALL)
