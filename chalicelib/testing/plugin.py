"""pytest fixtures: put `pytest_plugins = ["chalicelib.testing.plugin"]` into tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.testing.kit import Stepwell, start_stepwell


@pytest.fixture
def stepwell() -> Iterator[Stepwell]:
    """A platform with the functions of chalicelib/functions."""
    with start_stepwell() as kit:
        yield kit
