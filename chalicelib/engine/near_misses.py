"""Why not? The waits and cancellations that an event nearly met: one condition of theirs does not hold (law 7).

Nothing is written for it. They are looked for when somebody asks, where they lie: under the event's own keys, whose
waits have its values and fail in the rest; under the keys of values that are easily taken for its own; and in the first
part of the index. All of it is bounded, however many wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from chalicelib.core.clock import to_iso
from chalicelib.core.events import Event
from chalicelib.core.matching import Condition, Misses, Shape, lookup_keys, variant_keys
from chalicelib.core.pauses import Pause, counts_for, is_first_row
from chalicelib.engine import lifecycle, query_pauses
from chalicelib.engine.index import Place
from chalicelib.engine.operator_ports import Looking
from chalicelib.engine.services import Services

MOST = 20
# Of one function and the same text: a thousand runs that wait for other customers say no more than some of them.
MOST_ALIKE = 5
_MOST_VARIANTS = 60
_PAGE = 50
# 128 read units at most each.
_PARTS = 2
_MOST_EXPLAINED = 500
# For all conditions together: about a quarter of a second.
_STEPS = 100_000


def near_misses(s: Services, looking: Looking, internal_id: str) -> dict[str, Any]:
    """Up to MOST waits and cancellations that are still open, each with what kept the event from meeting it;
    `is_complete` is false where there may be more. Without an event of this id none."""
    record = s.events.get(internal_id)
    event = None if record is None else lifecycle.whole(s, record)
    shapes = [] if event is None else s.pauses.shapes(event.name)
    if event is None or not shapes:
        return {"pauses": [], "is_complete": True}
    search = _Search(s, looking, event)
    search.under_keys(shapes)
    search.in_the_index()
    return {"pauses": search.found, "is_complete": search.is_complete}


class _Search:
    def __init__(self, s: Services, looking: Looking, event: Event) -> None:
        self._s = s
        self._looking = looking
        self._event = event
        self._misses = Misses(event.payload(), _STEPS)
        self._seen: set[str] = set()
        self._alike: Counter[tuple[str, str, str | None]] = Counter()
        self.found: list[dict[str, Any]] = []
        self.is_complete = True

    def under_keys(self, shapes: Sequence[tuple[str, ...]]) -> None:
        """What the index finds, one read a key. The own keys come first: most of what waits there holds."""
        name, payload = self._event.name, self._event.payload()
        own = dict.fromkeys(key for paths in shapes for key in lookup_keys(name, Shape.of(paths), payload))
        near = islice((key for key in variant_keys(name, shapes, payload) if key not in own), _MOST_VARIANTS)
        for page in self._s.pauses.pages([Place(key) for key in (*own, *near)], _PAGE):
            self.is_complete &= page.following is None
            self._take(page.rows)

    def in_the_index(self) -> None:
        """Whatever waits for the name, as far as some parts of the index tell."""
        after = None
        for _ in range(_PARTS):
            if self._is_full:
                break
            rows, after = self._looking.waiting_for(self._event.name, after)
            self._take([pause for pause in rows if is_first_row(pause.key)])
            if after is None:
                return
        self.is_complete = False

    @property
    def _is_full(self) -> bool:
        return len(self.found) >= MOST or self._misses.is_exhausted or len(self._seen) >= _MOST_EXPLAINED

    def _take(self, pauses: Sequence[Pause]) -> None:
        near = self._near(pauses)
        while not self._is_full and (some := list(islice(near, MOST))):
            reasons = {pause.key: reason for pause, reason in some}
            # Of some that are over, only the rows are left.
            for pause, head, shown in query_pauses.still_open(self._s, self._looking, [pause for pause, _ in some]):
                if self._event.received_at_us <= head.seed.trigger_received_at_us:
                    continue  # The run was not there yet.
                if len(self.found) == MOST or self._alike[_likeness(pause)] == MOST_ALIKE:
                    self.is_complete = False
                    continue
                self._alike[_likeness(pause)] += 1
                self.found.append({**shown, "because": reasons[pause.key]})
        if self._is_full:
            self.is_complete = False

    def _near(self, pauses: Sequence[Pause]) -> Iterator[tuple[Pause, str]]:
        for pause in pauses:
            # The rows of one pause differ in their last number only.
            name = pause.key.row.rpartition("#")[0]
            if name in self._seen:
                continue
            if self._is_full or self._alike[_likeness(pause)] == MOST_ALIKE:
                self.is_complete = False
                continue
            self._seen.add(name)
            reasons = list(islice(self._reasons(pause), 2))
            if len(reasons) == 1 and not self._misses.is_exhausted:
                yield pause, reasons[0]

    def _reasons(self, pause: Pause) -> Iterator[str]:
        """What kept the two apart. Nothing where the event never counts for this pause: it started the run, say."""
        if not counts_for(pause, self._event):
            if not self._came_early(pause):
                return
            yield (
                f"it was accepted too early, at {to_iso(self._event.received_at_ms)}: "
                f"events count that were accepted after {to_iso(pause.accept_after_us // 1000)}"
            )
        yield from self._misses.of(None if pause.condition is None else Condition.from_json(pause.condition))

    def _came_early(self, pause: Pause) -> bool:
        """Whether it would count for the pause but for that."""
        in_time = pause.model_copy(update={"accept_after_us": self._event.received_at_us - 1})
        return self._event.received_at_us <= pause.accept_after_us and counts_for(in_time, self._event)


def _likeness(pause: Pause) -> tuple[str, str, str | None]:
    return pause.kind.value, pause.fn_id, pause.if_exp
