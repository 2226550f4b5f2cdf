"""The OpenAPI document, made of the table of routes and the models. Loaded when it is asked for."""

from __future__ import annotations

import functools
import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.core.events import IncomingEvent
from chalicelib.web import models
from chalicelib.web.dispatch import load_model, load_view
from chalicelib.web.table import ROUTES, Route

_REF = "#/components/schemas/{model}"
_ERRORS = {
    400: "What was sent cannot be used; the error names it and says what would be right.",
    401: "The key is missing or not known.",
    404: "There is no such thing, or it has expired.",
    409: "It cannot be done now; the error says why.",
    413: "The request, or the answer, is too large.",
    415: "The content type is not one of those above.",
    500: "Our mistake; the log has it under the request id in the error.",
    501: "Stepwell does not offer this; the error says what it offers instead.",
    503: "AWS did not answer as it should; the same request can be sent again.",
}
_PATH_PARAMETERS = {
    "key": "An event key. Any will do in local development.",
    "event_id": "The internal id of an event, as sending it answered.",
    "run_id": "The id of a run.",
    "function_id": "The id of a function.",
    "app_id": "The id of an app.",
    "cancellation_id": "The id of a bulk cancellation.",
    "replay_id": "The id of a replay of many.",
    "letter_id": "The id of a dead letter, as the list of them tells.",
}
_ABOUT = """Durable functions: send events, and look at what they caused.

Every route but `GET /health`, `GET /dev` and `POST /e/{key}` asks for a signing key as a bearer token. Lists and
objects are `{data, metadata}`; where a list goes on, `metadata.cursor` is the next page's `cursor`. Errors are
`{error, status}`. Times are UTC. Fields may be added at any time."""


@functools.cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1. The same object at every call: not to be changed."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stepwell", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "signingKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A signing key, as it is or hashed as SDKs send it. None in local development.",
                }
            },
        },
    }


def _schemas() -> dict[str, Any]:
    answers = {load_model(name) for route in ROUTES for name in (route.answer, route.refusal)} | {models.Error}
    answers |= {load_model(model) for route in ROUTES for _, model, _ in (*route.others, *_elsewhere(route))}
    ordered = sorted(answers, key=lambda model: str(model.__name__))
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "serialization") for model in ordered]
    bodies: set[Any] = {load_model(route.body) for route in ROUTES if route.body is not None}
    wanted += [(model, "validation") for model in sorted(bodies | {IncomingEvent}, key=lambda model: str(model))]
    _, found = models_json_schema(wanted, ref_template=_REF)
    schemas: dict[str, Any] = _open(found["$defs"])
    return schemas


def _open(schema: Any) -> Any:
    """We hold ourselves to what is described (a test does); a client must not, since fields may be added."""
    if isinstance(schema, dict):
        return {
            key: _open(value) for key, value in schema.items() if not (key == "additionalProperties" and value is False)
        }
    return [_open(item) for item in schema] if isinstance(schema, list) else schema


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=name)}


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.view.replace(".", "_"),
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route),
        "security": [] if route.is_open else [{"signingKey": []}],
    }
    about = load_view(route).__doc__
    if about:
        operation["description"] = about
    if route.body is not None:
        operation["requestBody"] = {"required": route.needs_body, "content": _json(route.body)}
    elif route.takes_body:
        one = _ref("IncomingEvent")
        schema = {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": 5000}]}
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": schema},
                "application/x-www-form-urlencoded": {"schema": one},
                "text/plain": {"schema": {"type": "string", "description": "The same JSON, as text."}},
            },
        }
    return operation


def _responses(route: Route) -> dict[str, Any]:
    content_type = getattr(load_model(route.answer), "content_type", "application/json")
    answer = {"description": route.summary, "content": {content_type: {"schema": _ref(route.answer)}}}
    responses = {} if 501 in route.errors else {"200": answer}
    for code, model, about in (*route.others, *_elsewhere(route)):
        responses[code] = {"description": about, "content": _json(model)}
    asks = route.path not in ("/health", "/dev")
    for status in sorted({*route.errors, *({401} if asks else ()), 500, 503}):
        model = route.refusal if status in (400, 503) else "Error"
        responses[str(status)] = {"description": _ERRORS[status], "content": _json(model)}
    return responses


def _elsewhere(route: Route) -> tuple[tuple[str, str, str], ...]:
    about = "The answer is too large for here: it lies where `Location` says, for five minutes."
    return (("302", "Elsewhere", about),) if route.may_lie_elsewhere and 501 not in route.errors else ()


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(model)}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.parameters is None:
        return []
    schema = load_model(route.parameters).model_json_schema()
    found = []
    for name, described in schema["properties"].items():
        described = {key: value for key, value in described.items() if key != "title"}
        about = described.pop("description")
        # An absent one is null inside us, and never sent as such; a default that is a number inside us is none.
        alternatives = [one for one in described.pop("anyOf", []) if one != {"type": "null"}]
        if described.get("default") is None or described.get("format") == "date-time":
            described.pop("default", None)
        for one in alternatives:
            described |= one
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "description": about,
                "schema": described,
            }
        )
    return found
