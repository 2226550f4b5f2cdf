"""Apps that want to be called through a connection of their own are told that there is no such thing here."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from app import app
from infra.local.context import LambdaContext
from infra.local.gateway import Request, answer_of, proxy_event
from tests.web.api import Api

PATH = "/v0/connect/start"


@pytest.mark.usefixtures("api")
def test_an_sdk_gets_a_gateway_whose_scheme_tells_why_it_cannot_connect() -> None:
    headers = [("Content-Type", "application/protobuf")]
    event = proxy_event(Request("POST", PATH, headers, b""), PATH, {}, app.api.binary_types)
    answer = answer_of(app(event, LambdaContext("stepwell-api", 29.0)))
    assert answer.status == 200
    assert ("Content-Type", "application/protobuf") in answer.headers
    # Field 2 of the message, a text, and nothing else.
    kind, length, text = answer.body[0], answer.body[1], answer.body[2:].decode("ascii")
    assert (kind >> 3, kind & 7, length) == (2, 2, len(text))
    assert length < 128
    scheme = urlsplit(text).scheme
    assert scheme == "stepwell-cannot-hold-connections-serve-the-app-over-http-instead-of-connect"


def test_everybody_else_is_told_in_words(api: Api) -> None:
    for content_type in (None, "application/json", "text/html"):
        answer = api.call("POST", PATH, b"{}", content_type)
        assert answer.status == 404
        assert "Serve the app over HTTP, and register it" in answer.body["error"]
