"""One server and one process of each app for the whole session; each test is a story told by one SDK."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sdk.harness import apps, provider, server
from tests.sdk.harness.apps import App, Kind
from tests.sdk.harness.server import Server
from tests.sdk.harness.story import Story

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.sdk)


@pytest.fixture(scope="session")
def sdk_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server.running(tmp_path_factory.mktemp("server")) as at:
        yield at


@pytest.fixture(scope="session")
def model_provider() -> Iterator[str]:
    with provider.running() as address:
        yield address


@pytest.fixture(scope="session")
def sdk_app(
    sdk_server: Server, model_provider: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Kind], App]]:
    """Starts the program of a kind when it is first asked for."""
    started: dict[tuple[str, ...], App] = {}
    directory = tmp_path_factory.mktemp("apps")
    with contextlib.ExitStack() as stack:

        def start(kind: Kind) -> App:
            if kind.program not in started:
                context = apps.running(kind, sdk_server, directory, {"PROVIDER": model_provider})
                started[kind.program] = stack.enter_context(context)
            return started[kind.program]

        yield start


@pytest.fixture(params=apps.KINDS)
def story(request: pytest.FixtureRequest) -> Story:
    """The story of this file on one SDK; on all of them unless the test is parametrised with some."""
    kind = apps.KINDS[request.param]
    lacks = apps.missing(kind)
    if lacks:
        pytest.skip(lacks)  # Before anything is started.
    start: Callable[[Kind], App] = request.getfixturevalue("sdk_app")
    app = start(kind)
    app.sync(kind.path)
    at, provides = request.getfixturevalue("sdk_server"), request.getfixturevalue("model_provider")
    return Story(request.path.stem.removeprefix("test_"), kind, app, at, provides)
