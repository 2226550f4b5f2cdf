"""Holes in the protocol that were closed: what users raise, what buses deliver, and batches that take too long."""

from __future__ import annotations

import json
import logging
from typing import Any

import botocore.session
import pytest

from chalicelib.core.runs import RunStatus
from chalicelib.sdk import Context, RetryAfterError, StepError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.pump import Invocation

_ENVELOPE = {"version": "0", "id": "e1", "source": "shop", "detail-type": "go", "time": "2026-01-05T08:59:00Z"}


class BareStepError(StepError):
    """Holds nothing of what a StepError holds."""

    def __init__(self) -> None:
        pass


class BareRetryAfter(RetryAfterError):
    """Does not say when."""

    def __init__(self) -> None:
        pass


def _odd() -> StepError:
    make: Any = StepError
    return make(1, None, 3)  # type: ignore[no-any-return]


ODD = {
    "lone surrogate": (StepError("\ud800", "N", None), "\\ud800"),
    "not texts": (_odd(), "1"),
    "bare StepError": (BareStepError(), "cannot be read"),
    "bare RetryAfterError": (BareRetryAfter(), "cannot be read"),
}


@pytest.mark.parametrize("inside", [True, False], ids=["in a step", "outside"])
@pytest.mark.parametrize("kind", list(ODD))
def test_an_exception_that_cannot_be_described_fails_the_run_in_words(kind: str, inside: bool) -> None:
    error, text = ODD[kind]

    def fail() -> None:
        raise error

    @function(fn_id="odd", trigger=TriggerEvent(event="go"), retries=0)
    def odd(ctx: Context) -> None:
        if inside:
            ctx.step.run("bad", fail)
        fail()

    with start_stepwell([odd]) as kit:
        kit.send("go")
        run = kit.only_run()
        assert run.status is RunStatus.FAILED
        assert run.error is not None
        assert text in run.error
        assert _left(kit) == 0


@function(fn_id="counting", trigger=TriggerEvent(event="go"))
def counting(ctx: Context) -> Any:
    return ctx.event.data


def _put(kit: Stepwell, body: str) -> None:
    """What the bus does."""
    client: Any = botocore.session.get_session().create_client("sqs")
    client.send_message(QueueUrl=kit.platform.config.queue_events_url, MessageBody=body)


def _left(kit: Stepwell) -> int:
    return kit.pump.visible() + kit.pump.waiting() + kit.pump.in_flight() + kit.pump.dead_letters()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**_ENVELOPE, "detail": {"a": "\ud800"}}),
        '["detail-type"]',
        json.dumps({**_ENVELOPE, "detail": 7}).replace("7", '{"a":' * 5_000 + "1" + "}" * 5_000),
        json.dumps({**_ENVELOPE, "detail": {"a": 7}}).replace("7", "1e999"),
    ],
    ids=["surrogate", "array", "deep", "infinity"],
)
def test_an_envelope_that_is_no_event_is_refused_in_the_log(body: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="stepwell")
    with start_stepwell([counting]) as kit:
        _put(kit, body)
        kit.drain()
        assert _left(kit) == 0
        assert kit.runs() == []
        assert [record.message for record in caplog.records] == ["event from the bus refused"]


def test_an_envelope_that_comes_twice_is_one_event() -> None:
    """The bus delivers at least once: another message, sent later, with the same envelope."""
    with start_stepwell([counting]) as kit:
        for _ in range(2):
            _put(kit, json.dumps({**_ENVELOPE, "detail": {"n": 1}}))
            kit.drain()
            kit.advance_only("7s")
        assert len(kit.events("go")) == 1
        assert kit.only_run().output == {"n": 1}
        assert _left(kit) == 0


class Running(Invocation):
    """An invocation whose remaining time is another one each time it is asked for."""

    def __init__(self, *remaining_ms: int) -> None:
        super().__init__()
        self._remaining_ms = list(remaining_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms.pop(0)


@pytest.mark.parametrize("partial_batches", ["0", "1"])
def test_what_a_batch_has_no_time_for_stays_on_the_queue(partial_batches: str) -> None:
    with start_stepwell([counting], PARTIAL_BATCHES=partial_batches) as kit:
        kit.send_only([{"name": "go", "data": {"n": n}} for n in range(4)])
        patient, kit.pump.invocation = kit.pump.invocation, Running(60_000, 16_000, 14_000, 1_000)
        assert kit.pump.deliver_event()
        kit.pump.invocation = patient
        # Two have been begun and are gone, two come back soon.
        assert [run.status for run in kit.runs()] == [RunStatus.QUEUED] * 2
        assert kit.pump.in_flight() == 2
        kit.advance_only("2s")
        kit.drain()
        assert sorted(run.output["n"] for run in kit.runs()) == [0, 1, 2, 3]
        assert _left(kit) == 0
