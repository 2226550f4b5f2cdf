"""The Python SDK itself, served by Flask: what it makes of our calls, and we of its answers."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import inngest
import pytest

from chalicelib.core import signing
from chalicelib.core.calls import Memo, Opcode, Operation, Operations, Raised, Reply, Returned
from chalicelib.core.sdk_protocol import Sender, prepare, reply_of
from tests.unit.drivers.peers import KEY, OTHER_KEY, Keys, Time, app_on_sdk, config, driver, event, request
from tests.unit.drivers.peers import answer as answer_with

MOMENT = datetime.datetime.now(datetime.UTC).replace(microsecond=250_000) + datetime.timedelta(days=30)


def functions(client: inngest.Inngest) -> Sequence[inngest.Function[Any]]:
    @client.create_function(fn_id="order", trigger=inngest.TriggerEvent(event="shop/order"))
    def order(ctx: inngest.ContextSync) -> Any:
        seen = ctx.step.run("look", lambda: {"event": dict(ctx.event.data), "attempt": ctx.attempt})
        ctx.step.sleep_until("nap", MOMENT)
        found = ctx.step.wait_for_event("paid", event="shop/paid", if_exp="async.data.ok", timeout=3_600_000)
        return {"seen": seen, "paid": None if found is None else found.data}

    @client.create_function(fn_id="parallel", trigger=inngest.TriggerEvent(event="shop/order"))
    def parallel(ctx: inngest.ContextSync) -> Any:
        both = ctx.group.parallel((lambda: ctx.step.run("a", lambda: 1), lambda: ctx.step.run("b", lambda: 2)))
        return [*both, ctx.step.run("c", lambda: 3)]

    @client.create_function(fn_id="failing", trigger=inngest.TriggerEvent(event="shop/order"), retries=1)
    def failing(ctx: inngest.ContextSync) -> Any:
        how = ctx.event.data["how"]
        if how == "never again":
            raise inngest.NonRetriableError("enough")
        if how == "later":
            raise inngest.RetryAfterError("not now", MOMENT)
        if how == "at once":
            raise ValueError("broken")

        def step() -> Any:
            if how == "unserializable":
                return {1, 2}
            raise KeyError("lost")

        try:
            return ctx.step.run("step", step)
        except inngest.StepError as error:
            return f"caught {error.name}: {error.message}"

    @client.create_function(fn_id="invoking", trigger=inngest.TriggerEvent(event="shop/order"))
    def invoking(ctx: inngest.ContextSync) -> Any:
        return ctx.step.invoke("ask", function=order, data={"n": 1}, timeout=3_600_000)

    return [order, parallel, failing, invoking]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with app_on_sdk(functions) as found:
        yield found


@pytest.fixture
def time() -> Time:
    return Time()


def ask(url: str, time: Time, fn: str, **changes: Any) -> Reply:
    fn_id = f"shop-{fn}"
    return driver(time, Keys()).call(config(url, fn_id), request(fn_id=fn_id, **changes))


def ops(reply: Reply) -> list[Operation]:
    assert isinstance(reply, Operations), reply
    return list(reply.ops)


def raised(reply: Reply) -> Raised:
    assert isinstance(reply, Raised), reply
    return reply


DATA = {
    "n": 98765432109876543210,
    "x": 1.5,
    "tiny": 1e-7,
    "big": 4.711630189276117e16,
    "text": "é😀\u2028",
    "z": {"b": []},
}


def test_a_signed_run_from_its_beginning_to_its_end(url: str, time: Time) -> None:
    order = event(**DATA)
    (look,) = ops(ask(url, time, "order", event=order, attempt=2))
    assert (look.op, look.name) == (Opcode.STEP_RUN, "look")
    assert look.output == {"event": DATA, "attempt": 2}
    steps = {look.id: Memo(output=look.output)}
    (nap,) = ops(ask(url, time, "order", event=order, steps=steps, stack=(look.id,)))
    assert (nap.op, nap.name, nap.sleep_until_ms) == (Opcode.SLEEP, "nap", int(MOMENT.timestamp() * 1000))
    steps |= {nap.id: Memo(is_bare=True)}
    (paid,) = ops(ask(url, time, "order", event=order, steps=steps))
    assert (paid.op, paid.name) == (Opcode.WAIT_FOR_EVENT, "paid")
    assert paid.wait is not None
    assert (
        paid.wait.wire()
        if hasattr(paid.wait, "wire")
        else paid.wait.awaited[0].wire()
        == {
            "event": "shop/paid",
            "if": "async.data.ok",
        }
    )
    assert paid.wait.timeout_ms == 3_600_000
    came = {"name": "shop/paid", "data": {"ok": True}, "id": "e-2", "ts": 1}
    for output, seen in ((came, {"ok": True}), (None, None)):
        reply = ask(url, time, "order", event=order, steps=steps | {paid.id: Memo(output=output, is_bare=True)})
        assert isinstance(reply, Returned)
        assert reply.output == {"seen": look.output, "paid": seen}


def test_parallel_steps_are_planned_and_run_one_by_one(url: str, time: Time) -> None:
    planned = ops(ask(url, time, "parallel"))
    assert [(op.op, op.name) for op in planned] == [(Opcode.STEP_PLANNED, "a"), (Opcode.STEP_PLANNED, "b")]
    results = [ops(ask(url, time, "parallel", target=op.id, has_planned=True)) for op in planned]
    assert [[(op.op, op.id, op.output) for op in one] for one in results] == [
        [(Opcode.STEP_RUN, planned[0].id, 1)],
        [(Opcode.STEP_RUN, planned[1].id, 2)],
    ]
    memos = {op.id: Memo(output=op.output) for (op,) in results}
    (third,) = ops(ask(url, time, "parallel", steps=memos, has_planned=True))
    assert (third.op, third.name) == (Opcode.STEP_PLANNED, "c"), "after planned steps the next one is planned, too"
    (third,) = ops(ask(url, time, "parallel", steps=memos))
    assert (third.op, third.output) == (Opcode.STEP_RUN, 3)


def test_a_killed_process_s_next_step_is_planned_only(url: str, time: Time) -> None:
    (look,) = ops(ask(url, time, "order", plan_only=True))
    assert (look.op, look.name) == (Opcode.STEP_PLANNED, "look")


def test_a_step_fails_is_tried_again_and_is_caught(url: str, time: Time) -> None:
    failing = {"event": event(how="in a step"), "max_attempts": 2}
    (first,) = ops(ask(url, time, "failing", **failing))
    assert (first.op, first.retriable) == (Opcode.STEP_ERROR, True)
    assert first.error is not None
    assert (first.error.name, first.error.message) == ("KeyError", "'lost'")
    assert 'raise KeyError("lost")' in (first.error.stack or "")
    (last,) = ops(ask(url, time, "failing", attempt=1, **failing))
    assert (last.op, last.retriable) == (Opcode.STEP_FAILED, False)
    reply = ask(url, time, "failing", steps={first.id: Memo(error=last.error)}, **failing)
    assert isinstance(reply, Returned)
    assert reply.output == "caught KeyError: 'lost'"


def test_the_function_raises(url: str, time: Time) -> None:
    once = raised(ask(url, time, "failing", event=event(how="at once")))
    assert (once.error.name, once.error.message, once.retriable) == ("ValueError", "broken", True)
    never = raised(ask(url, time, "failing", event=event(how="never again")))
    assert (never.error.name, never.error.message, never.retriable) == ("NonRetriableError", "enough", False)
    later = raised(ask(url, time, "failing", event=event(how="later")))
    assert (later.error.message, later.retriable) == ("not now", True)
    assert later.retry_after_ms == int(MOMENT.timestamp() * 1000)


def test_an_output_that_is_no_json(url: str, time: Time) -> None:
    reply = raised(ask(url, time, "failing", event=event(how="unserializable")))
    assert (reply.error.name, reply.retriable) == ("OutputUnserializableError", False)
    assert "returned unserializable data" in reply.error.message or "not JSON" in reply.error.message


def test_an_invocation(url: str, time: Time) -> None:
    (asked,) = ops(ask(url, time, "invoking"))
    assert asked.invoke is not None
    assert (asked.op, asked.invoke.function_id, asked.invoke.data) == (
        Opcode.INVOKE_FUNCTION,
        "shop-order",
        {"n": 1},
    )
    reply = ask(url, time, "invoking", steps={asked.id: Memo(output={"data": "mine"})})
    assert isinstance(reply, Returned)
    assert reply.output == {"data": "mine"}


def test_a_function_that_the_app_does_not_have(url: str, time: Time) -> None:
    reply = raised(ask(url, time, "other"))
    assert (reply.error.name, reply.retriable) == ("FunctionNotFoundError", True)
    assert "shop-other" in reply.error.message


def test_a_step_that_the_function_does_not_come_to(url: str, time: Time) -> None:
    reply = raised(ask(url, time, "order", target="ab" * 20))
    assert reply.error.name == "StepUnexpectedError"


@pytest.mark.parametrize("key", [OTHER_KEY, None])
def test_a_call_that_is_not_signed_right_is_refused(url: str, time: Time, key: str | None) -> None:
    found = driver(time, Keys(key)).call(config(url), request())
    assert raised(found).error.name == "Unauthorized"


def test_a_call_that_was_changed_on_its_way_is_refused(url: str, time: Time) -> None:
    sent = prepare(request(), url, Sender("cloud", "prod", KEY), now_ms=time.now_ms(), request_id="r")
    got = httpx.post(sent.url, headers=dict(sent.headers), content=sent.body)
    assert got.status_code == 206
    changed = sent.body.replace(b'"attempt":0', b'"attempt":1')
    assert changed != sent.body
    assert httpx.post(sent.url, headers=dict(sent.headers), content=changed).status_code == 401
    moved = {**sent.headers, "x-inngest-signature": sent.headers["x-inngest-signature"].replace("t=1", "t=2")}
    assert httpx.post(sent.url, headers=moved, content=sent.body).status_code == 401
    # What a proxy may do to JSON changes nothing: the form that is signed is canonical.
    spaced = sent.body.replace(b'":', b'" : ')
    assert httpx.post(sent.url, headers=dict(sent.headers), content=spaced).status_code == 206


def test_the_app_s_answer_counts_once_it_came_and_not_five_minutes_later(url: str, time: Time) -> None:
    now_ms = time.now_ms()
    sent = prepare(request(), url, Sender("cloud", "prod", KEY), now_ms=now_ms, request_id="r")
    got = httpx.post(sent.url, headers=dict(sent.headers), content=sent.body)
    signature = got.headers["x-inngest-signature"]
    answer = answer_with(got.status_code, got.content, x_inngest_signature=signature)
    assert isinstance(reply_of(answer, now_ms=now_ms, signing_key=KEY), Operations)
    for refused, later_ms in ((answer, 301_000 + 2_000), (replace(answer, body=answer.body + b" "), 0)):
        reply = raised(reply_of(refused, now_ms=now_ms + later_ms, signing_key=KEY))
        assert reply.error.name == "AnswerRefused"
    assert signing.signature_problem(signature, got.content, [OTHER_KEY, KEY], now_ms // 1000) is None


def test_an_app_in_development_takes_unsigned_calls(time: Time) -> None:
    with app_on_sdk(functions, production=False, signing_key=None) as url:
        (look,) = ops(driver(time).call(config(url), request()))
    assert look.name == "look"
