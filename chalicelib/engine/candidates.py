"""Who is met by an event: what lies under its keys, page by page, and of that what counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.core.errors import Unreadable
from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, behind, condition_holds, group_in
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, counts_for
from chalicelib.engine.index import PausePage, Place
from chalicelib.engine.services import Services, logger

# Pages of a key that one message reads in search of somebody who is met.
_MOST_READS = 10


@dataclass(frozen=True)
class Batch:
    """A part of what lies under a key, from `start` on: what the event meets of it, and where the rest begins, if there
    is more. Whether it meets what is `unreadable` is not known."""

    start: Place
    met: tuple[Pause, ...]
    following: str | None
    unreadable: Unreadable | None = None


def find(s: Services, event: Event, places: Sequence[Place], *, is_first: bool) -> list[Batch]:
    """From each place on the next page on which somebody is met, or a part of the search for it. `is_first`: it was
    not done before, so that errors are counted."""
    verdicts = _Verdicts(s, event, is_first)
    found: list[Batch] = []
    searching = [(place, place) for place in places]
    for number in range(1, _MOST_READS + 1):
        if not searching:
            break
        pages = s.pauses.pages([place for _, place in searching], s.settings.match_page)
        read, searching = list(zip(searching, pages, strict=True)), []
        for (start, _), page in read:
            met = tuple(pause for pause in page.rows if counts_for(pause, event) and verdicts.of(pause))
            following = _following(page, verdicts)
            if met or following is None or page.unreadable is not None or number == _MOST_READS:
                found.append(Batch(start, met, following, page.unreadable))
            else:
                searching.append((start, Place(start.key, following)))
    return found


def _following(page: PausePage, verdicts: _Verdicts) -> str | None:
    """Where to go on. What the page ended among is passed over as a whole if its condition does not hold: however many
    wait for something else costs one read."""
    if page.following is None or not page.rows:
        return page.following
    group = group_in(page.rows[-1].key.row)
    return page.following if group is None or verdicts.of(page.rows[-1]) else behind(group)


class _Verdicts:
    """Whether conditions hold for an event, each distinct one evaluated once."""

    def __init__(self, s: Services, event: Event, is_first: bool) -> None:
        self._s = s
        self._event_id = event.internal_id
        self._payload = event.payload()
        self._is_first = is_first
        self._known: dict[str, bool] = {}

    def of(self, pause: Pause) -> bool:
        group = group_in(pause.key.row)
        if group is None:
            return self._evaluate(pause)
        if group not in self._known:
            self._known[group] = self._evaluate(pause)
        return self._known[group]

    def _evaluate(self, pause: Pause) -> bool:
        condition = None if pause.condition is None else Condition.from_json(pause.condition)
        result = condition_holds(condition, self._payload)
        if result.error is not None:
            self._s.metrics.count(Metric.EXPRESSION_ERRORS, int(self._is_first))
            logger.info(
                "condition could not be evaluated",
                extra={"run_id": pause.run_id, "event_id": self._event_id, "reason": result.error},
            )
        return result.error is None and result.value is True
