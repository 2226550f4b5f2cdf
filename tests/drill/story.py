"""The incident, told to the platform: runs with broken conditions among others, a large index, and then every message
of the window once more."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.engine.ports import QueueName
from tests.drill import orders
from tests.drill.orders import Ledger
from tests.drill.scene import DrillFailed, Scene
from tests.drill.transport import Carried, Depth, Gauge, Record, Transport

Say = Callable[[str], None]
PHASES = ("before", "during", "after")
DEAD = (QueueName.DEAD_EVENTS, QueueName.DEAD_WORK)
# Why a message may come back.
MISTAKE, POISON, INNOCENT = "a user's mistake", "poison", "nothing in it"
_PROBE_WITHIN_S = 300.0
_PROBE_EVERY_S = 0.5
_REPLAY_BATCH = 10
_TELL_EVERY_S = 10.0


@dataclass(frozen=True)
class Latency:
    """From an event's acceptance until the step behind the wait ran, and how much of that in queues (milliseconds)."""

    whole: float
    in_queues: float


@dataclass(frozen=True)
class Size:
    """How large a drill is. `probes`: events whose latency is measured, in each of three phases."""

    runs: int
    waits: int
    probes: int
    # Seconds within which the queues must come to rest, each time.
    rest_within_s: float
    gauge_every_s: float = 0.5


@dataclass
class Outcome:
    """What was seen."""

    size: Size
    rows: int = 0
    carried: int = 0
    replayed: int = 0
    executions: int = 0
    nacks: Counter[str] = field(default_factory=Counter)
    executed_twice: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    timeline: list[str] = field(default_factory=list)
    write_units: float = 0.0
    replay_units: float = 0.0
    refused: int = 0
    refused_units: float = 0.0
    first_s: float = 0.0
    drain_s: float = 0.0
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    depths: list[Depth] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    dead: int = 0
    errors: Counter[str] = field(default_factory=Counter)


def tell(scene: Scene, size: Size, seed: int, say: Say) -> Outcome:
    """All of it. Raises DrillFailed when it does not come to its end."""
    found = Outcome(size)
    _load(scene, found, say)
    with Gauge(scene.platform, size.gauge_every_s) as gauge:
        with scene.transport() as transport:
            _first_pass(scene, transport, gauge, found, say)
            found.latencies["before"] = _probe(scene, transport.record, _probes(size, "before"), every_s=0.0)
            _rest(gauge, size, "after the first probes")
        nacks_of(transport.record, scene.ledger, found.nacks)
        _replay(scene, transport.record, seed, found, say)
        with scene.transport() as again:
            _watch(scene, again, gauge, found, say)
        nacks_of(again.record, scene.ledger, found.nacks)
        found.depths = gauge.depths
    _look(scene, found)
    return found


def _load(scene: Scene, found: Outcome, say: Say) -> None:
    count, began = found.size.waits, time.monotonic()
    say(f"putting {count:,} waits of other runs into the index")
    told = began

    def progress(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            say(f"  {done:,}")

    found.rows = scene.load_waits(count, progress)
    say(f"  {found.rows:,} rows in {time.monotonic() - began:.0f} s")


def _probes(size: Size, phase: str) -> list[str]:
    return [f"probe {phase} {number}" for number in range(size.probes)]


def _rest(gauge: Gauge, size: Size, when: str) -> None:
    if not gauge.rest(size.rest_within_s):
        raise DrillFailed(f"{when} the queues did not come to rest within {size.rest_within_s:.0f} s: {gauge.now()}")


def _first_pass(scene: Scene, transport: Transport, gauge: Gauge, found: Outcome, say: Say) -> None:
    size, names = found.size, orders.names(found.size.runs)
    probes = [name for phase in PHASES for name in _probes(size, phase)]
    broken = sum(orders.kind_of(name) is not None for name in names)
    say(f"starting {len(names) + len(probes):,} runs, {broken:,} of them with a broken condition")
    scene.meter.reset()
    began = time.monotonic()
    found.marks.append((began, "orders"))
    scene.send([orders.placed(name) for name in [*names, *probes]])
    _rest(gauge, size, "after the orders")
    say(f"  they wait, or have failed, after {time.monotonic() - began:.0f} s; now their events")
    found.marks.append((time.monotonic(), "payments"))
    scene.send([orders.what_follows(name) for name in names])
    _rest(gauge, size, "after the payments")
    found.first_s = time.monotonic() - began
    found.write_units = scene.meter.total_writes()
    say(f"  {len(transport.record.carried):,} messages in {found.first_s:.0f} s")


def _probe(scene: Scene, record: Record, probes: Sequence[str], every_s: float) -> list[Latency]:
    """Send each probe's event; how long it took until the step behind the wait ran, and how much of it in queues."""
    sent: dict[str, float] = {}
    for name in probes:
        sent[name] = time.monotonic()
        scene.send([orders.what_follows(name)])
        if every_s:
            time.sleep(every_s)
        else:
            scene.ledger.wait_for(name, "ship", _PROBE_WITHIN_S)
    return [_latency(scene.ledger, record, name, at) for name, at in sent.items()]


def _latency(ledger: Ledger, record: Record, name: str, sent_at: float) -> Latency:
    shipped_at = ledger.wait_for(name, "ship", _PROBE_WITHIN_S)
    if shipped_at is None:
        raise DrillFailed(f"the event of {name!r} resumed nothing within {_PROBE_WITHIN_S:.0f} s")
    run_id = next(run for run, order in ledger.order_of.items() if order == name)
    messages = [
        *(one for one in record.of(f'"buyer of {name}"', QueueName.EVENTS)),
        max(record.of(run_id, QueueName.WORK), key=lambda one: one.sent_at),
    ]
    in_queues = sum(max(0.0, one.first_at - one.sent_at) for one in messages)
    return Latency((shipped_at - sent_at) * 1000, in_queues * 1000)


def _replay(scene: Scene, record: Record, seed: int, found: Outcome, say: Say) -> None:
    """Put every message of the window into its queue once more, in no order, while nobody takes any."""
    messages = record.messages
    found.carried = found.replayed = len(messages)
    say(f"every message once more: {len(messages):,}, all of which were acknowledged")
    random.Random(seed).shuffle(messages)
    put_back(scene, messages)


def put_back(scene: Scene, messages: Sequence[Carried]) -> None:
    """Put a copy of each message into its queue."""
    sqs, urls = scene.client("sqs"), scene.urls()
    for queue, url in urls.items():
        bodies = [one.body for one in messages if one.queue is queue]
        for start in range(0, len(bodies), _REPLAY_BATCH):
            part = bodies[start : start + _REPLAY_BATCH]
            entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(part)]
            if sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed"):
                raise DrillFailed("the queue refused messages of the replay")


