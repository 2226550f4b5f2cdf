"""The API in two configurations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.api import OLD_SIGNING_KEY, SIGNING_KEY, Api, serve


@pytest.fixture
def api() -> Iterator[Api]:
    """As in `make dev`: any event key is accepted."""
    with serve() as started:
        yield started


@pytest.fixture
def locked_api() -> Iterator[Api]:
    """As deployed, with two event keys and two signing keys."""
    with serve(DEV="0") as started:
        started.set_keys(["first-event-key-0001", "second-event-key-0002"], [SIGNING_KEY, OLD_SIGNING_KEY])
        yield started
