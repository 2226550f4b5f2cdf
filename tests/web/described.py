"""Every answer that a test gets is held against what the OpenAPI document says of it."""

from __future__ import annotations

import functools
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from chalicelib.web.dispatch import load_model
from chalicelib.web.openapi import document

_DOCUMENT = "urn:openapi"


@functools.cache
def _validator(pointer: str) -> Draft202012Validator:
    resource = Resource.from_contents(document(), default_specification=_specification())
    registry: Any = Registry().with_resource(_DOCUMENT, resource)
    return Draft202012Validator({"$ref": f"{_DOCUMENT}#{pointer}"}, registry=registry)


def _specification() -> Any:
    from referencing.jsonschema import DRAFT202012

    return DRAFT202012


def check(method: str, resource: str, status: int, body: Any) -> None:
    """Raises AssertionError for an answer that the document does not allow, or that holds what it does not tell."""
    responses = document()["paths"][resource][method.lower()]["responses"]
    # Where an answer is not ours, it may have any status.
    told = str(status) if str(status) in responses or "default" not in responses else "default"
    assert told in responses, f"{method} {resource} answered {status}, which is not documented: {body}"
    reference = responses[told]["content"]["application/json"]["schema"]["$ref"]
    problems = [error.message for error in _validator(reference.removeprefix("#")).iter_errors(body)]
    assert not problems, f"{method} {resource}: {problems}"
    # The models refuse what they do not name; the published schemas let clients expect more.
    load_model(reference.rpartition("/")[2]).model_validate(body)