def _watch(scene: Scene, again: Transport, gauge: Gauge, found: Outcome, say: Say) -> None:
    """Drain the replay while further events come; then measure again."""
    size, before = found.size, _ends(scene)
    scene.meter.reset()
    began = time.monotonic()
    found.marks.append((began, "replay"))
    prober = _Prober(scene, again.record, _probes(size, "during"))
    prober.start()
    _rest(gauge, size, "after the replay")
    found.drain_s = time.monotonic() - began
    found.latencies["during"] = prober.result()
    found.replay_units, found.refused = scene.meter.total_writes(), scene.meter.refused
    found.refused_units = scene.meter.refused_units
    after = _ends(scene)
    probes = {run for run, order in scene.ledger.order_of.items() if order.startswith("probe during ")}
    found.changed = [run for run in after if run not in probes and after[run] != before.get(run)]
    say(f"  drained in {found.drain_s:.0f} s")
    found.latencies["after"] = _probe(scene, again.record, _probes(size, "after"), every_s=0.0)
    _rest(gauge, size, "after the last probes")


class _Prober(threading.Thread):
    """Sends the probes of the replay while it is drained."""

    def __init__(self, scene: Scene, record: Record, probes: list[str]) -> None:
        super().__init__(name="drill-prober", daemon=True)
        self._work: Callable[[], list[Latency]] = lambda: _probe(scene, record, probes, _PROBE_EVERY_S)
        self._found: list[Latency] | Exception | None = None

    def run(self) -> None:
        try:
            self._found = self._work()
        except Exception as error:
            self._found = error

    def result(self) -> list[Latency]:
        """Raises what went wrong."""
        self.join(2 * _PROBE_WITHIN_S)
        if isinstance(self._found, Exception):
            raise self._found
        if self._found is None:
            raise DrillFailed("the probes of the replay did not come to their end")
        return self._found


def _ends(scene: Scene) -> dict[str, tuple[str, str | None]]:
    """Every run with how and when it ended."""
    return {run["run_id"]: (run["status"], run["ended_at"]) for run in scene.runs()}


def _look(scene: Scene, found: Outcome) -> None:
    """What an operator sees afterwards."""
    found.executions = scene.ledger.total()
    found.executed_twice = scene.ledger.executed_twice()
    found.dead = sum(scene.platform.services.queues.depth(queue).visible for queue in DEAD)
    found.errors = Counter(scene.errors)
    runs = scene.runs()
    found.statuses = Counter(run["status"] for run in runs)
    failed: dict[str, list[tuple[str, str]]] = {}
    for run in runs:
        order = scene.ledger.order_of.get(run["run_id"], "")
        expected = expected_status(order) if order else "a run of an order"
        if run["status"] != expected:
            found.wrong.append(f"run {run['run_id']} of {order or 'nobody'} is {run['status']}, not {expected}")
        elif run["status"] == "Failed":
            text = f"{run['output']['name']}: {run['output']['message']}"
            failed.setdefault(str(orders.kind_of(order)), []).append((run["run_id"], text))
    found.reasons = {kind: (len(told), told[0][1]) for kind, told in failed.items()}
    if failed:
        first = next(iter(failed.values()))[0][0]
        entries = scene.api("GET", f"/v1/runs/{first}/timeline")["data"]
        found.timeline = [_line(entry) for entry in entries]


def _line(entry: dict[str, Any]) -> str:
    error = entry.get("error", {}).get("message", "")
    return "  ".join(text for text in (entry["at"], entry["type"], entry.get("step", ""), error) if text)


def expected_status(order: str) -> str:
    """How the run of an order must have ended."""
    if orders.kind_of(order) is not None:
        return "Failed"
    return "Cancelled" if orders.is_cancelled(order) else "Completed"


def nacks_of(record: Record, ledger: Ledger, into: Counter[str]) -> None:
    """Count the deliveries that were not acknowledged, by whose fault it was."""
    for one in record.messages:
        if one.nacks:
            into[whose(one, ledger)] += one.nacks


def whose(one: Carried, ledger: Ledger) -> str:
    """Whose fault it is that a message was not acknowledged: a user's mistake, poison, or nothing in the message.

    The work of a run with a broken condition is where the mistake is met; the events of orders are all in order.
    """
    if POISON in one.body:
        return POISON
    if one.queue is QueueName.WORK:
        order = ledger.order_of.get(json.loads(one.body)["run_id"], "")
        return MISTAKE if order and orders.kind_of(order) is not None else INNOCENT
    return INNOCENT
