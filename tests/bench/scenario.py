"""Ten steps in a row, as large as the promise allows, on a platform in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.session import Session

from chalicelib import config, wiring
from chalicelib.aws.room import furnish
from chalicelib.engine import ingest
from chalicelib.engine.expiry import stamp_s
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.sdk.registry import Registry
from chalicelib.testing import cloud as memory_cloud
from chalicelib.testing.pump import Pump
from chalicelib.testing.session import UnsignedSession
from chalicelib.wiring import Platform
from infra.local.cloud import Cloud
from tests.bench.meter import EmulatorSession, Meter

# Names of 32 characters: they are in the items that must stay under 1 KB.
EVENT, FN_ID = "bench/an-event-of-common-lengths", "a-function-of-an-ordinary-length"
PAYLOAD_BYTES = 511


def text(json_bytes: int) -> str:
    """A string of that many bytes as JSON."""
    return "x" * (json_bytes - 2)


def steps_function(count: int, payload_bytes: int = PAYLOAD_BYTES) -> Any:
    """A function of so many steps in a row, each of whose outputs has `payload_bytes`, as has its own."""

    @function(fn_id=FN_ID, trigger=TriggerEvent(event=EVENT))
    def ten_steps(ctx: Context) -> str:
        for number in range(count):
            ctx.step.run(f"a-step-of-an-ordinary-length-{number:03d}", text, payload_bytes)
        return text(payload_bytes)

    return ten_steps


@dataclass
class Bench:
    """A platform whose requests are counted."""

    platform: Platform
    pump: Pump
    meter: Meter

    def run_once(self, payload_bytes: int = PAYLOAD_BYTES) -> str:
        """Send one event, let everything happen; the run's status."""
        data = {"d": "x" * (payload_bytes - len('{"d":""}'))}
        s = self.platform.services
        accepted = ingest.accept(s, self.platform.reception, {"name": EVENT, "data": data})
        assert accepted.ids, accepted.refusals
        self.pump.drain()
        self.meter.counting = False  # Looking at the run is ours, not the platform's.
        position = s.runs.page(FN_ID, before="9" * 15, limit=1)[0]
        head = s.runs.head(position.split("#")[1])
        self.meter.counting = True
        assert head is not None
        return head.status.value


def start(aws: Cloud, count: int = 10, payload_bytes: int = PAYLOAD_BYTES) -> Bench:
    """A platform with a function of so many steps."""
    return start_with(aws, steps_function(count, payload_bytes))


def start_with(aws: Cloud, *functions: Any) -> Bench:
    """A platform on the emulator; the meter counts only what the platform asks, not the pump's receives."""
    settings = config.load(aws.env)
    sqs = EmulatorSession(aws.endpoint).create_client("sqs")
    for url in (settings.queue_events_url, settings.queue_work_url):
        sqs.purge_queue(QueueUrl=url)  # What others left in the emulator would be counted here.
    return _bench(settings, EmulatorSession(aws.endpoint), sqs, functions, Meter())


def start_in_memory(call_s: float, *functions: Any) -> Bench:
    """A platform on the account in memory that is served (chalicelib.testing.memory), each of whose calls takes so
    long; the meter counts only what the platform asks, not the pump's receives."""
    session, receiving = UnsignedSession(), UnsignedSession()
    for one in (session, receiving):
        one.set_config_variable("region", memory_cloud.REGION)
    # Here, as whoever answers does it one at a time.
    session.register("before-call.*", lambda **_: time.sleep(call_s))
    return _bench(
        config.load(memory_cloud.variables()), session, receiving.create_client("sqs"), functions, Meter(units=False)
    )


def _bench(settings: config.Config, session: Session, sqs: Any, functions: Sequence[Any], meter: Meter) -> Bench:
    meter.install(session)
    held: list[Platform] = []
    room = furnish(wiring.names(settings), lambda: stamp_s(held[0].services, held[0].clock.now_ms()), session)
    held.append(wiring.build(settings, registry=Registry(functions), room=room))
    return Bench(held[0], Pump(held[0], sqs), meter)
