"""The stage's event bus, which the events of runs' ends leave by."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.core.errors import InfrastructureError
from chalicelib.core.events import Event

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

# The rule that leads into our own queue leaves it out.
SOURCE = "stepwell"
# EventBridge takes 256 KB of an entry: source, detail type and detail together.
_ENTRY_BYTES = 256 * 1024
# What an event of a run's end repeats, in the order in which it is left out of one that is too large.
_LEFT_OUT = (("event", "events"), ("result",))


class EventBus:
    """Implements engine.ports.Exit. The client is made when the first event leaves."""

    def __init__(self, client: Callable[[], EventBridgeClient], name: str) -> None:
        self._client = client
        self._name = name

    def tell(self, event: Event) -> None:
        room = _ENTRY_BYTES - len(SOURCE) - len(event.name.encode())
        entry: Any = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.name,
            "Detail": detail(event, room),
        }
        try:
            answer = self._client().put_events(Entries=[entry])
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error
        if answer["FailedEntryCount"]:
            first = answer["Entries"][0]
            raise InfrastructureError(
                f"EventBridge refused an event: {first.get('ErrorCode')}: {first.get('ErrorMessage')}"
            )


def detail(event: Event, most_bytes: int) -> str:
    """The event as JSON, as the API shows it. One that would have more than `most_bytes` is told without what
    triggered the run, and if need be without its result; `data.omitted` names what was left out."""
    body: dict[str, Any] = event.wire()
    text, omitted = _json(body), list[str]()
    for names in _LEFT_OUT:
        if len(text.encode()) <= most_bytes:
            break
        omitted += [name for name in names if name in event.data]
        kept = {name: value for name, value in event.data.items() if name not in omitted}
        text = _json({**body, "data": {**kept, "omitted": omitted}})
    return text


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
