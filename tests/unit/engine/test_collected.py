"""Counts in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chalicelib.core.metrics import Metric
from chalicelib.engine.metrics import Collected


def test_what_is_taken_is_forgotten() -> None:
    collected = Collected()
    collected.count(Metric.STEPS)
    collected.count(Metric.STEPS, 2)
    collected.observe(Metric.EVENT_AGE, 5)

    assert collected.so_far() == collected.take()
    assert not collected.take()
    collected.count(Metric.STEPS)
    assert collected.take().sums == {Metric.STEPS: 1}


def test_nothing_is_counted_as_nothing() -> None:
    collected = Collected()
    collected.count(Metric.EXPRESSION_ERRORS, 0)
    assert not collected.take()


def test_the_latest_values_are_kept() -> None:
    collected = Collected()
    for value in range(500):
        collected.observe(Metric.WORK_AGE, value)
    assert collected.take().values[Metric.WORK_AGE] == list(range(401, 500))


def test_threads_lose_nothing() -> None:
    collected = Collected()
    taken = []

    def work(number: int) -> None:
        for _ in range(2_000):
            collected.count(Metric.STEPS)
        if number % 2:
            taken.append(collected.take())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    taken.append(collected.take())

    assert sum(counts.sums.get(Metric.STEPS, 0) for counts in taken) == 16_000
