"""With keys: apps that check every call's signature, and a server that checks every app's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.sdk.harness import apps, production
from tests.sdk.harness.apps import App, Kind
from tests.sdk.harness.server import Server
from tests.sdk.harness.story import Story


@pytest.fixture(scope="module")
def keyed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with production.running(tmp_path_factory.mktemp("production")) as at:
        yield at


@contextlib.contextmanager
def _app(kind: Kind, at: Server, paths: pytest.TempPathFactory, **more: str) -> Iterator[App]:
    lacks = apps.missing(kind)
    if lacks:
        pytest.skip(lacks)
    settings = {**production.APP_SETTINGS, "INNGEST_BASE_URL": at.address, **more}
    with apps.running(kind, at, paths.mktemp("apps"), settings) as app:
        yield app


@pytest.fixture(scope="module", params=["flask", "fastapi", "typescript"])
def keyed(
    request: pytest.FixtureRequest, keyed_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    kind = apps.KINDS[request.param]
    with _app(kind, keyed_server, tmp_path_factory) as app:
        app.sync(kind.path)
        yield Story("steps", kind, app, keyed_server, "")


def _new(of: Story) -> Story:
    return Story("steps", of.kind, of.app, of.server, "")


def test_calls_are_signed_and_steps_run(keyed: Story) -> None:
    assert _new(keyed).start().completed()["second"] == 2


def test_the_sdk_s_own_calls_are_accepted(keyed: Story) -> None:
    """It sends events, and fetches what is too large for a call."""
    story = _new(keyed)
    assert len(story.start("sending").completed()) == 3
    assert len(story.start("big_state", size=1_500_000).completed()) == 64


def test_suspended_runs_go_on(keyed: Story) -> None:
    story = _new(keyed)
    run = story.start("waiting", hours=100)
    run.reached("step.waiting")
    story.send("paid", amount=12)
    assert run.completed()["amount"] == 12


def test_the_app_refuses_whoever_does_not_sign(keyed: Story) -> None:
    body = {"event": {"name": "x", "data": {"key": keyed.key}}, "events": [], "steps": {}, "ctx": {"run_id": "x"}}
    path = f"{keyed.kind.path}?fnId={keyed.app_id}-steps&stepId=step"
    assert keyed.app.ask("POST", path, body)[0] in (401, 403, 500)
    assert keyed.ran() == []


def test_the_server_refuses_whoever_has_no_key(keyed_server: Server) -> None:
    stranger = Server(keyed_server.port, keyed_server.log, event_key="x" * 20)
    assert stranger.ask("GET", "/v1/runs")[0] == 401
    assert (
        stranger.ask("POST", "/fn/register", {"appname": "theirs", "url": "http://example.com", "functions": []})[0]
        == 401
    )
    assert stranger.ask("POST", f"/e/{'x' * 20}", {"name": "a/b"})[0] == 401


def test_an_app_is_synced_on_request_without_calling_back(keyed: Story) -> None:
    """In band: the server asks, and the app answers with its functions, both signed."""
    status, answer = keyed.server.ask("POST", "/v1/apps/sync", {"url": f"{keyed.app.address}{keyed.kind.path}"})
    assert status == 200, answer
    assert keyed.app_id in json.dumps(answer)
    assert _new(keyed).start().completed()["second"] == 2


@pytest.mark.parametrize("kind", [apps.FLASK, apps.NODE], ids=lambda kind: kind.app_id)
def test_an_app_goes_on_while_keys_are_rotated(
    kind: Kind, keyed_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The app still has the old key first; it knows the new one as its fallback, with which the server signs."""
    rotating = {
        "APP_ID": f"rotating-{kind.app_id}",
        "INNGEST_SIGNING_KEY": production.OLD_KEY,
        "INNGEST_SIGNING_KEY_FALLBACK": production.NEW_KEY,
    }
    with _app(kind, keyed_server, tmp_path_factory, **rotating) as app:
        app.sync(kind.path)
        as_kind = Kind(rotating["APP_ID"], kind.program, kind.path)
        assert Story("steps", as_kind, app, keyed_server, "").start().completed()["second"] == 2


def test_an_app_with_another_key_is_never_run(keyed_server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It cannot register itself, and says so."""
    foreign = {"APP_ID": "foreign", "INNGEST_SIGNING_KEY": "signkey-prod-" + "ff" * 32}
    with _app(apps.FLASK, keyed_server, tmp_path_factory, **foreign) as app:
        status, answer = app.ask("PUT", apps.FLASK.path)
        assert status == 401 or "error" in json.dumps(answer).lower(), answer
    known = [each["id"] for each in keyed_server.get("/v1/apps")]
    assert "foreign" not in known
