"""Which Lambda functions may be synced as apps: those that the operator has named, and in development any."""

from __future__ import annotations

import json

import pytest

from tests.web.api import SIGNING_KEY, Answer, Api, serve

NAMED = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
REFUSED = "is not one that may be called: name it in lambda_apps"


def sync(api: Api, url: str) -> Answer:
    body = json.dumps({"url": url}).encode()
    return api.call("POST", "/v1/apps/sync", body, "application/json", f"Bearer {SIGNING_KEY}")


@pytest.mark.parametrize("url", [NAMED + "-other", NAMED + ":live", NAMED.replace("central", "west") + "/api"])
def test_a_function_that_is_not_named_is_refused_with_what_to_do(url: str) -> None:
    with serve(DEV="0", LAMBDA_APPS=NAMED) as api:
        api.set_keys(["k" * 32], [SIGNING_KEY])
        answer = sync(api, url)
    assert answer.status == 400
    assert REFUSED in answer.body["error"]


@pytest.mark.parametrize("url", [NAMED, NAMED + "/api/other"])
def test_one_that_is_named_is_invoked(url: str) -> None:
    with serve(DEV="0", LAMBDA_APPS=f"{NAMED}-first,{NAMED}") as api:
        api.set_keys(["k" * 32], [SIGNING_KEY])
        answer = sync(api, url)
    # There is no such function here, and so it is Lambda that says no.
    assert f"{NAMED} cannot be invoked" in answer.body["error"], answer


def test_in_development_any_is_invoked(api: Api) -> None:
    assert f"{NAMED}-other cannot be invoked" in sync(api, f"{NAMED}-other").body["error"]
