"""Several calls to AWS at a time, in threads: most of what they do is to wait."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """What the work gives for each item, in their order. With one thread, one is done after the other.

    Log lines carry the caller's ids. All items are tried before the first one's error is raised.
    """
    if threads <= 1 or len(items) <= 1:
        futures = [_done(work, item) for item in items]
    else:
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            futures = [pool.submit(contextvars.copy_context().run, work, item) for item in items]
    return [future.result() for future in futures]


def try_all(*works: Callable[[], object]) -> None:
    """Do one after the other; all are tried before the first one's error is raised."""
    side_by_side(lambda work: work(), works, threads=1)


def _done(work: Callable[[Item], Result], item: Item) -> Future[Result]:
    future: Future[Result] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future
