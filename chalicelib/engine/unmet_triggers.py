"""Why an event did not start a function that listens to its name (law 7). Nothing is written for it: the functions are
asked as they are now, when somebody looks at the event."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from chalicelib.core.events import Event
from chalicelib.core.functions import CronTrigger
from chalicelib.core.matching import Misses
from chalicelib.core.records import EventRecord
from chalicelib.engine.process_event import names_match
from chalicelib.engine.services import Services

_MOST_PARTS = 3


def unmet_triggers(s: Services, record: EventRecord, event: Event) -> Iterator[tuple[str, str]]:
    """Each such function's id, with the conditions of its triggers that do not hold and the values that the event has.
    Not those of which the record tells."""
    if record.invoker is not None or record.cron is not None:
        return  # It was meant for one function alone.
    known = {start.fn_id for start in record.starts}
    misses = Misses(event.payload(), root="event")
    for config in s.catalog.configs():
        if config.id in known:
            continue
        reasons = []
        for trigger in config.triggers:
            if not isinstance(trigger, CronTrigger) and trigger.expression and names_match(trigger, event):
                reasons.append("; ".join(islice(misses.of_text(trigger.expression), _MOST_PARTS)))
        if any(reasons) and not misses.is_exhausted:
            yield config.id, f"the trigger's condition does not hold: {', nor: '.join(filter(None, reasons))}"
