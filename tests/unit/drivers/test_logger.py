"""ctx.logger says each thing once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chalicelib.core.calls import Opcode
from chalicelib.sdk import AsyncContext, Context
from tests.unit.drivers.harness import Harness


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "stepwell.functions"]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="stepwell.functions")


def handler(ctx: Context) -> None:
    ctx.logger.info("start of %s", ctx.run_id)
    ctx.step.run("a", lambda: ctx.logger.warning("in a"))
    ctx.logger.info("between")
    ctx.step.sleep("nap", 1)
    ctx.logger.debug("after nap")
    ctx.step.run("b", lambda: ctx.logger.info("in b"))
    ctx.logger.info("end")


async def async_handler(ctx: AsyncContext) -> None:
    ctx.logger.info("start of %s", ctx.run_id)
    await ctx.step.run("a", lambda: ctx.logger.warning("in a"))
    ctx.logger.info("between")
    await ctx.step.sleep("nap", 1)
    ctx.logger.debug("after nap")
    await ctx.step.run("b", lambda: ctx.logger.info("in b"))
    ctx.logger.info("end")


@pytest.mark.parametrize("written", [handler, async_handler])
def test_each_line_appears_once(written: Any, caplog: pytest.LogCaptureFixture) -> None:
    Harness(written).drive()

    assert lines(caplog) == ["start of run", "in a", "between", "after nap", "in b", "end"]


def test_a_line_of_a_failing_step_appears_at_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    def failing(ctx: Context) -> None:
        def work() -> None:
            ctx.logger.info("attempt %d", ctx.attempt)
            raise ValueError

        ctx.step.run("a", work)

    for attempt in range(2):
        assert Harness(failing, attempt=attempt).op().op is Opcode.STEP_ERROR

    assert lines(caplog) == ["attempt 0", "attempt 1"]


def test_lines_around_a_group_and_in_its_steps_appear_once(caplog: pytest.LogCaptureFixture) -> None:
    def grouped(ctx: Context) -> None:
        ctx.logger.info("before")
        ctx.group.parallel(
            (
                lambda: ctx.step.run("a", lambda: ctx.logger.info("in a")),
                lambda: ctx.step.run("b", lambda: ctx.logger.info("in b")),
            )
        )
        ctx.logger.info("after")

    Harness(grouped).drive()

    assert lines(caplog) == ["before", "in a", "in b", "after"]


def test_a_finally_is_silent_while_the_function_is_suspended(caplog: pytest.LogCaptureFixture) -> None:
    def cleaning(ctx: Context) -> None:
        try:
            ctx.step.sleep("nap", 1)
        finally:
            ctx.logger.info("cleaned")

    Harness(cleaning).drive()

    assert lines(caplog) == ["cleaned"]


def test_records_carry_the_ids_and_the_users_own_fields(caplog: pytest.LogCaptureFixture) -> None:
    Harness(lambda ctx: ctx.logger.info("x", extra={"mine": 1}), attempt=3).drive()

    record: Any = caplog.records[-1]
    assert (record.run_id, record.function_id, record.event_id, record.attempt, record.mine) == (
        "run",
        "fn",
        "01E",
        3,
        1,
    )
