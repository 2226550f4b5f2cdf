"""Parallel groups: discovery, planned steps, several steps in a callable, errors, repeated ids."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

from chalicelib.core.calls import ErrorInfo, Opcode, Returned
from chalicelib.sdk import AsyncContext, Context, Event, NonRetriableError, StepError
from tests.unit.drivers.harness import Harness, step_id


def two(ctx: Context) -> tuple[int, int]:
    return ctx.group.parallel((lambda: ctx.step.run("a", abs, -1), lambda: ctx.step.run("b", abs, -2)))


def test_steps_without_a_result_are_planned_and_none_runs() -> None:
    def handler(ctx: Context) -> Any:
        return ctx.group.parallel((lambda: ctx.step.run("a", pytest.fail), lambda: ctx.step.run("b", pytest.fail)))

    assert [(op.op, op.name) for op in Harness(handler).ops()] == [
        (Opcode.STEP_PLANNED, "a"),
        (Opcode.STEP_PLANNED, "b"),
    ]


def test_a_group_gives_its_results_in_order_once_all_have_ended() -> None:
    harness = Harness(two)
    harness.memo("b", 2)
    assert [op.name for op in harness.ops()] == ["a"]
    harness.memo("a", 1)

    reply = harness.call()
    assert isinstance(reply, Returned)
    assert reply.output == [1, 2]


@pytest.mark.parametrize("memoised", [[], ["a"], ["b"]])
def test_a_target_runs_alone_wherever_it_stands(memoised: list[str]) -> None:
    ran: list[str] = []

    def handler(ctx: Context) -> Any:
        return ctx.group.parallel(
            (lambda: ctx.step.run("a", ran.append, "a"), lambda: ctx.step.run("b", ran.append, "b"))
        )

    for target in {"a", "b"} - set(memoised):
        harness = Harness(handler)
        for name in memoised:
            harness.memo(name)
        op = harness.op(step_id(target))
        assert (op.op, op.name) == (Opcode.STEP_RUN, target)
        assert ran.pop() == target
        assert ran == []


def test_a_target_that_is_gone_is_reported() -> None:
    assert Harness(two).op(step_id("c")).op is Opcode.STEP_NOT_FOUND


def test_all_kinds_of_steps_stand_side_by_side() -> None:
    def handler(ctx: Context) -> Any:
        return ctx.group.parallel(
            (
                lambda: ctx.step.run("run", abs, -1),
                lambda: ctx.step.sleep("sleep", "1d"),
                lambda: ctx.step.wait_for_event("wait", event="a", timeout=1),
                lambda: ctx.step.invoke_by_id("invoke", function_id="f"),
                lambda: ctx.step.send_event("send", Event(name="e")),
                lambda: "no step at all",
            )
        )

    harness = Harness(handler, outside={"invoke": 7})
    assert [op.op for op in harness.ops()] == [
        Opcode.STEP_PLANNED,
        Opcode.SLEEP,
        Opcode.WAIT_FOR_EVENT,
        Opcode.INVOKE_FUNCTION,
        Opcode.STEP_PLANNED,
    ]
    assert [op.name for op in harness.ops(step_id("send"))] == ["send"]
    result = harness.drive()
    assert result[:4] == [1, None, None, 7]
    assert result[5] == "no step at all"


def three_lanes(ctx: Context) -> Any:
    def lane(name: str, count: int) -> list[str]:
        return [ctx.step.run(f"{name}{index}", lambda: f"{name}{index}") for index in range(count)]  # noqa: B023

    return ctx.group.parallel((lambda: lane("a", 2), lambda: lane("b", 1), lambda: lane("c", 3)))


async def three_lanes_async(ctx: AsyncContext) -> Any:
    async def one(name: str) -> str:
        return name

    async def lane(name: str, count: int) -> list[str]:
        return [await ctx.step.run(f"{name}{index}", one, f"{name}{index}") for index in range(count)]

    return await ctx.group.parallel((lambda: lane("a", 2), lambda: lane("b", 1), lambda: lane("c", 3)))


@pytest.mark.parametrize("handler", [three_lanes, three_lanes_async])
@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_callables_go_on_by_themselves_in_any_order(handler: Any, order: tuple[str, ...]) -> None:
    harness = Harness(handler)
    ran = []
    for _ in range(10):
        reply = harness.call()
        if isinstance(reply, Returned):
            break
        # Only the first of the planned steps, in this test's order, ends before the next entry.
        op = min(harness.ops(), key=lambda op: order.index(op.name[0]))
        assert op.op is Opcode.STEP_PLANNED
        done = harness.op(op.id)
        assert done.op is Opcode.STEP_RUN
        ran.append(done.name)
        harness.memo(done.name, done.output)

    assert harness.drive() == [["a0", "a1"], ["b0"], ["c0", "c1", "c2"]]
    assert ran == sorted(ran, key=lambda name: order.index(name[0]))


def test_an_error_waits_for_the_others_and_the_first_is_raised() -> None:
    def handler(ctx: Context) -> str:
        try:
            ctx.group.parallel(
                (
                    lambda: ctx.step.run("a", abs, 1),
                    lambda: ctx.step.run("b", abs, 2),
                    lambda: ctx.step.run("c", abs, 3),
                )
            )
        except StepError as error:
            return error.message
        return "no error"

    harness = Harness(handler)
    harness.memo("b", error=ErrorInfo.of("E", "b failed"))
    harness.memo("a", error=ErrorInfo.of("E", "a failed"))

    assert [op.name for op in harness.ops()] == ["c"]
    assert harness.op(step_id("c")).op is Opcode.STEP_RUN
    harness.memo("c", 3)
    assert harness.drive() == "a failed"


def test_an_error_of_the_callable_itself_is_raised_too() -> None:
    def broken() -> None:
        raise NonRetriableError("my own")

    harness = Harness(lambda ctx: ctx.group.parallel((broken, lambda: ctx.step.run("b", abs, 2))))

    assert harness.op().name == "b"
    harness.memo("b", 2)
    assert harness.raised().error.message == "my own"


def test_a_callable_may_catch_what_its_step_raises() -> None:
    def handler(ctx: Context) -> Any:
        def careful() -> Any:
            try:
                return ctx.step.run("a", abs, 1)
            except StepError:
                return ctx.step.run("instead", abs, 9)

        return ctx.group.parallel((careful, lambda: ctx.step.run("b", abs, 2)))

    harness = Harness(handler)
    harness.memo("a", error=ErrorInfo.of("E", "failed"))

    assert [op.name for op in harness.ops()] == ["instead", "b"]
    assert harness.drive() == [9, 2]


def test_groups_follow_each_other_and_nest() -> None:
    def handler(ctx: Context) -> Any:
        def inner() -> Any:
            first = ctx.step.run("i0", abs, 1)
            return [
                first,
                *ctx.group.parallel((lambda: ctx.step.run("i1", abs, 2), lambda: ctx.step.run("i2", abs, 3))),
            ]

        one = ctx.group.parallel((inner, lambda: ctx.step.run("o", abs, 4)))
        two = ctx.group.parallel((lambda: ctx.step.run("p", abs, 5),))
        return [one, two, ctx.step.run("after", abs, 6), ctx.group.parallel(())]

    harness = Harness(handler)

    assert harness.drive() == [[[1, 2, 3], 4], [5], 6, []]
    assert harness.history == [f"StepRun {name}" for name in ("i0", "o", "i1", "i2", "p", "after")]


def test_first_steps_may_share_an_id() -> None:
    def handler(ctx: Context) -> Any:
        return ctx.group.parallel(tuple(partial(ctx.step.run, "fetch", abs, i) for i in range(3)))

    harness = Harness(handler)

    assert harness.drive() == [0, 1, 2]
    assert [op.id for op in harness.asked] == [step_id("fetch", repeat) for repeat in range(3)]


def later_steps_share(ctx: Context) -> Any:
    def lane(name: str) -> Any:
        ctx.step.run(name, abs, 1)
        return ctx.step.run("same", lambda: name)

    return ctx.group.parallel((lambda: lane("a"), lambda: lane("b")))


@pytest.mark.parametrize("first", ["a", "b"])
def test_an_id_whose_count_would_depend_on_the_order_of_ends_is_refused(first: str) -> None:
    harness = Harness(later_steps_share)
    harness.memo(first, 1)
    assert "same" in [op.name for op in harness.ops()]
    harness.memo("same", first)
    harness.memo("b" if first == "a" else "a", 1)

    raised = harness.raised()
    assert raised.retriable is False
    assert "give each step of the group its own id" in raised.error.message


def test_ids_repeated_in_one_callable_or_in_groups_that_follow_each_other_are_counted() -> None:
    def handler(ctx: Context) -> Any:
        def lane() -> Any:
            return [ctx.step.run("x", abs, i) for i in range(2)] + list(
                ctx.group.parallel((lambda: ctx.step.run("x", abs, 2), lambda: ctx.step.run("x", abs, 3)))
            )

        one = ctx.group.parallel((lane, lambda: ctx.step.run("y", abs, 4)))
        two = ctx.group.parallel((lambda: ctx.step.run("y", abs, 5), lambda: ctx.step.run("y", abs, 6)))
        return [one, two, ctx.step.run("y", abs, 7)]

    assert Harness(handler).drive() == [[[0, 1, 2, 3], 4], [5, 6], 7]
