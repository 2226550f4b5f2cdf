"""A pytest plugin that runs each property many times over, each time with other inputs, and counts what was tried."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.soak.properties import TRIED

_COUNTS = "tried"
_totals: Counter[tuple[str, str]] = Counter()
_began = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-rounds", type=int, required=True, help="how often each property is run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each property becomes as many tests as there are rounds, which the workers share."""
    if metafunc.definition.get_closest_marker("soak") is not None:
        metafunc.fixturenames.append("soak_round")
        metafunc.parametrize("soak_round", range(metafunc.config.getoption("--soak-rounds")), indirect=True)


@pytest.fixture
def soak_round(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """The counts of a test travel with its report, from the worker to where they are summed."""
    if call.when == "call":
        item.user_properties.append((_COUNTS, [[*key, count] for key, count in TRIED.items()]))
        TRIED.clear()
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        for of, what, count in dict(report.user_properties).get(_COUNTS, ()):  # type: ignore[attr-defined]
            _totals[of, what] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was tried how often, and how long it took."""
    properties = {of: count for (of, what), count in _totals.items() if what == "tried"}
    terminalreporter.section("what was tried")
    for of, count in sorted(properties.items()):
        terminalreporter.line(f"{count:>10,}  {of.removeprefix('test_').replace('_', ' ')}")
    for of in sorted({of for of, what in _totals if what != "tried"}):
        terminalreporter.line(f"\n{of.replace('_', ' ')}:")
        counts = Counter({what: count for (name, what), count in _totals.items() if name == of and what != "tried"})
        for what, count in counts.most_common():
            terminalreporter.line(f"{count:>10,}  {count / counts.total():6.1%}  {what}")
    minutes, seconds = divmod(round(time.monotonic() - _began), 60)
    terminalreporter.line(f"\n{sum(properties.values()):,} examples in {minutes}:{seconds:02} minutes")
