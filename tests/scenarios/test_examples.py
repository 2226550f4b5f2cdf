"""The examples that ship, through the test kit alone."""

from __future__ import annotations

import pytest

from chalicelib.functions.hello import hello
from chalicelib.functions.onboarding import onboarding
from chalicelib.functions.trial import trial
from chalicelib.sdk import NonRetriableError
from chalicelib.testing import Stepwell

ADA = {"user_id": "u1", "account_id": "a1", "email": "ada@example.com"}
GRACE = {"user_id": "u2", "account_id": "a2", "email": "grace@example.com"}


def test_hello_greets_sleeps_a_second_and_works_side_by_side(stepwell: Stepwell) -> None:
    stepwell.send("demo/hello", {"name": "Ada"})

    run = stepwell.only_run(hello)
    assert run.status == "Running"
    assert run.steps["greet"].output == "Hello, Ada!"
    assert run.steps["breathe"].status == "waiting"

    stepwell.advance("1s")

    run = stepwell.only_run(hello)
    assert run.status == "Completed"
    assert run.output == {"greeting": "Hello, Ada!", "letters": 8, "shouted": "HELLO, ADA!"}
    assert list(run.steps) == ["greet", "breathe", "count-letters", "shout"]


def test_onboarding_completes_by_its_event(stepwell: Stepwell) -> None:
    stepwell.send("auth/user.created", ADA)
    stepwell.advance("3h")

    [event_id] = stepwell.send("app/function.created", {"user_id": "u1"})

    run = stepwell.only_run(onboarding)
    assert (run.status, run.output) == ("Completed", "active")
    assert list(run.steps) == ["send-welcome-email", "first-function"]
    assert run.steps["first-function"].caused_by == "app/function.created"
    assert [effect["run_id"] for effect in stepwell.event(event_id)["resumed"]] == [run.run_id]


def test_onboarding_follows_up_after_a_day(stepwell: Stepwell) -> None:
    stepwell.send("auth/user.created", ADA)

    stepwell.advance("23h59m")
    assert stepwell.only_run(onboarding).status == "Running"

    stepwell.advance("1m")
    run = stepwell.only_run(onboarding)
    assert (run.status, run.output) == ("Completed", "followed up")
    assert run.steps["follow-up"].output == "follow-up mail to ada@example.com"
    assert run.steps["first-function"].caused_by == "timer"


def test_onboarding_is_cancelled_when_its_user_leaves(stepwell: Stepwell) -> None:
    stepwell.send("auth/user.created", ADA)
    stepwell.send("auth/user.created", GRACE)

    [event_id] = stepwell.send("auth/user.deleted", {"user_id": "u1"})
    stepwell.advance("2d")

    ada, grace = stepwell.runs(onboarding)
    assert (ada.status, grace.status) == ("Cancelled", "Completed")
    assert "follow-up" not in ada.steps
    assert ada.error == "cancelled by the event auth/user.deleted"
    assert ada.timeline[-1]["cause"] == {"kind": "event", "id": event_id, "name": "auth/user.deleted"}
    assert [effect["run_id"] for effect in stepwell.event(event_id)["cancelled"]] == [ada.run_id]


def test_a_trial_ends_after_a_week(stepwell: Stepwell) -> None:
    stepwell.send("auth/user.created", ADA)

    stepwell.advance("6d23h")
    assert stepwell.only_run(trial).status == "Running"
    stepwell.advance("1h")

    run = stepwell.only_run(trial)
    assert (run.status, run.output) == ("Completed", {"account_id": "a1", "plan": "free"})
    assert list(run.steps) == ["trial-period", "end-trial", "tell-user"]


def test_a_trial_is_left_alone_after_an_upgrade_of_the_same_account(stepwell: Stepwell) -> None:
    stepwell.send("auth/user.created", ADA)
    stepwell.send("auth/user.created", GRACE)

    stepwell.advance("3d")
    stepwell.send("billing/user.upgraded", {"account_id": "a2"})
    stepwell.advance("10d")

    ada, grace = stepwell.runs(trial)
    assert (ada.status, grace.status) == ("Completed", "Cancelled")
    assert list(grace.steps) == ["trial-period"]


@pytest.mark.parametrize("mail", ["sent", None])
def test_a_step_can_be_stubbed(stepwell: Stepwell, mail: str | None) -> None:
    stepwell.stub(onboarding, "send-welcome-email", returns=mail)

    stepwell.send("auth/user.created", ADA)

    assert stepwell.only_run(onboarding).steps["send-welcome-email"].output == mail


def test_a_step_can_be_made_to_fail(stepwell: Stepwell) -> None:
    stepwell.stub(trial, "end-trial", raises=NonRetriableError("the billing system said no"))
    stepwell.stub(hello, "count-letters", raises=TimeoutError("slow"))  # In a parallel group, too.

    stepwell.send("auth/user.created", ADA)
    stepwell.send("demo/hello")
    stepwell.advance("7d")

    run = stepwell.only_run(trial)
    assert (run.status, run.error) == ("Failed", "the billing system said no")
    assert "tell-user" not in run.steps
    greeting = stepwell.only_run(hello)
    assert (greeting.status, greeting.error) == ("Failed", "slow")
    assert greeting.steps["count-letters"].attempts == 5
