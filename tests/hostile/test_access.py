"""Every route there is, by every method, in every spelling and at both entrances: whoever has no key gets nothing."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

from app import app
from chalicelib.core import signing
from chalicelib.engine import keyring
from chalicelib.web import gate
from chalicelib.web.rest_events import match
from infra.local.gateway import Request, answer_of, proxy_event
from tests.hostile.over_http import CONTEXT, url_event
from tests.web.api import SIGNING_KEY, Api, serve

RUN = "01KE6P4YM1NBW735SCXHPH8H4V"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "Post", "X", ""]
# What may be asked without a signing key, and what is answered then: the last ask for a key or a token of their own.
OPEN = {
    ("GET", "/health"): 200,
    ("GET", "/dev"): 404,
    ("POST", "/e/{key}"): 401,
    ("GET", "/v1/http/runs/{run_id}/output"): 401,
    ("GET", "/v1/checkpoint/{run_id}/output"): 401,
}
ROUTES = list(app.routes)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serve(DEV="0") as started:
        started.set_keys(["first-event-key-0001"], [SIGNING_KEY])
        yield started


def address(resource: str) -> str:
    return "/".join(RUN if part.startswith("{") else part for part in resource.split("/"))


def spellings(resource: str) -> Iterator[str]:
    path = address(resource)
    yield from (
        path,
        f"{path}/",
        f"{path}//",
        f"/{path}",
        f"{path}/.",
        f"{path}/../{path}",
        f"{path};a=b",
        f"{path}%00",
    )
    yield from (
        path.upper(),
        path.replace("/", "%2f"),
        path.replace("/", "%2F", 2),
        path.replace("/", "//"),
        f"{path}%20",
    )
    yield from (path.replace("v1", "%76%31"), path.replace("/", "\\"), f"/health/..{path}", f"/health%2f..{path}")
    yield from (
        f"{path}#/health",
        f"/health;{path}",
        f"/dev{path}",
        f"/e/x{path}",
        f"{path}/output",
        f"{path}%3f/health",
    )


def by_rest(method: str, path: str) -> int | None:
    """None: API Gateway has no such path, and asks nobody."""
    found = match(path, app.routes)
    if found is None:
        return None
    event = proxy_event(Request(method, f"{path}?token=x", [("host", "localhost")], b""), *found, app.api.binary_types)
    return answer_of(app(event, CONTEXT)).status


def by_url(method: str, path: str) -> int:
    return int(app(url_event(method, path, query="token=x"), CONTEXT)["statusCode"])


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("resource", ROUTES)
def test_without_a_key_nothing_is_answered(resource: str) -> None:
    for path in spellings(resource):
        found = match(path, app.routes)
        for method in METHODS:
            told = by_url(method, path)
            if found is None:
                assert (told, by_rest(method, path)) == (404, None), (method, path)
                continue
            expected = OPEN.get((method, found[0]), 401)
            allowed = (
                {expected, 400} if "token" in path or (expected == 401 and (method, found[0]) in OPEN) else {expected}
            )
            assert told in allowed, (method, path, found)
            assert by_rest(method, path) == told, (method, path)


@pytest.mark.usefixtures("api")
def test_the_routes_that_are_open_are_these() -> None:
    told = {
        (method, resource): by_url(method, address(resource))
        for resource, methods in app.routes.items()
        for method in methods
    }
    assert {route: status for route, status in told.items() if status != 401 or route in OPEN} == OPEN


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer  ",
        "bearer",
        "Basic",
        "Bearer null",
        "Bearer undefined",
        "Bearer *",
        "Bearer .*",
        "Bearer \x00",
        f"Basic {SIGNING_KEY}",
        f"Bearer {SIGNING_KEY},{SIGNING_KEY}",
        f"Bearer {SIGNING_KEY} x",
        SIGNING_KEY,
        f"Bearer {SIGNING_KEY[:-1]}",
        f"Bearer {SIGNING_KEY}0",
        f"Bearer {SIGNING_KEY.upper()}",
        f"Bearer\t{SIGNING_KEY}",
        f"Bearer {SIGNING_KEY.rpartition('-')[2]}",
        "Bearer first-event-key-0001",
        "Bearer é",
        "Bearer " + "A" * 100000,
    ],
)
def test_what_is_almost_a_key_is_none(header: str) -> None:
    event = url_event("GET", "/v1/runs", headers={"authorization": header})
    assert app(event, CONTEXT)["statusCode"] == 401


@pytest.mark.parametrize("module", [signing, keyring, gate])
def test_nothing_secret_is_compared_but_in_constant_time(module: ModuleType) -> None:
    """`==` and `in` stop at the first character that differs, and so tell how many were right."""
    secrets = {"presented", "token", "key", "keys", "header", "signature", "accepted", "signing_key", "one"}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            named = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            assert not named & secrets, ast.unparse(node)
    assert inspect.getsource(signing).count("compare_digest(") == 1


NOW = 1_800_000_000
KEY = SIGNING_KEY


def test_a_signature_is_right_for_its_body_time_key_and_form_alone() -> None:
    good = signing.sign(b"body", KEY, NOW)
    digits = good.partition("&s=")[2]
    assert signing.signature_problem(good, b"body", [KEY], NOW) is None
    wrong = [
        *(
            "",
            "t=&s=",
            "s=" + digits,
            digits,
            f"t={NOW}",
            f"t={NOW}&s={digits[:-1]}",
            f"t={NOW}&s={digits}0",
            good + "&a=b",
        ),
        *(f"t={NOW + 1}&s={digits}", f"t=0{NOW}&s={digits}", f"t={NOW}&s={digits.upper()}", f"s={digits}&t={NOW}"),
        *(
            f"t={NOW}&s={digits}\n",
            f" {good}",
            f"t={NOW}&s={'0' * 64}",
            f"t=-{NOW}&s={digits}",
            f"t={'9' * 400}&s={digits}",
        ),
        # Other algorithms: SHA-1, MD5, SHA-512, none.
        *(
            f"t={NOW}&s={digits[:40]}",
            f"t={NOW}&s={digits[:32]}",
            f"t={NOW}&s={digits * 2}",
            f"t={NOW}&s=",
            f"alg=none&{good}",
        ),
    ]
    for header in wrong:
        assert signing.signature_problem(header, b"body", [KEY], NOW) is not None, header
    assert signing.signature_problem(good, b"body ", [KEY], NOW) is not None
    assert signing.signature_problem(good, b"body", [KEY + "0"], NOW) is not None
    assert signing.signature_problem(good, b"body", [], NOW) is not None


@pytest.mark.parametrize(("later_s", "is_right"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_that_is_seen_again_is_right_for_five_minutes(later_s: int, is_right: bool) -> None:
    problem = signing.signature_problem(signing.sign(b"body", KEY, NOW), b"body", [KEY], NOW + later_s)
    assert (problem is None) is is_right
