"""An event meets what waits for it: one read per shape that is registered for its name, and one per page of those whom
it meets (law 5). However many these are, a message carries out one page of them; the rest goes on with messages of
their own, side by side.

A page that is carried out again, after a crash or for whatever reason, changes nothing more. So that it does not send
the rest on its way again each time, where a page ended is kept once that was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from chalicelib.core.events import Event
from chalicelib.core.matching import Shape, lookup_keys
from chalicelib.core.messages import MatchPageMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.pauses import Pause, PauseKind
from chalicelib.engine import candidates, lifecycle, match
from chalicelib.engine.candidates import Batch
from chalicelib.engine.index import Place
from chalicelib.engine.logs import ids_logged
from chalicelib.engine.services import Services, logger
from chalicelib.engine.side_by_side import try_all


def meet(s: Services, event: Event, *, is_first: bool) -> None:
    """Resume and cancel whom the event meets, or of many the first. `is_first`: it was not delivered before."""
    payload = event.payload()
    shapes = s.pauses.shapes(event.name)
    keys = dict.fromkeys(key for paths in shapes for key in lookup_keys(event.name, Shape.of(paths), payload))
    _work_on(s, event, [Place(key) for key in keys], 0, is_first=is_first)


def go_on(s: Services, message: MatchPageMessage, *, is_first: bool) -> None:
    """Carry out a further page."""
    record = s.events.get(message.event_id)
    event = None if record is None else lifecycle.whole(s, record)
    if event is None:
        logger.warning("the event of a match page is gone", extra={"event_id": message.event_id})
        return
    with ids_logged(event_id=event.internal_id):
        s.metrics.count(Metric.MATCH_PAGES, int(is_first))
        _work_on(s, event, [Place(message.key, message.after)], message.page, is_first=is_first)


def _work_on(s: Services, event: Event, places: Sequence[Place], number: int, *, is_first: bool) -> None:
    batches = candidates.find(s, event, places, is_first=is_first)
    mine, others = _share(batches, s.settings.match_page)
    ends = [(batch, _earlier_end(s, event, batch)) for batch in mine]
    met = [pause for batch, end in ends for pause in batch.met if end is None or pause.key.row <= end]
    # Rows that came since may have pushed others out of the page: from where it ends now, these go on their way, too.
    unsent = [batch for batch, end in ends if batch.following is not None and (end is None or batch.following < end)]
    if is_first:
        _send(s, event, unsent, others, number)
        _carry_out(s, event, met, number)
    else:
        # What fails again and again must not send the rest again and again.
        _carry_out(s, event, met, number)
        _send(s, event, unsent, others, number)
    for batch in mine:
        if batch.unreadable is not None:
            # It may wait for this event: the message comes again, and is redriven when it can be read.
            raise batch.unreadable


def _share(batches: list[Batch], most: int) -> tuple[list[Batch], list[Batch]]:
    """What this message carries out, about `most` rows, and what is left to others."""
    there = [batch for batch in batches if batch.met or batch.following is not None or batch.unreadable is not None]
    before = [0, *accumulate(len(batch.met) for batch in there)]
    mine = [batch for batch, rows in zip(there, before, strict=False) if rows < most]
    return mine, there[len(mine) :]


def _earlier_end(s: Services, event: Event, batch: Batch) -> str | None:
    """Where this page ended when the rest was sent on its way, if it was."""
    return None if batch.following is None else s.events.page_end(event.internal_id, batch.start)


def _send(s: Services, event: Event, unsent: list[Batch], others: list[Batch], number: int) -> None:
    rests = [Place(batch.start.key, batch.following) for batch in unsent if batch.following is not None]
    places = [*rests, *(batch.start for batch in others)]
    if not places:
        return
    s.queues.send_events(
        [
            MatchPageMessage(event_id=event.internal_id, key=place.key, after=place.after, page=number + 1)
            for place in places
        ]
    )
    for batch, rest in zip(unsent, rests, strict=True):
        s.events.put_page_end(event.internal_id, batch.start, rest.after)


def _carry_out(s: Services, event: Event, met: list[Pause], number: int) -> None:
    if number > 0:
        logger.info("match page", extra={"page": number, "event_name": event.name, "met": len(met)})
    # A wait whose condition has several alternatives may be found under more than one key, and one for the first of
    # several events by more than one of its conditions: then the one that it names first counts.
    last_first = sorted(met, key=lambda pause: pause.choice or 0, reverse=True)
    waits = {(pause.run_id, pause.step_id): pause for pause in last_first if pause.kind is PauseKind.WAIT}
    cancels = {pause.run_id: pause for pause in met if pause.kind is PauseKind.CANCEL}
    # What keeps one from being done keeps none of the others.
    try_all(
        lambda: match.cancel_all(s, list(cancels.values()), event),
        lambda: match.resume_all(s, list(waits.values()), event),
    )
